"""Mean accuracy of the worst classes, naively and with classes chosen on other images (3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.statistics.curve_data import CurveData, curve_data
from lpa.statistics.halves import ImageHalves, image_halves

__all__ = ["COLUMNS", "split_worst", "worst_classes"]

COLUMNS = (
    "model", "axis", "value", "split", "k", "naive", "halved", "n", "classes", "draws", "halvings",
    "level",
)  # fmt: skip

Floats = npt.NDArray[np.float64]


def worst_classes(
    outcomes: Outcomes,
    ks: Sequence[int] = (1, 10, 100),
    halvings: int = 200,
    seed: int = 0,
    split: str | None = None,
) -> pd.DataFrame:
    """Return the mean accuracy of the k worst classes at every value.

    Estimand: the mean of the k smallest expected accuracies A_c(v); level ``image``. Two estimates:
    ``naive``, of the k smallest observed accuracies, is biased down, since the worst classes are
    partly those with unlucky images; ``halved`` chooses the k classes on a random half of each
    class's images and scores them on the other half (mean of seeded halvings), and is biased up,
    since half of the images choose worse. The truth lies between: the two are the bracket, and no
    other interval is given. Replicates are averaged within the image; the trainings of a sweep are
    the same in both halves, so both estimates speak of these trainings.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    ks : sequence of int
        Numbers of classes; those from half of the classes on are left out.
    halvings : int
        Number of seeded halvings.
    seed : int
        Of the halvings.
    split : str, optional
        Only this split; splits are never pooled.

    Returns
    -------
    DataFrame
        ``model, axis, value, split, k``, ``naive``, ``halved`` (in [0, 1]), ``n`` (images),
        ``classes``, ``draws`` (replicates), ``halvings``, ``level``. Classes with fewer than 2
        images are left out. ``attrs["notes"]`` says what was left out.

    Raises
    ------
    InputError
        For a k below 1.
    """
    for k in ks:
        if k < 1:
            raise InputError(f"the worst {k} classes: expected at least 1")
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    halves: dict[str, ImageHalves] = {}
    for curve in curve_data(outcomes, split):
        if curve.split not in halves:
            halves[curve.split] = image_halves(curve.labels, halvings, seed)
        mine = halves[curve.split]
        classes = len(mine.labels)
        fitting = [k for k in ks if 2 * k < classes]
        place = f"{curve.model} on {curve.axis}"
        if mine.left_out:
            notes.append(f"{place}: {mine.left_out} classes with fewer than 2 images are left out")
        if len(fitting) < len(ks):
            beyond = ", ".join(str(k) for k in ks if k not in fitting)
            notes.append(f"{place}: worst {beyond} left out, not fewer than half of {classes}")
        if fitting:
            rows += _curve(curve, mine, fitting, halvings)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table.attrs["notes"] = list(dict.fromkeys(notes))
    return table


def _curve(
    curve: CurveData, halves: ImageHalves, ks: Sequence[int], halvings: int
) -> list[dict[str, Any]]:
    shares = np.stack([curve.image_means(v) for v in range(len(curve.values))])
    naive = np.stack([shares[:, places].mean(axis=1) for places in halves.images], axis=1)
    naive.sort(axis=1)
    halved = split_worst(shares, halves, ks)
    return [
        {
            "model": curve.model, "axis": curve.axis, "value": value, "split": curve.split, "k": k,
            "naive": float(naive[v, :k].mean()), "halved": float(halved[j, v]),
            "n": int(halves.n.sum()), "classes": len(halves.labels),
            "draws": int(curve.draws[v]), "halvings": halvings, "level": "image",
        }
        for v, value in enumerate(curve.values)
        for j, k in enumerate(ks)
    ]  # fmt: skip


def split_worst(shares: Floats, halves: ImageHalves, ks: Sequence[int]) -> Floats:
    """Return the accuracy of the k worst classes, chosen on one half and scored on the other.

    Parameters
    ----------
    shares : array of float64, shape [values, images]
        Share of right replicates of each image.
    halves : ImageHalves
        Halves of the classes' images.
    ks : sequence of int
        Numbers of classes.

    Returns
    -------
    array of float64, shape [ks, values]
        Mean over the halvings.
    """
    first, second = [], []
    for places, chosen in zip(halves.images, halves.chosen, strict=True):
        mine = shares[:, places]
        hits = mine @ chosen.T.astype(np.float64)
        half = int(chosen[0].sum())
        first.append(hits / half)
        second.append((mine.sum(axis=1, keepdims=True) - hits) / (len(places) - half))
    # [values, halvings, classes]; value by value, so that the sorted copies stay small.
    scores, others = np.stack(first, axis=-1), np.stack(second, axis=-1)
    means = np.empty((len(ks), len(shares)))
    for v in range(len(shares)):
        order = np.argsort(scores[v], axis=1, kind="stable")[:, : max(ks)]
        picked = np.take_along_axis(others[v], order, axis=1)
        means[:, v] = [picked[:, :k].mean() for k in ks]
    return means
