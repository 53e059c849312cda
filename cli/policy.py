"""``lpa policy``: for each class, the range of strengths that is shown to be safe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .choices import (
    axes_option,
    classes_option,
    drop_option,
    family_option,
    groups_option,
    level_option,
    models_option,
    run_argument,
    split_option,
)
from .epilogs import examples
from .shown import with_intervals
from .tables import READING, echo_notes, format_option, print_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["command"]


@click.command(
    "policy",
    epilog=examples(
        "lpa policy RUN --drop .05",
        "lpa policy RUN --model resnet50 --axis crop -o policy.json",
    ),
)
@run_argument
@click.option(
    "-o", "--out", type=click.Path(), metavar="FILE",
    help="Write the policy of one model and axis as JSON, for training sweeps.",
)  # fmt: skip
@drop_option
@click.option(
    "--confidence", type=float, default=0.95, show_default=True, metavar="SHARE",
    help="One-sided, of each class (or with --family all of all).",
)  # fmt: skip
@family_option("What is guaranteed with 95 %: each class by itself, or all classes at once.")
@models_option
@axes_option
@classes_option
@groups_option
@split_option
@level_option
@format_option
def command(
    run: str,
    out: str | None,
    drop: float,
    confidence: float,
    family: str,
    models: str | None,
    axes: str | None,
    classes: str | None,
    groups: str | None,
    split: str | None,
    level: str | None,
    form: str,
) -> None:
    """Show for each class up to which strength it is safe.

    RUN is the folder of a run. Safe: with 95 % confidence the class loses less than --drop there
    and at all weaker values; with --family all, all classes at once. The confidence is approximate
    where each value has one draw, and a note says by how much. A class that is "not significantly
    hurt" is not safe.
    """
    import lpa

    if out is not None and (classes is not None or groups is not None):
        raise lpa.InputError(
            "a policy's file is of all classes; leave --classes and --groups out, or -o"
        )
    if out is not None and Path(out).is_dir():
        raise lpa.InputError(
            f"-o {out} is a directory; expected the policy's file, e.g. {Path(out) / 'policy.json'}"
        )
    opened = lpa.open(run)
    path = None
    if out is not None:
        path = opened.write_policy(
            out, drop, model=models, axis=axes, split=split, level=level,
            confidence=confidence, family="all" if family == "all" else "one",
        )  # fmt: skip
    table = opened.policy(
        drop, classes=classes, groups=groups, models=models, axes=axes, split=split,
        level=level, confidence=confidence, family="all" if family == "all" else "one",
    )  # fmt: skip
    echo_notes(table.attrs["notes"])
    if path is not None:
        counts = table["state"].value_counts()
        states = ", ".join(f"{count} {state}" for state, count in counts.items())
        click.echo(f"at the strongest value: {states}", err=True)
        click.echo(f"{path}")
        return
    print_table(_shown(table) if form in READING else table, form)


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    if "group" in table.columns:
        table = with_intervals(table, {"loss": ("low", "high")})
        columns = ["model", "axis", "split", "group", "loss", "interval"]
        columns += ["safe", "undecided", "unsafe", "undefined", "classes", "n", "level"]
        return table[columns]
    columns = ["model", "axis", "split", "class", "title", "safe_to", "unsafe_from", "state"]
    return table[[*columns, "n", "needed", "drop", "confidence", "family", "level"]]
