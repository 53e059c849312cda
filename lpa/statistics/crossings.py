"""Where curves of losses cross a given drop for the first time and for good."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import optimize

__all__ = ["ROUNDING", "Crossing", "crossing", "rising_fit"]

ROUNDING = 1e-12
"""By how much a loss must exceed a drop; thirds of draws do not add up exactly."""

Floats = npt.NDArray[np.float64]


class Crossing(NamedTuple):
    """Crossings of several curves.

    Attributes
    ----------
    position : array of float64, shape [curves]
        On the axis's scale, interpolated linearly; NaN where the curve does not cross.
    by : array of int64, shape [curves]
        Index of the value by which the curve has crossed, 1 for the first beside the reference; 0
        where it does not cross.
    """

    position: Floats
    by: npt.NDArray[np.int64]


def crossing(
    curves: Floats, positions: Floats, drop: float, which: Literal["first", "last"]
) -> Crossing:
    """Return where curves exceed ``drop`` first, or where they begin to and stay above it.

    Parameters
    ----------
    curves : array of float64, shape [curves, values - 1]
        Losses (or limits of losses) at the values beside the reference, from weak to strong. The
        reference's is 0.
    positions : array of float64, shape [values]
        Where the values lie on the axis's scale, the reference first.
    drop : float
        At least 0. A loss equal to it does not exceed it.
    which : {"first", "last"}
        ``last``: the last up-crossing, counted only if the curve ends above; a curve that has come
        back by the strongest value does not cross.

    Returns
    -------
    Crossing
    """
    above = curves > drop + ROUNDING
    if which == "first":
        crosses, index = above.any(axis=1), above.argmax(axis=1)
    else:
        crosses = above[:, -1]
        # The length of the run of values above the drop at the strong end.
        index = above.shape[1] - np.cumprod(above[:, ::-1], axis=1).sum(axis=1)
    index = np.where(crosses, index, 0)
    rows = np.arange(len(curves))
    after = curves[rows, index]
    before = np.where(index > 0, curves[rows, index - 1], 0.0)
    rise = np.where(crosses, after - before, 1.0)
    start, end = positions[index], positions[index + 1]
    position = start + (drop - before) / rise * (end - start)
    return Crossing(np.where(crosses, position, np.nan), np.where(crosses, index + 1, 0))


def rising_fit(curves: Floats) -> Floats:
    """Return the isotonic fit of each curve of losses, at least 0 everywhere.

    Parameters
    ----------
    curves : array of float64, shape [curves, values - 1]
        Losses at the values beside the reference, whose loss of 0 is held fixed.

    Returns
    -------
    array of float64, same shape
        ``max(0, scipy.optimize.isotonic_regression(curve).x)``, row by row.
    """
    fits = [optimize.isotonic_regression(curve).x for curve in curves]
    return np.maximum(np.reshape(fits, curves.shape), 0.0)
