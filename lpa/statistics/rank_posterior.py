"""Engine of the ranking: how surely a class stands at its rank (STATISTICS 3.9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["RankPosterior", "joint_ranks", "rank_posterior"]

Floats = npt.NDArray[np.float64]

GRID = 100
"""Points of the mixing distribution, at least."""

FINEST = 2000
"""Points of the mixing distribution, at most."""

STEPS = 200
"""EM steps: short of the maximum, which has a few atoms and would tie most classes."""


@dataclass(frozen=True)
class RankPosterior:
    """What is known of each class's rank; rank 1 has the largest score.

    Attributes
    ----------
    mean, low, high : array of float64, shape [classes]
        Posterior mean rank and the ends of the interval, in [1, classes].
    among : dict of int to array of float64, shape [classes]
        For each k, the probability of being among the k largest; the classes' sum is k.
    """

    mean: Floats
    low: Floats
    high: Floats
    among: dict[int, Floats]


def rank_posterior(
    scores: npt.ArrayLike,
    errors: npt.ArrayLike,
    among: Sequence[int] = (10, 100),
    confidence: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> RankPosterior:
    r"""Return the empirical Bayes posterior of ranks.

    Model: score x_c is normal about its true value theta_c with its standard error, and the true
    values come from an unknown distribution G. Estimator: G by 200 EM steps from uniform weights
    on 100 points from the least to the largest score (more points where 100 would stand wider
    apart than half of the median error); then seeded draws of all theta from their posteriors,
    each draw ranked with mid-ranks. Interval: quantiles of the drawn ranks. A tie across rank k
    shares what is left of the k places.

    Parameters
    ----------
    scores, errors : array_like, shape [classes]
        Estimates and their standard errors (> 0).
    among : sequence of int
        For which k the probability of being among the k largest is wanted; k at most the number
        of classes counts everyone.
    confidence : float
        Of each interval: covers the true rank for that share of the classes *on average*, not
        for all at once.
    draws, seed : int
        Posterior draws and the seed of their generator.

    References
    ----------
    Laird and Louis 1989, JASA 84:739; Gu and Koenker 2023, Econometrica 91:1.
    """
    score, error = np.asarray(scores, np.float64), np.asarray(errors, np.float64)
    if not len(score):
        return RankPosterior(score, score, score, {k: score for k in among})
    points = _grid(score, error)
    posterior = _posterior(score, error, points)
    drawn = _draw(posterior, draws, np.random.default_rng(seed))
    ranks = np.empty((draws, len(score)))
    chance = {k: np.zeros(len(score)) for k in among}
    for row, chosen in enumerate(drawn):
        count = np.bincount(chosen, minlength=len(points))
        above = count[::-1].cumsum()[::-1] - count
        ranks[row] = (above + (count + 1) / 2)[chosen]
        for k in among:
            share = np.clip((k - above) / np.maximum(count, 1), 0.0, 1.0)
            chance[k] += share[chosen]
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(ranks, [tail, 1.0 - tail], axis=0, method="inverted_cdf")
    return RankPosterior(
        ranks.mean(axis=0), low, high, {k: total / draws for k, total in chance.items()}
    )


def joint_ranks(low: npt.ArrayLike, high: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return the ranks that joint limits of the scores leave open, for all classes at once.

    Estimand: all ranks together; rank 1 has the largest score. A class surely stands behind those
    whose lower limit is above its upper limit, and before those whose upper limit is below its
    lower limit. Where the limits hold jointly (each at the Sidak level
    ``confidence ** (1 / classes)``, classes being independent), so do the ranks.

    Parameters
    ----------
    low, high : array_like, shape [classes]
        Joint limits of the scores.

    References
    ----------
    Klein, Wright and Wieczorek 2020, JRSS A 183:589.
    """
    lower, upper = np.asarray(low, np.float64), np.asarray(high, np.float64)
    classes = len(lower)
    before = classes - np.searchsorted(np.sort(lower), upper, side="right")
    behind = np.searchsorted(np.sort(upper), lower, side="left")
    return 1.0 + before, np.asarray(classes - behind, np.float64)


def _grid(score: Floats, error: Floats) -> Floats:
    low, high = score.min(), score.max()
    typical = float(np.median(error))
    if high - low < 1e-9:
        # All scores are equal, which is no proof that the true values are.
        low, high = low - typical, high + typical
    wanted = int(np.ceil(2.0 * (high - low) / typical)) + 1
    return np.linspace(low, high, min(max(GRID, wanted), FINEST))


def _posterior(score: Floats, error: Floats, points: Floats) -> Floats:
    """Return each class's posterior over the points, [classes, points]."""
    exponent = -0.5 * ((score[:, None] - points) / error[:, None]) ** 2
    # The nearest point of each class has likelihood 1: no row can vanish.
    likelihood = np.exp(exponent - exponent.max(axis=1, keepdims=True))
    weights = np.full(len(points), 1.0 / len(points))
    for _ in range(STEPS):
        weights *= (1.0 / (likelihood @ weights)) @ likelihood / len(score)
    joint = likelihood * weights
    return np.asarray(joint / joint.sum(axis=1, keepdims=True))


def _draw(
    posterior: Floats, draws: int, generator: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return indices of points drawn from each class's posterior, [draws, classes]."""
    cumulative = posterior.cumsum(axis=1)
    cumulative[:, -1] = 1.0
    uniform = generator.uniform(size=(len(posterior), draws))
    drawn = [np.searchsorted(*row, side="right") for row in zip(cumulative, uniform, strict=True)]
    return np.ascontiguousarray(np.transpose(drawn))
