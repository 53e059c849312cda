"""Bracket of the per-class oracle's gain: naive above the truth, split at or below it.

Run as ``python -m tests.simulations.oracle --repetitions 4000 --out FILE.csv``; repetitions are
counted in classes, over which a gain is a mean.

A run gets an image right with probability .06 or .94. Which of them depends on a latent number of
the image and on the class's accuracy at the value; with probability ``luck`` an image has a latent
number of its own at a value, so that classes differ between values on these images alone. The
expected accuracy of a class is .06 + .88 p exactly, and a class's run has a standard deviation of
3.4 points with 50 images.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lpa.statistics.curve_data import CurveData
from lpa.statistics.halves import image_halves
from lpa.statistics.oracle import split_gains


@dataclass(frozen=True)
class Scenario:
    name: str
    values: int
    runs: int
    classes: int
    images: int
    splits: int
    luck: float
    effect: float


def small(name: str, luck: float, effect: float) -> Scenario:
    return Scenario(name, 10, 6, 40, 20, 20, luck, effect)


def large(name: str, luck: float, effect: float) -> Scenario:
    return Scenario(name, 93, 20, 100, 50, 100, luck, effect)


SCENARIOS = tuple(
    size(*facts)
    for size in (small, large)
    for facts in (
        ("no class effect, no image luck", 0.0, 0.0),
        ("no class effect, image luck", 0.1, 0.0),
        ("class effects of 3 points", 0.1, 0.03),
    )
)


def made_up(generator: np.random.Generator, scenario: Scenario) -> tuple[CurveData, np.ndarray]:
    """One sweep, and the true accuracies [values, classes]."""
    share = generator.uniform(0.6, 0.8, scenario.classes)
    share = share + scenario.effect * generator.standard_normal((scenario.values, scenario.classes))
    share = np.clip(share, 0.02, 0.98)
    labels = np.repeat(np.arange(scenario.classes), scenario.images)
    latent = np.tile(generator.random(len(labels), dtype=np.float32), (scenario.values, 1))
    fresh = generator.random(latent.shape, dtype=np.float32) < scenario.luck
    latent[fresh] = generator.random(int(fresh.sum()), dtype=np.float32)
    right = np.where(latent < share[:, labels], np.float32(0.94), np.float32(0.06))
    cells = scenario.values * scenario.runs
    correct = np.empty((cells, len(labels)), dtype=bool)
    for v in range(scenario.values):
        draws = generator.random((scenario.runs, len(labels)), dtype=np.float32)
        correct[v * scenario.runs : (v + 1) * scenario.runs] = draws < right[v]
    starts = np.arange(0, cells, scenario.runs)
    values = np.arange(scenario.values, dtype=np.float64)
    return CurveData("m", "axis", "val", values, starts, correct, labels), 0.06 + 0.88 * share


def simulate(scenario: Scenario, repetitions: int, seed: int = 0) -> dict[str, object]:
    """Run sweeps of together ``repetitions`` classes."""
    generator = np.random.default_rng([seed, scenario.values])
    sweeps = -(-repetitions // scenario.classes)
    rows = []
    for sweep in range(sweeps):
        curve, truth = made_up(generator, scenario)
        halves = image_halves(curve.labels, scenario.splits, sweep)
        shares = np.stack([curve.image_means(v) for v in range(scenario.values)])
        accuracy = shares.reshape(scenario.values, scenario.classes, scenario.images).mean(axis=2)
        both = split_gains(curve, halves, True, True, scenario.splits, sweep)
        runs = split_gains(curve, halves, True, False, scenario.splits, sweep)
        chosen = np.take_along_axis(truth, both.class_choice, axis=0).mean(axis=1)
        gained = chosen - truth.mean(axis=1)[both.single_choice]
        low, high = both.interval(0.95)
        rows.append((
            accuracy.max(axis=0).mean() - accuracy.mean(axis=1).max(),
            both.gain.mean(), runs.gain.mean(), gained.mean(),
            truth.max(axis=0).mean() - truth.mean(axis=1).max(),
            low <= gained.mean() <= high, high - low,
        ))  # fmt: skip
    table = np.array(rows, dtype=np.float64)
    names = ("naive", "split", "split_runs_only", "gain_of_choices", "truth", "coverage", "width")
    return {
        "scenario": scenario.name, "values": scenario.values, "runs": scenario.runs,
        "classes": scenario.classes, "images": scenario.images, "splits": scenario.splits,
        "sweeps": sweeps, "class_repetitions": sweeps * scenario.classes,
        **dict(zip(names, table.mean(axis=0).tolist(), strict=True)),
        "split_error": float((table[:, 1] - table[:, 3]).std(ddof=1) / np.sqrt(sweeps)),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=4000)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    rows = [simulate(scenario, arguments.repetitions) for scenario in SCENARIOS]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).round(5).to_csv(arguments.out, index=False)


if __name__ == "__main__":
    main()
