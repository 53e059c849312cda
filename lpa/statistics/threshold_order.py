"""The order of thresholds, some of which are states, and their quantiles (STATISTICS 3.5)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lpa.axes import Axis

__all__ = ["STATES", "strength_order", "threshold_quantile"]

STATES = ("at once", "number", "never", "undefined")
"""From weak to strong; ``undefined`` has no place in the order."""

Floats = npt.NDArray[np.float64]


def strength_order(axis: Axis, states: npt.ArrayLike, values: npt.ArrayLike) -> Floats:
    """Return keys that sort thresholds from weak to strong; they are not for arithmetic.

    Parameters
    ----------
    axis : Axis
        Decides which side is strong.
    states, values : array_like
        ``state`` and ``threshold`` (or an end of the interval and its state).

    Returns
    -------
    array of float64
        -inf for ``at once``, a strength for numbers, inf for ``never``, NaN for ``undefined``.
    """
    states = np.asarray(states, dtype=object)
    strength = np.asarray(values, dtype=np.float64) - axis.reference
    keys = -strength if axis.stronger == "down" else strength
    for state, key in (("at once", -np.inf), ("never", np.inf), ("undefined", np.nan)):
        keys = np.where(states == state, key, keys)
    return np.asarray(keys)


def threshold_quantile(
    axis: Axis, states: npt.ArrayLike, values: npt.ArrayLike, quantile: float
) -> tuple[str, float]:
    """Return a quantile of thresholds over classes, as one of them (``inverted_cdf``).

    Parameters
    ----------
    axis, states, values
        As in :func:`strength_order`; undefined thresholds are left out.
    quantile : float
        In [0, 1]; 0.5 for the median.

    Returns
    -------
    state, value
        The state and, for ``number``, the value of the axis; NaN otherwise.
    """
    keys = strength_order(axis, states, values)
    order = np.argsort(keys, kind="stable")[: np.count_nonzero(~np.isnan(keys))]
    if not len(order):
        return "undefined", float("nan")
    # Infinite keys forbid np.quantile itself; positions in the order do not.
    position = int(np.quantile(np.arange(len(order)), quantile, method="inverted_cdf"))
    chosen = order[position]
    state = str(np.asarray(states, dtype=object)[chosen])
    value = float(np.asarray(values, dtype=np.float64)[chosen])
    return state, value if state == "number" else float("nan")
