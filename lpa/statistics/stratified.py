"""Mean over the classes of a group, with a stratified standard error (STATISTICS 3.2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from lpa.statistics.means import mean_interval

__all__ = ["ONE_SAMPLE", "STRATIFIED", "WITH_RUNS", "StratifiedMean", "stratified_mean"]

STRATIFIED = "stratified t"
ONE_CLASS = "E2"
ONE_SAMPLE = "E2, all images as one sample"
WITH_RUNS = "stratified t plus runs"

Floats = npt.NDArray[np.float64]


class StratifiedMean(NamedTuple):
    """A mean over classes, its limits in [-1, 1] (NaN where there are none), and the method."""

    mean: float
    low: float
    high: float
    method: str


def stratified_mean(
    values: Floats,
    labels: npt.NDArray[np.int64],
    confidence: float = 0.95,
    runs: Iterable[tuple[float, int]] | None = None,
) -> StratifiedMean:
    r"""Return the mean over classes of per-image values, each class weighing equally.

    Estimand: :math:`\frac{1}{C} \sum_c E_c[d]`; classes are fixed. Interval at level ``image``: t
    with :math:`se^2 = \sum_c s_c^2 / (n_c C^2)` and Satterthwaite's degrees of freedom, clipped to
    [-1, 1], which for large groups is the normal interval of STATISTICS 3.2. A single class has
    E2, its own interval. Where some class has one image or nothing varies: E2 on all images as one
    sample, with Kish's effective number :math:`1 / \sum_i w_i^2` of images. Level ``both``: the
    runs' variances join the terms.

    Parameters
    ----------
    values : array of float64, shape [images]
        In [-1, 1].
    labels : array of int64, shape [images]
        Class of each image; at least one image.
    confidence : float
        Two-sided, in (0, 1).
    runs : iterable of (float, int), optional
        For level ``both``: a^2 s^2 of each value involved, s^2 being the variance over runs of the
        classes' mean accuracy, and R.

    References
    ----------
    Kish 1965, Survey Sampling; Satterthwaite 1946, Biometrics Bulletin 2:110.
    """
    _, place, n = np.unique(labels, return_inverse=True, return_counts=True)
    weight = (1.0 / (n * len(n)))[place]
    mean = float(weight @ values)
    average = np.bincount(place, weights=values) / n
    deviation = np.bincount(place, weights=(values - average[place]) ** 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = deviation / (n - 1.0) / n / len(n) ** 2
    terms = [(float(part), float(size - 1)) for part, size in zip(parts, n, strict=True)]
    if runs is None and (len(n) == 1 or n.min() < 2 or not parts.sum() > 0):
        worth = 1.0 / float(weight @ weight)
        squares = worth * float(weight @ values**2)
        low, high = (float(end) for end in mean_interval(worth * mean, squares, worth, confidence))
        return StratifiedMean(mean, low, high, ONE_CLASS if len(n) == 1 else ONE_SAMPLE)
    if runs is not None:
        terms += [(squared / number, number - 1.0) for squared, number in runs]
    method = STRATIFIED if runs is None else WITH_RUNS
    # One training run says nothing of another, and one image nothing of its class.
    if min(freedom for _, freedom in terms) < 1 or not sum(part for part, _ in terms) > 0:
        return StratifiedMean(mean, float("nan"), float("nan"), method)
    variance = sum(part for part, _ in terms)
    freedom = variance**2 / sum(part**2 / each for part, each in terms)
    reach = float(stats.t.ppf(0.5 + confidence / 2.0, freedom)) * float(np.sqrt(variance))
    return StratifiedMean(mean, max(-1.0, mean - reach), min(1.0, mean + reach), method)
