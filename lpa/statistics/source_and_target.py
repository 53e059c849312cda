"""A probe's target beside its source: the value best at home against the best of each class."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.outcomes import SOURCE, Outcomes, read_counts
from lpa.statistics.across_runs import run_interval
from lpa.statistics.both_levels import both_limit, both_test
from lpa.statistics.curve_data import CurveData, curve_data
from lpa.statistics.halves import image_halves
from lpa.statistics.multiplicity import corrected
from lpa.statistics.oracle import FEWEST, split_gains
from lpa.statistics.welch import run_moments

__all__ = ["SourceAndTarget", "source_and_target", "source_counts"]

Floats = npt.NDArray[np.float64]

ROUNDING = 1e-12
"""Differences of accuracies below this are none."""

PLACE = ["model", "axis", "split"]
FAMILY = [*PLACE, "level"]


class SourceAndTarget(NamedTuple):
    """Three tables; see :func:`source_and_target`."""

    curves: pd.DataFrame
    gains: pd.DataFrame
    classes: pd.DataFrame


def source_counts(outcomes: Outcomes) -> pd.DataFrame:
    """Return the right predictions of a probe's backbones on their own data, each once.

    Returns
    -------
    DataFrame
        As :attr:`lpa.outcomes.Outcomes.counts`; empty for another run and for pretrained models.
    """
    return read_counts(outcomes.store, SOURCE).drop_duplicates(
        ["model", "axis", "value", "replicate", "class"], ignore_index=True
    )


def source_and_target(
    outcomes: Outcomes, confidence: float = 0.95, splits: int = 100, seed: int = 0
) -> SourceAndTarget:
    r"""Compare the value that is best on the source with the best for each class of the target.

    The value best on the source, :math:`v_0`, has the highest mean over the source's classes of
    accuracies averaged over the backbones' runs; ties go to the weakest. It is taken as given: the
    source's images are others than the target's.

    - ``gains``: what the classes would gain from a value of their own,
      :math:`\frac{1}{C}\sum_c \max_v A_c(v) - \frac{1}{C}\sum_c A_c(v_0)`, ``naive`` and ``split``
      as in :func:`~lpa.statistics.oracle.oracle_gain`, with :math:`v_0` in place of the single
      best value; the truth lies between them.
    - ``classes``: level ``both``, E2 on the run-averaged differences of images plus the runs of
      both values (:func:`~lpa.statistics.both_levels.both_limit`). The best of the other V values
      is picked by what is observed, so its interval and its p-value are corrected for all V
      (Bonferroni), and the p-values for the classes by Holm and BH.

    Parameters
    ----------
    outcomes : Outcomes
        A probe; of any other run the tables are empty.
    confidence : float
        Two-sided, in (0, 1).
    splits, seed : int
        Of the split gain.

    Returns
    -------
    SourceAndTarget
        ``curves``: ``model, axis, split, of`` ("source", "target"), ``value, accuracy, low, high,
        runs, level``, mean of classes with the t interval over runs.
        ``gains``: ``model, axis, split, estimate, source_value, accuracy`` (at it), ``best`` (mean
        of the classes' best), ``target_value`` (the target's single best), ``gain, low, high, n,
        classes, runs, level``.
        ``classes``: ``model, axis, split, class, label, title, source_value, accuracy, best_value,
        best_accuracy, gain, low, high, n, values, level, p, p_bh, p_holm, family, m, untestable``;
        where no other value is better, the source's is the best, with gain 0 and no interval.
        ``attrs["notes"]`` of ``gains`` says what was left out.

    References
    ----------
    arXiv 2204.03632, Section 2.2 and Figure 4, shows curves alone.
    """
    source = source_counts(outcomes)
    curves: list[pd.DataFrame] = []
    gains: list[dict[str, Any]] = []
    classes: list[pd.DataFrame] = []
    notes: list[str] = []
    for curve in curve_data(outcomes) if len(source) else ():
        own = source[(source["model"] == curve.model) & (source["axis"] == curve.axis)]
        own = own[own["value"].isin(curve.values)]
        where = f"{curve.model} on {curve.axis}"
        if not len(own):
            notes.append(f"{where}: nothing is known of the backbones on their own data")
            continue
        if len(curve.values) < 2:
            notes.append(f"{where}: one value leaves nothing to choose")
            continue
        place = dict(zip(PLACE, (curve.model, curve.axis, curve.split), strict=True))
        at_home = _source_curve(own, curve.values, confidence)
        curves.append(at_home.assign(**place, of="source"))
        curves.append(_target_curve(curve, confidence).assign(**place, of="target"))
        home = int(np.nanargmax(at_home["accuracy"]))
        gains += _gains(curve, place, home, confidence, splits, seed, where, notes)
        classes.append(_classes(outcomes, curve, home, confidence).assign(**place))
    found = SourceAndTarget(*map(_joined, (curves, [pd.DataFrame(gains)], classes)))
    found.gains.attrs["notes"] = list(dict.fromkeys(notes))
    if not len(found.classes):
        return found
    return found._replace(classes=corrected(found.classes, by=FAMILY))


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _source_curve(own: pd.DataFrame, values: Floats, confidence: float) -> pd.DataFrame:
    """Return the mean of the source's classes at each value; NaN where nothing is known."""
    shares = own.assign(share=own["correct"] / own["n"])
    runs = shares.groupby(["value", "replicate"])["share"].mean()
    present = set(own["value"])
    return _curve(
        values,
        [runs[value].to_numpy() if value in present else np.empty(0) for value in values],
        confidence,
    )


