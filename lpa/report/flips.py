"""For every picture of a report: from which value on its label is lost, and to what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from lpa.report.packing import pack_whole
from lpa.report.sources import Source, Sources
from lpa.statistics.predictions import PredictedCurve, predicted_curves

__all__ = ["NEVER", "WRONG", "Flips", "flips", "flips_of_curve"]

NEVER = 1000
"""In place of a value's position: the label is never lost for good."""
WRONG = 1001
"""In place of a value's position: the label is not predicted at the reference."""

Integers = npt.NDArray[np.int64]


class Flips(NamedTuple):
    """Of each image: position of the value from which on the label is lost, and what is said."""

    at: Integers
    said: Integers


def flips(sources: Sources, samples: Sequence[Sequence[int]]) -> list[dict[str, Any]]:
    """Return where the pictures of each run flip, on every curve.

    A description of single images, not an estimate: there is no interval.

    Parameters
    ----------
    sources : Sources
        The runs.
    samples : sequence of sequence of int
        For each run, the samples of its pictures, in the order of the page.

    Returns
    -------
    list of dict
        ``run, model, axis`` (positions on the page) and, packed over the run's pictures, ``at``
        (position among the curve's values, :data:`NEVER` or :data:`WRONG`) and ``said`` (index of
        the run's class that is predicted there, -1 outside the classes). Pictures of another split
        than the curve's are not on it, so the curves of the splits of a model are joined.
    """
    result = []
    for number, (run, wanted) in enumerate(zip(sources.runs, samples, strict=True)):
        found: dict[tuple[int, int], Flips] = {}
        for curve in predicted_curves(run.outcomes) if len(wanted) else ():
            if curve.axis is None or not curve.has_losses:
                continue
            key = (
                sources.models.index(run.models[curve.model]),
                sources.axes.index(run.axes[curve.axis.name]),
            )
            whole = found.setdefault(key, _unknown(len(wanted)))
            places, columns = _places(run, curve, wanted)
            here = flips_of_curve(curve, columns)
            whole.at[places], whole.said[places] = here.at, here.said
        result += [
            {"run": number, "model": model, "axis": axis, "at": pack_whole(each.at),
             "said": pack_whole(each.said)}
            for (model, axis), each in found.items()
        ]  # fmt: skip
    return result


def flips_of_curve(curve: PredictedCurve, columns: Integers) -> Flips:
    """Return where images flip: the weakest value from which on their label stays lost.

    At a value the label is lost where it is not the most frequent prediction of the draws (of
    several that are equally frequent, the one of least index).

    Parameters
    ----------
    curve : PredictedCurve
        With its reference first.
    columns : array of int64
        Positions among the curve's images.
    """
    said = np.stack([_most_frequent(curve.at(v)[:, columns]) for v in range(len(curve.values))])
    lost = said != curve.labels[columns]
    # From which value on everything is lost: the longest run of losses at the strong end.
    stays = np.logical_and.accumulate(lost[::-1])[::-1]
    first = stays.argmax(axis=0)
    at = np.where(lost[0], WRONG, np.where(stays.any(axis=0), first, NEVER))
    place = np.where(lost[0], 0, np.minimum(first, len(said) - 1))
    return Flips(at, said[place, np.arange(len(columns))])


def _most_frequent(predictions: Integers) -> Integers:
    if len(predictions) == 1:
        return np.asarray(predictions[0], np.int64)
    return np.asarray(stats.mode(predictions, axis=0).mode, np.int64)


def _unknown(count: int) -> Flips:
    return Flips(np.full(count, -1, dtype=np.int64), np.full(count, -1, dtype=np.int64))


def _places(run: Source, curve: PredictedCurve, wanted: Sequence[int]) -> tuple[Integers, Integers]:
    """Return which pictures are on the curve, and their positions among its images."""
    samples = np.asarray(run.outcomes.samples.sample)[curve.images]
    columns = np.minimum(np.searchsorted(samples, wanted), len(samples) - 1)
    there = np.flatnonzero(samples[columns] == np.asarray(wanted))
    return there, columns[there]
