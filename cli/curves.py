"""``lpa curves``: accuracy along the axes, over all classes and by class."""

from __future__ import annotations

import click

from .tables import format_option, print_table

__all__ = ["command"]


@click.command("curves")
@click.argument("run", type=click.Path())
@click.option("--classes", metavar="NAMES|FILE", help="Only these classes: a,b or one a line.")
@click.option(
    "--mean/--by-class",
    "mean",
    default=None,
    help="Only the means over all images and classes, or only the classes; both by default.",
)
@click.option("--model", "--models", "models", metavar="NAMES", help="Only these models.")
@click.option("--aug", "--axis", "axes", metavar="NAMES", help="Only these augmentations or axes.")
@click.option("--split", metavar="NAME", help="Only this split.")
@click.option("--level", type=click.Choice(["image", "run"]), help="Only intervals of this level.")
@format_option
def command(
    run: str,
    classes: str | None,
    mean: bool | None,
    models: str | None,
    axes: str | None,
    split: str | None,
    level: str | None,
    form: str,
) -> None:
    """Print accuracy by value of each axis, with 95 % intervals.

    RUN is the folder of a run. A class of one image has no interval: its curve describes that
    image.
    """
    import lpa

    if classes is not None and mean is None:
        mean = False
    table = lpa.open(run).curves(classes, mean, models=models, axes=axes, split=split, level=level)
    print_table(table, form, empty=f"{run} has no complete cell yet")
