"""Agreement of models with no class differences, with unrelated ones and with the same ones.

Run as ``python -m tests.simulations.agreement --repetitions 4000 --out FILE.csv``.

Four models, 60 classes of 20 images. An image's loss is -1, 0 or 1 by a normal score; scores of an
image correlate .5 between models, as measured on real ones, and classes move them: not at all,
each model in its own way, or all in the same way. Ten halvings a repetition. ``correlation`` is
the pairs' on disjoint halves, ``corrected`` its mean over the mean reliability (omitted below .3),
``same_images`` the pairs' correlation on whole classes.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from lpa.statistics.agreement import half_correlations

from .command import run

MODELS, CLASSES, IMAGES, SPLITS = 4, 60, 20, 10
KINDS = ("no class differences", "unrelated class differences", "the same class differences")


def losses(generator: np.random.Generator, kind: str) -> np.ndarray:
    """Per-image losses [models, images] in the order of classes."""
    shared = generator.standard_normal((1, CLASSES, IMAGES))
    own = generator.standard_normal((MODELS, CLASSES, IMAGES))
    score = np.sqrt(0.5) * (shared + own)
    if kind == "unrelated class differences":
        score += generator.standard_normal((MODELS, CLASSES, 1))
    elif kind == "the same class differences":
        score += generator.standard_normal((1, CLASSES, 1))
    loss = (score > 0.8).astype(np.float64) - (score < -2.0)
    return np.asarray(loss.reshape(MODELS, -1))


def simulate(repetitions: int = 4000, seed: int = 0) -> pd.DataFrame:
    place, n = np.repeat(np.arange(CLASSES), IMAGES), np.full(CLASSES, IMAGES)
    pairs = ~np.eye(MODELS, dtype=bool)
    rows = []
    for kind in KINDS:
        generator = np.random.default_rng([seed, KINDS.index(kind)])
        between, within, same = (np.empty(repetitions) for _ in range(3))
        for row in range(repetitions):
            loss = losses(generator, kind)
            found = half_correlations(loss, place, n, SPLITS, generator)
            between[row], within[row] = found[pairs].mean(), np.diag(found).mean()
            means = loss.reshape(MODELS, CLASSES, IMAGES).mean(axis=2)
            same[row] = stats.spearmanr(means, axis=1).statistic[pairs].mean()
        reliable = within.mean() >= 0.3
        corrected = between.mean() / within.mean() if reliable else np.nan
        rows.append((
            kind, between.mean(), within.mean(), corrected, same.mean(),
            between.std(ddof=1) / np.sqrt(repetitions), repetitions,
        ))  # fmt: skip
    columns = ["scenario", "correlation", "reliability", "corrected", "same_images", "error",
               "repetitions"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


if __name__ == "__main__":
    run(simulate, __doc__)
