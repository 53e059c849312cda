"""``lpa train-sweep``."""

from __future__ import annotations

import os
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
    "epochs", "batch_size", "optimizer", "learning_rate", "momentum", "weight_decay", "schedule",
    "step_epochs", "step_factor", "warmup_epochs", "warmup_factor", "minimum_factor",
    "gradient_clip", "ema", "flip", "dropout", "hold_out",
)  # fmt: skip
"""Options that change the recipe; the architecture's own is taken for what is not given."""


@click.command(
    "train-sweep",
    short_help="Train over the values of a regularizer, many seeds each.",
    epilog=examples(
        "lpa train-sweep",
        "lpa train-sweep --data photos/ --model resnet50 --values 1,.5,.08 --seeds 5",
        "lpa train-sweep --regularizer weight_decay --set random_crop=.08 --dry-run",
        "lpa train-sweep --from 'ckpt/rn50_tau{value}_seed{seed}.pth' --model resnet50 \\",
        "  --regularizer random_crop --data photos/",
    ),
)
@click.option(
    "--model",
    "--models",
    "model",
    metavar="NAME",
    help="Architecture: resnet50, convnext_tiny, vit_s, ... or small_cnn, small_resnet, small_vit; "
    "NAME=ARCHITECTURE names it. [default: small_cnn]",
)
@click.option(
    "--data",
    metavar="PATH|NAME|NAME=PATH",
    help="Images: a folder, a CSV, Parquet files, a named data set. [default: digits]",
)
@click.option(
    "--regularizer",
    metavar="NAME",
    help="What is swept: random_crop, weight_decay, dropout, ...; `lpa regularizers` lists them. "
    "[default: random_crop]",
)
@click.option("--values", metavar="VALUES", help="1,.5,.08 or 1:.08:8. [default: the axis's grid]")
@click.option("--seeds", type=int, help="Trainings at each value. [default: 5]")
@click.option(
    "--set",
    "held",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another regularizer, held fixed: --set random_crop=.08.",
)
@click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="NAME[=SOURCE]",
    help="plain, class_dependent=FILE|RUN, preservation_targets=SCAN, label_distillation=MODEL, "
    "adaptive_strength; each is one of the run's models. [default: plain]",
)
@click.option(
    "--from",
    "checkpoints",
    metavar="PATTERN",
    help="Evaluate ready checkpoints, train nothing: 'ckpt/rn50_tau{value}_seed{seed}.pth'; "
    "{percent} where the files say 8 for .08.",
)
@parts_options("What is trained on.")
@click.option(
    "--classes",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Names of the classes, where the data have numbers only.",
)
@click.option("--epochs", type=int, help="Passes over the training images.")
@click.option("-b", "--batch-size", type=int, help="Images per update.")
@click.option("--optimizer", "--opt", "optimizer", help="sgd, nesterov, adamw, or timm's.")
@click.option("--learning-rate", "--lr", "learning_rate", type=float)
@click.option("--momentum", type=float, help="Of SGD.")
@click.option("--weight-decay", type=float, help="Not of normalisation parameters.")
@click.option("--schedule", type=click.Choice(["cosine", "step", "constant"]))
@click.option("--step-epochs", type=int, help="Of --schedule step: after so many epochs,")
@click.option("--step-factor", type=float, help="... times so much.")
@click.option("--warmup-epochs", type=float, help="Linear warm-up.")
@click.option("--warmup-factor", type=float, help="Its first rate, as a share.")
@click.option("--minimum-factor", type=float, help="Last rate of cosine, as a share.")
@click.option("--gradient-clip", type=float, help="Largest norm of the gradient.")
@click.option("--ema", type=float, help="Decay of averaged weights, which are evaluated.")
@click.option("--flip", type=float, help="Probability of a horizontal flip.")
@click.option("--dropout", type=float, help="Before the head (timm's drop_rate).")
@click.option("--hold-out", type=float, help="Share of the training images not trained on.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of every random number.")
@click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda|cuda:1|mps",
    help="Where to compute; auto and cuda use all GPUs, one training on each.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "fp16", "bf16"]),
    default="auto",
    show_default=True,
    help="Of the training; auto: bf16 on CUDA, else fp32.",
)
@click.option("-j", "--workers", type=int, help="Threads that read and decode.")
@engine_options
@click.option("--shard", metavar="I/N", help="Train part I of N (job arrays).")
@click.option(
    "--keep",
    type=click.Choice(["last", "best", "none"]),
    default="last",
    show_default=True,
    help="Weights to keep; `lpa scan --models RUN` reads them. best: by --hold-out.",
)
@click.option(
    "--stack",
    default="auto",
    show_default=True,
    metavar="auto|N",
    help="How many small models train as one.",
)
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the cache of decoded images.",
)
@click.option("--img-size", type=int, help="Input size in pixels.")
@click.option("--crop-pct", type=float, help="Crop fraction of the evaluation view.")
@click.option("--mean", callback=numbers, metavar="R,G,B", help="Normalisation mean.")
@click.option("--std", callback=numbers, metavar="R,G,B", help="Normalisation deviation.")
@click.option("--interpolation", help="bilinear, bicubic, ...")
@click.option("--compile/--no-compile", "compiled", default=False, help="torch.compile.")
@click.option("--max-time", metavar="H:MM:SS", help="Stop cleanly after this time.")
@click.option("--dry-run", is_flag=True, help="Say what it would take, and train nothing.")
@click.option("--retry", is_flag=True, help="Train again what diverged.")
@click.option("--strict", is_flag=True, help="Fail when any training is missing in the end.")
@click.option("--report/--no-report", default=True, help="Write the report at the end.")
def command(**options: Any) -> None:
    """Train an architecture over the values of a regularizer and many seeds.

    Without options: a small network on scikit-learn's digits, over the lower bound of a random
    crop, five seeds each. The same command again trains only what is missing; stopped or killed, it
    goes on from its checkpoints. Under torchrun, one training uses all processes.
    """
    import lpa

    asked = dict(options)
    recipe = {name: asked.pop(name) for name in RECIPE}
    asked["recipe"] = {name: value for name, value in recipe.items() if value is not None}
    asked["policies"] = list(asked["policies"]) or None
    asked["held"] = list(asked["held"]) or None
    asked["stack"] = _stack(asked["stack"])
    asked["shard"] = lpa.parse_shard(asked["shard"]) if asked["shard"] else None
    asked["max_time"] = lpa.parse_duration(asked["max_time"]) if asked["max_time"] else None
    report, dry_run, engine = asked.pop("report"), asked.pop("dry_run"), read_engine(asked)
    if dry_run:
        for name in ("max_time", "strict"):
            del asked[name]
        click.echo(str(lpa.estimate_sweep(**asked)))
        return
    with stop_on_signals() as stop:
        run = lpa.train_sweep(stop=stop, **engine, **asked)
    if os.environ.get("RANK", "0") != "0":
        return  # Another process of the same training speaks.
    folder = shlex.quote(run.location)
    click.echo(f"run: {run.location}")
    cells = run.outcomes.cells
    if not len(cells):
        click.echo(
            f"no training has outcomes: `lpa show {folder}` says why; a lower --learning-rate "
            "diverges less"
            if run.outcomes.failures
            else "no training is finished yet: run the other parts of --shard"
        )
        return
    if report:
        click.echo(f"report: {run.report()}")
    click.echo("next:")
    if cells.groupby(["model", "axis", "value"]).size().min() > 1:
        click.echo(
            f"  lpa test {folder}      which classes are lower with the regularizer (Table 1)"
        )
    else:
        click.echo(
            "  --seeds 5 in the same command      tests need at least two trainings at a value"
        )
    click.echo(f"  lpa rank {folder}      the classes that pay most")
    if asked["checkpoints"] is None and asked["keep"] != "none":
        click.echo(
            f"  lpa scan --models {folder} --data DATA      what was trained, under augmentation"
        )


def _stack(text: str) -> int | str:
    if text == "auto":
        return text
    try:
        return int(text)
    except ValueError:
        raise click.BadParameter(f"--stack {text!r}: expected auto or a number") from None
