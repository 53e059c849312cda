"""``lpa regularizers``."""

from __future__ import annotations

import click

from .epilogs import examples
from .listings import echo_listing


@click.command(
    "regularizers",
    short_help="List what training sweeps vary.",
    epilog=examples(
        "lpa regularizers",
        "lpa regularizers '*crop*' --format json",
    ),
)
@click.argument("pattern", default="*")
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
    help="json is for programs.",
)  # fmt: skip
def command(pattern: str, form: str) -> None:
    """List what training sweeps vary: unit, reference and default grid.

    At the reference value there is no regularization. Options stand in brackets:
    --regularizer 'random_crop(frame=image)'
    """
    import lpa

    echo_listing("regularizer", lpa.list_regularizers(), pattern, form)
