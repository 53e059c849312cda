"""The commands that faults befall, each so small that it takes a second."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import timm
import tiny
import torch

__all__ = ["EXPERIMENTS", "Experiment", "Ground"]


class Ground:
    """What all cases read and none writes: images, backbones, checkpoints, predictions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images = folder / "images"
        self.source = folder / "source"
        self.checkpoints = folder / "checkpoints"
        self.predictions = folder / "predictions"

    def lay(self, command: Callable[[Sequence[str]], None]) -> None:
        """Write it; ``command`` runs an ``lpa`` command."""
        tiny.folder(self.images, 7)  # 70 images: two shards.
        command(
            ["train-sweep", "--model", "small_cnn", "--data", "digits-0-4", "--values", "1,.3",
             "--seeds", "2", "--limit", "120", "--epochs", "2", "--device", "cpu", "-j", "1",
             "--no-report", "-o", str(self.source)]
        )  # fmt: skip
        self._train_checkpoints()
        self._predict()

    def _train_checkpoints(self) -> None:
        self.checkpoints.mkdir()
        for number, value in enumerate(("1", ".3")):
            for seed in (0, 1):
                torch.manual_seed(10 * number + seed)
                module = timm.create_model("test_resnet", num_classes=10)
                for parameter in module.parameters():  # Fresh heads tell no classes apart.
                    parameter.data += 0.05 * torch.randn_like(parameter)
                torch.save(
                    {"state_dict": module.state_dict(), "classes": list(tiny.NAMES)},
                    self.checkpoints / f"tau{value}_seed{seed}.pth",
                )

    def _predict(self) -> None:
        self.predictions.mkdir()
        names = [f"{file.parent.name}/{file.name}" for file in sorted(self.images.glob("*/*.png"))]
        (self.folder / "names.txt").write_text("\n".join(tiny.NAMES))
        generator = np.random.default_rng(3)
        for value in ("1", "0.5", "0.2"):
            for draw in (0, 1)[: 1 if value == "1" else 2]:
                right = generator.uniform(size=len(names)) < float(value)
                guesses = [
                    name.partition("/")[0] if hit else "zero"
                    for name, hit in zip(names, right, strict=True)
                ]
                pd.DataFrame({"path": names, "pred": guesses}).to_csv(
                    self.predictions / f"crop{value}_s{draw}.csv", index=False
                )


@dataclass(frozen=True)
class Experiment:
    """A command and what its run consists of.

    Attributes
    ----------
    name : str
    words : callable
        Ground, location of the run, folder for caches -> the words behind ``lpa``.
    trains : bool
        Whether there are checkpoints of unfinished trainings.
    computes : bool
        Whether models go over images, and a signal stops it cleanly.
    features : bool
        Whether it keeps files of features.
    repairs : bool
        Whether ``--repair`` computes damaged units again.
    distributes : bool
        Whether its units are many enough to be done by several workers.
    launcher : sequence of str
        What starts its processes; none: each command is one.
    """

    name: str
    words: Callable[[Ground, str, Path], list[str]]
    trains: bool = False
    computes: bool = True
    features: bool = False
    repairs: bool = False
    distributes: bool = False
    launcher: Sequence[str] = ()


TORCHRUN = (
    sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m",
    "lpa_cli",
)  # fmt: skip

DEVICE = ["--device", "cpu", "--no-report"]


def _scan(ground: Ground, out: str, cache: Path) -> list[str]:
    return [
        "scan", "--models", "a=tiny:first,b=tiny:second", "--data", str(ground.images), "--aug",
        "crop=1,.5", "--aug", "cutout=0,.3", "--draws", "2", "--ensemble", "-j", "2", *DEVICE,
        "-o", out,
    ]  # fmt: skip


def _sweep(ground: Ground, out: str, cache: Path) -> list[str]:
    return [
        "train-sweep", "--values", "1,.3", "--seeds", "2", "--limit", "100", "--epochs", "3",
        "--stack", "1", "--hold-out", ".1", "--ema", ".9", "-j", "1", *DEVICE, "-o", out,
    ]  # fmt: skip


def _stacked(ground: Ground, out: str, cache: Path) -> list[str]:
    return [
        "train-sweep", "--values", "1,.3", "--seeds", "4", "--limit", "80", "--epochs", "3",
        "--stack", "4", "--policy", "adaptive_strength", "--policy", "plain", "--hold-out", ".2",
        "-j", "1", *DEVICE, "-o", out,
    ]  # fmt: skip


def _ready(ground: Ground, out: str, cache: Path) -> list[str]:
    pattern = ground.checkpoints / "tau{value}_seed{seed}.pth"
    return [
        "train-sweep", "--from", str(pattern), "--model", "net=timm:test_resnet", "--data",
        str(ground.images), "--img-size", "32", "-j", "1", *DEVICE, "-o", out,
    ]  # fmt: skip


def _probe(ground: Ground, out: str, cache: Path) -> list[str]:
    return [
        "probe", "digits-5-9", "--backbones", str(ground.source), "--epochs", "4", "--lr", "5",
        "--weight-decays", "1e-3,1e-2", "--limit", "300", "--cache", str(cache), "-j", "1",
        *DEVICE, "-o", out,
    ]  # fmt: skip


def _import(ground: Ground, out: str, cache: Path) -> list[str]:
    return [
        "import", str(ground.predictions / "crop{value}_s{replicate}.csv"), "--model", "rn50",
        "--axis", "crop", "--map", "sample=path,prediction=pred", "--labels", str(ground.images),
        "--classes", str(ground.folder / "names.txt"), "--out", out,
    ]  # fmt: skip


EXPERIMENTS = {
    one.name: one
    for one in (
        Experiment("scan", _scan, repairs=True, distributes=True),
        Experiment("train-sweep", _sweep, trains=True, distributes=True),
        Experiment("train-sweep, stacked", _stacked, trains=True),
        Experiment("train-sweep --from", _ready),
        Experiment("probe", _probe, trains=True, features=True, distributes=True),
        Experiment("import", _import, computes=False),
        Experiment("train-sweep, two processes", _sweep, trains=True, launcher=TORCHRUN),
    )
}
