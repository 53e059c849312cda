"""``lpa import``: results that were computed elsewhere."""

from __future__ import annotations

import shlex
from typing import Any

import click

from .epilogs import examples

__all__ = ["command"]


@click.command(
    "import",
    epilog=examples(
        "lpa import 'preds/crop{value}_s{replicate}.csv' --model rn50 --axis crop \\",
        "    --map sample=path,prediction=pred --labels labels.csv --classes names.txt -o RUN",
        "lpa import 'q{value}.npz' --model rn50 --axis jpeg --unit quality --reference 100 \\",
        "    --stronger down --labels /data/val --classes names.txt -o RUN",
        "lpa import counts.csv --map value=tau,replicate=seed --model rn50 --axis crop -o RUN",
    ),
)
@click.argument("files", nargs=-1, required=True)
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(),
    metavar="DIR|s3://...",
    help="The run's folder.",
)
@click.option("--model", metavar="NAME", help="The model, where no column or file name says it.")
@click.option(
    "--axis", metavar="NAME", help="The axis, where no column or file name says it: crop, jpeg."
)
@click.option("--value", type=float, help="Value on the axis of all that is read.")
@click.option("--replicate", type=int, metavar="N", help="Replicate of all that is read.")
@click.option(
    "--map", "columns", multiple=True, metavar="TARGET=COLUMN",
    help="What columns are: sample=path,prediction=pred. Not needed for lpa's own names, "
    "timm's inference.py and arrays called logits.",
)  # fmt: skip
@click.option(
    "--labels", metavar="FOLDER|CSV|RUN",
    help="True labels: a folder with one sub-folder per class, a CSV of sample,label, or a run. "
    "[default: a column of the files]",
)  # fmt: skip
@click.option(
    "--classes", type=click.Path(), metavar="FILE",
    help="Names of the classes in the order of their indices: one a line, or JSON.",
)  # fmt: skip
@click.option("--split", metavar="NAME", help="Split of the labels.")
@click.option("--unit", metavar="TEXT", help="Unit of an axis of your own: quality.")
@click.option("--reference", type=float, help="Its identity: the value that changes nothing.")
@click.option(
    "--stronger", type=click.Choice(["up", "down"]), help="Where its values grow stronger."
)
@click.option("--scale", type=click.Choice(["linear", "log"]), help="Its scale. [default: linear]")
@click.option(
    "--replicates", type=click.Choice(["draws", "trainings"]),
    help="What replicates are. [default: draws; counts: trainings]",
)  # fmt: skip
@click.option(
    "--paired-replicates", is_flag=True, default=None,
    help="Trainings with the same replicate share their seed between values.",
)  # fmt: skip
@click.option(
    "--samples", type=click.Choice(["all", "common"]), default="all", show_default=True,
    help="Refuse files that lack samples, or keep the samples that all have.",
)  # fmt: skip
@click.option(
    "--by-row", is_flag=True, help="Every file has the same samples, unnamed, in the same order."
)
def command(files: tuple[str, ...], out: str, columns: tuple[str, ...], **options: Any) -> None:
    """Import predictions or counts that were computed elsewhere.

    FILES are .csv, .parquet or .npz files, or patterns of their names, in quotes:
    'preds/crop{value}_s{replicate}.csv' ({model} and {axis} too). One row per prediction: a
    sample's name and a class by name or index, or a list of the best; timm's inference.py output
    as it is; logits [N, classes]; or counts: class, n and correct or accuracy per training run.

    The same command again changes nothing; more files, models and axes extend the run.
    """
    import lpa

    done = lpa.import_results(files, out, columns=columns, **options)
    click.echo(str(done))
    click.echo(f"run: {done.location}")
    first = "lpa test" if done.what == "counts" else "lpa curves"
    click.echo(f"next:\n  {first} {shlex.quote(done.location)}")
