"""The tables of a comparison image by image: by class, over all images, and the flips."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.statistics.aggregates import ONE_SAMPLE, STRATIFIED
from lpa.statistics.drift import OUTSIDE
from lpa.statistics.drop_test import exact_mcnemar
from lpa.statistics.means import mean_interval, mean_test
from lpa.statistics.multiplicity import corrected
from lpa.statistics.predictions import PredictedCurve

__all__ = ["CLASSES", "FLIPS", "OVERALL", "Paired", "Side", "compared"]

SIDES = ["model", "axis", "value", "old_model", "old_value", "split"]
CLASSES = (
    *SIDES, "class", "label", "title", "accuracy", "old_accuracy", "difference", "low", "high",
    "lost", "gained", "direction", "p", "p_bh", "p_holm", "family", "m", "untestable", "method",
    "n", "level",
)  # fmt: skip
OVERALL = (
    *SIDES, "aggregate", "accuracy", "old_accuracy", "difference", "low", "high", "lost", "gained",
    "method", "n", "classes", "level",
)  # fmt: skip
FLIPS = (
    *SIDES, "sample", "name", "class", "label", "title", "flip", "share", "old_share",
    "prediction", "old_prediction", "n", "level",
)  # fmt: skip

DIRECTIONS: dict[str, tuple[str, ...]] = {
    "hurt": ("hurt",),
    "helped": ("helped",),
    "both": ("hurt", "helped"),
}

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Paired(NamedTuple):
    """What a comparison gives: by class, over all images, and the images that flipped."""

    classes: pd.DataFrame
    overall: pd.DataFrame
    flips: pd.DataFrame


class Side(NamedTuple):
    """One side of a comparison; predictions are [draws, images]."""

    model: str
    axis: str | None
    value: float
    predictions: Integers
    curve: PredictedCurve


def compared(
    outcomes: Outcomes,
    pairs: list[tuple[Side, Side]],
    direction: str,
    confidence: float,
    method_fdr: Literal["fdr_bh", "fdr_by"],
) -> Paired:
    """Return the tables of pairs (old side, new side); see ``compare_models``.

    Raises
    ------
    InputError
        For another direction than hurt, helped and both.
    """
    if direction not in DIRECTIONS:
        raise InputError(f"direction {direction!r} is unknown; expected hurt, helped or both")
    classes, overall, flips = [], [], []
    for old, new in pairs:
        constants = {
            "model": new.model, "axis": new.axis, "value": new.value, "old_model": old.model,
            "old_value": old.value, "split": new.curve.split, "level": "image",
        }  # fmt: skip
        before, after = (
            np.asarray((side.predictions == side.curve.labels).mean(axis=0), np.float64)
            for side in (old, new)
        )
        exact = len(old.predictions) == len(new.predictions) == 1
        for name in DIRECTIONS[direction]:
            table = _classes(outcomes, new.curve.labels, before, after, name, exact, confidence)
            classes.append(table.assign(**constants))
        overall.append(_overall(new.curve.labels, before, after, confidence).assign(**constants))
        flips.append(_flips(outcomes, old, new, before, after).assign(**constants))
    frames = [
        pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(columns))
        for parts, columns in ((classes, CLASSES), (overall, OVERALL), (flips, FLIPS))
    ]
    if classes:
        frames[0] = corrected(frames[0], by=[*SIDES, "direction"], method_fdr=method_fdr)
    return Paired(frames[0][list(CLASSES)], frames[1][list(OVERALL)], frames[2][list(FLIPS)])


def _classes(
    outcomes: Outcomes,
    labels: Integers,
    old: Floats,
    new: Floats,
    direction: str,
    exact: bool,
    confidence: float,
) -> pd.DataFrame:
    present, place, n = np.unique(labels, return_inverse=True, return_counts=True)

    def total(values: Floats) -> Floats:
        return np.bincount(place, weights=values, minlength=len(n)).astype(np.float64)

    change = new - old
    lost, gained = total((change < 0).astype(np.float64)), total((change > 0).astype(np.float64))
    sign = 1.0 if direction == "helped" else -1.0
    if exact:
        p = exact_mcnemar(*((lost, gained) if direction == "hurt" else (gained, lost)))
    else:
        p = mean_test(sign * total(change), total(change**2), n)
    low, high = mean_interval(total(change), total(change**2), n, confidence)
    columns = {
        "class": np.array(outcomes.classes.names, dtype=object)[present],
        "label": present,
        "title": np.array(outcomes.classes.labels, dtype=object)[present],
        "accuracy": total(new) / n,
        "old_accuracy": total(old) / n,
        "difference": total(change) / n,
        "low": low,
        "high": high,
        "lost": lost.astype(np.int64),
        "gained": gained.astype(np.int64),
        "p": np.where(n < 2, np.nan, p),
        "n": n,
    }
    method = "exact McNemar" if exact else "E2"
    return pd.DataFrame(columns).assign(direction=direction, method=method)


def _overall(labels: Integers, old: Floats, new: Floats, confidence: float) -> pd.DataFrame:
    _, place, n = np.unique(labels, return_inverse=True, return_counts=True)
    change, images = new - old, len(labels)
    means = np.bincount(place, weights=change) / np.maximum(n, 1)
    deviation = np.bincount(place, weights=(change - means[place]) ** 2)
    rows: list[dict[str, Any]] = []
    for aggregate, each in (("overall", n / max(images, 1)),
                            ("mean of classes", np.full(len(n), 1 / max(len(n), 1)))):  # fmt: skip
        weight = (each / n)[place]
        center, method = float(weight @ change), STRATIFIED
        error = float(np.sqrt(np.sum(each**2 * deviation / np.maximum(n - 1, 1) / n)))
        reach = float(stats.norm.ppf(0.5 + confidence / 2.0)) * error
        low, high = max(-1.0, center - reach), min(1.0, center + reach)
        if error == 0 or n.min() < 2:
            method = ONE_SAMPLE.replace("E1", "E2")
            # Kish: what images of unequal weight are worth.
            worth = 1.0 / float((weight**2).sum()) if images else 0.0
            squares = worth * float(weight @ change**2)
            low, high = (float(end) for end in mean_interval(worth * center, squares, worth,
                                                             confidence))  # fmt: skip
        rows.append({
            "aggregate": aggregate, "accuracy": float(weight @ new),
            "old_accuracy": float(weight @ old), "difference": center, "low": low, "high": high,
            "lost": int((change < 0).sum()), "gained": int((change > 0).sum()),
            "method": method, "n": images, "classes": len(n),
        })  # fmt: skip
    return pd.DataFrame(rows)


def _flips(
    outcomes: Outcomes, old: Side, new: Side, old_share: Floats, share: Floats
) -> pd.DataFrame:
    change = share - old_share
    chosen = np.flatnonzero(change)
    chosen = chosen[np.lexsort((new.curve.labels[chosen], -np.abs(change[chosen])))]
    label, images = new.curve.labels[chosen], new.curve.images[chosen]
    # The last entry is met by the prediction -1.
    names = np.array([*outcomes.classes.names, OUTSIDE], dtype=object)
    return pd.DataFrame({
        "sample": outcomes.samples.sample[images],
        "name": np.array(outcomes.samples.name, dtype=object)[images],
        "class": names[label],
        "label": label,
        "title": np.array(outcomes.classes.labels, dtype=object)[label],
        "flip": np.where(change[chosen] < 0, "lost", "gained").astype(object),
        "share": share[chosen],
        "old_share": old_share[chosen],
        "prediction": names[_most_frequent(new.predictions[:, chosen])],
        "old_prediction": names[_most_frequent(old.predictions[:, chosen])],
        "n": len(new.predictions),
    })  # fmt: skip


def _most_frequent(predictions: Integers) -> Integers:
    if not predictions.shape[1] or len(predictions) == 1:
        return np.asarray(predictions[0])
    return np.asarray(stats.mode(predictions, axis=0).mode, np.int64)
