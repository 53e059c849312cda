"""``lpa probe``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from .engines import engine_options, read_engine
from .epilogs import examples
from .parts import parts_options
from .signals import stop_on_signals
from .values import numbers

RECIPE = (
    "epochs", "batch_size", "learning_rates", "weight_decays", "momentum", "seeds", "hold_out",
    "refit", "standardise",
)  # fmt: skip
"""Options of the heads; the recipe's own defaults hold for what is not given."""


@click.command(
    "probe",
    short_help="Probe frozen backbones on another data set.",
    epilog=examples(
        "lpa probe",
        "lpa probe inat --data /data/inat2021 --train-split train_mini --backbones runs/rn50-crop",
        "lpa probe --data photos/ --backbones resnet50,vit_s",
        "lpa probe --data photos/ --backbones 'ckpt/rn50_tau{value}_seed{seed}.pth' "
        "--model resnet50 --regularizer random_crop",
    ),
)
@click.argument("target", required=False)
@click.option(
    "--backbones",
    metavar="RUN|MODELS|PATTERN",
    help="A run of lpa train-sweep, models as for lpa scan, or ready checkpoints "
    "('ckpt/rn50_tau{value}_seed{seed}.pth').",
)
@click.option(
    "--data",
    metavar="PATH|NAME|NAME=PATH",
    help="The target, or where TARGET lies. [default: digits 5 to 9]",
)
@click.option("--model", metavar="NAME", help="Architecture of the checkpoints of a pattern.")
@click.option("--regularizer", metavar="NAME", help="What the values of a pattern are values of.")
@parts_options("What heads train on.")
@click.option(
    "--classes",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Names of the target's classes, where the data have numbers only.",
)
@click.option("--epochs", type=int, help="Of a head: passes over the features.")
@click.option("-b", "--batch-size", type=int, help="Of a head: images per update.")
@click.option(
    "--learning-rates", "--lr", "learning_rates", callback=numbers, metavar="A,B,..",
    help="Tried, and chosen from on a part of the training images.",
)  # fmt: skip
@click.option("--weight-decays", callback=numbers, metavar="A,B,..", help="Likewise.")
@click.option("--momentum", type=float, help="Of SGD.")
@click.option("--seeds", type=int, help="Heads a backbone, which are averaged. [default: 1]")
@click.option("--hold-out", type=float, help="Share of the training images to choose on.")
@click.option("--refit/--no-refit", default=None, help="Train the chosen head on all of them.")
@click.option("--standardise/--no-standardise", default=None, help="Features to mean 0, std 1.")
@click.option("--aug", metavar="NAME=VALUE", help="Train heads on draws of it, too, e.g. crop=.5.")
@click.option("--views", type=int, metavar="K", help="How many draws. [default: 1]")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of every random number.")
@click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda|cuda:1|mps",
    help="Where to compute; auto and cuda use all GPUs.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "fp16", "bf16"]),
    default="auto",
    show_default=True,
    help="Of the backbones; auto: fp16 on CUDA, else fp32. Heads train in fp32.",
)
@click.option(
    "--store",
    type=click.Choice(["float16", "float32"]),
    default="float16",
    show_default=True,
    help="Type of the features in the cache.",
)
@click.option("--images-at-once", type=int, metavar="N", help="Images per forward pass.")
@click.option("-j", "--workers", type=int, help="Threads that read and decode.")
@engine_options
@click.option("--shard", metavar="I/N", help="Do part I of N (job arrays).")
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the features, which may be thrown away.",
)
@click.option("--img-size", type=int, help="Input size in pixels.")
@click.option("--crop-pct", type=float, help="Crop fraction of the evaluation view.")
@click.option("--mean", callback=numbers, metavar="R,G,B", help="Normalisation mean.")
@click.option("--std", callback=numbers, metavar="R,G,B", help="Normalisation deviation.")
@click.option("--interpolation", help="bilinear, bicubic, ...")
@click.option("--max-time", metavar="H:MM:SS", help="Stop cleanly after this time.")
@click.option("--dry-run", is_flag=True, help="Say what it would take, and compute nothing.")
@click.option("--strict", is_flag=True, help="Fail when any probe is missing in the end.")
@click.option("--report/--no-report", default=True, help="Write the report at the end.")
def command(target: str | None, **options: Any) -> None:
    """Probe frozen backbones on another data set: how pre-training moves its classes.

    Without arguments: small networks trained on the digits 0 to 4, over the lower bound of a
    random crop, probed on the digits 5 to 9. One linear head a backbone; outcomes stand at the
    backbone's value of what was varied in its pre-training. The same command again computes only
    what is missing; stopped or killed, it goes on.
    """
    import lpa

    asked = dict(options)
    recipe = {name: asked.pop(name) for name in RECIPE}
    asked["recipe"] = {name: value for name, value in recipe.items() if value is not None}
    asked["shard"] = lpa.parse_shard(asked["shard"]) if asked["shard"] else None
    asked["max_time"] = lpa.parse_duration(asked["max_time"]) if asked["max_time"] else None
    report, dry_run, engine = asked.pop("report"), asked.pop("dry_run"), read_engine(asked)
    if dry_run:
        for name in ("max_time", "strict"):
            del asked[name]
        click.echo(str(lpa.estimate_probe(target, **asked)))
        return
    with stop_on_signals() as stop:
        run = lpa.probe(target, stop=stop, **engine, **asked)
    folder = shlex.quote(run.location)
    click.echo(f"run: {run.location}")
    if not len(run.outcomes.cells):
        click.echo("no probe is finished yet: run the other parts of --shard")
        return
    if not run.axes:
        click.echo("next:")
        click.echo(f"  lpa curves {folder}      accuracy of every class, by model")
        click.echo(f"  lpa export {folder} -o outcomes.parquet      every prediction")
        return
    if report:
        click.echo(f"report: {run.report()}")
    click.echo("next:")
    click.echo(f"  lpa curves {folder}      the target's classes over the backbones' values")
    click.echo(
        f"  lpa test {folder}      which classes are lower on regularized backbones (Table 1)"
    )
    click.echo(f"  lpa rank {folder}      the classes that pay most")
    if run.outcomes.store.exists("taxonomy/family.csv"):
        groups = shlex.quote(f"{run.location}/taxonomy/family.csv")
        click.echo(f"  lpa rank {folder} --groups {groups}      by family, and so on")
