"""Memory and time of a probe's heads on made-up features.

::

    python benchmarks/probe_heads.py [--images 100000] [--features 2048] [--classes 10000]
        [--batches 4]

Memory: the default recipe (12 heads in one pass) on a mapped file of half-precision features,
stopped after a few batches; ``--batches 0`` trains, chooses and refits to the end (one epoch). It
must stay below 4 GB beside the pages of the mapped file. Time: a whole training of 100 classes at
two numbers of images, of which one is twice the other.
"""

from __future__ import annotations

import argparse
import itertools
import re
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lpa.plans.head_recipe import HeadRecipe
from lpa.probing.head_training import HeadTraining


@dataclass
class Table:
    """Features and labels."""

    features: npt.NDArray[Any]
    labels: npt.NDArray[np.int64]


def made_up(path: Path, images: int, width: int, classes: int) -> Table:
    """Write features and map them; a class is a direction under noise."""
    random = np.random.default_rng(0)
    file = np.lib.format.open_memmap(path, "w+", np.float16, (images, width))
    directions = random.normal(size=(classes, width)).astype(np.float16)
    labels = np.arange(images) % classes
    for start in range(0, images, 4096):
        part = labels[start : start + 4096]
        noise = random.standard_normal((len(part), width), dtype=np.float32)
        file[start : start + 4096] = np.maximum(directions[part] + 2 * noise, 0)
    file.flush()
    del file
    return Table(np.load(path, mmap_mode="r"), labels)


def resident(name: str) -> float:
    """Return a line of this process's status in GB: RssAnon leaves out mapped files."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None, "needs Linux"
    return int(found[1]) * 1024 / 1e9


class Peak:
    """Highest resident memory beside mapped files while it is open, looked at every 5 ms."""

    def __enter__(self) -> Peak:
        """Begin."""
        self.before = self.highest = resident("RssAnon")
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def _look(self) -> None:
        while not self._end.wait(0.005):
            self.highest = max(self.highest, resident("RssAnon"))

    def __exit__(self, *error: object) -> None:
        """End."""
        self._end.set()
        self._thread.join()


def trained(table: Table, classes: int, batches: int) -> tuple[int, float]:
    """Train one epoch, or some batches of it; return how many images went through, and seconds."""
    keys = np.random.default_rng(1).integers(0, 2**63, len(table.labels)).astype(np.uint64)
    start, count = time.perf_counter(), itertools.count()
    training = HeadTraining(table, classes, HeadRecipe(epochs=1), keys=keys)
    ready = time.perf_counter()
    print(f"  measured {len(keys)} images in {ready - start:.1f} s", flush=True)
    images: list[int] = []
    training.run(stop=lambda: bool(batches) and next(count) == batches, tick=images.append)
    return sum(images), time.perf_counter() - ready


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--features", type=int, default=2048)
    parser.add_argument("--classes", type=int, default=10_000)
    parser.add_argument("--batches", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        path = Path(work) / "features.npy"
        table = made_up(path, options.images, options.features, options.classes)
        print(f"{path.stat().st_size / 1e9:.2f} GB of features mapped", flush=True)
        with Peak() as peak:
            images, seconds = trained(table, options.classes, options.batches)
        print(f"  {images} images in {seconds:.1f} s; peak beside the mapped file")
        print(f"  {peak.highest:.2f} GB, of which {peak.before:.2f} GB before training", flush=True)
        taken = []
        for images in (20_000, 40_000):
            few = made_up(Path(work) / f"{images}.npy", images, 256, 100)
            taken.append(trained(few, 100, 0)[1])
            print(f"  {images} images x 256 features, 100 classes: {taken[-1]:.2f} s", flush=True)
        print(f"twice the images take {taken[1] / taken[0]:.2f} times as long")


if __name__ == "__main__":
    main()
