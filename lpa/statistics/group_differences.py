"""Mean difference between two values of training, for groups of classes (STATISTICS 3.7, 3.15)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.outcomes import Outcomes
from lpa.outcomes.part import Part
from lpa.statistics.arms import Arm
from lpa.statistics.end_points import MEAN, end_points, summed_difference
from lpa.statistics.run_hits import RunHits, run_hits

__all__ = ["COLUMNS", "group_differences"]

COLUMNS = (
    "model", "axis", "reference", "value", "split", "group", "difference", "low", "high", "n",
    "level",
)  # fmt: skip

HALVINGS = 1
"""Groups take the mean of their classes only; the split worst classes are not looked at."""

Floats = npt.NDArray[np.float64]


def group_differences(
    outcomes: Outcomes,
    groups: Mapping[str, Sequence[int]],
    model: str,
    axis: str,
    pair: tuple[float, float],
    confidence: float = 0.95,
    split: str | None = None,
    paired: bool = False,
) -> pd.DataFrame:
    """Return each group's mean accuracy with one value of training minus that with another.

    Estimand: the expected mean over the group's classes, which are fixed and weigh equally, of the
    accuracy with the second value minus that with the first. Level ``run`` (these images): Welch's
    t interval over the runs' means, or that of their paired differences for shared training seeds.
    Level ``both`` (new images and new trainings): see
    :func:`~lpa.statistics.end_points.end_points`; not given for imported counts, which do not say
    which image is right, nor for shared seeds. No test.

    Parameters
    ----------
    outcomes : Outcomes
        A sweep, a probe or imported counts.
    groups : mapping of str to sequence of int
        Group -> indices of its classes. Groups without images are left out.
    model, axis : str
        Which curve.
    pair : (float, float)
        The value compared with, and the one compared.
    confidence : float
        Two-sided, in (0, 1).
    split : str, optional
        Only this split; splits are never pooled.
    paired : bool
        Replicates of the same number share the training seed.

    Returns
    -------
    DataFrame
        :data:`COLUMNS`. ``attrs["notes"]`` says what was left out.
    """
    notes: list[str] = []
    pieces = []
    for name, members in groups.items():
        part = Part(outcomes, members, [model], [axis])
        if outcomes.counts_only or paired:
            table = pd.DataFrame(_over_runs(part, pair, confidence, split, paired, notes))
        elif len(part.samples):
            arms = [Arm(str(value), part, value, model, axis) for value in pair]
            found = end_points(arms[0], arms[1:], (), confidence, split, HALVINGS)
            notes += [note for note in found.attrs["notes"] if "worst" not in note]
            table = found[(found["end_point"] == MEAN) & (found["direction"] == "lower")]
        else:
            continue
        if len(table):
            place: dict[str, Any] = {
                "model": model, "axis": axis, "reference": pair[0], "value": pair[1],
            }  # fmt: skip
            pieces.append(table.assign(**place, group=name)[list(COLUMNS)])
    if paired:
        notes.append("training seeds are shared: groups have intervals over runs alone")
    frame = pd.concat(pieces, ignore_index=True) if pieces else pd.DataFrame(columns=list(COLUMNS))
    frame.attrs["notes"] = list(dict.fromkeys(notes))
    return frame


def _over_runs(
    part: Outcomes, pair: tuple[float, float], confidence: float, split: str | None, paired: bool,
    notes: list[str],
) -> list[dict[str, Any]]:  # fmt: skip
    rows = []
    for hits in run_hits(part, split):
        notes += hits.notes
        if not len(hits.n):
            continue
        (reference, first), (other, second) = (_scores(hits, value) for value in pair)
        if paired:
            _, mine, theirs = np.intersect1d(first, second, return_indices=True)
            samples = [other[theirs] - reference[mine]]
            mean = float(samples[0].mean())
        else:
            samples, mean = [reference, other], float(other.mean() - reference.mean())
        terms = [(float(x.var(ddof=1)) / len(x), len(x) - 1.0) for x in samples]
        low, high = summed_difference(mean, terms).interval(confidence)
        rows.append({"split": hits.split, "difference": mean, "low": float(low[0]),
                     "high": float(high[0]), "n": int(hits.n.sum()), "level": "run"})  # fmt: skip
    return rows


def _scores(hits: RunHits, value: float) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return each run's mean over the classes at a value, and the runs' numbers."""
    at = int(np.flatnonzero(np.isclose(hits.values, value, rtol=1e-9, atol=0))[0])
    return np.asarray((hits.hits[at] / hits.n).mean(axis=1), np.float64), hits.replicates[at]
