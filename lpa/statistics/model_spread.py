"""Spread over models of what each class loses (STATISTICS 3.10)."""

from __future__ import annotations

import itertools
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.outcomes import Outcomes
from lpa.statistics.agreement import Compared, compared_models
from lpa.statistics.means import mean_interval, mean_test
from lpa.statistics.multiplicity import corrected

__all__ = ["COLUMNS", "model_spread"]

COLUMNS = (
    "axis", "split", "class", "label", "title", "least", "least_model", "most", "most_model",
    "range", "model", "other", "difference", "low", "high", "pairs",
    "p", "p_bh", "p_holm", "family", "m", "untestable", "n", "grid", "level",
)  # fmt: skip

Floats = npt.NDArray[np.float64]


def model_spread(
    outcomes: Outcomes,
    confidence: float = 0.95,
    split: str | None = None,
    family: Literal["one", "all"] = "one",
    method_fdr: Literal["fdr_bh", "fdr_by"] = "fdr_bh",
) -> pd.DataFrame:
    """Return for every class how far models differ in what it loses.

    Estimand: the difference of two models' mean losses J_c along the axis, for the pair of models
    that differs most; ``range`` is the largest minus the smallest estimate and grows with noise and
    number of models. Level: ``image``, paired by image. Estimator: the mean over images of the
    difference. Interval: E2 on half the difference, doubled (two losses differ by up to 2), at
    confidence ``1 - (1 - confidence) / pairs``: Bonferroni over the pairs among which the largest
    was sought. Test: H0 "no two models differ in this class", two-sided E2, the least p of all
    pairs times twice their number. Family: the classes of one axis, split and grid, or all.

    Parameters
    ----------
    outcomes : Outcomes
        The run, with two models or more on an axis.
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
        ``axis, split, class, label, title``; ``least, least_model, most, most_model, range`` of
        J_c over models; ``model, other, difference, low, high`` (J of ``model`` minus J of
        ``other``, at least 0, in [-2, 2]: accuracy points when times 100), ``pairs, p, p_bh,
        p_holm, family, m, untestable, n, grid, level``. NaN where n < 2.
    """
    notes: list[str] = []
    pieces = [_classes(outcomes, c, confidence) for c in compared_models(outcomes, split, notes)]
    if pieces:
        by = ["axis", "split", "grid"] if family == "one" else []
        frame = corrected(pd.concat(pieces, ignore_index=True), by=by, method_fdr=method_fdr)
        frame = frame[list(COLUMNS)]
    else:
        frame = pd.DataFrame(columns=list(COLUMNS))
    frame.attrs["notes"] = notes
    return frame


def _classes(outcomes: Outcomes, compared: Compared, confidence: float) -> pd.DataFrame:
    each, names = compared.each, np.array(compared.models, dtype=object)
    means = each.total(compared.loss) / each.n
    pairs = np.array(list(itertools.combinations(range(len(names)), 2)))
    chosen = np.abs(means[pairs[:, 0]] - means[pairs[:, 1]]).argmax(axis=0)
    rows = np.arange(len(each.n))
    # The pair is written with the model that loses more in front.
    a, b = pairs[chosen].T
    swap = means[a, rows] < means[b, rows]
    a, b = np.where(swap, b, a), np.where(swap, a, b)
    # Each image takes part in the pair that its own class has chosen.
    images = np.arange(compared.loss.shape[1])
    half = (compared.loss[a[each.place], images] - compared.loss[b[each.place], images]) / 2.0
    bonferroni = 1.0 - (1.0 - confidence) / len(pairs)
    low, high = mean_interval(each.total(half), each.total(half**2), each.n, bonferroni)
    least, most = means.argmin(axis=0), means.argmax(axis=0)
    columns = each.identify(outcomes) | {
        "least": means[least, rows],
        "least_model": names[least],
        "most": means[most, rows],
        "most_model": names[most],
        "range": means[most, rows] - means[least, rows],
        "model": names[a],
        "other": names[b],
        "difference": 2.0 * each.total(half) / each.n,
        "low": 2.0 * low,
        "high": 2.0 * high,
        "p": _least_p(compared, pairs),
    }
    return pd.DataFrame(columns).assign(pairs=len(pairs), grid=compared.grid, level="image")


def _least_p(compared: Compared, pairs: npt.NDArray[np.int64]) -> Floats:
    each = compared.each
    least = np.where(each.n >= 2, 1.0, np.nan)
    for a, b in pairs:
        half = (compared.loss[a] - compared.loss[b]) / 2.0
        total, squares = each.total(half), each.total(half**2)
        # H0 of equality lies on the same side as the estimate's one-sided test, doubled.
        least = np.minimum(least, 2.0 * mean_test(np.abs(total), squares, each.n))
    return np.asarray(np.minimum(1.0, least * len(pairs)))
