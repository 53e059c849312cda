"""Tiny backbones and their features, for the tests of extraction."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import tiny
import torch

from lpa.datasets import open_data
from lpa.datasets.selection import index_samples
from lpa.datasets.source import Source
from lpa.models import load, parse_models
from lpa.models.loaded import LoadedModel
from lpa.outcomes import Samples
from lpa.probing import features

PER_CLASS = 5


def backbone(seed: int = 0, side: int = 16, **changes: Any) -> LoadedModel:
    """A convolution with random weights."""
    (spec,) = parse_models({f"tiny{seed}": tiny.model(seed, side, **changes)})
    return load(spec)


def data(folder: Path) -> tuple[Source, Samples]:
    """Fifty pictures of digits."""
    if not folder.exists():
        tiny.folder(folder, PER_CLASS)
    source = open_data(folder)
    return source, index_samples(source, np.arange(len(source)), np.arange(10))


class Counted:
    """A source that counts what is read, and is killed at one image."""

    def __init__(self, source: Source, killed_at: int | None = None) -> None:
        self.source, self.killed_at, self.reads = source, killed_at, 0

    def read(self, index: int) -> Any:
        if index == self.killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.reads += 1
        return self.source.read(index)


def main(folder: str, cache: str, killed_at: str) -> None:
    """Extract with shards of eight until one image kills the process."""
    torch.set_num_threads(1)
    features.SHARD = 8
    source, samples = data(Path(folder))
    features.extract(
        [backbone(0), backbone(1)],
        Counted(source, int(killed_at)),  # type: ignore[arg-type]
        samples,
        cache=cache,
        workers=1,
    )
