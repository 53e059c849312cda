"""How often a class's range may be wrong at worst, with one draw a value (STATISTICS 3.14)."""

from __future__ import annotations

import functools

import numpy as np
from scipy.special import gammaln, xlogy

from lpa.statistics.means import mean_limit

__all__ = ["range_error"]

GAINED = (0.0, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3, 0.4, 0.45)
"""Shares of images that are gained, over which the worst is taken beside the largest that there is.
The worst lies at one of the ends or close to it."""


@functools.cache
def range_error(n: int, drop: float, confidence: float = 0.95) -> float:
    """Return the largest probability that a value whose true loss is ``drop`` is called safe.

    Exact, by enumeration: with one draw each of n images is lost with probability ``drop + x``,
    gained with probability x, or neither, and E2's one-sided upper limit is below ``drop`` for some
    of the numbers lost and gained. The largest of the probabilities of these over x, which is
    unknown, is what a range errs by at worst, since values are tested in a fixed order. E2 is an
    approximation, so this is not ``1 - confidence``: at 95 % up to 10 % between 20 and 130 images,
    and at 98 % up to 5.6 % (``reports/statistics/policy_exact.csv``).

    Parameters
    ----------
    n : int
        Images, at least 2.
    drop : float
        In (0, 1).
    confidence : float
        One-sided, of the limit, in (0, 1).

    Returns
    -------
    float
        In [0, 1]; 0 where n images are too few for anything to be safe.

    References
    ----------
    Unconditional exact error of a paired test: Hsueh, Liu and Chen 2001, Biometrics 57:478.
    """
    lost, gained = (each.ravel() for each in np.meshgrid(np.arange(n + 1), np.arange(n + 1)))
    possible = lost + gained <= n
    lost, gained = lost[possible], gained[possible]
    high = mean_limit(lost - gained, lost + gained, n, confidence, "upper")
    lost, gained = lost[high < drop], gained[high < drop]
    rest = n - lost - gained
    ways = gammaln(n + 1) - gammaln(lost + 1) - gammaln(gained + 1) - gammaln(rest + 1)
    most = (1 - drop) / 2
    shares = [*(share for share in GAINED if share < most), most]
    return max(
        float(
            np.exp(
                ways
                + xlogy(lost, drop + share)
                + xlogy(gained, share)
                + xlogy(rest, max(0.0, 1 - drop - 2 * share))
            ).sum()
        )
        for share in shares
    )
