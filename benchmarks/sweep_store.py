"""Size of the store of a large training sweep, and the time that `lpa test` takes on it.

    python benchmarks/sweep_store.py [--values 93] [--seeds 20] [--samples 50000] [--run RUN]

Writes a run of made-up trainings (1,000 classes; every training its own predictions, ranks and
both probabilities, as a real one stores them) into a temporary folder, one unit a training, and
runs the command in a process of its own. With --run the run is kept there, or taken from there.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from synthetic import VERSIONS, made_up_samples

from lpa.axes import Axis
from lpa.classes import Classes
from lpa.outcomes import Cell, RunRecord, Store, cell_id, create_or_check, put_plan, write_unit

CLASSES = 1_000
TAU = Axis(
    "random_crop", "least share of the area kept", 1.0, "down", minimum=0.001, maximum=1.0,
    monotone=False,
)  # fmt: skip


def outcome(labels: np.ndarray, accuracy: np.ndarray, generator: np.random.Generator) -> dict:
    """Make up one training's columns: about as many bits as a real model's."""
    right = generator.uniform(size=len(labels)) < accuracy[labels]
    rank = np.where(right, 0, generator.geometric(0.3, len(labels))).clip(0, CLASSES - 1)
    # Wrong predictions go to a few neighbours of the class, as confusions do.
    other = (labels + generator.geometric(0.2, len(labels))) % CLASSES
    best = generator.beta(4, 1.5, len(labels))
    own = np.where(right, best, best * generator.uniform(size=len(labels)))
    return {
        "prediction": np.where(right, labels, other).astype(np.int32)[None],
        "prediction_probability": best.astype(np.float32)[None],
        "label_rank": rank.astype(np.int32)[None],
        "label_probability": own.astype(np.float32)[None],
    }


def write(path: Path, values: int, seeds: int, per_class: int) -> None:
    """Write the run; a quarter of the classes falls with the crop."""
    samples = made_up_samples(CLASSES, per_class)
    generator = np.random.default_rng(0)
    base = generator.beta(6, 2, CLASSES)
    slope = np.where(np.arange(CLASSES) % 4 == 0, 0.1, -0.02)
    store = Store(path)
    names = tuple(f"c{index:04d}" for index in range(CLASSES))
    record = RunRecord(
        kind="sweep", data="made-up data", split="val", per_class=None, limit=None,
        fingerprint=samples.fingerprint, classes=Classes(names, ()), seed=0, precision="fp32",
        shard_size=len(samples), reference={},
    )  # fmt: skip
    create_or_check(store, record, samples)
    grid = np.linspace(1.0, 0.08, values).round(4).tolist()
    put_plan(store, {
        "command": "lpa train-sweep", "created": "2026-01-02T03:04:05+00:00",
        "versions": VERSIONS, "device": "cpu", "models": {"rn50": {"source": "made up"}},
        "axes": [{"axis": TAU.to_dict(), "values": grid, "draws": seeds}],
    })  # fmt: skip
    for value in grid:
        for seed in range(seeds):
            key = cell_id(
                model="rn50", augmentation={"regularizer": TAU.name}, value=value, replicate=seed,
                seed=0, precision="fp32", data=samples.fingerprint,
            )  # fmt: skip
            noise = generator.normal(0, 0.03, CLASSES)
            accuracy = (base - slope * (1 - value) + noise).clip(0.02, 0.98)
            columns = outcome(samples.label, accuracy, generator)
            cell = Cell("rn50", TAU.name, value, seed, key)
            write_unit(store, 0, [cell], samples.sample, columns, {}, {"seconds": 0.0})


def ask(run: Path, *words: str) -> None:
    """Run a command and print its time and the peak of its memory."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", "from lpa_cli import main; main()", *words, str(run)],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"lpa {' '.join(words):12} {seconds:6.1f} s, peak so far {peak:5.2f} GiB")


def main() -> None:
    """Write the run or take it, print its size, and ask."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--values", type=int, default=93)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--samples", type=int, default=50_000)
    parser.add_argument("--run", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = asked.run or Path(folder) / "run"
        if not (run / "run.json").exists():
            start = time.perf_counter()
            write(run, asked.values, asked.seeds, asked.samples // CLASSES)
            print(f"written in {time.perf_counter() - start:.0f} s")
        sizes = [path.stat().st_size for path in run.rglob("*") if path.is_file()]
        print(f"{len(sizes)} files, {sum(sizes) / 1e6:.0f} MB")
        ask(run, "test")
        ask(run, "show")


if __name__ == "__main__":
    main()
