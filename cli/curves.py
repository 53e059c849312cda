"""``lpa curves``: accuracy along the axes, over all classes, by class and by group."""

from __future__ import annotations

import click

from .choices import (
    axes_option,
    classes_option,
    groups_option,
    models_option,
    run_argument,
    split_option,
)
from .epilogs import examples
from .tables import echo_notes, format_option, print_table

__all__ = ["command"]


@click.command(
    "curves",
    epilog=examples(
        "lpa curves RUN --mean",
        "lpa curves RUN --classes 'barn spider,canoe' --axis crop",
        "lpa curves RUN --groups groups.csv --format csv > groups_by_value.csv",
    ),
)
@run_argument
@click.option(
    "--mean/--by-class",
    "mean",
    default=None,
    help="Only the means over all images and classes, or only the classes; both by default.",
)
@models_option
@axes_option
@classes_option
@groups_option
@split_option
@click.option("--level", type=click.Choice(["image", "run"]), help="Only intervals of this level.")
@format_option
def command(
    run: str,
    mean: bool | None,
    models: str | None,
    axes: str | None,
    classes: str | None,
    groups: str | None,
    split: str | None,
    level: str | None,
    form: str,
) -> None:
    """Print accuracy by value of each axis, with 95 % intervals.

    RUN is the folder of a run. A class of one image has no interval: its curve describes that
    image. Training runs have two intervals, over images and over runs, in rows of their own.
    """
    import lpa

    if mean is None and (classes is not None or groups is not None):
        mean = False
    table = lpa.open(run).curves(
        classes, mean, groups=groups, models=models, axes=axes, split=split, level=level
    )
    echo_notes(table.attrs["notes"])
    print_table(table, form)
