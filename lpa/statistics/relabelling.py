"""Scores under other labels: how much of a loss is ambiguity (STATISTICS 3.13)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.axes import format_value
from lpa.outcomes import Outcomes
from lpa.statistics.means import mean_interval, mean_test
from lpa.statistics.multiplicity import corrected
from lpa.statistics.new_labels import label_table, read_new_labels
from lpa.statistics.positions import trapezoid_weights
from lpa.statistics.predictions import PredictedCurve, predicted_curves
from lpa.statistics.proportion import proportion_interval

__all__ = ["ACCURACY", "LOSS", "relabelled_accuracy", "relabelled_loss"]

LOSS = (
    "model", "axis", "value", "split", "class", "label", "title", "measure", "loss", "new_loss",
    "difference", "low", "high", "direction", "p", "p_bh", "p_holm", "family", "m", "untestable",
    "n", "n_without", "level",
)  # fmt: skip
ACCURACY = (
    "model", "axis", "value", "split", "class", "label", "title", "accuracy", "low", "high",
    "new_accuracy", "new_low", "new_high", "n", "n_without", "draws", "level",
)  # fmt: skip

Floats = npt.NDArray[np.float64]
Labels = str | os.PathLike[str] | Mapping[str, Sequence[int | str]]


class _Scored(NamedTuple):
    """Shares of right draws of the images that have a new label, under both labels."""

    curve: PredictedCurve
    old: Floats
    new: Floats
    labels: npt.NDArray[np.int64]
    # Images of each class that were left out, [classes of the run].
    without: npt.NDArray[np.int64]


def relabelled_loss(
    outcomes: Outcomes,
    labels: Labels,
    value: float | None = None,
    confidence: float = 0.95,
    split: str | None = None,
    family: Literal["one", "all"] = "one",
    method_fdr: Literal["fdr_bh", "fdr_by"] = "fdr_bh",
) -> pd.DataFrame:
    """Return what each class loses under its own labels and under new ones.

    Estimand: the loss with the original labels minus the loss with the new ones, the part of the
    loss that is ambiguity of the labels; J_c along the axis, or L_c at one value. Level: ``image``.
    Estimator: means over the same images for both, those of the class (by *original* label) that
    have a new label; with several new labels a prediction of any of them is right. Interval: E2 on
    half the difference, doubled (two losses differ by up to 2). Test: H0 "the new labels lose as
    much or more", one-sided E2. Family: the classes of one model, axis, split and measure, or all.

    Edge cases: images without a new label are left out of both scores and counted in
    ``n_without``; a prediction outside the run's classes is wrong under both; n < 2 gives NaN.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    labels : path, "real", or mapping of file name to labels
        See :func:`~lpa.statistics.new_labels.read_new_labels`.
    value : float, optional
        Fixed beforehand; by default the mean loss along the axis.
    confidence : float
        Of each interval, in (0, 1).
    split : str, optional
        Only this split; splits are never pooled.
    family : {"one", "all"}
        Whether each model and axis is a family of its own.
    method_fdr : {"fdr_bh", "fdr_by"}
        See :func:`~lpa.statistics.multiplicity.corrected`.

    Returns
    -------
    DataFrame
        ``model, axis, value`` (NaN for J), ``split, class, label, title, measure, loss, new_loss,
        difference, low, high`` (fractions; accuracy points when times 100), ``direction, p, p_bh,
        p_holm, family, m, untestable, n, n_without, level``. ``attrs["notes"]`` says what was left
        out.

    Raises
    ------
    InputError
        For labels that cannot be read or fit no image.
    """
    notes: list[str] = []
    pieces = []
    for each in _scored(outcomes, labels, split):
        weights = _weights(each.curve, value, notes)
        if weights is not None:
            pieces.append(_loss(outcomes, each, weights, value, confidence))
    if pieces:
        by = ["model", "axis", "split", "measure"] if family == "one" else []
        frame = corrected(pd.concat(pieces, ignore_index=True), by=by, method_fdr=method_fdr)
        frame = frame[list(LOSS)]
    else:
        frame = pd.DataFrame(columns=list(LOSS))
    frame.attrs["notes"] = notes
    return frame


def relabelled_accuracy(
    outcomes: Outcomes, labels: Labels, confidence: float = 0.95, split: str | None = None
) -> pd.DataFrame:
    """Return the accuracy by class under the original labels and under new ones.

    Estimand: A_c(v) under each labelling, classes being those of the original labels. Level:
    ``image``. Estimator: means over the same images for both, those with a new label. Interval: E1
    for each by itself. Test, family: none (:func:`relabelled_loss`). Edge cases as there; one image
    has no interval.

    Parameters
    ----------
    outcomes, labels, confidence, split
        As in :func:`relabelled_loss`.

    Returns
    -------
    DataFrame
        ``model, axis, value, split, class, label, title, accuracy, low, high, new_accuracy,
        new_low, new_high, n, n_without, draws, level``.
    """
    pieces = []
    for each in _scored(outcomes, labels, split):
        for index, value in enumerate(each.curve.values):
            draws = each.curve.rows[index].stop - each.curve.rows[index].start
            columns = _identified(outcomes, each)
            for prefix, shares in (("", each.old[index]), ("new_", each.new[index])):
                total, n = _by_class(each.labels, shares), columns["n"]
                squares = _by_class(each.labels, shares**2)
                low, high = proportion_interval(total, squares, n, draws, confidence)
                columns[f"{prefix}accuracy"] = total / n
                columns[f"{prefix}low"] = np.where(n < 2, np.nan, low)
                columns[f"{prefix}high"] = np.where(n < 2, np.nan, high)
            pieces.append(pd.DataFrame(columns).assign(value=value, draws=draws))
    if not pieces:
        return pd.DataFrame(columns=list(ACCURACY))
    return pd.concat(pieces, ignore_index=True)[list(ACCURACY)]


def _scored(outcomes: Outcomes, labels: Labels, split: str | None) -> Iterator[_Scored]:
    new = labels if isinstance(labels, Mapping) else read_new_labels(labels)
    table = label_table(outcomes, new)
    for curve in predicted_curves(outcomes, split):
        here = table[curve.images]
        kept = (here >= 0).any(axis=1)
        old_shares, new_shares = [], []
        for index in range(len(curve.values)):
            predicted = curve.at(index)[:, kept]
            right = np.zeros(predicted.shape, dtype=bool)
            for column in here[kept].T:
                right |= predicted == column
            old_shares.append((predicted == curve.labels[kept]).mean(axis=0))
            new_shares.append(right.mean(axis=0))
        without = np.bincount(curve.labels[~kept], minlength=len(outcomes.classes))
        old, other = np.stack(old_shares), np.stack(new_shares)
        yield _Scored(curve, old, other, curve.labels[kept], without)


def _weights(curve: PredictedCurve, value: float | None, notes: list[str]) -> Floats | None:
    """Return the weights of the values in the loss, which fall from the reference's share."""
    place = f"{curve.model} on {curve.axis.name if curve.axis else 'no axis'}"
    if curve.axis is None or not curve.has_losses:
        notes.append(f"{place}: no reference and other value; no losses are given")
        return None
    if value is None:
        return trapezoid_weights(curve.axis, curve.values)
    index = curve.find(value)
    if not index:
        notes.append(f"{place}: nothing measured at {format_value(value)} beside the reference")
        return None
    return np.asarray(np.arange(len(curve.values)) == index, dtype=np.float64)


