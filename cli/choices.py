"""Options by which commands choose models, axes, classes and groups of a run, alike everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = [
    "axes_option",
    "classes_option",
    "drop_option",
    "family_option",
    "fdr_option",
    "groups_option",
    "level_option",
    "models_option",
    "run_argument",
    "split_option",
]

run_argument = click.argument("run", type=click.Path())

models_option = click.option(
    "--model", "--models", "models", metavar="NAMES", help="Only these models."
)

axes_option = click.option(
    "--aug", "--axis", "axes", metavar="NAMES", help="Only these augmentations or axes."
)

classes_option = click.option(
    "--classes", metavar="NAMES|FILE", help="Only these classes: a,b or a file with one a line."
)

groups_option = click.option(
    "--groups",
    type=click.Path(),
    metavar="FILE",
    help="Groups instead of classes: JSON class -> group, or CSV with the columns class,group.",
)

split_option = click.option("--split", metavar="NAME", help="Only this split.")

level_option = click.option(
    "--level",
    type=click.Choice(["image", "run", "both"]),
    help="image: new images, these models; both: new images and new trainings, the default for "
    "sweeps and probes. run is for curves and tests alone.",
)

drop_option = click.option(
    "--drop",
    type=float,
    default=0.10,
    show_default=True,
    help="Loss of accuracy that counts, as a fraction: .1 is 10 points.",
)


Decorated = TypeVar("Decorated", bound=Callable[..., Any] | click.Command)


def family_option(text: str) -> Callable[[Decorated], Decorated]:
    """Return the option ``--family``, with what it means to a command."""
    return click.option(
        "--family",
        type=click.Choice(["one", "all"]),
        default="one",
        show_default=True,
        help=text,
    )


fdr_option = click.option(
    "--fdr",
    type=click.Choice(["bh", "by"]),
    default="bh",
    show_default=True,
    help="False discovery rate: Benjamini-Hochberg, or Benjamini-Yekutieli for any dependence.",
)
