"""Where the values of an axis lie on its scale, and the trapezoid weights of a grid."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lpa.axes import Axis, format_value
from lpa.errors import InputError

__all__ = ["axis_positions", "trapezoid_weights", "values_at"]

Floats = npt.NDArray[np.float64]


def axis_positions(axis: Axis, values: npt.ArrayLike) -> Floats:
    """Return positions of values on the axis's scale, growing with strength.

    Linear axis: the value; logarithmic axis: its logarithm; with the sign that makes strength
    grow. A logarithmic axis has no place for a reference of 0 ("no weight decay"): our choice is
    one step before the weakest other value, as long as the step after it, or one decade where
    there is no second step.

    Parameters
    ----------
    axis : Axis
        Scale and direction.
    values : array_like, shape [values]
        From weak to strong.

    Returns
    -------
    array of float64, shape [values]

    Raises
    ------
    InputError
        For a value on a logarithmic axis that is not above 0, other than a reference that is first.
    """
    values = np.asarray(values, dtype=np.float64)
    sign = -1.0 if axis.stronger == "down" else 1.0
    if axis.scale == "linear":
        return sign * values
    unplaced = values <= 0
    if len(values) > 1 and values[0] == axis.reference:
        unplaced[0] = False
    if unplaced.any():
        raise InputError(
            f"{axis.name}: value {format_value(values[unplaced][0])} has no place on a logarithmic "
            "axis; expected values above 0 beside a reference of 0: leave it out, or declare the "
            "axis linear"
        )
    if values[0] > 0:
        return np.asarray(sign * np.log(values))
    others = sign * np.log(values[1:])
    step = others[1] - others[0] if len(others) > 1 else np.log(10.0)
    return np.concatenate([[others[0] - step], others])


def values_at(axis: Axis, positions: npt.ArrayLike) -> Floats:
    """Return the values at positions on the axis's scale; the inverse of :func:`axis_positions`."""
    sign = -1.0 if axis.stronger == "down" else 1.0
    signed = sign * np.asarray(positions, dtype=np.float64)
    return np.asarray(signed if axis.scale == "linear" else np.exp(signed))


def trapezoid_weights(axis: Axis, values: npt.ArrayLike) -> Floats:
    """Return the weight of each value in a mean along the axis, by the trapezoid rule.

    Parameters
    ----------
    axis : Axis
        Its scale decides how far values are apart.
    values : array_like, shape [values]
        Distinct, from weak to strong, the reference first.

    Returns
    -------
    array of float64, shape [values]
        Not negative, summing to 1, the reference's weight included.
    """
    positions = axis_positions(axis, values)
    if len(positions) < 2:
        return np.ones(len(positions))
    steps = np.diff(positions)
    weights = np.zeros(len(positions))
    weights[:-1] += steps
    weights[1:] += steps
    return np.asarray(weights / weights.sum())
