"""Options of commands that train: where the run lies, what is trained on, what is evaluated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = ["parts_options"]

Decorated = TypeVar("Decorated", bound=Callable[..., Any] | click.Command)


def parts_options(trained_on: str) -> Callable[[Decorated], Decorated]:
    """Return what adds the options to a command; ``trained_on`` explains ``--train-split``."""
    options = (
        click.option(
            "-o", "--out", type=click.Path(), metavar="DIR|s3://...", help="The run's folder."
        ),
        click.option(
            "--split", metavar="NAMES", help="What is evaluated. [default: val, else test]"
        ),
        click.option("--train-split", metavar="NAMES", help=f"{trained_on} [default: train]"),
        click.option(
            "--test-share",
            type=float,
            default=0.25,
            show_default=True,
            help="Share of each class that is evaluated where the data have one split.",
        ),
        click.option(
            "--per-class", type=int, metavar="N", help="Train on at most N images of each class."
        ),
        click.option("--limit", type=int, metavar="N", help="Train on at most N images in all."),
    )

    def add(command: Decorated) -> Decorated:
        for option in reversed(options):
            command = option(command)
        return command

    return add
