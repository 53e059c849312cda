"""Size and power of the run tests: Welch's t and the moderated t.

Run as ``python -m tests.simulations.run_tests --repetitions 4000 --out FILE.csv``.

Every class has 50 images. Some are always right or always wrong; a run gets each of the others
right with a probability q of its own, q ~ Beta with the class's mean p and concentration k, so the
expected accuracies of two groups with equal p are equal exactly, whatever their spread. A tenth of
the classes loses 15 points in expectation. "accuracy .98": nearly all images are right in most
runs, so q is skewed and many classes are not testable.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from lpa.statistics.moderated import moderated_difference
from lpa.statistics.welch import Difference, welch_difference

IMAGES = 50
DROP = 0.15


@dataclass(frozen=True)
class Scenario:
    name: str
    runs_reference: int
    runs: int
    spread_reference: float = 100.0
    spread: float = 100.0
    high: bool = False
    classes: int = 400


SCENARIOS = (
    *(Scenario("equal variances", r, r) for r in (2, 3, 5, 20)),
    *(Scenario("unequal variances", r, r, 300.0, 20.0) for r in (2, 3, 5, 20)),
    Scenario("unequal runs", 5, 10),
    Scenario("unequal runs", 5, 20),
    Scenario("unequal runs", 10, 20),
    Scenario("unequal runs", 10, 40),
    Scenario("unequal runs", 20, 5),
    Scenario("unequal runs and variances", 5, 10, 60.0, 200.0),
    Scenario("unequal runs and variances", 5, 20, 60.0, 200.0),
    Scenario("unequal runs and variances", 10, 20, 60.0, 200.0),
    Scenario("unequal runs and variances", 10, 40, 60.0, 200.0),
    Scenario("unequal runs and variances", 20, 5, 60.0, 200.0),
    *(Scenario("accuracy .98", r, r, 20.0, 20.0, True) for r in (2, 3, 5, 20)),
)


def hits(
    generator: np.random.Generator, scenario: Scenario, mean: np.ndarray, settled: np.ndarray,
    right: np.ndarray, runs: int, spread: float,
) -> np.ndarray:  # fmt: skip
    """Right predictions of one group of runs, [runs, classes]."""
    shape = (runs, len(mean))
    share = generator.beta(mean * spread, (1 - mean) * spread, shape)
    return right + generator.binomial(IMAGES - settled, share)


def claims(difference: Difference) -> tuple[np.ndarray, np.ndarray]:
    """Whether each class is claimed to be lower at 5 %: uncorrected, and by Hochberg's values."""
    p = difference.lower
    testable = ~np.isnan(p)
    corrected = np.ones(len(p))
    if testable.any():
        corrected[testable] = stats.false_discovery_control(p[testable])
    return p <= 0.05, corrected <= 0.05


def simulate(scenario: Scenario, repetitions: int, seed: int = 0) -> list[dict[str, object]]:
    generator = np.random.default_rng([seed, scenario.runs_reference, scenario.runs])
    size = scenario.classes
    sums = {"Welch t": np.zeros(5), "moderated t": np.zeros(5)}
    for _ in range(repetitions):
        mean = generator.beta(98, 2, size) if scenario.high else generator.beta(4, 1.5, size)
        mean = np.clip(mean, 0.25, 0.995)
        settled = generator.binomial(IMAGES, 0.5, size)
        right = generator.binomial(settled, mean)
        hurt = np.arange(size) < size // 10
        lost = np.where(hurt, np.minimum(DROP * IMAGES / (IMAGES - settled), mean - 0.01), 0.0)
        reference = hits(generator, scenario, mean, settled, right,
                         scenario.runs_reference, scenario.spread_reference)  # fmt: skip
        other = hits(generator, scenario, mean - lost, settled, right,
                     scenario.runs, scenario.spread)  # fmt: skip
        n = np.full(size, IMAGES)
        for name, calculate in (
            ("Welch t", welch_difference),
            ("moderated t", moderated_difference),
        ):
            difference = calculate(reference, other, n)
            plain, kept = claims(difference)
            sums[name] += (
                plain[~hurt].mean(), plain[hurt].mean(), kept[hurt].mean(),
                kept[~hurt].sum() / max(1, kept.sum()), np.isnan(difference.error).mean(),
            )  # fmt: skip
    names = ("size", "power", "bh_power", "bh_false_share", "not_testable")
    return [
        {
            "scenario": scenario.name, "runs_reference": scenario.runs_reference,
            "runs": scenario.runs, "classes": size, "images": IMAGES, "test": name,
            "repetitions": repetitions,
            **{key: float(v) for key, v in zip(names, total / repetitions, strict=True)},
        }
        for name, total in sums.items()
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=4000)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    rows = [row for scenario in SCENARIOS for row in simulate(scenario, arguments.repetitions)]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).round(5).to_csv(arguments.out, index=False)


if __name__ == "__main__":
    main()
