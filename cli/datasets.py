"""``lpa datasets``."""

from __future__ import annotations

import click

from .epilogs import examples
from .listings import echo_listing


@click.command(
    "datasets",
    short_help="List named data sets and data formats.",
    epilog=examples(
        "lpa datasets",
        "lpa datasets 'fashion*' --format json",
    ),
)
@click.argument("pattern", default="*")
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
    help="json is for programs.",
)  # fmt: skip
def command(pattern: str, form: str) -> None:
    """List named data sets and the data formats that are read from a path."""
    import lpa

    rows = [{"name": row["form"], "description": row["description"]} for row in lpa.list_datasets()]
    echo_listing("data set", rows, pattern, form)
