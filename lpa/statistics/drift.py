"""Confusion drift: to which classes the lost images go (STATISTICS 3.12)."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.axes import format_value
from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.statistics.drop_test import exact_mcnemar
from lpa.statistics.means import mean_interval, mean_test
from lpa.statistics.multiplicity import corrected
from lpa.statistics.predictions import PredictedCurve, predicted_curves

__all__ = ["COLUMNS", "OUTSIDE", "drift"]

COLUMNS = (
    "model", "axis", "value", "split", "class", "label", "title", "other", "other_label",
    "other_title", "flow", "low", "high", "images", "gained", "lost", "direction", "p", "p_bh",
    "p_holm", "family", "m", "claimed", "swap", "method", "n", "draws", "level",
)  # fmt: skip

OUTSIDE = "(outside the classes)"
"""Name of a prediction that is none of the run's classes."""

FEWEST = 6
"""Images that must have moved before a pair of classes is tested."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class _Flows(NamedTuple):
    """Flows of the pairs (class, predicted class) between which anything moved."""

    label: Integers
    other: Integers
    total: Floats
    squares: Floats
    gained: Integers
    lost: Integers


def drift(
    outcomes: Outcomes,
    value: float | None = None,
    axis: str | None = None,
    confidence: float = 0.95,
    split: str | None = None,
    top: int | None = 10,
    method_fdr: Literal["fdr_bh", "fdr_by"] = "fdr_bh",
) -> pd.DataFrame:
    r"""Return, for every class, which predictions its images gain and lose at one value.

    Estimand: :math:`F_c[b]`, the expected change in the share of draws in which an image of class
    c is predicted to be b, from the reference to the value; the flows of a class sum to 0 over b
    (its own included, where the flow is minus the loss). Level: ``image``, paired by image.
    Estimator: the mean over the class's images; ``images`` is the flow as images of n. Interval:
    E2. Test: H0 "no more images move to b than away from it", one-sided, for the other classes b,
    and only where ``gained + lost`` is at least 6 images (chosen by a number that says nothing of
    the direction): exact binomial where value and reference have one draw each, else E2. Family:
    the tested pairs of one model, axis, value and split. ``claimed``: ``p_bh`` is at most
    ``1 - confidence``; everything else is a count without a claim. ``swap``: claimed from c to b
    *and* from b to c.

    Parameters
    ----------
    outcomes : Outcomes
        The run; predictions that are missing count as outside the classes.
    value : float, optional
        Fixed beforehand; by default the strongest measured on each curve.
    axis : str, optional
        Only this axis.
    confidence : float
        Of each interval, and 1 minus the level of claims.
    split : str, optional
        Only this split; splits are never pooled.
    top : int or None
        Untested pairs are given for the largest flows of each class only; None gives every pair
        between which an image moved.
    method_fdr : {"fdr_bh", "fdr_by"}
        See :func:`~lpa.statistics.multiplicity.corrected`.

    Returns
    -------
    DataFrame
        Class after class, the largest flow first: ``model, axis, value, split, class, label,
        title, other, other_label`` (-1 outside the classes), ``other_title, flow, low, high`` (in
        [-1, 1]), ``images, gained, lost`` (images with more and with fewer draws at b),
        ``direction, p`` (NaN where not tested), ``p_bh, p_holm, family, m, claimed, swap, method,
        n, draws, level``. ``attrs["notes"]`` says what was left out.

    Raises
    ------
    InputError
        For a value that no curve has beside its reference.

    References
    ----------
    Independent filtering: Bourgon, Gentleman and Huber 2010, PNAS 107:9546.
    """
    notes: list[str] = []
    pieces = []
    for curve in predicted_curves(outcomes, split):
        if axis is None or (curve.axis is not None and curve.axis.name == axis):
            index = _index(curve, value, notes)
            if index is not None:
                pieces.append(_curve(outcomes, curve, index, confidence, top))
    if value is not None and not pieces and len(outcomes.cells):
        raise InputError(
            f"value {format_value(value)} was not measured beside a reference in "
            f"{outcomes.store}; `lpa show` lists the values"
        )
    if pieces:
        frame = pd.concat(pieces, ignore_index=True)
        frame = corrected(
            frame, by=["model", "axis", "value", "split", "direction"], method_fdr=method_fdr
        )
        frame["claimed"] = frame["p_bh"] <= 1.0 - confidence
        frame["swap"] = _swaps(frame)
        frame = frame[list(COLUMNS)]
    else:
        frame = pd.DataFrame(columns=list(COLUMNS))
    frame.attrs["notes"] = notes
    return frame


def _index(curve: PredictedCurve, value: float | None, notes: list[str]) -> int | None:
    place = f"{curve.model} on {curve.axis.name if curve.axis else 'no axis'}"
    if not curve.has_losses:
        notes.append(f"{place}: no reference and other value; no drift is given")
        return None
    index = len(curve.values) - 1 if value is None else curve.find(value)
    if not index:
        notes.append(f"{place}: nothing measured at {format_value(value or 0.0)}")
        return None
    return index


def _flows(before: Integers, after: Integers, labels: Integers, classes: int) -> _Flows:
    """Gather what moved; predictions are [draws, images], -1 or an index of a class."""
    moved = np.flatnonzero((before[:1] != before).any(axis=0) | (after != before[:1]).any(axis=0))
    width = classes + 1
    keys, weights = [], []
    for drawn, sign in ((after, 1.0), (before, -1.0)):
        keys.append((np.arange(len(moved)) * width + drawn[:, moved] + 1).reshape(-1))
        weights.append(np.full(keys[-1].size, sign / len(drawn)))
    key, place = np.unique(np.concatenate(keys), return_inverse=True)
    change = np.bincount(place, weights=np.concatenate(weights), minlength=len(key))
    # Shares that cancel do so up to rounding.
    key, change = key[np.abs(change) > 1e-9], change[np.abs(change) > 1e-9]
    pair, place = np.unique(labels[moved[key // width]] * width + key % width, return_inverse=True)
    total, squares = (
        np.asarray(np.bincount(place, weights=values, minlength=len(pair)), np.float64)
        for values in (change, change**2)
    )
    gained, lost = (
        np.bincount(place[side], minlength=len(pair)) for side in (change > 0, change < 0)
    )
    return _Flows(pair // width, pair % width - 1, total, squares, gained, lost)


def _curve(
    outcomes: Outcomes, curve: PredictedCurve, index: int, confidence: float, top: int | None
) -> pd.DataFrame:
    before, after = curve.at(0), curve.at(index)
    classes = len(outcomes.classes)
    flows = _flows(before, after, curve.labels, classes)
    tested = (flows.label != flows.other) & (flows.gained + flows.lost >= FEWEST)
    order = np.lexsort((-flows.total, flows.label))
    shown = order[(tested | _among_top(flows, top))[order]]
    flows = _Flows(*(column[shown] for column in flows))
    n = np.bincount(curve.labels, minlength=classes)[flows.label]
    low, high = mean_interval(flows.total, flows.squares, n, confidence)
    exact = len(before) == len(after) == 1
    if exact:
        p = exact_mcnemar(flows.gained, flows.lost)
    else:
        p = mean_test(flows.total, flows.squares, n)
    # The last entry is met by the index -1.
    names, titles = (
        np.array([*texts, OUTSIDE], dtype=object)
        for texts in (outcomes.classes.names, outcomes.classes.labels)
    )
    columns: dict[str, Any] = {
        "class": names[flows.label],
        "label": flows.label,
        "title": titles[flows.label],
        "other": names[flows.other],
        "other_label": flows.other,
        "other_title": titles[flows.other],
        "flow": flows.total / n,
        "low": low,
        "high": high,
        "images": flows.total,
        "gained": flows.gained,
        "lost": flows.lost,
        "p": np.where(tested[shown], p, np.nan),
        "n": n,
    }
    return pd.DataFrame(columns).assign(
        model=curve.model, axis=curve.axis.name if curve.axis else None,
        value=curve.values[index], split=curve.split, direction="gained",
        method="exact binomial" if exact else "E2", draws=len(after), level="image",
    )  # fmt: skip


def _among_top(flows: _Flows, top: int | None) -> npt.NDArray[np.bool_]:
    if top is None:
        return np.ones(len(flows.label), dtype=bool)
    order = np.lexsort((-np.abs(flows.total), flows.label))
    label = flows.label[order]
    within = np.arange(len(order)) - np.searchsorted(label, label)
    result = np.zeros(len(order), dtype=bool)
    result[order] = within < top
    return result


def _swaps(frame: pd.DataFrame) -> list[bool]:
    place = ["model", "axis", "split"]
    rows = frame[frame["claimed"]]
    there = set(rows[[*place, "label", "other_label"]].itertuples(index=False, name=None))
    back = frame[[*place, "other_label", "label"]].itertuples(index=False, name=None)
    return [claimed and pair in there for claimed, pair in zip(frame["claimed"], back, strict=True)]
