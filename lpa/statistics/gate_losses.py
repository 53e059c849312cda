"""What a gate checks: the losses of a run beside its reference, or beside an older run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lpa.axes import format_value
from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.statistics.both_levels import both_limit, both_test
from lpa.statistics.curve_data import CurveData
from lpa.statistics.losses import Losses, losses
from lpa.statistics.means import mean_limit, mean_test

__all__ = ["Checked", "checked_losses", "losses_against"]

Floats = npt.NDArray[np.float64]


class Checked(NamedTuple):
    """Per-image losses that are checked, and the runs behind them.

    Attributes
    ----------
    each : Losses
        Whose classes and images they are.
    values : array of float64, shape [values]
        From weak to strong.
    loss : array of float64, shape [values, images]
        In [-1, 1].
    reference : array of float64, shape [values, classes]
        The accuracy that is lost from.
    runs : tuple of (array, array)
        For level ``both``: variance over runs [values, classes] and number of runs [values, 1].
    """

    each: Losses
    values: Floats
    loss: Floats
    reference: Floats
    runs: tuple[tuple[Floats, npt.NDArray[np.int64]], ...]

    def limits(self, confidence: float, level: str) -> tuple[Floats, Floats]:
        """Return one-sided limits, [values, classes]."""
        total, squares, n = self._sums()
        if level == "image":
            low = mean_limit(total, squares, n, confidence, "lower")
            return low, mean_limit(total, squares, n, confidence, "upper")
        low = both_limit(total, squares, n, self.runs, confidence, "lower")
        return low, both_limit(total, squares, n, self.runs, confidence, "upper")

    def test(self, bound: Floats, level: str) -> Floats:
        """Return p-values of H0 "loses at most its bound", [values, classes]."""
        total, squares, n = self._sums()
        result = np.full(total.shape, np.nan)
        for delta in np.unique(bound):
            if level == "image":
                p = mean_test(total, squares, n, float(delta))
            else:
                p = both_test(total, squares, n, self.runs, float(delta))
            result = np.where(bound == delta, p, result)
        return result

    def at(self, value: float) -> Checked:
        """Return what is checked at one value, or at none if it was not measured."""
        kept = self.values == value
        runs = tuple((squares[kept], number[kept]) for squares, number in self.runs)
        return Checked(self.each, self.values[kept], self.loss[kept], self.reference[kept], runs)

    def _sums(self) -> tuple[Floats, Floats, npt.NDArray[np.int64]]:
        return self.each.total(self.loss), self.each.total(self.loss**2), self.each.n


def checked_losses(outcomes: Outcomes, split: str | None, notes: list[str]) -> Iterator[Checked]:
    """Yield the losses of every curve beside its own reference."""
    for each in losses(outcomes, split, notes):
        draws = each.curve.draws
        at_reference = np.full((len(draws) - 1, 1), draws[0])
        first = np.repeat(each.run_variances[:1], len(draws) - 1, axis=0)
        runs = ((each.run_variances[1:], draws[1:, None]), (first, at_reference))
        accuracy = np.repeat(each.total(each.shares[:1]) / each.n, len(draws) - 1, axis=0)
        yield Checked(each, each.curve.values[1:], each.loss, accuracy, runs)


def losses_against(
    outcomes: Outcomes, against: Outcomes, split: str | None, notes: list[str]
) -> Iterator[Checked]:
    """Yield how much less accurate a run is than an older one, at every value that both have.

    Models are paired by name; where each run has one model, these two. Images are paired by the
    key of their bytes; images that only one run has are left out and noted.

    Raises
    ------
    InputError
        Where the runs share no model or no image.
    """
    new_curves = list(losses(outcomes, split, notes))
    old_curves = list(losses(against, split, notes))
    new_models, old_models = (
        list(dict.fromkeys(each.curve.model for each in curves))
        for curves in (new_curves, old_curves)
    )
    single = len(new_models) == len(old_models) == 1
    old_by_place = {
        (new_models[0] if single else each.curve.model, each.axis.name, each.curve.split): each
        for each in old_curves
    }
    if new_models and old_models and not single and not set(new_models) & set(old_models):
        raise InputError(
            f"the runs share no model: {outcomes.store} has {', '.join(new_models)}, "
            f"{against.store} has {', '.join(old_models)}"
        )
    for new in new_curves:
        old = old_by_place.get((new.curve.model, new.axis.name, new.curve.split))
        if old is None:
            notes.append(
                f"{new.curve.model} on {new.axis.name}: not in {against.store}; not checked"
            )
        else:
            yield from _paired(outcomes, against, new, old, notes)


def _paired(
    outcomes: Outcomes, against: Outcomes, new: Losses, old: Losses, notes: list[str]
) -> Iterator[Checked]:
    place = f"{new.curve.model} on {new.axis.name}"
    values = [value for value in new.curve.values if value in old.curve.values]
    missing = [value for value in new.curve.values if value not in old.curve.values]
    if missing:
        written = ", ".join(format_value(float(value)) for value in missing)
        notes.append(f"{place}: {against.store} has nothing at {written}; not checked there")
    keys = [_keys(run, each) for run, each in ((outcomes, new), (against, old))]
    _, first, second = np.intersect1d(keys[0], keys[1], return_indices=True)
    if not len(first):
        raise InputError(
            f"{outcomes.store} and {against.store} share no image; a gate against an older run "
            "compares the same images"
        )
    alone = len(keys[0]) + len(keys[1]) - 2 * len(first)
    if alone:
        notes.append(f"{place}: {alone} images are in one of the runs only and are left out")
    here, there = (
        _part(each, images, new.curve.labels[first], values)
        for each, images in ((new, first), (old, second))
    )
    runs = tuple((side.run_variances, side.curve.draws[:, None]) for side in (here, there))
    loss = there.shares - here.shares
    yield Checked(here, here.curve.values, loss, there.total(there.shares) / here.n, runs)


def _keys(outcomes: Outcomes, each: Losses) -> npt.NDArray[np.uint64]:
    return np.asarray(outcomes.samples.key[outcomes.samples.split == each.curve.split])


def _part(
    each: Losses,
    images: npt.NDArray[np.int64],
    labels: npt.NDArray[np.int64],
    values: list[float],
) -> Losses:
    """Return a curve at some of its values and images."""
    curve, axis = each.curve, each.axis
    rows = [curve.replicates(i)[:, images] for i, v in enumerate(curve.values) if v in values]
    starts = np.append(0, np.cumsum([len(row) for row in rows])[:-1])
    kept = np.array([value for value in curve.values if value in values])
    part = CurveData(
        curve.model, axis.name, curve.split, kept, starts, np.concatenate(rows), labels
    )
    present, place, n = np.unique(labels, return_inverse=True, return_counts=True)
    return Losses(part, axis, present, place, n)
