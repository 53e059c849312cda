"""``lpa models``."""

from __future__ import annotations

import click

from .epilogs import examples
from .listings import echo_listing


@click.command(
    "models",
    short_help="List models.",
    epilog=examples(
        "lpa models '*convnext*'",
        "lpa models 'resnet*' --format json",
    ),
)
@click.argument("pattern", default="*")
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
    help="json is for programs.",
)  # fmt: skip
def command(pattern: str, form: str) -> None:
    """List models by name, with wildcards: lpa models '*convnext*'.

    A checkpoint is given as NAME=ARCHITECTURE@FILE, a factory as package.module:function.
    """
    import lpa

    rows = lpa.list_models(pattern)
    echo_listing("model", rows, "*" if rows else pattern, form)