def _by_class(labels: npt.NDArray[np.int64], values: Floats) -> Floats:
    return np.asarray(np.bincount(labels, weights=values)[np.unique(labels)], np.float64)


def _identified(outcomes: Outcomes, each: _Scored) -> dict[str, Any]:
    present, n = np.unique(each.labels, return_counts=True)
    return {
        "model": np.full(len(present), each.curve.model, dtype=object),
        "axis": each.curve.axis.name if each.curve.axis else None,
        "split": each.curve.split,
        "class": np.array(outcomes.classes.names, dtype=object)[present],
        "label": present,
        "title": np.array(outcomes.classes.labels, dtype=object)[present],
        "n": n,
        "n_without": each.without[present],
        "level": "image",
    }


def _loss(
    outcomes: Outcomes, each: _Scored, weights: Floats, value: float | None, confidence: float
) -> pd.DataFrame:
    own, other = (weights @ (shares[0] - shares) for shares in (each.old, each.new))
    half = (own - other) / 2.0
    columns = _identified(outcomes, each)
    total, squares, n = (*(_by_class(each.labels, v) for v in (half, half**2)), columns["n"])
    low, high = mean_interval(total, squares, n, confidence)
    columns |= {
        "loss": _by_class(each.labels, own) / n,
        "new_loss": _by_class(each.labels, other) / n,
        "difference": 2.0 * total / n,
        "low": 2.0 * low,
        "high": 2.0 * high,
        "p": mean_test(total, squares, n),
        "value": np.nan if value is None else value,
        "measure": "mean_loss" if value is None else "loss",
        "direction": "greater",
    }
    return pd.DataFrame(columns)
