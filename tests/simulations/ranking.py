"""Coverage of the intervals of ranks, with 20 and with 200 EM steps.

Run as ``python -m tests.simulations.ranking --repetitions 4000 --out FILE.csv``; 4,000 repetitions
are 4,000 sets of 5 classes, and for more classes as many sets as make 20,000 classes, at least 20.

The classes' true losses come from a normal, an exponential or a beta distribution. An image is
right at the reference with probability .85 and has a chance of its own at the value, beta
distributed around the class's accuracy; K draws share it. Coverage is the share of classes whose
interval encloses the rank of the true loss.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from lpa.statistics.means import standard_error
from lpa.statistics.rank_posterior import joint_ranks, rank_posterior

from .command import run

REFERENCE = 0.85
SIZES = ((5, 50, 1), (20, 20, 8), (20, 50, 1), (100, 10, 8), (100, 50, 1), (100, 50, 8),
         (100, 1000, 1), (1000, 50, 8), (1000, 1000, 1))  # fmt: skip
SHAPES = ("normal", "skewed", "beta")
EVALUATED = 5


def true_losses(generator: np.random.Generator, shape: str, classes: int) -> np.ndarray:
    if shape == "normal":
        losses = generator.normal(0.2, 0.1, classes)
    elif shape == "skewed":
        losses = generator.exponential(0.12, classes)
    else:
        losses = 0.8 * generator.beta(1.2, 4.0, classes)
    return np.clip(losses, -0.1, 0.8)


def observed(
    generator: np.random.Generator, losses: np.ndarray, n: int, draws: int
) -> tuple[np.ndarray, np.ndarray]:
    """Scores and standard errors of the classes."""
    shape = (len(losses), n)
    mean = (REFERENCE - losses)[:, None]
    chance = generator.beta(2 * mean, 2 * (1 - mean), shape)
    d = (generator.random(shape) < REFERENCE) - generator.binomial(draws, chance) / draws
    return d.mean(axis=1), standard_error(d.sum(axis=1), (d**2).sum(axis=1), n)[1]


def simulate(
    repetitions: int = 4000,
    seed: int = 0,
    sizes: tuple[tuple[int, int, int], ...] = SIZES,
    steps: tuple[int, ...] = (20, 200),
    shapes: tuple[str, ...] = SHAPES,
) -> pd.DataFrame:
    rows = []
    for shape in shapes:
        for classes, n, draws in sizes:
            generator = np.random.default_rng([seed, classes, n, draws])
            sets = max(EVALUATED * repetitions // classes, 20)
            found = np.zeros((len(steps), 2))
            for _ in range(sets):
                losses = true_losses(generator, shape, classes)
                rank = stats.rankdata(-losses)
                score, error = observed(generator, losses, n, draws)
                for row, number in enumerate(steps):
                    posterior = rank_posterior(score, error, (), steps=number)
                    covered = (posterior.low <= rank) & (rank <= posterior.high)
                    found[row] += covered.mean(), (posterior.high - posterior.low).mean()
            for number, (coverage, width) in zip(steps, found / sets, strict=True):
                rows.append((shape, classes, n, draws, number, sets, coverage, width))
    columns = ["losses", "classes", "n", "draws", "steps", "sets", "coverage", "width"]
    return pd.DataFrame(rows, columns=columns).assign(nominal=0.95)


def simulate_joint(repetitions: int, seed: int = 0, classes: int = 20, n: int = 50) -> float:
    """Share of sets in which the joint ranks of all classes cover."""
    generator = np.random.default_rng(seed)
    sidak = stats.t.ppf(0.5 + 0.95 ** (1 / classes) / 2, n - 1)
    covered = 0
    for _ in range(repetitions):
        losses = true_losses(generator, "normal", classes)
        score, error = observed(generator, losses, n, 1)
        low, high = joint_ranks(score - sidak * error, score + sidak * error)
        rank = stats.rankdata(-losses)
        covered += bool(((low <= rank) & (rank <= high)).all())
    return covered / repetitions


if __name__ == "__main__":
    run(simulate, __doc__)
