"""Engine E2: interval and test of a mean of per-image values in [-1, 1]."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

__all__ = ["mean_interval", "mean_limit", "mean_test", "standard_error"]

Floats = npt.NDArray[np.float64]


def standard_error(
    total: npt.ArrayLike, total_squares: npt.ArrayLike, n: npt.ArrayLike
) -> tuple[Floats, Floats]:
    r"""Return the center and the standard error on which engine E2 rests.

    With one pseudo-image at +1 and one at -1,

    .. math::
        m = \sum d / (n + 2), \quad
        s^2 = (\sum d^2 + 2) / (n + 2) - m^2, \quad
        se = \sqrt{s^2 / (n + 2)}.

    The center is for limits and tests; the estimate that is shown is the plain mean.

    Parameters
    ----------
    total, total_squares : array_like
        Sums over the images of d in [-1, 1] and of its square.
    n : array_like
        Number of images.

    Returns
    -------
    center, error : arrays of float64 of the broadcast shape
        NaN where n < 2. The error is never 0.
    """
    total, total_squares, n = (
        np.asarray(values, dtype=np.float64)
        for values in np.broadcast_arrays(total, total_squares, n)
    )
    images = np.where(n >= 2, n, np.nan) + 2.0
    center = total / images
    variance = (total_squares + 2.0) / images - center**2
    return center, np.sqrt(variance / images)


def mean_limit(
    total: npt.ArrayLike,
    total_squares: npt.ArrayLike,
    n: npt.ArrayLike,
    confidence: float,
    side: Literal["lower", "upper"],
) -> Floats:
    """Return the one-sided confidence limit of a mean of per-image values (engine E2).

    Formula: m -+ t(confidence, n - 1) se, clipped to [-1, 1]; see :func:`mean_interval`.

    Parameters
    ----------
    total, total_squares, n : array_like
        As in :func:`standard_error`.
    confidence : float
        One-sided confidence, in (0, 1).
    side : {"lower", "upper"}
        Which limit.

    Returns
    -------
    array of float64
        In [-1, 1]; NaN where n < 2.
    """
    center, error = standard_error(total, total_squares, n)
    reach = _quantile(confidence, n) * error
    limit = center - reach if side == "lower" else center + reach
    return np.asarray(np.clip(limit, -1.0, 1.0), dtype=np.float64)


def mean_interval(
    total: npt.ArrayLike,
    total_squares: npt.ArrayLike,
    n: npt.ArrayLike,
    confidence: float = 0.95,
) -> tuple[Floats, Floats]:
    """Return the interval of a mean of per-image values in [-1, 1] (engine E2).

    Estimand: the expectation of d over images of the class, d being any per-image value in
    [-1, 1] that is linear in the shares of right draws: a loss, an area, a flow, a difference of
    two models; level ``image``. Formula: m -+ t(q, n - 1) se, clipped to [-1, 1], with m and se of
    :func:`standard_error`. Draws are averaged within the image beforehand. The interval and
    :func:`mean_test` may differ at the edge, where a limit is clipped: the test decides.

    Parameters
    ----------
    total, total_squares, n : array_like
        As in :func:`standard_error`.
    confidence : float
        Two-sided confidence, in (0, 1).

    Returns
    -------
    low, high : arrays of float64 of the broadcast shape
        In [-1, 1]; NaN where n < 2. Never of zero width.

    References
    ----------
    Bonett and Price 2012, JEBS 37:479 (paired proportions), extended to draws.
    """
    one_sided = 0.5 + confidence / 2.0
    return (
        mean_limit(total, total_squares, n, one_sided, "lower"),
        mean_limit(total, total_squares, n, one_sided, "upper"),
    )


def mean_test(
    total: npt.ArrayLike,
    total_squares: npt.ArrayLike,
    n: npt.ArrayLike,
    delta: float = 0.0,
    alternative: Literal["greater", "less"] = "greater",
) -> Floats:
    """Return the p-value of a one-sided test of a mean of per-image values (engine E2).

    H0: the mean is at most ``delta``, against ``greater``: ``t.sf((m - delta) / se, n - 1)``; or
    at least ``delta``, against ``less``: ``t.cdf((m - delta) / se, n - 1)``. Level ``image``.

    Parameters
    ----------
    total, total_squares, n : array_like
        As in :func:`standard_error`.
    delta : float
        Bound of the null hypothesis, in [-1, 1].
    alternative : {"greater", "less"}
        What a small p-value speaks for.

    Returns
    -------
    array of float64
        In [0, 1]; NaN where n < 2.
    """
    center, error = standard_error(total, total_squares, n)
    statistic = (center - delta) / error
    freedom = np.asarray(n, dtype=np.float64) - 1.0
    tail = stats.t.sf if alternative == "greater" else stats.t.cdf
    return np.asarray(tail(statistic, freedom), dtype=np.float64)


def _quantile(confidence: float, n: npt.ArrayLike) -> Floats:
    # Quantiles are slow and the sizes of classes are few.
    sizes, place = np.unique(np.asarray(n, dtype=np.float64), return_inverse=True)
    quantiles = np.asarray(stats.t.ppf(confidence, sizes - 1.0), dtype=np.float64)
    return quantiles[place].reshape(np.shape(n))
