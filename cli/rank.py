"""``lpa rank``: classes by where an augmentation stops preserving their labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .choices import (
    axes_option,
    classes_option,
    drop_option,
    groups_option,
    level_option,
    models_option,
    run_argument,
    split_option,
)
from .epilogs import examples
from .shown import pairs, with_intervals, with_states
from .tables import READING, echo_notes, format_option, print_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["command"]


@click.command(
    "rank",
    epilog=examples(
        "lpa rank RUN --top 10",
        "lpa rank RUN --by threshold --drop .1 --axis crop",
        "lpa rank RUN --groups groups.csv --format markdown",
    ),
)
@run_argument
@click.option(
    "--by",
    type=click.Choice(["loss", "threshold"]),
    default="loss",
    show_default=True,
    help="Mean loss along the axis, or the weakest strength that loses more than --drop.",
)
@drop_option
@click.option("--top", type=int, metavar="N", help="Only the N most hurt of each model and axis.")
@click.option("--joint", is_flag=True, help="Add ranks that hold for all classes at once.")
@models_option
@axes_option
@classes_option
@groups_option
@split_option
@level_option
@format_option
def command(
    run: str,
    by: str,
    drop: float,
    top: int | None,
    joint: bool,
    models: str | None,
    axes: str | None,
    classes: str | None,
    groups: str | None,
    split: str | None,
    level: str | None,
    form: str,
) -> None:
    """Rank classes by how much, or how soon, they are hurt.

    RUN is the folder of a run. Rank 1 is the most hurt; the interval of a rank covers the true one
    for 95 % of the classes on average. Classes with fewer than 10 images are shown, not ranked.
    """
    import lpa

    table = lpa.open(run).rank(
        by, drop, classes=classes, groups=groups, models=models, axes=axes, split=split,
        level=level, joint=joint, top=top,
    )  # fmt: skip
    echo_notes(table.attrs["notes"])
    print_table(_shown(table) if form in READING else table, form, empty="no such class is ranked")


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    if "group" in table.columns:
        table = with_intervals(table, {"loss": ("low", "high")})
        table["threshold"] = with_states(table, "median_threshold", "median_state")
        columns = ["model", "axis", "split", "group", "loss", "interval", "drop", "threshold"]
        shown = table[[*columns, "classes", "n", "level"]]
        return shown.rename(columns={"threshold": "median threshold"})
    low = with_states(table, "threshold_low", "threshold_low_state")
    high = with_states(table, "threshold_high", "threshold_high_state")
    table = table.assign(threshold=with_states(table, "threshold", "state"))
    table["between"] = [
        "" if state == "undefined" else f"{first} .. {second}"
        for first, second, state in zip(low, high, table["state"], strict=True)
    ]
    table = with_intervals(table, {"loss": ("low", "high")})
    columns = ["model", "axis", "split", "rank"]
    for name, end in (("ranks", "rank"), ("joint", "joint")):
        if f"{end}_low" in table.columns:
            table[name] = pairs(table[f"{end}_low"], table[f"{end}_high"], "{:.0f}-{:.0f}")
            columns.append(name)
    columns += ["class", "title", "loss", "interval", "drop", "threshold", "between", "n", "level"]
    return table[columns]
