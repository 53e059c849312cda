"""``lpa show``."""

from __future__ import annotations

import json

import click

from .epilogs import examples


@click.command(
    "show",
    epilog=examples(
        "lpa show RUN",
        "lpa show RUN --format json",
    ),
)
@click.argument("run", type=click.Path())
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
    help="json is for programs.",
)  # fmt: skip
def command(run: str, form: str) -> None:
    """Show what a run holds.

    Coverage by model and axis, what is missing or failed, skipped files, versions, and the
    commands so far.
    """
    import lpa

    overview = lpa.overview(run)
    click.echo(json.dumps(overview.to_dict(), indent=1) if form == "json" else str(overview))
