"""``lpa figure``: one figure as PDF, SVG or PNG, for print."""

from __future__ import annotations

import click

from .choices import axes_option, classes_option, groups_option, models_option, run_argument
from .epilogs import examples

__all__ = ["command"]

FIGURES = (
    "mean_curve", "class_curves", "class_heatmap", "ranking", "small_multiples", "drift", "table1",
)  # fmt: skip


@click.command(
    "figure",
    epilog=examples(
        "lpa figure RUN class_curves -o curves.pdf",
        "lpa figure RUN class_curves --classes 'barn spider,strawberry' --width 8cm -o curves.svg",
        "lpa figure RUN small_multiples --groups groups.csv --width 6.75in -o groups.pdf",
    ),
)
@run_argument
@click.argument("name", metavar="|".join(FIGURES))
@click.option(
    "-o", "--out", required=True, type=click.Path(), metavar="FILE",
    help="File to write; ends in .pdf, .svg or .png.",
)  # fmt: skip
@click.option(
    "--width", default="3.25in", show_default=True, metavar="LENGTH",
    help="With a unit: in, cm, mm, pt or px.",
)  # fmt: skip
@click.option("--height", metavar="LENGTH", help="Follows from the figure by default.")
@click.option("--value", type=float, help="Where drift is looked at; the strongest by default.")
@click.option("--top", type=int, metavar="N", help="How many classes, where none are named.")
@models_option
@axes_option
@classes_option
@groups_option
@click.option("--split", metavar="NAME", help="Only this split.")
def command(
    run: str,
    name: str,
    out: str,
    width: str,
    height: str | None,
    value: float | None,
    top: int | None,
    models: str | None,
    axes: str | None,
    classes: str | None,
    groups: str | None,
    split: str | None,
) -> None:
    """Draw a figure into a file for print.

    RUN is the folder of a run. Where no classes are named, those that are hurt most are drawn.
    Needs the extra `figures` (pip install 'lpa[figures]') and a Chromium or Chrome.
    """
    import lpa

    path = lpa.open(run).save_figure(
        name, out, width=width, height=height, classes=classes, groups=groups, axis=axes,
        models=models, split=split, value=value, top=top,
    )  # fmt: skip
    click.echo(f"{path}")
