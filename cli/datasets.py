"""``lpa datasets``."""

from __future__ import annotations

import click

from .listings import echo_listing


@click.command("datasets")
@click.argument("pattern", default="*")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
def command(pattern: str, form: str) -> None:
    """List named data sets and the data formats that are read from a path."""
    import lpa

    echo_listing("data set", lpa.list_datasets(), pattern, form)
