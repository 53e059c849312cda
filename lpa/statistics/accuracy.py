"""Accuracy by class along an axis (STATISTICS 3.1)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.outcomes import Outcomes
from lpa.statistics.across_runs import run_interval
from lpa.statistics.curve_data import CurveData, curve_data, levels
from lpa.statistics.proportion import proportion_interval

__all__ = ["COLUMNS", "class_accuracy"]

COLUMNS = (
    "model", "axis", "value", "split", "class", "label", "title",
    "accuracy", "low", "high", "n", "draws", "level",
)  # fmt: skip

Floats = npt.NDArray[np.float64]


def class_accuracy(
    outcomes: Outcomes,
    confidence: float = 0.95,
    split: str | None = None,
    level: str | None = None,
) -> pd.DataFrame:
    """Return the accuracy of every class at every value of every axis, for each model.

    Estimand: A_c(v), the expected share of right predictions of an image of class c at value v.
    Estimator: replicates are averaged within an image, images within the class. Interval: E1
    (:func:`~lpa.statistics.proportion.proportion_interval`) at level ``image``, E3
    (:func:`~lpa.statistics.across_runs.run_interval`) at level ``run``. Paper: the class curves of
    arXiv 2204.03632, Section 3.3, which has no intervals.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    confidence : float
        Two-sided confidence of each interval by itself, in (0, 1).
    split : str, optional
        Only this split; splits are never pooled.
    level : {"image", "run"}, optional
        Only this level. By default ``image`` for scans and imports, and both, in rows of their
        own, for sweeps and probes.

    Returns
    -------
    DataFrame
        ``model, axis, value, split, class`` (name), ``label`` (its index), ``title`` (what
        people read), ``accuracy``, ``low``, ``high`` (in [0, 1]), ``n`` (images), ``draws``
        (replicates), ``level``. Classes without images are left out. At level ``image`` a class
        of one image has no interval (NaN): its curve describes that image; at level ``run`` a
        single run has none.
    """
    pieces = [
        _curve(outcomes, curve, confidence, wanted)
        for curve in curve_data(outcomes, split)
        for wanted in levels(outcomes, level)
    ]
    if not pieces:
        return pd.DataFrame({name: [] for name in COLUMNS})
    columns = {name: np.concatenate([piece[name] for piece in pieces]) for name in COLUMNS}
    return pd.DataFrame(columns)


def _curve(
    outcomes: Outcomes, curve: CurveData, confidence: float, level: str
) -> dict[str, npt.NDArray[Any]]:
    classes = len(outcomes.classes)
    n = np.bincount(curve.labels, minlength=classes)
    present = np.flatnonzero(n)
    size = n[present]
    calculate = _over_images if level == "image" else _over_runs
    blocks = [calculate(curve, v, classes, present, confidence) for v in range(len(curve.values))]
    accuracy, low, high = (np.concatenate(part) for part in zip(*blocks, strict=True))
    times = len(curve.values)
    names = np.array(outcomes.classes.names, dtype=object)[present]
    titles = np.array(outcomes.classes.labels, dtype=object)[present]
    rows = times * len(present)
    return {
        "model": np.full(rows, curve.model, dtype=object),
        "axis": np.full(rows, curve.axis, dtype=object),
        "value": np.repeat(curve.values, len(present)),
        "split": np.full(rows, curve.split, dtype=object),
        "class": np.tile(names, times),
        "label": np.tile(present, times),
        "title": np.tile(titles, times),
        "accuracy": accuracy,
        "low": low,
        "high": high,
        "n": np.tile(size, times),
        "draws": np.repeat(curve.draws, len(present)),
        "level": np.full(rows, level, dtype=object),
    }


def _over_images(
    curve: CurveData, index: int, classes: int, present: npt.NDArray[np.int64], confidence: float
) -> tuple[Floats, Floats, Floats]:
    means = curve.image_means(index)
    n = np.bincount(curve.labels, minlength=classes)[present]
    total = np.bincount(curve.labels, weights=means, minlength=classes)[present]
    squares = np.bincount(curve.labels, weights=means**2, minlength=classes)[present]
    low, high = proportion_interval(total, squares, n, curve.draws[index], confidence)
    alone = n < 2
    return total / n, np.where(alone, np.nan, low), np.where(alone, np.nan, high)


def _over_runs(
    curve: CurveData, index: int, classes: int, present: npt.NDArray[np.int64], confidence: float
) -> tuple[Floats, Floats, Floats]:
    n = np.bincount(curve.labels, minlength=classes)[present]
    hits = [
        np.bincount(curve.labels, weights=row, minlength=classes)[present]
        for row in curve.replicates(index)
    ]
    return run_interval(np.stack(hits) / n, confidence)
