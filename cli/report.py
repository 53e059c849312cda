"""``lpa report``: one HTML page of a run, or of several side by side."""

from __future__ import annotations

from pathlib import Path

import click

from .epilogs import examples

__all__ = ["command"]


@click.command(
    "report",
    short_help="Write a page of findings that opens offline.",
    epilog=examples(
        "lpa report RUN",
        "lpa report SCAN TRAININGS -o both.html",
    ),
)
@click.argument("runs", type=click.Path(), nargs=-1, required=True, metavar="RUN...")
@click.option(
    "-o", "--out", type=click.Path(), metavar="FILE",
    help="Page to write; by default report.html in the run's folder, and for several runs "
    "report-of-runs.html here.",
)  # fmt: skip
def command(runs: tuple[str, ...], out: str | None) -> None:
    """Write a page of findings, curves, tables and pictures that opens offline.

    RUN is the folder of a run; neither the data nor the models are needed. Several runs stand side
    by side on one page, their classes and axes matched by name.
    """
    import lpa

    if out is not None and Path(out).is_dir():
        raise lpa.InputError(
            f"-o {out} is a directory; expected the page's file, e.g. {Path(out) / 'report.html'}"
        )
    first, *beside = [lpa.open(run) for run in runs]
    click.echo(f"{first.report(out, beside)}")
