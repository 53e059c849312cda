"""Ensemble by majority: would several models together lose less? (STATISTICS 3.11)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.axes import Axis, format_value
from lpa.outcomes import Outcomes
from lpa.statistics.means import mean_interval, mean_test
from lpa.statistics.multiplicity import corrected
from lpa.statistics.positions import trapezoid_weights
from lpa.statistics.predictions import chosen_splits
from lpa.statistics.proportion import proportion_interval

__all__ = ["LOSS", "ensemble_accuracy", "ensemble_loss", "majority_scores"]

LOSS = (
    "model", "axis", "split", "class", "label", "title", "mean_loss", "members_mean_loss",
    "difference", "low", "high", "direction", "p", "p_bh", "p_holm", "family", "m", "untestable",
    "n", "members", "grid", "level",
)  # fmt: skip
ACCURACY = (
    "model", "axis", "value", "split", "class", "label", "title", "accuracy", "low", "high",
    "members_accuracy", "n", "draws", "members", "level",
)  # fmt: skip

Floats = npt.NDArray[np.float64]


class _Ensemble(NamedTuple):
    """Right shares of the majority and of its members on one axis."""

    name: str
    members: int
    axis: Axis
    split: str
    values: Floats
    draws: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    # Shares of right draws of each image, [values, images]: the majority's, the members' mean.
    majority: Floats
    mean: Floats


def majority_scores(predictions: npt.ArrayLike, labels: npt.ArrayLike) -> Floats:
    """Return what a majority vote of models scores on each image.

    Parameters
    ----------
    predictions : array_like of int, shape [models, images]
        -1, an output outside the classes, is a vote like another that is never right; NaN, no
        prediction, is no vote.
    labels : array_like of int, shape [images]
        Indices of classes.

    Returns
    -------
    array of float64, shape [images]
        1 / t where t labels have the most votes and the image's label is one of them, else 0.
    """
    votes, label = np.asarray(predictions), np.asarray(labels)
    # One vote against all others at a time: [models, images] is the largest array.
    count = np.stack([(votes == vote).sum(axis=0) for vote in votes])
    most = count.max(axis=0)
    # Every winning label is met once by each of its voters.
    tied = (count == most).sum(axis=0) / np.maximum(most, 1)
    right = (votes == label).sum(axis=0)
    return np.where((right == most) & (most > 0), 1.0 / np.maximum(tied, 1.0), 0.0)


def ensemble_loss(
    outcomes: Outcomes,
    confidence: float = 0.95,
    split: str | None = None,
    family: Literal["one", "all"] = "one",
    method_fdr: Literal["fdr_bh", "fdr_by"] = "fdr_bh",
) -> pd.DataFrame:
    """Return for every class what a majority vote loses, beside the mean of its members.

    Estimand: J of the majority minus the mean of its members' J, J being the mean loss along the
    axis; negative where voting protects the class. Level: ``image``, paired by image: all members
    see the same images in the same draws. Estimator: the mean over images. Interval: E2 on half
    the difference, doubled (two losses differ by up to 2). Test: H0 "the majority loses as much or
    more", one-sided E2 (direction ``less``). Family: the classes of one axis and split, or all.
    A vote on labels is not a mean of probabilities, which cannot be had from the probability of
    the label alone: measure ``mean(a,b)`` as one more model. Paper: arXiv 2204.03632, Figure 6,
    which says so of ensembles without a number.

    Edge cases: models with different values, or different draws of one, are not joined (the first
    model's cells decide; ``attrs["notes"]`` names the others); n < 2 gives NaN.

    Parameters
    ----------
    outcomes : Outcomes
        The run, with two models or more on an axis; the vote needs their predictions.
    confidence : float
        Of each class's interval, in (0, 1).
    split : str, optional
        Only this split; splits are never pooled.
    family : {"one", "all"}
        Whether each axis is a family of its own.
    method_fdr : {"fdr_bh", "fdr_by"}
        See :func:`~lpa.statistics.multiplicity.corrected`.

    Returns
    -------
    DataFrame
        ``model`` (``majority(a,b)``), ``axis, split, class, label, title, mean_loss,
        members_mean_loss`` (in [-1, 1]), ``difference, low, high`` (in [-2, 2]; accuracy points
        when times 100), ``direction, p, p_bh, p_holm, family, m, untestable, n, members`` (number
        of models), ``grid, level``.
    """
    notes: list[str] = []
    found = _ensembles(outcomes, split, notes)
    pieces = [_loss(outcomes, each, confidence) for each in found if len(each.values) > 1]
    if pieces:
        by = ["axis", "split", "direction"] if family == "one" else ["direction"]
        frame = corrected(pd.concat(pieces, ignore_index=True), by=by, method_fdr=method_fdr)
        frame = frame[list(LOSS)]
    else:
        frame = pd.DataFrame(columns=list(LOSS))
    frame.attrs["notes"] = notes
    return frame


def ensemble_accuracy(
    outcomes: Outcomes, confidence: float = 0.95, split: str | None = None
) -> pd.DataFrame:
    """Return the accuracy by class of a majority vote of the run's models.

    Estimand: the expected share of right votes of an image of the class. Level: ``image``.
    Estimator: a tie among t labels scores 1 / t if the label is one of them; draws are averaged
    within the image. Interval: E1. Test, family: none. Edge cases as in :func:`ensemble_loss`; a
    class of one image has no interval.

    Parameters
    ----------
    outcomes, confidence, split
        As in :func:`ensemble_loss`.

    Returns
    -------
    DataFrame
        The columns of ``class_accuracy``, and ``members_accuracy`` (mean of the members) and
        ``members`` (number of models).
    """
    notes: list[str] = []
    pieces = [_accuracy(outcomes, e, confidence) for e in _ensembles(outcomes, split, notes)]
    frame = pd.concat(pieces, ignore_index=True) if pieces else pd.DataFrame(columns=list(ACCURACY))
    frame.attrs["notes"] = notes
    return frame


def _ensembles(outcomes: Outcomes, split: str | None, notes: list[str]) -> Iterator[_Ensemble]:
    cells = outcomes.cells[outcomes.cells["axis"].notna()]
    if not len(cells):
        return
    prediction = outcomes.column("prediction")
    wanted, of_image = chosen_splits(outcomes, split), np.asarray(outcomes.samples.split)
    for name, part in cells.groupby("axis", sort=True):
        axis = outcomes.axes[str(name)]
        rows = _aligned(part, notes)
        if len(rows) < 2:
            notes.append(f"{name}: fewer than two models with the same cells; no ensemble is given")
            continue
        if part["value"].iloc[0] != axis.reference:
            notes.append(f"{name}: nothing measured at the reference first; no ensemble is given")
            continue
        for one in wanted:
            yield _voted(outcomes, prediction, axis, one, rows, of_image == one)


def _aligned(part: pd.DataFrame, notes: list[str]) -> dict[str, npt.NDArray[np.int64]]:
    """Return the rows of each model that has the cells of the first one."""
    rows: dict[str, npt.NDArray[np.int64]] = {}
    wanted: npt.NDArray[np.float64] | None = None
    for model, cells in part.groupby("model", sort=False):
        here = cells[["value", "replicate"]].to_numpy(dtype=np.float64)
        wanted = here if wanted is None else wanted
        if np.array_equal(here, wanted):
            rows[str(model)] = cells.index.to_numpy()
        else:
            notes.append(
                f"{model} on {part['axis'].iloc[0]} has other values or draws than "
                f"{next(iter(rows))}; it is left out of the ensemble"
            )
    return rows


def _voted(
    outcomes: Outcomes,
    prediction: npt.NDArray[Any],
    axis: Axis,
    split: str,
    rows: dict[str, npt.NDArray[np.int64]],
    kept: npt.NDArray[np.bool_],
) -> _Ensemble:
    labels = np.asarray(outcomes.samples.label)[kept]
    together = np.stack(list(rows.values()))
    value = outcomes.cells["value"].to_numpy()[together[0]]
    starts = np.append(0, np.flatnonzero(value[1:] != value[:-1]) + 1)
    majority, mean = [], []
    for columns in np.split(together, starts[1:], axis=1):
        scores, right = np.zeros(len(labels)), np.zeros(len(labels))
        for cell in columns.T:
            votes = prediction[cell] if kept.all() else prediction[cell][:, kept]
            scores += majority_scores(votes, labels)
            right += (votes == labels).mean(axis=0)
        majority.append(scores / columns.shape[1])
        mean.append(right / columns.shape[1])
    draws = np.diff(np.append(starts, len(value)))
    name = f"majority({','.join(rows)})"
    return _Ensemble(
        name, len(rows), axis, split, value[starts], draws, labels,
        np.stack(majority), np.stack(mean),
    )  # fmt: skip


def _by_class(labels: npt.NDArray[np.int64], values: Floats) -> Floats:
    return np.asarray(np.bincount(labels, weights=values)[np.unique(labels)], np.float64)


def _identified(outcomes: Outcomes, each: _Ensemble) -> dict[str, Any]:
    present, n = np.unique(each.labels, return_counts=True)
    return {
        "model": np.full(len(present), each.name, dtype=object),
        "axis": each.axis.name,
        "split": each.split,
        "class": np.array(outcomes.classes.names, dtype=object)[present],
        "label": present,
        "title": np.array(outcomes.classes.labels, dtype=object)[present],
        "n": n,
        "members": each.members,
        "level": "image",
    }


def _loss(outcomes: Outcomes, each: _Ensemble, confidence: float) -> pd.DataFrame:
    weights = trapezoid_weights(each.axis, each.values)
    own, members = (weights @ (s[0] - s) for s in (each.majority, each.mean))
    half = (own - members) / 2.0
    columns = _identified(outcomes, each)
    total, squares = _by_class(each.labels, half), _by_class(each.labels, half**2)
    low, high = mean_interval(total, squares, columns["n"], confidence)
    columns |= {
        "mean_loss": _by_class(each.labels, own) / columns["n"],
        "members_mean_loss": _by_class(each.labels, members) / columns["n"],
        "difference": 2.0 * total / columns["n"],
        "low": 2.0 * low,
        "high": 2.0 * high,
        "direction": "less",
        "p": mean_test(total, squares, columns["n"], 0.0, "less"),
        "grid": ",".join(format_value(float(value)) for value in each.values),
    }
    return pd.DataFrame(columns)


def _accuracy(outcomes: Outcomes, each: _Ensemble, confidence: float) -> pd.DataFrame:
    pieces = []
    for index, value in enumerate(each.values):
        columns, shares = _identified(outcomes, each), each.majority[index]
        total, n = _by_class(each.labels, shares), columns["n"]
        squares = _by_class(each.labels, shares**2)
        low, high = proportion_interval(total, squares, n, each.draws[index], confidence)
        columns |= {
            "value": value,
            "draws": each.draws[index],
            "accuracy": total / n,
            "low": np.where(n < 2, np.nan, low),
            "high": np.where(n < 2, np.nan, high),
            "members_accuracy": _by_class(each.labels, each.mean[index]) / n,
        }
        pieces.append(pd.DataFrame(columns))
    return pd.concat(pieces, ignore_index=True)[list(ACCURACY)]
