"""The outcomes of one curve: one model on one axis, its replicates together."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lpa.errors import InputError
from lpa.outcomes import Outcomes

__all__ = ["CurveData", "curve_data", "levels"]


@dataclass(frozen=True)
class CurveData:
    """Right and wrong predictions of one model on one axis and one split.

    Attributes
    ----------
    model, split : str
        Which curve.
    axis : str or None
        Canonical name; None where the model was only measured at the identity.
    values : array of float64, shape [values]
        From weak to strong.
    starts : array of int64, shape [values]
        First row of each value in ``correct``; the replicates of a value are consecutive.
    correct : array of bool, shape [cells, images]
        Whether the prediction is the label.
    labels : array of int64, shape [images]
        Index of each image's class.
    """

    model: str
    axis: str | None
    split: str
    values: npt.NDArray[np.float64]
    starts: npt.NDArray[np.int64]
    correct: npt.NDArray[np.bool_]
    labels: npt.NDArray[np.int64]

    @functools.cached_property
    def draws(self) -> npt.NDArray[np.int64]:
        """Replicates of each value: int64 [values]."""
        return np.diff(np.append(self.starts, len(self.correct)))

    def replicates(self, index: int) -> npt.NDArray[np.bool_]:
        """Return the rows of one value: bool [replicates, images]."""
        start = self.starts[index]
        return self.correct[start : start + self.draws[index]]

    def image_means(self, index: int) -> npt.NDArray[np.float64]:
        """Return each image's share of right replicates at one value: float64 [images]."""
        return np.asarray(self.replicates(index).mean(axis=0, dtype=np.float64))


def curve_data(outcomes: Outcomes, split: str | None = None) -> Iterator[CurveData]:
    """Yield the curves of a run, in the order of its cells, each split by itself.

    Complete cases hold by themselves: a readable cell has a prediction for every sample.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    split : str, optional
        Only this one. Splits are never pooled.

    Raises
    ------
    InputError
        For a split that the run does not have.
    """
    samples = outcomes.samples
    splits = np.asarray(samples.split, dtype=object)
    present = list(dict.fromkeys(splits.tolist()))
    if split is not None and split not in present:
        raise InputError(
            f"split {split!r} is not in {outcomes.store}; it has " + ", ".join(map(str, present))
        )
    if not len(outcomes.cells):
        return
    labels = np.asarray(samples.label)
    prediction = outcomes.column("prediction")
    model, axis = outcomes.cells["model"].to_numpy(), outcomes.cells["axis"].to_numpy()
    value = outcomes.cells["value"].to_numpy()
    names = [(m, a if isinstance(a, str) else None) for m, a in zip(model, axis, strict=True)]
    bounds = [0, *(i for i in range(1, len(names)) if names[i] != names[i - 1]), len(names)]
    for first, last in itertools.pairwise(bounds):
        rows = prediction[first:last]
        here = value[first:last]
        changed = (here[1:] != here[:-1]) & ~(np.isnan(here[1:]) & np.isnan(here[:-1]))
        starts = np.append(0, np.flatnonzero(changed) + 1)
        for name in present if split is None else [split]:
            kept = splits == name
            correct = rows == labels if kept.all() else rows[:, kept] == labels[kept]
            yield CurveData(*names[first], name, here[starts], starts, correct, labels[kept])


def levels(outcomes: Outcomes, level: str | None) -> tuple[str, ...]:
    """Return the levels at which a run's intervals are given.

    Replicates are random draws in a scan, which belong to the images (level ``image``), and
    trainings in a sweep or probe, where both levels stand side by side and are never pooled.

    Raises
    ------
    InputError
        For another level than ``image`` and ``run``, and for ``run`` where no model was trained.
    """
    trained = outcomes.record.trained
    if level is None:
        return ("image", "run") if trained else ("image",)
    if level not in ("image", "run"):
        raise InputError(f"level {level!r} is unknown; expected image or run")
    if level == "run" and not trained:
        raise InputError(
            f"level 'run' needs training runs, and {outcomes.store} is {outcomes.record.called} "
            "of fixed models: use level 'image'"
        )
    return (level,)
