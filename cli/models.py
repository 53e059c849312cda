"""``lpa models``."""

from __future__ import annotations

import click

from .listings import echo_listing


@click.command("models")
@click.argument("pattern", default="*")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
def command(pattern: str, form: str) -> None:
    """List models by name, with wildcards: lpa models '*convnext*'.

    A checkpoint is given as NAME=ARCHITECTURE@FILE, a factory as package.module:function.
    """
    import lpa

    rows = lpa.list_models(pattern)
    echo_listing("model", rows, "*" if rows else pattern, form)
