"""Coverage of a loss at level ``both``: new images and new trainings.

Run as ``python -m tests.simulations.both_levels --repetitions 4000 --out FILE.csv``.

Image i is right in run r at value v if a normal score exceeds a limit; the score is the sum of an
image's part (shared by all values and runs), a part of the image at this value, a run's part
(shared by the images) and the rest. So the accuracy expected over images and runs is exact:
the class's. ``runs' spread`` is the standard deviation of a run's part; .1 moves an accuracy of .5
by 4 points from run to run. Beside level ``both`` the table has what the two single levels cover
of the same truth.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from lpa.statistics.both_levels import both_interval
from lpa.statistics.means import mean_interval

from .command import run

ACCURACIES = ((0.9, 0.9), (0.9, 0.8), (0.98, 0.98), (0.7, 0.4), (0.96, 0.1), (0.1, 0.04))
SPREADS = (0.02, 0.1, 0.3)
RUNS = ((5, 5), (20, 20), (3, 10))
# Shares of the variance of a score that are not the run's.
IMAGE, IMAGE_AT_VALUE = 0.5, 0.2
BLOCK = 250


def simulate(
    repetitions: int = 4000, seed: int = 0, sizes: tuple[int, ...] = (10, 20, 50)
) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    rows = []
    for n in sizes:
        for runs in RUNS:
            for spread in SPREADS:
                for accuracies in ACCURACIES:
                    covered = np.concatenate([
                        _covered(generator, accuracies, spread, runs, n, size)
                        for size in _blocks(repetitions)
                    ])  # fmt: skip
                    both, image, run_only, width = covered.mean(axis=0)
                    rows.append((*accuracies, *runs, spread, n, both, width, image, run_only,
                                 repetitions))  # fmt: skip
    columns = ["reference", "accuracy", "runs_reference", "runs", "spread", "n", "coverage",
               "width", "coverage_image", "coverage_run", "repetitions"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns).assign(nominal=0.95)


def _blocks(repetitions: int) -> list[int]:
    whole, rest = divmod(repetitions, BLOCK)
    return [BLOCK] * whole + ([rest] if rest else [])


def _covered(
    generator: np.random.Generator,
    accuracies: tuple[float, float],
    spread: float,
    runs: tuple[int, int],
    n: int,
    size: int,
) -> np.ndarray:
    image = np.sqrt(IMAGE) * generator.standard_normal((size, 1, n), dtype=np.float32)
    right = [
        _right(generator, image, accuracy, spread, number)
        for accuracy, number in zip(accuracies, runs, strict=True)
    ]
    loss = right[0].mean(axis=1) - right[1].mean(axis=1)
    sums = (loss.sum(axis=1), (loss**2).sum(axis=1), n)
    per_run = [each.mean(axis=2) for each in right]
    variances = [each.var(axis=1, ddof=1) for each in per_run]
    truth = accuracies[0] - accuracies[1]
    both = both_interval(*sums, list(zip(variances, runs, strict=True)))
    limits = [both, mean_interval(*sums), _welch(loss.mean(axis=1), variances, runs)]
    return np.stack(
        [(low <= truth) & (truth <= high) for low, high in limits] + [both[1] - both[0]], axis=1
    ).astype(float)


def _welch(
    loss: np.ndarray, variances: list[np.ndarray], runs: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Level ``run``; a point where no run differs."""
    parts = [variance / number for variance, number in zip(variances, runs, strict=True)]
    squares = parts[0] + parts[1]
    below = parts[0] ** 2 / (runs[0] - 1) + parts[1] ** 2 / (runs[1] - 1)
    freedom = np.where(below > 0, squares**2 / np.where(below > 0, below, 1), 1)
    reach = stats.t.ppf(0.975, freedom) * np.sqrt(squares)
    return loss - reach, loss + reach


def _right(
    generator: np.random.Generator, image: np.ndarray, accuracy: float, spread: float, runs: int
) -> np.ndarray:
    size, _, n = image.shape
    rest = np.sqrt(1 - IMAGE - IMAGE_AT_VALUE) * generator.standard_normal(
        (size, runs, n), dtype=np.float32
    )
    here = np.sqrt(IMAGE_AT_VALUE) * generator.standard_normal((size, 1, n))
    run_part = spread * generator.standard_normal((size, runs, 1))
    limit = -stats.norm.ppf(accuracy) * np.sqrt(1 + spread**2)
    return np.asarray(image + here + run_part + rest > limit)


if __name__ == "__main__":
    run(simulate, __doc__)
