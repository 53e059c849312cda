"""Accuracies from right predictions by training run and class alone (STATISTICS 3.1, 3.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.statistics.accuracy import COLUMNS as BY_CLASS
from lpa.statistics.across_runs import run_interval
from lpa.statistics.aggregates import AGGREGATES, RUNS
from lpa.statistics.aggregates import COLUMNS as MEANS
from lpa.statistics.group_means import ACCURACY
from lpa.statistics.run_hits import RunHits, run_hits

__all__ = ["counted_class_accuracy", "counted_group_accuracy", "counted_mean_accuracy"]

DEFAULT = "default"
"""The split of counts that were imported without one, as `lpa show` calls it."""

Floats = npt.NDArray[np.float64]


def counted_class_accuracy(
    outcomes: Outcomes,
    confidence: float = 0.95,
    split: str | None = None,
    level: str | None = None,
) -> pd.DataFrame:
    """Return the accuracy of every class at every value, over training runs.

    Estimand, estimator and interval are those of
    :func:`~lpa.statistics.accuracy.class_accuracy` at level ``run`` (E3). Counts do not say which
    image is right in which run, so there is no interval over images.

    Parameters
    ----------
    outcomes : Outcomes
        A run whose replicates are trainings, such as imported counts.
    confidence : float
        Two-sided, in (0, 1).
    split : str, optional
        Only this split.
    level : {"run"}, optional
        The only one that there is.

    Returns
    -------
    DataFrame
        The columns of ``class_accuracy``; ``draws`` counts trainings. ``attrs["notes"]`` says which
        classes were left out because runs have different numbers of their images.

    Raises
    ------
    InputError
        For level ``image``, and for a split that is not there.
    """
    notes: list[str] = []
    pieces = []
    for hits, index, value in _values(outcomes, split, level, notes):
        mean, low, high = run_interval(hits.hits[index] / hits.n, confidence)
        columns = {
            "class": hits.names, "label": hits.labels, "title": hits.titles, "accuracy": mean,
            "low": low, "high": high, "n": hits.n,
        }  # fmt: skip
        place = _place(outcomes, hits, index, value)
        pieces.append(pd.DataFrame(columns).assign(level="run", **place)[list(BY_CLASS)])
    return _joined(pieces, BY_CLASS, notes)


def counted_mean_accuracy(
    outcomes: Outcomes,
    confidence: float = 0.95,
    split: str | None = None,
    level: str | None = None,
) -> pd.DataFrame:
    """Return the accuracy over all images and the mean of the classes', over training runs.

    Those of :func:`~lpa.statistics.aggregates.mean_accuracy` at level ``run`` (E3).

    Parameters
    ----------
    outcomes, confidence, split, level
        As in :func:`counted_class_accuracy`.

    Returns
    -------
    DataFrame
        The columns of ``mean_accuracy``.

    Raises
    ------
    InputError
        As :func:`counted_class_accuracy`.
    """
    notes: list[str] = []
    pieces = []
    for hits, index, value in _values(outcomes, split, level, notes):
        shares = hits.hits[index].sum(axis=1) / hits.n.sum()
        scores = dict(zip(AGGREGATES, (shares, _means(hits, index)), strict=True))
        for aggregate, each in scores.items():
            row = _over_runs(each, hits.n, confidence) | {"aggregate": aggregate}
            row |= _place(outcomes, hits, index, value)
            pieces.append(pd.DataFrame([row])[list(MEANS)])
    return _joined(pieces, MEANS, notes)


def counted_group_accuracy(
    outcomes: Outcomes,
    groups: Mapping[str, Sequence[int]],
    confidence: float = 0.95,
    split: str | None = None,
    level: str | None = None,
) -> pd.DataFrame:
    """Return the mean accuracy of the classes of each group, over training runs.

    Those of :func:`~lpa.statistics.group_means.group_accuracy` at level ``run``: E3 over each run's
    mean of the group's classes; classes are fixed and weigh equally.

    Parameters
    ----------
    groups : mapping of str to sequence of int
        Group -> indices of its classes. Groups without images are left out.
    outcomes, confidence, split, level
        As in :func:`counted_class_accuracy`.

    Returns
    -------
    DataFrame
        The columns of ``group_accuracy``.

    Raises
    ------
    InputError
        As :func:`counted_class_accuracy`.
    """
    notes: list[str] = []
    pieces = []
    for name, labels in groups.items():
        for hits, index, value in _values(outcomes, split, level, notes):
            mine = np.isin(hits.labels, list(labels))
            if mine.any():
                row = _over_runs(_means(hits, index, mine), hits.n[mine], confidence)
                row |= {"group": name, **_place(outcomes, hits, index, value)}
                pieces.append(pd.DataFrame([row])[list(ACCURACY)])
    return _joined(pieces, ACCURACY, notes)


def _values(
    outcomes: Outcomes, split: str | None, level: str | None, notes: list[str]
) -> Iterator[tuple[RunHits, int, float]]:
    """Yield each value of each curve."""
    if level not in (None, "run"):
        raise InputError(
            f"level {level!r} needs the prediction for every sample, and {outcomes.store} holds "
            "counts only: use level 'run'"
        )
    for hits in run_hits(outcomes, split):
        notes += hits.notes
        if len(hits.n):
            for index, value in enumerate(hits.values):
                yield hits, index, float(value)


def _means(hits: RunHits, index: int, mine: npt.NDArray[np.bool_] | None = None) -> Floats:
    """Return each run's mean over classes at a value: float64 [runs]."""
    shares = hits.hits[index] / hits.n
    return np.asarray((shares if mine is None else shares[:, mine]).mean(axis=1), np.float64)


def _over_runs(scores: Floats, n: npt.NDArray[np.int64], confidence: float) -> dict[str, Any]:
    mean, low, high = run_interval(scores, confidence)
    return {
        "accuracy": float(mean), "low": float(low), "high": float(high), "n": int(n.sum()),
        "classes": len(n), "level": "run", "method": RUNS,
    }  # fmt: skip


def _place(outcomes: Outcomes, hits: RunHits, index: int, value: float) -> dict[str, Any]:
    split = hits.split or outcomes.record.split or DEFAULT
    return {
        "model": hits.model, "axis": hits.axis, "value": value, "split": split,
        "draws": len(hits.hits[index]),
    }  # fmt: skip


def _joined(pieces: list[pd.DataFrame], columns: Sequence[str], notes: list[str]) -> pd.DataFrame:
    frame = pd.concat(pieces, ignore_index=True) if pieces else pd.DataFrame(columns=list(columns))
    frame.attrs["notes"] = list(dict.fromkeys(notes))
    return frame
