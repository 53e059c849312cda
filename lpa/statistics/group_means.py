"""Groups of classes: mean accuracy, mean loss and median threshold of each (STATISTICS 3.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.axes import format_value
from lpa.outcomes import Outcomes
from lpa.statistics.across_runs import run_interval
from lpa.statistics.aggregates import RUNS, mean_over_images
from lpa.statistics.both_levels import level_of_losses
from lpa.statistics.curve_data import CurveData, curve_data, levels
from lpa.statistics.losses import Losses, losses
from lpa.statistics.mean_loss import image_mean_loss
from lpa.statistics.positions import trapezoid_weights
from lpa.statistics.proportion import proportion_interval
from lpa.statistics.stratified import stratified_mean
from lpa.statistics.stratified_proportion import stratified_proportion
from lpa.statistics.threshold_order import threshold_quantile

__all__ = ["ACCURACY", "LOSS", "group_accuracy", "group_loss", "group_thresholds"]

ACCURACY = (
    "model", "axis", "value", "split", "group", "accuracy", "low", "high", "n", "draws", "classes",
    "level", "method",
)  # fmt: skip
LOSS = (
    "model", "axis", "split", "group", "loss", "low", "high", "classes", "n", "method", "level",
)  # fmt: skip

STRATIFIED = "E1, stratified"

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

    Estimand: the mean of A_c(v) over the group's classes, which are fixed and weigh equally.
    Interval at level ``image``: E1 with the variance within classes
    (:func:`~lpa.statistics.stratified_proportion.stratified_proportion`), which groups of few
    classes need in place of the normal interval; a single class has its own interval
    (:mod:`lpa.statistics.accuracy`), and where some class has one image, all images are one sample
    (:mod:`lpa.statistics.aggregates`). Level ``run``: E3 over the runs' means.

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
    level : {"image", "run"}, optional
        Only this level; see ``class_accuracy``.

    Returns
    -------
    DataFrame
        :data:`ACCURACY`: curve by curve within each group; ``method`` says which interval it is.
    """
    rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in groups}
    for curve in curve_data(outcomes, split):
        for name, labels in groups.items():
            images = np.flatnonzero(np.isin(curve.labels, list(labels)))
            if len(images):
                for wanted in levels(outcomes, level):
                    rows[name] += _accuracies(curve, images, name, confidence, wanted)
    return pd.DataFrame([row for each in rows.values() for row in each], columns=list(ACCURACY))


def _accuracies(
    curve: CurveData, images: npt.NDArray[np.int64], name: str, confidence: float, level: str
) -> Iterator[tuple[Any, ...]]:
    _, strata = np.unique(curve.labels[images], return_inverse=True)
    size = np.bincount(strata)
    for index, value in enumerate(curve.values):
        draws = int(curve.draws[index])
        if level == "image":
            shares = curve.image_means(index)[images]
            numbers = _over_images(shares, strata, size, draws, confidence)
        else:
            scores = curve.replicates(index)[:, images] @ (1.0 / len(size) / size)[strata]
            mean, low, high = run_interval(scores, confidence)
            numbers = float(mean), float(low), float(high), RUNS
        yield (
            curve.model, curve.axis, value, curve.split, name, *numbers[:3], len(images), draws,
            len(size), level, numbers[3],
        )  # fmt: skip


def _over_images(
    shares: npt.NDArray[np.float64], strata: npt.NDArray[np.int64], size: npt.NDArray[np.int64],
    draws: int, confidence: float,
) -> tuple[float, float, float, str]:  # fmt: skip
    if len(size) == 1:
        low, high = proportion_interval(
            shares.sum(), (shares**2).sum(), len(shares), draws, confidence
        )
        # One image says nothing of its class.
        limits = (float(low), float(high)) if len(shares) > 1 else (float("nan"), float("nan"))
        return float(shares.mean()), *limits, "E1"
    if size.min() == 1:
        weight = np.full(len(size), 1.0 / len(size))
        return mean_over_images(shares, strata, weight, draws, confidence)
    return *stratified_proportion(shares, strata, confidence), STRATIFIED


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
