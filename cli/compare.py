"""``lpa compare``: two models, or two values, on the same images."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from .choices import (
    axes_option,
    classes_option,
    fdr_option,
    groups_option,
    run_argument,
    split_option,
)
from .epilogs import examples
from .shown import in_its_direction, with_intervals
from .tables import READING, echo_notes, format_option, print_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["command"]

TABLES = ("overall", "classes", "flips")


@click.command(
    "compare",
    short_help="Compare two models, or two values, image by image.",
    epilog=examples(
        "lpa compare RUN --models old,new",
        "lpa compare RUN --models old,new --at crop=.5 --classes watch.txt",
        "lpa compare RUN --values crop=1,.5 --table flips --format csv",
    ),
)
@run_argument
@click.option(
    "--model", "--models", "models", metavar="OLD,NEW",
    help="The two models to compare; with --values, only these models.",
)  # fmt: skip
@click.option("--at", metavar="AXIS=VALUE", help="Compare models there, not at the identity.")
@click.option("--values", metavar="[AXIS=]OLD,NEW", help="Compare two values of an axis.")
@axes_option
@classes_option
@groups_option
@split_option
@fdr_option
@click.option(
    "--table", "which", type=click.Choice(TABLES),
    help="Only this table; in csv, classes by default.",
)  # fmt: skip
@click.option(
    "--top", type=click.IntRange(min=0), default=20, show_default=True, metavar="N",
    help="Classes and images in the formats for reading.",
)  # fmt: skip
@format_option
def command(
    run: str,
    models: str | None,
    at: str | None,
    values: str | None,
    axes: str | None,
    classes: str | None,
    groups: str | None,
    split: str | None,
    fdr: str,
    which: str | None,
    top: int,
    form: str,
) -> None:
    """Compare two models, or two values of an axis, image by image.

    RUN is the folder of a run. Prints the difference over all images, the classes that changed
    most, and the images whose prediction flipped.
    """
    import lpa

    found = lpa.open(run).compare(
        models, values=values, at=at, axis=axes, classes=classes, groups=groups, split=split,
        fdr="by" if fdr == "by" else "bh",
    )  # fmt: skip
    echo_notes(found.overall.attrs["notes"])
    tables = {"overall": found.overall, "classes": found.classes, "flips": found.flips}
    if form in READING:
        tables = {
            "overall": _shown_overall(found.overall),
            "classes": _shown_classes(found.classes, top),
            "flips": _shown_flips(found.flips, top),
        }
    elif form == "csv":
        which = which or "classes"
    if which is not None:
        print_table(tables[which], form, empty="no image changed")
    elif form == "json":
        _print_json(tables)
    else:
        for number, (name, table) in enumerate(tables.items()):
            total = len(found.flips) if name == "flips" else 0
            title = f"{name}: {len(table)} of {total} images" if total > len(table) else name
            click.echo(_heading(title, form, number))
            print_table(table, form, empty="no image changed")


def _heading(title: str, form: str, number: int) -> str:
    before = "\n" if number else ""
    return before + {"table": f"{title}", "markdown": f"### {title}\n", "latex": f"% {title}"}[form]


def _print_json(tables: dict[str, pd.DataFrame]) -> None:
    """Print one object with the three tables."""
    parts = []
    for name, table in tables.items():
        rows = json.loads(table.to_json(orient="records", double_precision=15))
        parts.append(f"{json.dumps(name)}: {json.dumps(rows, ensure_ascii=False)}")
    click.echo("{" + ",\n".join(parts) + "}")


def _shown_overall(table: pd.DataFrame) -> pd.DataFrame:
    table = with_intervals(table, {"difference": ("low", "high")})
    place = ["model", "axis", "value", "old_model", "old_value", "split", "aggregate"]
    place += ["group"] if "group" in table.columns else []
    numbers = ["old_accuracy", "accuracy", "difference", "interval", "lost", "gained", "n"]
    return table[[*place, *numbers, "level"]]


def _shown_classes(table: pd.DataFrame, top: int) -> pd.DataFrame:
    table = in_its_direction(table, "difference", "hurt", "helped")
    table = table.iloc[table["difference"].abs().argsort(kind="stable")[::-1]].head(top)
    table = with_intervals(table, {"difference": ("low", "high")})
    place = ["model", "axis", "value", "old_model", "old_value", "split", "class", "title"]
    numbers = ["difference", "interval", "lost", "gained", "direction", "p", "p_bh", "p_holm"]
    return table[[*place, *numbers, "n", "m", "level"]]


def _shown_flips(table: pd.DataFrame, top: int) -> pd.DataFrame:
    place = ["model", "axis", "value", "old_model", "old_value", "split"]
    columns = ["flip", "name", "title", "old_share", "share", "old_prediction", "prediction"]
    return table[[*place, *columns]].head(top)
