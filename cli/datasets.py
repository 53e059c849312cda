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

    rows = [{"name": row["form"], "description": row["description"]} for row in lpa.list_datasets()]
    echo_listing("data set", rows, pattern, form)
