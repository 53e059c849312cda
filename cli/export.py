"""``lpa export``: every outcome as one long table."""

from __future__ import annotations

import click

from .epilogs import examples

__all__ = ["command"]


@click.command(
    "export",
    epilog=examples("lpa export RUN -o outcomes.parquet", "lpa export RUN -o out.csv --strict"),
)
@click.argument("run", type=click.Path())
@click.option(
    "-o", "--out", required=True, type=click.Path(), metavar="FILE",
    help="File to write; ends in .parquet or .csv.",
)  # fmt: skip
@click.option("--strict", is_flag=True, help="Refuse a run with incomplete cells.")
def command(run: str, out: str, strict: bool) -> None:
    """Write one row per model, axis value, draw and image.

    RUN is the folder of a run. Columns: model, axis, value, replicate, sample, class, label,
    prediction, prediction_probability, label_rank, label_probability.
    """
    import lpa

    opened = lpa.open(run, strict=strict)
    path = opened.export(out)
    left_out = len(opened.outcomes.incomplete)
    if left_out:
        click.echo(f"{left_out} incomplete cells are left out", err=True)
    click.echo(f"{path}")
