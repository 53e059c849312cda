"""What a model predicted along one axis: the label of every draw, not only whether it was right."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lpa.axes import Axis
from lpa.errors import InputError
from lpa.outcomes import Outcomes

__all__ = ["PredictedCurve", "chosen_splits", "predicted_curves"]


@dataclass(frozen=True)
class PredictedCurve:
    """Predictions of one model on one axis and one split.

    Attributes
    ----------
    model, split : str
        Which curve.
    axis : Axis or None
        None where the model was only measured at the identity.
    values : array of float64, shape [values]
        From weak to strong.
    rows : tuple of slice
        For each value, the rows of its draws in ``stored``.
    stored : array, shape [cells, samples]
        Predictions of the whole run.
    images : array of int64, shape [images]
        Positions of the split's images among the run's samples.
    labels : array of int64, shape [images]
        Index of each image's class.
    classes : int
        Number of the run's classes.
    """

    model: str
    axis: Axis | None
    split: str
    values: npt.NDArray[np.float64]
    rows: tuple[slice, ...]
    stored: npt.NDArray[Any]
    images: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    classes: int

    def at(self, index: int) -> npt.NDArray[np.int64]:
        """Return the predictions at one value: int64 [draws, images].

        -1 stands for an output outside the classes and for a prediction that is missing; a number
        that is no class's (a damaged import) counts as outside, too.
        """
        drawn = self.stored[self.rows[index]]
        if len(self.images) < drawn.shape[1]:
            drawn = drawn[:, self.images]
        if np.issubdtype(drawn.dtype, np.floating):
            drawn = np.where(np.isnan(drawn), -1, drawn)
        if drawn.size and drawn.max() >= self.classes:
            drawn = np.where(drawn >= self.classes, -1, drawn)
        return drawn.astype(np.int64)

    def find(self, value: float) -> int | None:
        """Return the index of a value, or None."""
        found = np.flatnonzero(self.values == value)
        return int(found[0]) if len(found) else None

    @property
    def has_losses(self) -> bool:
        """Whether the reference stands first and something beside it was measured."""
        first = self.axis is not None and self.values[0] == self.axis.reference
        return bool(first and len(self.values) > 1)


def chosen_splits(outcomes: Outcomes, split: str | None) -> list[str]:
    """Return the splits to be looked at, each by itself.

    Raises
    ------
    InputError
        For a split that the run does not have.
    """
    present = [str(name) for name in dict.fromkeys(outcomes.samples.split.tolist())]
    if split is None:
        return present
    if split not in present:
        raise InputError(
            f"split {split!r} is not in {outcomes.store}; it has " + ", ".join(present)
        )
    return [split]


def predicted_curves(outcomes: Outcomes, split: str | None = None) -> Iterator[PredictedCurve]:
    """Yield the predictions of a run curve by curve, in the order of its cells.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    split : str, optional
        Only this one; splits are never pooled.

    Raises
    ------
    InputError
        For a split that the run does not have.
    """
    splits = chosen_splits(outcomes, split)
    if not len(outcomes.cells):
        return
    stored = outcomes.column("prediction")
    of_image, label = np.asarray(outcomes.samples.split), np.asarray(outcomes.samples.label)
    cells = outcomes.cells
    value = cells["value"].to_numpy()
    keys = [
        (str(model), axis if isinstance(axis, str) else None)
        for model, axis in zip(cells["model"], cells["axis"], strict=True)
    ]
    for key, group in itertools.groupby(range(len(keys)), key=keys.__getitem__):
        positions = list(group)
        first, last = positions[0], positions[-1] + 1
        here = value[first:last]
        changed = (here[1:] != here[:-1]) & ~(np.isnan(here[1:]) & np.isnan(here[:-1]))
        starts = [first, *(first + 1 + np.flatnonzero(changed)).tolist()]
        rows = tuple(slice(*ends) for ends in itertools.pairwise([*starts, last]))
        axis = outcomes.axes.get(key[1]) if key[1] is not None else None
        for name in splits:
            images = np.flatnonzero(of_image == name)
            yield PredictedCurve(
                key[0], axis, name, value[starts], rows, stored, images, label[images],
                len(outcomes.classes.names),
            )  # fmt: skip
