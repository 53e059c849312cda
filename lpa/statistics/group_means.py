"""Groups of classes: mean accuracy, mean loss and median threshold of each (STATISTICS 3.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.axes import format_value
from lpa.outcomes import Outcomes
from lpa.outcomes.part import Part
from lpa.statistics.accuracy import class_accuracy
from lpa.statistics.aggregates import mean_accuracy
from lpa.statistics.both_levels import level_of_losses
from lpa.statistics.losses import Losses, losses
from lpa.statistics.mean_loss import image_mean_loss
from lpa.statistics.positions import trapezoid_weights
from lpa.statistics.stratified import stratified_mean
from lpa.statistics.threshold_order import threshold_quantile

__all__ = ["ACCURACY", "LOSS", "group_accuracy", "group_loss", "group_thresholds"]

ACCURACY = (
    "model", "axis", "value", "split", "group", "accuracy", "low", "high", "n", "draws", "classes",
    "level", "method",
)  # fmt: skip
LOSS = (
    "model", "axis", "split", "group", "loss", "low", "high", "classes", "n", "method", "level",
)  # fmt: skip

CURVE = ["model", "axis", "split"]

Groups = Mapping[str, Sequence[int]]


def group_accuracy(
    outcomes: Outcomes,
    groups: Groups,
    confidence: float = 0.95,
    split: str | None = None,
    level: str | None = None,
) -> pd.DataFrame:
    """Return the mean accuracy of the classes of each group along the axes.

    Estimand, interval and level are those of
    :func:`~lpa.statistics.aggregates.mean_accuracy`'s ``mean of classes``, over the group's classes
    alone; a single class has its own interval (:mod:`lpa.statistics.accuracy`).

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    groups : mapping of str to sequence of int
        Group -> indices of its classes. Groups without images are left out.
    confidence, split, level
        As in ``mean_accuracy``.

    Returns
    -------
    DataFrame
        :data:`ACCURACY`: curve by curve within each group.
    """
    pieces = []
    for name, labels in groups.items():
        part = Part(outcomes, labels)
        if len(part.samples):
            table = mean_accuracy(part, confidence, split, level)
            table = table[table["aggregate"] == "mean of classes"]
            if len(np.unique(part.samples.label)) == 1:
                table = _of_one_class(part, table, confidence, split, level)
            pieces.append(table.assign(group=name))
    if not pieces:
        return pd.DataFrame(columns=list(ACCURACY))
    return pd.concat(pieces, ignore_index=True)[list(ACCURACY)]


def group_loss(
    outcomes: Outcomes,
    groups: Groups,
    confidence: float = 0.95,
    split: str | None = None,
    level: str | None = None,
    value: float | None = None,
) -> pd.DataFrame:
    """Return the mean over each group's classes of the mean loss along the axis.

    Estimand: the mean over the group's classes of J_c (:mod:`lpa.statistics.mean_loss`), or of the
    loss L_c at one value; classes are fixed. Interval:
    :func:`~lpa.statistics.stratified.stratified_mean`, at level ``image`` for fixed models and
    ``both`` for sweeps and probes. No test; families do not apply.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    groups : mapping of str to sequence of int
        Group -> indices of its classes. Groups without images are left out.
    confidence : float
        Two-sided, in (0, 1).
    split : str, optional
        Only this split; splits are never pooled.
    level : {"image", "both"}, optional
        See above.
    value : float, optional
        The loss at this value; curves without it are left out and noted.

    Returns
    -------
    DataFrame
        :data:`LOSS`: the groups of each curve, the largest loss (in [-1, 1]) first; ``classes``
        and ``n`` count those with images. ``attrs["notes"]`` lists curves left out.
    """
    chosen = level_of_losses(outcomes, level)
    notes: list[str] = []
    rows = [
        row
        for each in losses(outcomes, split, notes)
        if value is None or _holds(each, value, notes)
        for row in _curve(each, groups, confidence, chosen, value)
    ]
    frame = pd.DataFrame(rows, columns=list(LOSS))
    curve = frame.groupby(CURVE, sort=False).ngroup()
    frame = frame.iloc[np.lexsort((-frame["loss"], curve))].reset_index(drop=True)
    frame.attrs["notes"] = notes
    return frame


def group_thresholds(outcomes: Outcomes, groups: Groups, thresholds: pd.DataFrame) -> pd.DataFrame:
    """Return the median threshold of each group's classes, as one of them.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    groups : mapping of str to sequence of int
        Group -> indices of its classes.
    thresholds : DataFrame
        Of :func:`lpa.statistics.threshold.threshold`.

    Returns
    -------
    DataFrame
        ``model, axis, split, group, median_threshold`` (NaN unless it is a number),
        ``median_state``.
    """
    rows: list[dict[str, Any]] = []
    for name, labels in groups.items():
        mine = thresholds[thresholds["label"].isin(list(labels))]
        for key, part in mine.groupby(CURVE, sort=False):
            axis = outcomes.axes[str(key[1])]
            state, value = threshold_quantile(axis, part["state"], part["threshold"], 0.5)
            place = dict(zip(CURVE, key, strict=True))
            rows.append({**place, "group": name, "median_threshold": value, "median_state": state})
    columns = [*CURVE, "group", "median_threshold", "median_state"]
    return pd.DataFrame(rows, columns=columns)


def _of_one_class(
    part: Part, table: pd.DataFrame, confidence: float, split: str | None, level: str | None
) -> pd.DataFrame:
    """Put the class's own interval in place of that of a mean."""
    keys = [*CURVE, "value", "level"]
    own = class_accuracy(part, confidence, split, level)[[*keys, "low", "high"]]
    joined = table.drop(columns=["low", "high"]).merge(own, on=keys, how="left")
    return joined.assign(method=joined["method"].mask(joined["level"] == "image", "E1"))


