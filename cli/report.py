"""``lpa report``: one HTML page of a run."""

from __future__ import annotations

import click

__all__ = ["command"]


@click.command("report")
@click.argument("run", type=click.Path())
@click.option(
    "-o", "--out", type=click.Path(), metavar="FILE",
    help="Page to write; report.html in the run's folder by default.",
)  # fmt: skip
def command(run: str, out: str | None) -> None:
    """Write a page of curves and pictures that opens offline.

    RUN is the folder of a run; neither the data nor the models are needed.
    """
    import lpa

    click.echo(f"{lpa.open(run).report(out)}")
