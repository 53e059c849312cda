"""``lpa scan``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from .engines import engine_options, read_engine
from .epilogs import examples
from .signals import stop_on_signals
from .values import numbers


def _augmentations(augmentations: tuple[str, ...], alphas: str | None) -> Any:
    """Join --aug and --alphas; the latter goes with one augmentation only, crop by default."""
    if alphas is None:
        return augmentations or None
    joined = ",".join(augmentations) or "crop"
    if not augmentations:
        click.echo("note: --alphas without --aug are values of crop", err=True)
    if len(augmentations) > 1 or "=" in joined.split("(")[0] or _depth_zero_comma(joined):
        raise click.UsageError(
            f"--alphas {alphas} goes with one augmentation without values, and --aug is {joined}; "
            "write the values of each behind its name: --aug crop=1,.5,.08 --aug cutout=0,.3"
        )
    return {joined: alphas}


def _depth_zero_comma(text: str) -> bool:
    depth = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            return True
    return False


@click.command(
    "scan",
    epilog=examples(
        "lpa scan",
        "lpa scan --aug crop,cutout --models resnet50,vit_s --data /data/imagenet --split val",
        "lpa scan --aug crop=1:.08:20 --models mine=resnet50@best.pth --data photos",
        "lpa scan --aug 'kornia:RandomJPEG(jpeg_quality=({alpha},{alpha}))@100,50,10'",
    ),
)
@click.option(
    "--aug",
    "augmentations",
    multiple=True,
    metavar="NAMES",
    help="Augmentations, with or without values: crop,cutout or crop=1,.5,.08 or crop=1:.08:20; "
    "'kornia:CLASS(ARGUMENT={alpha})@0,1,2' for any of Kornia's. "
    "[default: crop,cutout,color_jitter]",
)
@click.option(
    "--alphas",
    metavar="VALUES",
    help="Values of one augmentation: 1,.5,.08 (without --aug: of crop).",
)
@click.option(
    "--models",
    "--model",
    "models",
    metavar="NAMES",
    help="Models: resnet50,vit_s,mine=resnet50@best.pth, 'popular'. [default: efficientnet_lite0]",
)
@click.option(
    "--data",
    metavar="PATH|NAME|NAME=PATH",
    help="Images: a folder, a CSV, Parquet files, a named data set. [default: imagenet-sample]",
)
@click.option("--split", metavar="NAMES", help="Split or splits: val, or train,val.")
@click.option(
    "-o",
    "--out",
    type=click.Path(),
    metavar="DIR|s3://...",
    help="The run's folder. [default: under runs/, named after the data]",
)
@click.option("--draws", type=int, help="Random draws per value. [default: 1; sample: 8]")
@click.option("--per-class", type=int, metavar="N", help="At most N images of each class.")
@click.option("--limit", type=int, metavar="N", help="At most N images in all.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of every random number.")
@click.option(
    "--classes",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Names of the models' outputs: one a line, or JSON name -> index.",
)
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
    help="auto: fp16 on CUDA with small margins repeated in fp32, else fp32.",
)
@click.option("-b", "--batch-size", type=int, help="Images per pass. [default: 64; GPU: 256]")
@click.option(
    "-j", "--workers", type=int, help="Threads that read and decode. [default: cores, up to 8]"
)
@engine_options
@click.option("--shard", metavar="I/N", help="Do part I of N of the work (job arrays).")
@click.option("--ensemble", is_flag=True, help="Add the models' mean probability as one model.")
@click.option(
    "--restrict-classes", is_flag=True, help="Models predict only classes that the data have."
)
@click.option("--img-size", type=int, help="Input size in pixels, for fine-tuned models.")
@click.option("--crop-pct", type=float, help="Crop fraction of the evaluation view.")
@click.option(
    "--crop-mode", type=click.Choice(["center", "squash"]), help="timm's crop mode of the view."
)
@click.option("--mean", callback=numbers, metavar="R,G,B", help="Normalisation mean.")
@click.option("--std", callback=numbers, metavar="R,G,B", help="Normalisation deviation.")
@click.option("--interpolation", metavar="NAME", help="Resampling of the view: bilinear, ...")
@click.option("--max-time", metavar="H:MM:SS", help="Stop cleanly after this time.")
@click.option("--dry-run", is_flag=True, help="Say what it would take, and do nothing.")
@click.option("--strict", is_flag=True, help="Fail when any cell is incomplete in the end.")
@click.option(
    "--class-check/--no-class-check",
    default=True,
    help="Stop when the confusions say that classes are matched wrongly.",
)
@click.option("--repair", is_flag=True, help="Compute damaged units again.")
@click.option(
    "--images",
    type=click.Choice(["small", "none"]),
    default="small",
    show_default=True,
    help="Pictures kept for the report; none for data that must not leave.",
)
@click.option("--report/--no-report", default=True, help="Write the report at the end.")
def command(augmentations: tuple[str, ...], alphas: str | None, **options: Any) -> None:
    """Scan pretrained models over augmentation strengths.

    Without options: an ImageNet-trained EfficientNet-Lite0 on twenty real photographs, under crop,
    cutout and colour jitter. The same command again computes only what is missing.
    """
    import lpa

    asked = dict(options, aug=_augmentations(augmentations, alphas))
    engine = read_engine(asked)
    asked["images"] = asked["images"] == "small"
    asked["shard"] = lpa.parse_shard(asked["shard"]) if asked["shard"] else None
    max_time = lpa.parse_duration(asked["max_time"]) if asked["max_time"] else None
    asked["max_time"] = max_time
    report, dry_run = asked.pop("report"), asked.pop("dry_run")
    if dry_run:
        for name in ("max_time", "strict"):
            del asked[name]
        click.echo(str(lpa.estimate(**asked)))
        return
    with stop_on_signals() as stop:
        run = lpa.scan(stop=stop, **engine, **asked)
    click.echo(f"run: {run.location}")
    folder = shlex.quote(run.location)
    if not len(run.outcomes.cells):
        # One part of several (--shard) is done: there is nothing to read before the others are.
        click.echo("no cell is complete yet: run the other parts of --shard")
        click.echo(f"next:\n  lpa show {folder}      what there is, and what is missing")
        return
    if report:
        click.echo(f"report: {run.report()}")
    first = run.outcomes.cells["axis"].iloc[0]
    click.echo("next:")
    axis = shlex.quote(first)
    click.echo(f"  lpa curves {folder} --axis {axis}      the numbers behind the curves")
    click.echo(f"  lpa show {folder}      what there is, and what is missing")
    click.echo(f"  lpa export {folder} -o outcomes.parquet      every prediction, for pandas")
