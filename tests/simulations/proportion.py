"""Coverage of engine E1 with several draws of each image.

Run as ``python -m tests.simulations.proportion --repetitions 4000 --out FILE.csv``.

n images, K draws; an image's draws are right with a chance of its own, beta distributed around the
class's accuracy: concentration .5 (draws of an image nearly always agree) to infinite (images are
all alike). For K = 1 the coverage is enumerated in the tests instead.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from lpa.statistics.proportion import proportion_interval

from .command import run

ACCURACIES = (0.04, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.98, 0.99)
CONCENTRATIONS = (0.5, 2.0, 10.0, np.inf)


def simulate(
    repetitions: int = 4000, seed: int = 0, sizes: tuple[int, ...] = (10, 20, 50)
) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    rows = []
    for n in sizes:
        for draws in (1, 8):
            for concentration in CONCENTRATIONS if draws > 1 else (np.inf,):
                for accuracy in ACCURACIES:
                    chances = chance_of_shares(accuracy, concentration, draws)
                    counts = generator.multinomial(n, chances, size=repetitions)
                    share = np.arange(draws + 1) / draws
                    low, high = proportion_interval(counts @ share, counts @ share**2, n, draws)
                    covered = (low <= accuracy) & (accuracy <= high)
                    rows.append((n, draws, concentration, accuracy, covered.mean(),
                                 (high - low).mean(), repetitions))  # fmt: skip
    columns = ["n", "draws", "concentration", "accuracy", "coverage", "width", "repetitions"]
    return pd.DataFrame(rows, columns=columns).assign(nominal=0.95)


def chance_of_shares(accuracy: float, concentration: float, draws: int) -> np.ndarray:
    right = np.arange(draws + 1)
    if np.isinf(concentration):
        return np.asarray(stats.binom.pmf(right, draws, accuracy))
    chances = stats.betabinom.pmf(
        right, draws, concentration * accuracy, concentration * (1 - accuracy)
    )
    return np.asarray(chances / chances.sum())


if __name__ == "__main__":
    run(simulate, __doc__)
