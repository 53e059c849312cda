"""Mean loss by class along an axis (STATISTICS 3.4)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.axes import Axis, format_value
from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.statistics.both_levels import both_interval, level_of_losses
from lpa.statistics.curve_data import CurveData
from lpa.statistics.losses import Losses, losses
from lpa.statistics.means import mean_interval
from lpa.statistics.positions import trapezoid_weights

__all__ = [
    "COLUMNS",
    "image_mean_loss",
    "mean_loss",
    "mean_loss_run_squares",
    "trapezoid_weights",
]

COLUMNS = (
    "model", "axis", "split", "class", "label", "title",
    "mean_loss", "low", "high", "area", "grid", "n", "level",
)  # fmt: skip

Floats = npt.NDArray[np.float64]


def image_mean_loss(curve: CurveData, axis: Axis) -> Floats:
    """Return each image's mean loss along the axis, sum_g w_g d[i,g].

    Parameters
    ----------
    curve : CurveData
        A curve whose first value is the axis's reference.
    axis : Axis
        Its axis; the scale decides the weights (:func:`trapezoid_weights`).

    Returns
    -------
    array of float64, shape [images]
        In [-1, 1].

    Raises
    ------
    InputError
        Where the first value is not the reference, or nothing else was measured.
    """
    if len(curve.values) < 2 or curve.values[0] != axis.reference:
        raise InputError(
            f"{curve.model} on {axis.name} has the values "
            + ", ".join(format_value(float(value)) for value in curve.values)
            + f"; a mean loss needs the reference {format_value(axis.reference)} first and another"
        )
    weights = trapezoid_weights(axis, curve.values)
    # One value after the other: the shares of a curve with many values need not be held at once.
    result = (1.0 - weights[0]) * curve.image_means(0)
    for index in range(1, len(curve.values)):
        result -= weights[index] * curve.image_means(index)
    return np.asarray(result)


def mean_loss_run_squares(each: Losses) -> list[tuple[Floats, int]]:
    """Return what runs add to the variance of mean losses, for ``both_error``.

    One pair for each value: its squared coefficient times the variance over runs, float64
    [classes], and the number of runs. The reference's coefficient is the sum of the others'.
    """
    coefficients = trapezoid_weights(each.axis, each.curve.values)
    coefficients[0] = 1.0 - coefficients[0]
    return [
        (coefficients[v] ** 2 * each.run_variances[v], int(each.curve.draws[v]))
        for v in range(len(coefficients))
    ]


def mean_loss(
    outcomes: Outcomes,
    confidence: float = 0.95,
    split: str | None = None,
    level: str | None = None,
) -> pd.DataFrame:
    r"""Return the mean loss of every class along every axis.

    Estimand: :math:`J_c = \sum_g w_g L_c(g)`, trapezoid weights on the axis's scale, which sum to
    1 with the reference's. Estimator: the plain mean over images of :math:`\sum_g w_g d[i,g]`.
    Interval: E2 on these (level ``image``), with the runs' variance
    :math:`\sum_g w_g^2 s_g^2 / R_g + (\sum_g w_g)^2 s_{v0}^2 / R_{v0}` at level ``both``. Test:
    see :func:`~lpa.statistics.drop_test.drop_test`. ``area`` is the area under the preservation
    curve, :math:`1 - J_c / A_c(v0)`. Only equal grids can be compared.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    confidence : float
        Two-sided confidence of each interval, in (0, 1).
    split : str, optional
        Only this split; splits are never pooled.
    level : {"image", "both"}, optional
        By default ``image`` for scans and imports, ``both`` for sweeps and probes.

    Returns
    -------
    DataFrame
        ``model, axis, split, class, label, title, mean_loss, low, high`` (fractions in [-1, 1]:
        accuracy points when times 100), ``area`` (NaN where the reference accuracy is 0),
        ``grid`` (the values, joined by commas), ``n`` (images), ``level``. Limits are NaN where
        n < 2, and at level ``both`` where a value has one run. ``attrs["notes"]`` lists curves
        left out.
    """
    chosen = level_of_losses(outcomes, level)
    notes: list[str] = []
    pieces = [_curve(outcomes, each, confidence, chosen) for each in losses(outcomes, split, notes)]
    frame = pd.concat(pieces, ignore_index=True) if pieces else pd.DataFrame(columns=list(COLUMNS))
    frame.attrs["notes"] = notes
    return frame


def _curve(outcomes: Outcomes, each: Losses, confidence: float, level: str) -> pd.DataFrame:
    values = image_mean_loss(each.curve, each.axis)
    total, squares = each.total(values), each.total(values**2)
    if level == "image":
        low, high = mean_interval(total, squares, each.n, confidence)
    else:
        runs = mean_loss_run_squares(each)
        low, high = both_interval(total, squares, each.n, runs, confidence)
    reference = each.total(each.curve.image_means(0))
    with np.errstate(invalid="ignore", divide="ignore"):
        area = np.where(reference > 0, 1.0 - total / reference, np.nan)
    grid = ",".join(format_value(float(value)) for value in each.curve.values)
    columns: dict[str, npt.NDArray[Any]] = each.identify(outcomes)
    columns |= {
        "mean_loss": total / each.n,
        "low": low,
        "high": high,
        "area": area,
        "grid": np.full(len(total), grid, dtype=object),
        "level": np.full(len(total), level, dtype=object),
    }
    return pd.DataFrame(columns)[list(COLUMNS)]
