"""Engine E1: the interval of one proportion whose images were each seen in several draws."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from statsmodels.stats.proportion import proportion_confint

__all__ = ["proportion_interval"]

Floats = npt.NDArray[np.float64]


def proportion_interval(
    total: npt.ArrayLike,
    total_squares: npt.ArrayLike,
    n: npt.ArrayLike,
    draws: npt.ArrayLike,
    confidence: float = 0.95,
) -> tuple[Floats, Floats]:
    r"""Return the interval of a mean of per-image shares of right predictions (engine E1).

    Estimand: the expected share of right predictions of an image of the class; level ``image``.
    Draws are clustered within images, so n K rows are worth between n and n K images. With one
    pseudo-image that is always wrong and one that is always right,

    .. math::
        \tilde p = (S + 1) / (n + 2), \quad
        \tilde v = (Q + 1) / (n + 2) - \tilde p^2, \quad
        n_{eff} = clip(n \tilde p (1 - \tilde p) / \tilde v, n, n K),

    and the interval is Wilson's on ``n_eff`` images of which the share S / n is right. For one draw
    it is Wilson's interval on n images.

    Parameters
    ----------
    total, total_squares : array_like
        S and Q: sums over the images of the share of draws that were right, in [0, 1], and of
        its square.
    n : array_like
        Number of images; an effective number need not be whole.
    draws : array_like
        K, draws of each image.
    confidence : float
        Two-sided confidence, in (0, 1).

    Returns
    -------
    low, high : arrays of float64 of the broadcast shape
        In [0, 1]; NaN where n = 0. Never of zero width.

    References
    ----------
    Wilson 1927, JASA 22:209. Effective sample size: Korn and Graubard 1998, Survey Methodology
    24:193; Franco, Little, Louis and Slud 2019, JSSAM 7:334.
    """
    total, total_squares, n, draws = (
        np.asarray(values, dtype=np.float64)
        for values in np.broadcast_arrays(total, total_squares, n, draws)
    )
    # An empty class is computed as if it had one image, and then made NaN.
    images = np.where(n > 0, n, 1.0)
    center = (total + 1.0) / (images + 2.0)
    variance = (total_squares + 1.0) / (images + 2.0) - center**2
    effective = np.clip(images * center * (1.0 - center) / variance, images, images * draws)
    # Rounding may lift a mean of draws above 1 by one bit, which would be refused.
    share = np.clip(total / images, 0.0, 1.0)
    low, high = proportion_confint(
        share * effective, effective, alpha=1.0 - confidence, method="wilson"
    )
    empty = n <= 0
    return np.where(empty, np.nan, low), np.where(empty, np.nan, high)
