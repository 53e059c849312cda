"""Coverage of the intervals of groups' accuracies: stratified E1 and the stratified normal.

Run as ``python -m tests.simulations.groups --repetitions 4000 --out FILE.csv``.

Classes are fixed: their accuracies lie evenly around a mean, and the same ones are seen in every
repetition. Images have a chance of their own (beta, concentration 5) where there are several draws.
"unequal": half of the classes have a fifth of the others' images and are as likely wrong as right.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from lpa.statistics.stratified_proportion import stratified_proportion

from .command import run

SIZES = ((2, 10), (2, 50), (5, 10), (5, 20), (5, 50), (20, 10), (20, 50))
ACCURACIES = (0.5, 0.8, 0.9, 0.95, 0.98)
COLUMNS = ("scenario", "accuracy", "classes", "n", "draws", "coverage", "width", "coverage_normal",
           "width_normal", "repetitions", "nominal")  # fmt: skip


def simulate(
    repetitions: int = 4000, seed: int = 0, sizes: tuple[tuple[int, int], ...] = SIZES
) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    rows: list[tuple[object, ...]] = []
    for name in ("equal", "unequal"):
        for classes, n in sizes:
            for accuracy in ACCURACIES:
                for draws in (1, 8):
                    size = np.full(classes, n)
                    chance = accuracy + (1 - accuracy) * np.linspace(-0.9, 0.9, classes)
                    if name == "unequal":
                        size[::2] *= 5
                        chance[1::2] = 0.5
                    found = _coverage(generator, chance, size, draws, repetitions)
                    rows.append((name, accuracy, classes, n, draws, *found, repetitions, 0.95))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _coverage(
    generator: np.random.Generator, chance: np.ndarray, size: np.ndarray, draws: int, times: int
) -> tuple[float, float, float, float]:
    strata = np.repeat(np.arange(len(size)), size)
    weight = np.repeat(1.0 / len(size) / size, size)
    truth = chance.mean()
    limits = np.empty((times, 4))
    for row in limits:
        own = chance[strata]
        if draws > 1:
            own = generator.beta(5 * own, 5 * (1 - own))
        shares = generator.binomial(draws, own) / draws
        mean, *row[:2] = stratified_proportion(shares, strata)
        variances = [shares[strata == c].var(ddof=1) / size[c] for c in range(len(size))]
        reach = stats.norm.ppf(0.975) * np.sqrt(np.sum(variances)) / len(size)
        assert abs(mean - weight @ shares) < 1e-12
        row[2:] = mean - reach, mean + reach
    low, high, first, last = limits.T
    covered = ((low <= truth) & (truth <= high)).mean()
    plain = ((first <= truth) & (truth <= last)).mean()
    return covered, (high - low).mean(), plain, (last - first).mean()


if __name__ == "__main__":
    run(simulate, __doc__)
