"""The single best value against the best value of each class (STATISTICS 3.8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from lpa.outcomes import Outcomes
from lpa.statistics.curve_data import CurveData, curve_data, levels
from lpa.statistics.halves import ImageHalves, image_halves, run_halves
from lpa.statistics.means import standard_error

__all__ = ["COLUMNS", "SplitGains", "oracle_gain", "split_gains"]

COLUMNS = (
    "model", "axis", "split", "estimate", "halves", "gain", "low", "high",
    "single_value", "single", "oracle", "n", "classes", "runs", "splits", "level",
)  # fmt: skip

RUNS_AND_IMAGES, RUNS_ONLY, IMAGES_ONLY = "runs and images", "runs, these images", "images"

FEWEST = 4
"""A class with fewer images has no half with a standard error."""

Floats = npt.NDArray[np.float64]


def oracle_gain(
    outcomes: Outcomes,
    confidence: float = 0.95,
    splits: int = 100,
    seed: int = 0,
    split: str | None = None,
) -> pd.DataFrame:
    r"""Return what one value per class gains over the single best value, naively and split.

    Estimand: :math:`\frac{1}{C} \sum_c \max_v A_c(v) - \max_v \frac{1}{C} \sum_c A_c(v)`.

    - ``naive``: the same with observed accuracies, averaged over runs. Biased upwards: the
      best of many values is partly luck of these runs and these images.
    - ``split``: both choices made on half of the runs *and* half of each class's images, scored on
      the other halves of both; mean over seeded splits. It is what settings chosen from half of the
      data truly gain, and may be negative. In expectation split <= estimand <= naive, up to the
      small selection error of the single value: the two are the bracket of the truth.
    - ``split`` with ``halves`` "runs, these images": luck of the images stays in it, so it speaks
      of these images alone.

    Draws of a scan are no runs: its images alone are halved, and so they are where a value has a
    single training run; ``halves`` says so. Level and interval of ``split``: ``image``, stratified
    E2 of the scoring half, its error averaged over the splits; ``naive`` and runs-only have none.
    Ties go to the weakest value. Classes with fewer than 4 images are left out of all estimates.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    confidence : float
        Two-sided confidence, in (0, 1).
    splits : int
        Number of seeded splits.
    seed : int
        Of the splits.
    split : str, optional
        Only this split of the data; splits of the data are never pooled.

    Returns
    -------
    DataFrame
        ``model, axis, split`` (of the data), ``estimate``, ``halves`` (what is halved), ``gain``,
        ``low``, ``high`` (in [-1, 1]; points when times 100), ``single_value`` (the single best, in
        splits the most frequent), ``single`` and ``oracle`` (mean accuracy of the classes), ``n``
        (images), ``classes``, ``runs`` (fewest of a value; draws in a scan), ``splits``, ``level``.
        ``attrs["notes"]`` says what was left out.

    References
    ----------
    arXiv 2204.03632, Section 3.4 (77.29 -> 79.37), is the naive estimate.
    """
    trained = "run" in levels(outcomes, None)
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    halves: dict[str, ImageHalves] = {}
    for curve in curve_data(outcomes, split):
        if curve.split not in halves:
            halves[curve.split] = image_halves(curve.labels, splits, seed, FEWEST)
        mine = halves[curve.split]
        place = f"{curve.model} on {curve.axis}"
        if len(curve.values) < 2:
            notes.append(f"{place}: one value leaves nothing to choose")
        elif not len(mine.labels):
            notes.append(f"{place}: no class has {FEWEST} images, so halves cannot be scored")
        else:
            if mine.left_out:
                notes.append(
                    f"{place}: {mine.left_out} classes with fewer than {FEWEST} images are left out"
                )
            rows += _curve(curve, mine, trained, confidence, splits, seed)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table.attrs["notes"] = list(dict.fromkeys(notes))
    return table


def _curve(
    curve: CurveData, halves: ImageHalves, trained: bool, confidence: float, splits: int, seed: int
) -> list[dict[str, Any]]:
    shares = np.stack([curve.image_means(v) for v in range(len(curve.values))])
    accuracy = np.stack([shares[:, places].mean(axis=1) for places in halves.images], axis=1)
    best = int(accuracy.mean(axis=1).argmax())
    single, oracle = float(accuracy[best].mean()), float(accuracy.max(axis=0).mean())
    place = {
        "model": curve.model, "axis": curve.axis, "split": curve.split, "n": int(halves.n.sum()),
        "classes": len(halves.labels), "runs": int(curve.draws.min()),
    }  # fmt: skip
    rows = [{
        **place, "estimate": "naive", "halves": "none", "gain": oracle - single, "low": np.nan,
        "high": np.nan, "single_value": curve.values[best], "single": single, "oracle": oracle,
        "splits": 0, "level": "image",
    }]  # fmt: skip
    kinds = [(IMAGES_ONLY, False, True)]
    if trained and curve.draws.min() > 1:
        kinds = [(RUNS_AND_IMAGES, True, True), (RUNS_ONLY, True, False)]
    for kind, over_runs, over_images in kinds:
        gains = split_gains(curve, halves, over_runs, over_images, splits, seed)
        low, high = gains.interval(confidence) if over_images else (np.nan, np.nan)
        often = int(np.bincount(gains.single_choice).argmax())
        rows.append({
            **place, "estimate": "split", "halves": kind, "gain": float(gains.gain.mean()),
            "low": low, "high": high, "single_value": curve.values[often],
            "single": float(gains.single.mean()), "oracle": float(gains.oracle.mean()),
            "splits": splits, "level": "image" if over_images else "run",
        })  # fmt: skip
    return rows


@dataclass(frozen=True)
class SplitGains:
    """Choices made on one half and scored on the other, one entry per split.

    Attributes
    ----------
    single_choice : array of int64, shape [splits]
        Index of the single best value.
    class_choice : array of int64, shape [splits, classes]
        Index of each class's best value.
    single, oracle : arrays of float64, shape [splits]
        Mean accuracy of the classes on the scoring half, with either choice.
    center, error : arrays of float64, shape [splits]
        Stratified E2 of the gain on the scoring half.
    freedom : float
        Degrees of freedom of the error.
    """

    single_choice: npt.NDArray[np.int64]
    class_choice: npt.NDArray[np.int64]
    single: Floats
    oracle: Floats
    center: Floats
    error: Floats
    freedom: float

    @property
    def gain(self) -> Floats:
        """What a value per class gained: float64 [splits]."""
        return self.oracle - self.single

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the interval of the mean gain: mean center -+ t mean error."""
        reach = float(stats.t.ppf(0.5 + confidence / 2.0, self.freedom)) * self.error.mean()
        center = self.center.mean()
        return max(-1.0, float(center - reach)), min(1.0, float(center + reach))


