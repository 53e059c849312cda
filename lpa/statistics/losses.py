"""Per-image losses of one curve, gathered by class: what most statistics start from."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lpa.axes import Axis, format_value
from lpa.errors import unknown
from lpa.outcomes import Outcomes
from lpa.statistics.curve_data import CurveData, curve_data

__all__ = ["Losses", "losses"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Losses:
    """Shares of right draws of each image on one curve, whose first value is the reference.

    Attributes
    ----------
    curve : CurveData
        Where the outcomes come from.
    axis : Axis
        Its axis.
    present : array of int64, shape [classes]
        Indices of the classes that have images.
    place : array of int64, shape [images]
        Position in ``present`` of each image's class.
    n : array of int64, shape [classes]
        Images of each class.
    """

    curve: CurveData
    axis: Axis
    present: npt.NDArray[np.int64]
    place: npt.NDArray[np.int64]
    n: npt.NDArray[np.int64]

    @functools.cached_property
    def shares(self) -> Floats:
        """Each image's share of right draws: float64 [values, images]."""
        return np.stack([self.curve.image_means(v) for v in range(len(self.curve.values))])

    @functools.cached_property
    def loss(self) -> Floats:
        """Each image's loss beside the reference: float64 [values - 1, images], in [-1, 1]."""
        return np.asarray(self.shares[0] - self.shares[1:])

    @functools.cached_property
    def run_variances(self) -> Floats:
        """Variance over runs of the classes' accuracies: float64 [values, classes].

        NaN at a value with one run.
        """
        return np.stack([self._run_variance(v) for v in range(len(self.curve.values))])

    def total(self, per_image: Floats) -> Floats:
        """Sum over the images of each class: [..., images] to float64 [..., classes]."""
        flat = per_image.reshape(-1, per_image.shape[-1])
        sums = [np.bincount(self.place, weights=row, minlength=len(self.n)) for row in flat]
        return np.reshape(sums, (*per_image.shape[:-1], len(self.n)))

    def identify(self, outcomes: Outcomes, times: int = 1) -> dict[str, npt.NDArray[Any]]:
        """Return the columns that say which class of which curve, all classes ``times`` over."""
        rows = times * len(self.present)
        names, titles = (
            np.array(values, dtype=object)[self.present]
            for values in (outcomes.classes.names, outcomes.classes.labels)
        )
        return {
            "model": np.full(rows, self.curve.model, dtype=object),
            "axis": np.full(rows, self.curve.axis, dtype=object),
            "split": np.full(rows, self.curve.split, dtype=object),
            "class": np.tile(names, times),
            "label": np.tile(self.present, times),
            "title": np.tile(titles, times),
            "n": np.tile(self.n, times),
        }

    def _run_variance(self, index: int) -> Floats:
        runs = self.curve.replicates(index)
        if len(runs) < 2:
            return np.full(len(self.n), np.nan)
        # Counts are whole, so runs that agree have a variance of exactly 0.
        hits = self.total(runs.astype(np.float64))
        return np.asarray(hits.var(axis=0, ddof=1) / self.n.astype(np.float64) ** 2)


def losses(
    outcomes: Outcomes, split: str | None, notes: list[str], axis: str | None = None
) -> Iterator[Losses]:
    """Yield the curves of a run that have losses, and note the others.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    split : str or None
        Only this one; splits are never pooled.
    notes : list of str
        One line is appended for each curve that is left out.
    axis : str, optional
        Only curves on this axis.

    Raises
    ------
    InputError
        For a split or an axis that the run does not have.
    """
    if axis is not None and axis not in outcomes.axes:
        raise unknown("axis", axis, outcomes.axes)
    for curve in curve_data(outcomes, split):
        if axis is not None and curve.axis != axis:
            continue
        reason = _without_losses(outcomes, curve)
        if reason:
            line = f"{curve.model} on {curve.axis or 'no axis'}: {reason}; no losses are given"
            if line not in notes:
                notes.append(line)
        elif len(curve.labels) and curve.axis is not None:
            present, place, n = np.unique(curve.labels, return_inverse=True, return_counts=True)
            yield Losses(curve, outcomes.axes[curve.axis], present, place, n)


def _without_losses(outcomes: Outcomes, curve: CurveData) -> str:
    """Return why a curve has no losses, or nothing."""
    axis = outcomes.axes.get(curve.axis) if curve.axis is not None else None
    if axis is None:
        return "measured at the identity only"
    if axis.reference not in curve.values:
        return f"nothing measured at the reference {format_value(axis.reference)}"
    if curve.values[0] != axis.reference:
        weaker = format_value(float(curve.values[0]))
        return f"{weaker} lies on the other side of the reference {format_value(axis.reference)}"
    if len(curve.values) < 2:
        return f"only the reference {format_value(axis.reference)} was measured"
    return ""