def _target_curve(curve: CurveData, confidence: float) -> pd.DataFrame:
    sizes = np.unique(curve.labels, return_counts=True)[1]
    means = [(_hits(curve, at) / sizes).mean(axis=1) for at in range(len(curve.values))]
    return _curve(curve.values, means, confidence)


def _curve(values: Floats, runs: list[Floats], confidence: float) -> pd.DataFrame:
    columns = [run_interval(each, confidence) for each in runs]
    mean, low, high = (np.array(column, dtype=np.float64) for column in zip(*columns, strict=True))
    return pd.DataFrame(
        {"value": values, "accuracy": mean, "low": low, "high": high,
         "runs": [len(each) for each in runs], "level": "run"}
    )  # fmt: skip


def _hits(curve: CurveData, at: int) -> npt.NDArray[np.int64]:
    """Return right predictions by run and class at a value: [runs, classes]."""
    _, place = np.unique(curve.labels, return_inverse=True)
    count = int(place.max()) + 1
    return np.stack(
        [np.bincount(place[row], minlength=count) for row in curve.replicates(at)]
    ).astype(np.int64)


def _gains(
    curve: CurveData,
    place: dict[str, Any],
    home: int,
    confidence: float,
    splits: int,
    seed: int,
    where: str,
    notes: list[str],
) -> list[dict[str, Any]]:
    """Return the naive gain of the classes' best values over the source's, and the split one."""
    halves = image_halves(curve.labels, splits, seed, FEWEST)
    if not len(halves.labels):
        notes.append(f"{where}: no class has {FEWEST} images, so halves cannot be scored")
        return []
    if halves.left_out:
        notes.append(
            f"{where}: {halves.left_out} classes with fewer than {FEWEST} images are left out of "
            "the gain"
        )
    shares = np.stack([curve.image_means(v) for v in range(len(curve.values))])
    accuracy = np.stack([shares[:, images].mean(axis=1) for images in halves.images], axis=1)
    there = float(accuracy[home].mean())
    best = float(accuracy.max(axis=0).mean())
    shared = {
        **place, "source_value": curve.values[home],
        "target_value": curve.values[int(accuracy.mean(axis=1).argmax())],
        "n": int(halves.n.sum()), "classes": len(halves.labels), "runs": int(curve.draws.min()),
        "level": "image",
    }  # fmt: skip
    over_runs = bool(curve.draws.min() > 1)
    found = split_gains(curve, halves, over_runs, True, splits, seed, single=home)
    low, high = found.interval(confidence)
    return [
        {**shared, "estimate": "naive", "accuracy": there, "best": best, "gain": best - there,
         "low": np.nan, "high": np.nan},
        {**shared, "estimate": "split", "accuracy": float(found.single.mean()),
         "best": float(found.oracle.mean()), "gain": float(found.gain.mean()), "low": low,
         "high": high},
    ]  # fmt: skip


def _classes(outcomes: Outcomes, curve: CurveData, home: int, confidence: float) -> pd.DataFrame:
    """Compare each class's best value with the source's, corrected for having been picked."""
    present, place, n = np.unique(curve.labels, return_inverse=True, return_counts=True)
    count = len(present)
    others = [at for at in range(len(curve.values)) if at != home]
    here, before = curve.image_means(home), run_moments(_hits(curve, home))
    picked: dict[str, Floats] = {
        name: np.full(count, np.nan) for name in ("best", "gain", "low", "high")
    }
    picked["gain"][:] = -np.inf
    least = np.full(count, np.nan)
    one_sided = 1 - (1 - confidence) / 2 / len(others)
    for at in others:
        difference = curve.image_means(at) - here
        sums = (
            np.bincount(place, weights=difference, minlength=count),
            np.bincount(place, weights=difference**2, minlength=count),
        )
        moments = run_moments(_hits(curve, at))
        runs = [
            (before[1] / n**2, np.full(count, curve.draws[home])),
            (moments[1] / n**2, np.full(count, curve.draws[at])),
        ]
        better = sums[0] / n > picked["gain"] + ROUNDING
        columns = {
            "best": np.full(count, float(at)), "gain": sums[0] / n,
            "low": both_limit(*sums, n, runs, one_sided, "lower"),
            "high": both_limit(*sums, n, runs, one_sided, "upper"),
        }  # fmt: skip
        for name, column in columns.items():
            picked[name] = np.where(better, column, picked[name])
        least = np.fmin(least, both_test(*sums, n, runs))
    # Where no other value is better, the source's is the class's best, too.
    none = picked["gain"] <= ROUNDING
    for name, instead in (("best", float(home)), ("gain", 0.0), ("low", np.nan), ("high", np.nan)):
        picked[name][none] = instead
    best = picked["best"].astype(np.int64)
    classes = outcomes.classes
    accuracy = before[0] / n
    return pd.DataFrame({
        "class": np.array(classes.names, dtype=object)[present], "label": present,
        "title": np.array(classes.labels, dtype=object)[present],
        "source_value": curve.values[home], "accuracy": accuracy,
        "best_value": curve.values[best], "best_accuracy": accuracy + picked["gain"],
        "gain": picked["gain"], "low": picked["low"], "high": picked["high"], "n": n,
        "values": len(others), "level": "both", "p": np.minimum(1.0, len(others) * least),
    })  # fmt: skip
