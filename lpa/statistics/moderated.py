"""The moderated t: two groups of few training runs, classes lending each other their variance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lpa.statistics.welch import Counts, Difference, run_moments

__all__ = ["FEW_CLASSES", "FEW_RUNS", "moderated_difference"]

FEW_RUNS = 5
"""With fewer runs in a group Welch's t decides nothing, and the moderated t does."""

FEW_CLASSES = 100
"""With fewer classes the distribution of their variances is not known well enough."""

MOST_FREEDOM = 2000.0
"""Degrees of freedom of the prior where the classes' variances differ by no more than luck."""


def moderated_difference(reference: Counts, other: Counts, n: Counts) -> Difference:
    r"""Return the comparison of two groups of few runs with moderated variances.

    Estimand: as :func:`~lpa.statistics.welch.welch_difference`; level ``run``. Two or three
    runs say little of a class's variance. It is taken to vary about a multiple :math:`\phi` of the
    binomial variance b of its images, by an inverse chi-square law with :math:`d'` degrees of
    freedom that is estimated from all classes. With the pooled variance :math:`s^2` on
    :math:`d_0 = R_0 + R_1 - 2`,

    .. math::
        b = max(\bar p (1 - \bar p), (1 - 1/n)/n)/n, \quad \phi = mean(s^2)/mean(b), \quad
        q = s^2/(\phi b), \\
        x = (var(q)/mean(q)^2 - 2/d_0)/(1 + 2/d_0), \quad d' = min(4 + 2/x, 2000), \\
        s'^2 = (\phi b (d' - 2) + d_0 s^2)/(d' + d_0), \quad
        se = \sqrt{s'^2 (1/R_0 + 1/R_1)}, \quad df = d' + d_0;

    q over the classes with b above its 10 % quantile (all, where none is above), and d' = 2000
    where x is not positive. Assumes equal variances in both groups; simulated, the size stays at
    the level with unequal ones too. A class whose runs are all equal within both groups is not
    testable (NaN), as in Welch's t, and still counts as a class for :math:`\phi` and d'.

    Parameters
    ----------
    reference, other : arrays of int64, shape [runs, classes]
        Right predictions of each training run; at least two runs each.
    n : array of int64, shape [classes]
        Images of each class.

    References
    ----------
    Smyth 2004, Stat. Appl. Genet. Mol. Biol. 3:3, after which this is modelled; the binomial form
    of the prior and the moment estimate of d' are ours.
    """
    runs0, runs1 = len(reference), len(other)
    mean0, variance0 = run_moments(reference)
    mean1, variance1 = run_moments(other)
    freedom = runs0 + runs1 - 2.0
    pooled = ((runs0 - 1) * variance0 + (runs1 - 1) * variance1) / freedom / n**2
    share = (runs0 * mean0 + runs1 * mean1) / (runs0 + runs1) / n
    binomial = np.maximum(share * (1.0 - share), (1.0 - 1.0 / n) / n) / n
    prior = binomial * (pooled.mean() / binomial.mean())
    strength = _prior_freedom(pooled, prior, binomial, freedom)
    variance = (prior * (strength - 2.0) + freedom * pooled) / (strength + freedom)
    error = np.sqrt(np.where(pooled > 0, variance, np.nan) * (1.0 / runs0 + 1.0 / runs1))
    return Difference((mean1 - mean0) / n, error, np.full(len(n), strength + freedom))


def _prior_freedom(
    pooled: npt.NDArray[np.float64],
    prior: npt.NDArray[np.float64],
    binomial: npt.NDArray[np.float64],
    freedom: float,
) -> float:
    """Estimate d' from how much more the classes' variances differ than by the luck of runs."""
    if not pooled.any():
        return MOST_FREEDOM
    chosen = binomial > np.quantile(binomial, 0.1)
    if not chosen.any():
        chosen = np.ones(len(binomial), dtype=bool)
    ratio = pooled[chosen] / prior[chosen]
    average = ratio.mean()
    if not average > 0:
        return MOST_FREEDOM
    excess = (ratio.var() / average**2 - 2.0 / freedom) / (1.0 + 2.0 / freedom)
    return float(min(4.0 + 2.0 / excess, MOST_FREEDOM)) if excess > 0 else MOST_FREEDOM
