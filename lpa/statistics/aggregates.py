"""Accuracy over all images and over all classes along an axis (STATISTICS 3.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from lpa.outcomes import Outcomes
from lpa.statistics.across_runs import run_interval
from lpa.statistics.curve_data import CurveData, curve_data, levels
from lpa.statistics.proportion import proportion_interval

__all__ = ["AGGREGATES", "COLUMNS", "RUNS", "mean_accuracy", "mean_over_images"]

AGGREGATES = ("overall", "mean of classes")

COLUMNS = (
    "model", "axis", "value", "split", "aggregate", "accuracy", "low", "high",
    "n", "draws", "classes", "level", "method",
)  # fmt: skip

STRATIFIED = "stratified normal"
ONE_SAMPLE = "E1, all images as one sample"
RUNS = "E3, t over runs"

Floats = npt.NDArray[np.float64]


def mean_accuracy(
    outcomes: Outcomes,
    confidence: float = 0.95,
    split: str | None = None,
    level: str | None = None,
) -> pd.DataFrame:
    r"""Return the accuracy over all images and the mean of the classes' accuracies.

    Estimand: :math:`\sum_c w_c A_c(v)` with :math:`w_c = n_c / n` (``overall``) or :math:`1 / C`
    (``mean of classes``); classes are fixed. Estimator: the same with observed accuracies.
    Interval at level ``image``: normal with the stratified error
    :math:`se^2 = \sum_c w_c^2 s_c^2 / n_c`, clipped to [0, 1]. If some class has one image, s_c
    does not exist, and where all images agree se = 0: then E1 on all images as one sample, with
    Kish's effective number :math:`1 / \sum_i w_i^2` of images for unequal weights (equal to n for
    ``overall``); ``method`` says which. Level ``run``: E3 over the runs' aggregates.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    confidence : float
        Two-sided confidence, in (0, 1).
    split : str, optional
        Only this split; splits are never pooled.
    level : {"image", "run"}, optional
        Only this level; see :func:`~lpa.statistics.accuracy.class_accuracy`.

    Returns
    -------
    DataFrame
        ``model, axis, value, split, aggregate, accuracy, low, high`` (in [0, 1]), ``n`` (images),
        ``draws`` (replicates), ``classes`` (with images), ``level``, ``method``.
    """
    rows = [
        row
        for curve in curve_data(outcomes, split)
        if len(curve.labels)
        for wanted in levels(outcomes, level)
        for row in _curve(curve, confidence, wanted)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _curve(curve: CurveData, confidence: float, level: str) -> list[tuple[Any, ...]]:
    _, strata = np.unique(curve.labels, return_inverse=True)
    size = np.bincount(strata)
    weights = {"overall": size / size.sum(), "mean of classes": np.full(len(size), 1 / len(size))}
    rows: list[tuple[Any, ...]] = []
    for index, value in enumerate(curve.values):
        draws = int(curve.draws[index])
        for aggregate in AGGREGATES:
            weight = weights[aggregate]
            if level == "image":
                means = curve.image_means(index)
                *numbers, method = mean_over_images(means, strata, weight, draws, confidence)
            else:
                each = (weight / size)[strata]
                mean, low, high = run_interval(curve.replicates(index) @ each, confidence)
                numbers, method = [float(mean), float(low), float(high)], RUNS
            place = (curve.model, curve.axis, value, curve.split, aggregate)
            rows.append((*place, *numbers, len(strata), draws, len(size), level, method))
    return rows


def mean_over_images(
    means: Floats,
    strata: npt.NDArray[np.int64],
    weight: Floats,
    draws: int,
    confidence: float,
) -> tuple[float, float, float, str]:
    """Return a weighted mean of classes' accuracies, its limits at level ``image`` and the method.

    Parameters
    ----------
    means : array of float64, shape [images]
        Each image's share of right draws.
    strata : array of int64, shape [images]
        Class of each image, numbered from 0 without gaps.
    weight : array of float64, shape [classes]
        Summing to 1.
    draws : int
        Of each image.
    confidence : float
        Two-sided, in (0, 1).
    """
    size = np.bincount(strata)
    average = np.bincount(strata, weights=means) / size
    accuracy = float(weight @ average)
    if size.min() > 1:
        deviation = np.bincount(strata, weights=(means - average[strata]) ** 2)
        error = float(np.sqrt(np.sum(weight**2 * deviation / (size - 1) / size)))
        if error > 0:
            reach = float(stats.norm.ppf(0.5 + confidence / 2.0)) * error
            return accuracy, max(0.0, accuracy - reach), min(1.0, accuracy + reach), STRATIFIED
    squares = float(weight @ (np.bincount(strata, weights=means**2) / size))
    images = 1.0 / float(np.sum(weight**2 / size))
    low, high = proportion_interval(images * accuracy, images * squares, images, draws, confidence)
    return accuracy, float(low), float(high), ONE_SAMPLE