def split_gains(
    curve: CurveData,
    halves: ImageHalves,
    over_runs: bool,
    over_images: bool,
    splits: int,
    seed: int,
    *,
    single: int | None = None,
) -> SplitGains:
    """Choose values on one half of the data and score them on the other, several times.

    Parameters
    ----------
    curve : CurveData
        With at least two values.
    halves : ImageHalves
        As many halves as ``splits``, of classes with at least 4 images.
    over_runs, over_images : bool
        What is halved; what is not is used whole in both halves.
    splits, seed : int
        Number of splits, and the seed of the runs' halves.
    single : int, optional
        Index of the value with which the classes' own are compared; by default the single best,
        chosen on the first half, too.
    """
    if over_runs:
        choosing, scoring = run_halves(curve.draws, splits, seed)
    else:
        choosing = np.repeat(1.0 / curve.draws, curve.draws)[None, :].repeat(splits, axis=0)
        scoring = choosing
    first = np.empty((len(halves.labels), splits, len(curve.values)), dtype=np.float32)
    second = np.empty_like(first)
    for c, (places, chosen) in enumerate(zip(halves.images, halves.chosen, strict=True)):
        # Sums of 0 and 1 over fewer than 2^24 images are exact in float32.
        correct = curve.correct[:, places].astype(np.float32)
        total = correct.sum(axis=1)
        hits = chosen.astype(np.float32) @ correct.T if over_images else total[None, :]
        rest = total - hits if over_images else hits
        size = np.array([chosen[0].sum(), (~chosen[0]).sum()] if over_images else [len(places)] * 2)
        first[c] = np.add.reduceat(hits * choosing, curve.starts, axis=1) / size[0]
        second[c] = np.add.reduceat(rest * scoring, curve.starts, axis=1) / size[1]
    each = np.arange(splits)
    class_choice = first.argmax(axis=2).T
    single_choice = first.mean(axis=0, dtype=np.float64).argmax(axis=1)
    if single is not None:
        single_choice[:] = single
    picked = np.take_along_axis(second, class_choice.T[:, :, None], axis=2)
    center, error, freedom = _errors(
        curve, halves, scoring, class_choice, single_choice, over_images
    )
    return SplitGains(
        single_choice, class_choice,
        second.mean(axis=0, dtype=np.float64)[each, single_choice],
        picked[:, :, 0].mean(axis=0, dtype=np.float64), center, error, freedom,
    )  # fmt: skip


def _errors(
    curve: CurveData,
    halves: ImageHalves,
    scoring: Floats,
    class_choice: npt.NDArray[np.int64],
    single_choice: npt.NDArray[np.int64],
    over_images: bool,
) -> tuple[Floats, Floats, float]:
    """Return stratified E2 of the gain on each scoring half."""
    center, variance, freedom = np.zeros(len(scoring)), np.zeros(len(scoring)), 0.0
    for c, (places, chosen) in enumerate(zip(halves.images, halves.chosen, strict=True)):
        correct = curve.correct[:, places]
        gain = _scored(curve, correct, scoring, class_choice[:, c])
        gain -= _scored(curve, correct, scoring, single_choice)
        used = ~chosen if over_images else np.ones_like(chosen)
        sizes = used.sum(axis=1)
        total, squares = (gain * used).sum(axis=1), (gain**2 * used).sum(axis=1)
        middle, error = standard_error(total, squares, sizes)
        center += middle
        variance += error**2
        freedom += float(sizes[0] - 1)
    classes = len(halves.labels)
    return center / classes, np.sqrt(variance) / classes, freedom


def _scored(
    curve: CurveData,
    correct: npt.NDArray[np.bool_],
    scoring: Floats,
    choice: npt.NDArray[np.int64],
) -> Floats:
    """Return each image's weighted share of right runs at the chosen value: [splits, images]."""
    offsets = np.arange(int(curve.draws.max()))
    rows = np.minimum(curve.starts[choice][:, None] + offsets, len(correct) - 1)
    weights = np.take_along_axis(scoring, rows, axis=1)
    weights = np.where(offsets < curve.draws[choice][:, None], weights, 0.0)
    scored: Floats = np.einsum("sr,sri->si", weights, correct[rows].astype(np.float64))
    return scored