def _holds(each: Losses, value: float, notes: list[str]) -> bool:
    if value in each.curve.values[1:]:
        return True
    notes.append(
        f"{each.curve.model} on {each.curve.axis}: nothing measured at {format_value(value)}; "
        "no loss is given"
    )
    return False


def _coefficients(each: Losses, value: float | None) -> npt.NDArray[np.float64]:
    """Return by how much the accuracy at each value lowers the loss; the reference raises it."""
    if value is None:
        weights = trapezoid_weights(each.axis, each.curve.values)
    else:
        weights = (each.curve.values == value).astype(np.float64)
    weights[0] -= 1.0
    return weights


def _curve(
    each: Losses, groups: Groups, confidence: float, level: str, value: float | None
) -> Iterator[dict[str, Any]]:
    if value is None:
        values = image_mean_loss(each.curve, each.axis)
    else:
        values = each.loss[int(np.flatnonzero(each.curve.values == value)[0]) - 1]
    coefficients = _coefficients(each, value)
    for name, labels in groups.items():
        images = np.flatnonzero(np.isin(each.curve.labels, list(labels)))
        if len(images):
            mine = each.curve.labels[images]
            runs = _runs(each, images, mine, coefficients) if level == "both" else None
            found = stratified_mean(values[images], mine, confidence, runs)
            yield {
                "model": each.curve.model, "axis": each.axis.name, "split": each.curve.split,
                "group": name, "loss": found.mean, "low": found.low, "high": found.high,
                "classes": len(np.unique(mine)), "n": len(images), "method": found.method,
                "level": level,
            }  # fmt: skip


def _runs(
    each: Losses, images: npt.NDArray[np.int64], labels: npt.NDArray[np.int64],
    coefficients: npt.NDArray[np.float64],
) -> list[tuple[float, int]]:  # fmt: skip
    """Return each value's squared coefficient times the variance over runs of the group's mean."""
    _, place, n = np.unique(labels, return_inverse=True, return_counts=True)
    weight = (1.0 / (n * len(n)))[place]
    found = []
    for v in np.flatnonzero(coefficients).tolist():
        coefficient = coefficients[v]
        scores = each.curve.replicates(v)[:, images] @ weight
        variance = float(scores.var(ddof=1)) if len(scores) > 1 else float("nan")
        found.append((float(coefficient) ** 2 * variance, len(scores)))
    return found
