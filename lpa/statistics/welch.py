"""Two groups of training runs compared class by class: Welch's t and the paired t."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

__all__ = ["Difference", "paired_difference", "run_moments", "welch_difference"]

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Difference:
    """Differences of mean accuracy between two groups of runs, one entry per class.

    Attributes
    ----------
    mean : array of float64
        Other minus reference, in [-1, 1].
    error : array of float64
        Its standard error; NaN where it cannot be estimated, so that every p-value is NaN too.
    freedom : array of float64
        Degrees of freedom of the error.
    """

    mean: Floats
    error: Floats
    freedom: Floats

    @property
    def lower(self) -> Floats:
        """p-values of H0 "not lower than the reference"."""
        return np.asarray(stats.t.cdf(self.mean / self.error, self.freedom), dtype=np.float64)

    @property
    def higher(self) -> Floats:
        """p-values of H0 "not higher than the reference"."""
        return np.asarray(stats.t.sf(self.mean / self.error, self.freedom), dtype=np.float64)

    def interval(self, confidence: float) -> tuple[Floats, Floats]:
        """Return the two-sided t interval of the difference, clipped to [-1, 1]."""
        reach = stats.t.ppf(0.5 + confidence / 2.0, self.freedom) * self.error
        return np.clip(self.mean - reach, -1.0, 1.0), np.clip(self.mean + reach, -1.0, 1.0)


def run_moments(hits: Counts) -> tuple[Floats, Floats]:
    """Return mean and variance over runs (R - 1 in the denominator) of counts, [runs, classes].

    Sums of whole numbers are exact, so runs that are all equal have a variance of exactly 0; the
    same in fractions leaves rounding errors, from which scipy makes p-values of 0.
    """
    runs = len(hits)
    total, squares = hits.sum(axis=0), (hits**2).sum(axis=0)
    if runs < 2:
        return total / max(runs, 1), np.full(hits.shape[1], np.nan)
    return total / runs, (runs * squares - total**2) / (runs * (runs - 1))


def welch_difference(reference: Counts, other: Counts, n: Counts) -> Difference:
    r"""Return Welch's comparison of two independent groups of training runs.

    Estimand: the expected accuracy of a class with the other setting minus that with the reference,
    on these images; level ``run``. With :math:`v = s^2 / R` of each group,

    .. math::
        se = \sqrt{v_0 + v_1}, \quad df = (v_0 + v_1)^2 / (v_0^2/(R_0-1) + v_1^2/(R_1-1)).

    Equal to ``scipy.stats.ttest_ind(other, reference, equal_var=False)``, except that a class whose
    runs are all equal within *both* groups is not testable (NaN), also where the two differ. With
    one such group it is scipy's: the other group's error and degrees of freedom.

    Simulated (``reports/statistics/run_tests.csv``): with equally many runs, 5 or more, its size is
    at most 5.0 % at 5 %; with 5 runs against 10 it is 5.7 to 6.1 %, with 5 against 20, where the
    few runs' skewness shows most, 6.7 to 7.1 %. Compare equally many runs where there is a choice.

    Parameters
    ----------
    reference, other : arrays of int64, shape [runs, classes]
        Right predictions of each training run; at least two runs each.
    n : array of int64, shape [classes]
        Images of each class.

    References
    ----------
    Welch 1947, Biometrika 34:28.
    """
    mean0, variance0 = run_moments(reference)
    mean1, variance1 = run_moments(other)
    part0, part1 = variance0 / len(reference), variance1 / len(other)
    together = np.where(part0 + part1 > 0, part0 + part1, np.nan)
    below = part0**2 / (len(reference) - 1) + part1**2 / (len(other) - 1)
    freedom = together**2 / np.where(below > 0, below, np.nan)
    return Difference((mean1 - mean0) / n, np.sqrt(together) / n, freedom)


def paired_difference(reference: Counts, other: Counts, n: Counts) -> Difference:
    """Return the paired comparison, for runs imported with training seeds that two values share.

    Equal to ``scipy.stats.ttest_rel(other, reference)``, except that a class whose differences are
    all equal is not testable (NaN). Level ``run``.

    Parameters
    ----------
    reference, other : arrays of int64, shape [runs, classes]
        Right predictions of each training run; row r of both has the same seed.
    n : array of int64, shape [classes]
        Images of each class.
    """
    mean, variance = run_moments(other - reference)
    error = np.sqrt(np.where(variance > 0, variance, np.nan) / len(other))
    return Difference(mean / n, error / n, np.full(len(mean), len(other) - 1.0))
