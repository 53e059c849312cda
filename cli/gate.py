"""``lpa gate``: exit status 3 when a class is shown to lose more than is allowed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from .choices import (
    axes_option,
    classes_option,
    groups_option,
    level_option,
    models_option,
    run_argument,
    split_option,
)
from .epilogs import examples
from .shown import with_intervals
from .tables import echo_notes, print_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["command"]

NOT_PASSED = 3
"""Exit status."""


@click.command(
    "gate",
    epilog=examples(
        "lpa gate RUN --max-drop .1",
        "lpa gate NEW --against OLD --format junit > gate.xml",
        "lpa gate RUN --require safe --budget budget.csv --classes watch.txt",
    ),
)
@run_argument
@click.option(
    "--against", type=click.Path(), metavar="OLD",
    help="An older run on the same images, in place of the reference.",
)  # fmt: skip
@click.option(
    "--max-drop", type=float, default=0.10, show_default=True,
    help="Loss of accuracy that each class may have, as a fraction.",
)  # fmt: skip
@click.option(
    "--require", type=click.Choice(["not-hurt", "safe"]), default="not-hurt", show_default=True,
    help="safe: every class must be shown to lose less.",
)  # fmt: skip
@click.option(
    "--budget", type=click.Path(), metavar="FILE",
    help="What each class may lose: JSON class -> drop, or CSV with the columns class,max_drop.",
)  # fmt: skip
@click.option("--value", type=float, help="Check only this value.")
@models_option
@axes_option
@classes_option
@groups_option
@split_option
@level_option
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "junit", "markdown"]),
    default="table", show_default=True, help="json and junit are for machines.",
)  # fmt: skip
@click.pass_context
def command(
    context: click.Context,
    run: str,
    against: str | None,
    max_drop: float,
    require: str,
    budget: str | None,
    value: float | None,
    models: str | None,
    axes: str | None,
    classes: str | None,
    groups: str | None,
    split: str | None,
    level: str | None,
    form: str,
) -> None:
    """Fail when a class is shown to lose more than is allowed.

    RUN is the folder of a run. Exit status 0: passed; 3: not passed, and the failing classes are
    named. All classes and values that are checked are corrected together (Holm), so a harmless
    change fails with a probability of at most 5 %. --groups adds counts by group.
    """
    import lpa

    opened = lpa.open(run)
    safe = require == "safe"
    found = opened.gate(
        max_drop, against=against, require="safe" if safe else "not hurt", budget=budget,
        value=value, classes=classes, models=models, axes=axes, split=split, level=level,
    )  # fmt: skip
    by_group = None
    if groups is not None:
        by_group = opened.gate_groups(found, groups, means=against is None)
    echo_notes((found.table if by_group is None else by_group).attrs["notes"])
    if form == "json":
        click.echo(json.dumps(_record(found, by_group), indent=1, ensure_ascii=False))
    elif form == "junit":
        from .junit import junit

        click.echo(junit(found.classes, found.reasons, safe))
    else:
        _print_for_reading(found, by_group, form, safe)
    if not found.passed:
        context.exit(NOT_PASSED)


def _record(found: Any, by_group: pd.DataFrame | None) -> dict[str, Any]:
    record = {
        "passed": found.passed,
        "reasons": found.reasons,
        "counts": found.counts,
        "classes": _rows(found.classes),
        "values": _rows(found.table),
    }
    return record if by_group is None else {**record, "groups": _rows(by_group)}


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=15))
    return rows


def _print_for_reading(found: Any, by_group: pd.DataFrame | None, form: str, safe: bool) -> None:
    """Print the answer, why, and the classes that decide it."""
    verdict = "passed" if found.passed else "not passed"
    counts = ", ".join(f"{count} {name}" for name, count in found.counts.items())
    lines = [f"gate {verdict}: {counts}", *found.reasons]
    if form == "markdown":
        click.echo(f"**gate {verdict}**: {counts}\n")
        rows = [_markdown(reason) for reason in found.reasons]
        click.echo("".join(f"- {reason}\n" for reason in rows), nl=False)
    else:
        for line in lines:
            click.echo("".join(c if c.isprintable() else "�" for c in line))
    rows_of = found.table[found.table["state"] == "fails"]
    if len(rows_of):
        click.echo()
        print_table(_shown(rows_of), form)
    if by_group is not None:
        click.echo()
        columns = ["model", "axis", "split", "group"]
        if "loss" in by_group.columns:
            by_group = with_intervals(by_group, {"loss": ("low", "high")})
            by_group = by_group.rename(columns={"loss": "mean loss"})
            columns += ["mean loss", "interval"]
        print_table(by_group[[*columns, *found.counts, "classes", "level"]], form)


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    table = with_intervals(table, {"loss": ("low", "high")}, name="one-sided limits")
    columns = ["model", "axis", "value", "split", "class", "title", "allowed", "loss"]
    return table[[*columns, "one-sided limits", "p_holm", "m", "n", "level"]]


def _markdown(text: str) -> str:
    for sign in "\\`*_[]<>|":
        text = text.replace(sign, f"\\{sign}")
    return "".join(c if c.isprintable() else "�" for c in text)
