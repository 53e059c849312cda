"""What a drop test can detect: critical and detectable losses (STATISTICS 3.6)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from lpa.statistics.means import mean_test

__all__ = ["critical_loss", "detectable_loss"]

Floats = npt.NDArray[np.float64]


def critical_loss(n: npt.ArrayLike, level: npt.ArrayLike, exact: bool, most: float = 1.0) -> Floats:
    """Return the smallest loss without gains that is significant.

    Parameters
    ----------
    n : array_like of int
        Images of the class.
    level : array_like
        Level of the test, in (0, 1): the uncorrected one, or level / m at Holm's first step.
    exact : bool
        McNemar: ``ceil(log2(1 / level)) / n``. Otherwise the smallest k / n for which E2 on k
        images that lose ``most`` and n - k that lose nothing is significant, times ``most``.
    most : float
        What one image can lose.

    Returns
    -------
    array of float64
        In (0, most]; NaN where no loss of all n images would be significant, and for n < 2.
    """
    n, level = np.broadcast_arrays(np.asarray(n), np.asarray(level, dtype=np.float64))
    if exact:
        # Rounding must not turn level 1/1024 into more than ten images.
        images = np.ceil(np.log2(1.0 / level) - 1e-9)
        return np.where((n >= 2) & (images <= n), images / np.maximum(n, 1) * most, np.nan)
    sizes, place = np.unique(np.stack([n.ravel(), level.ravel()]), axis=1, return_inverse=True)
    found = [_critical_of_means(int(size), float(alpha), most) for size, alpha in sizes.T]
    return np.asarray(np.array(found)[place.ravel()].reshape(n.shape))


def _critical_of_means(n: int, level: float, most: float) -> float:
    images = np.arange(1, n + 1)
    significant = mean_test(images * most, images * most**2, n) <= level
    return float(images[significant.argmax()] / n * most) if significant.any() else np.nan


def detectable_loss(
    n: npt.ArrayLike, level: npt.ArrayLike, error: npt.ArrayLike, power: float = 0.8
) -> Floats:
    """Return the true loss that a test finds with a given power.

    From the noncentral t distribution with n - 1 degrees of freedom, for engine E2, whose center
    is n / (n + 2) of the mean. Never the power at the observed effect (Hoenig and Heisey 2001, The
    American Statistician 55:19).

    Parameters
    ----------
    n : array_like of int
        Images of the class.
    level : array_like
        Level of the test, in (0, 1).
    error : array_like
        A typical standard error: the median over the classes of a family.
    power : float
        In (0, 1).

    Returns
    -------
    array of float64
        In [0, 1]; NaN where it would exceed 1, and for n < 2.
    """
    size, level = np.broadcast_arrays(np.where(np.asarray(n) >= 2, n, np.nan), level)
    # The noncentral t is slow, and sizes and levels are few.
    pairs, place = np.unique(np.stack([size.ravel(), level.ravel()]), axis=1, return_inverse=True)
    freedom = pairs[0] - 1.0
    distances = special.nctdtrinc(freedom, 1.0 - power, stats.t.isf(pairs[1], freedom))
    distance = distances[place.ravel()].reshape(size.shape)
    loss = distance * np.asarray(error) * (size + 2.0) / size
    return np.where(loss <= 1.0, loss, np.nan)
