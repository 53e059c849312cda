"""``lpa show``."""

from __future__ import annotations

import json

import click


@click.command("show")
@click.argument("run", type=click.Path())
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
def command(run: str, form: str) -> None:
    """Show what a run holds.

    Coverage by model and axis, what is missing or failed, skipped files, versions, and the
    commands so far.
    """
    import lpa

    overview = lpa.overview(run)
    click.echo(json.dumps(overview.to_dict(), indent=1) if form == "json" else str(overview))
