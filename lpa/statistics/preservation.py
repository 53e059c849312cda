"""Preservation by class along an axis, with Fieller's interval (STATISTICS 3.3)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from lpa.outcomes import Outcomes
from lpa.statistics.losses import Losses, losses

__all__ = ["COLUMNS", "fieller_interval", "preservation"]

COLUMNS = (
    "model", "axis", "value", "split", "class", "label", "title",
    "preservation", "low", "high", "state", "n", "draws", "level",
)  # fmt: skip

Floats = npt.NDArray[np.float64]


def fieller_interval(
    total: npt.ArrayLike,
    total_reference: npt.ArrayLike,
    squares: npt.ArrayLike,
    squares_reference: npt.ArrayLike,
    products: npt.ArrayLike,
    n: npt.ArrayLike,
    confidence: float = 0.95,
) -> tuple[Floats, Floats]:
    r"""Return the interval of a ratio of two means over the same images.

    All R with :math:`|m| \le t(q, n - 1)\, se` for the per-image values
    :math:`y_v - R\,y_{v0}` and the pseudo-images :math:`(y_v, y_{v0}) = (1, 0), (0, 1)`. With
    :math:`a, b` the means of :math:`y_v, y_{v0}` over the n + 2, :math:`\alpha, \beta, \gamma`
    those of :math:`y_v^2, y_{v0}^2, y_v y_{v0}`, and :math:`k = t^2 / (n + 2)`, it is

    .. math:: (1 + k)(a - R b)^2 \le k (\alpha - 2 R \gamma + R^2 \beta).

    At R = 1 this is engine E2 on the losses.

    Parameters
    ----------
    total, total_reference, squares, squares_reference, products : array_like
        Sums over the images of y_v, y_v0, their squares and their product; y in [0, 1].
    n : array_like
        Number of images.
    confidence : float
        Two-sided confidence, in (0, 1).

    Returns
    -------
    low, high : arrays of float64
        Not negative. (0, inf) where the quadratic does not close: the reference cannot be told
        from 0. NaN where n < 2.

    References
    ----------
    Fieller 1954, JRSS B 16:175; pseudo-images as in Bonett and Price 2012, JEBS 37:479.
    """
    n = np.asarray(n, dtype=np.float64)
    images = np.where(n >= 2, n, np.nan) + 2.0
    k = stats.t.ppf(0.5 + confidence / 2.0, images - 3.0) ** 2 / images
    mean, reference = (np.asarray(part) + 1.0 for part in (total, total_reference))
    mean, reference = mean / images, reference / images
    alpha = (np.asarray(squares) + 1.0) / images
    beta = (np.asarray(squares_reference) + 1.0) / images
    gamma = np.asarray(products) / images
    leading = (1.0 + k) * reference**2 - k * beta
    middle = (1.0 + k) * mean * reference - k * gamma
    constant = (1.0 + k) * mean**2 - k * alpha
    # The ratio of the two means always satisfies the inequality, so roots exist up to rounding.
    root = np.sqrt(np.maximum(middle**2 - leading * constant, 0.0))
    closed = leading > 0
    divisor = np.where(closed, leading, 1.0)
    low = np.where(closed, np.maximum((middle - root) / divisor, 0.0), 0.0)
    high = np.where(closed, (middle + root) / divisor, np.inf)
    missing = np.isnan(images)
    return np.where(missing, np.nan, low), np.where(missing, np.nan, high)


def preservation(
    outcomes: Outcomes, confidence: float = 0.95, split: str | None = None
) -> pd.DataFrame:
    """Return the preservation of every class at every value: accuracy over reference accuracy.

    Estimand: A_c(v) / A_c(v0). Level: ``image``. Estimator: the ratio of the observed accuracies.
    Interval: :func:`fieller_interval`, each by itself. No test: tests are on the loss, and ratios
    are for display. Edge cases are in ``state``. Paper: "preservation" is the word of this
    package; arXiv 2204.03632 shows accuracies.

    Parameters
    ----------
    outcomes : Outcomes
        The run. Where models were trained, runs are averaged within images and fixed.
    confidence : float
        Two-sided confidence of each interval, in (0, 1).
    split : str, optional
        Only this split; splits are never pooled.

    Returns
    -------
    DataFrame
        ``model, axis, value, split, class, label, title, preservation, low, high`` (ratios, at
        least 0, may exceed 1), ``state``, ``n`` (images), ``draws``, ``level``. States:
        ``reference`` (1 by definition), ``closed``, ``unbounded`` (limits 0 and infinity: the
        reference accuracy cannot be told from 0), ``undefined`` (observed reference accuracy 0:
        NaN), ``no interval`` (fewer than 2 images). ``attrs["notes"]`` lists curves left out.
    """
    notes: list[str] = []
    pieces = [_curve(outcomes, each, confidence) for each in losses(outcomes, split, notes)]
    frame = pd.concat(pieces, ignore_index=True) if pieces else pd.DataFrame(columns=list(COLUMNS))
    frame.attrs["notes"] = notes
    return frame


def _curve(outcomes: Outcomes, each: Losses, confidence: float) -> pd.DataFrame:
    values, classes = each.curve.values, len(each.n)
    total = each.total(each.shares)
    squares = each.total(each.shares**2)
    products = each.total(each.shares * each.shares[0])
    low, high = fieller_interval(total, total[0], squares, squares[0], products, each.n, confidence)
    defined = total[0] > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(defined, total / total[0], np.nan)
    state = np.where(np.isinf(high), "unbounded", "closed").astype(object)
    state[:, each.n < 2] = "no interval"
    state[0], low[0], high[0] = "reference", 1.0, 1.0
    for limit in (low, high):
        limit[:, ~defined] = np.nan
    state[:, ~defined] = "undefined"
    columns: dict[str, npt.NDArray[Any]] = each.identify(outcomes, len(values))
    columns |= {
        "value": np.repeat(values, classes),
        "preservation": ratio.reshape(-1),
        "low": low.reshape(-1),
        "high": high.reshape(-1),
        "state": state.reshape(-1),
        "draws": np.repeat(each.curve.draws, classes),
        "level": np.full(ratio.size, "image", dtype=object),
    }
    return pd.DataFrame(columns)[list(COLUMNS)]
