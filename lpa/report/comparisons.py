"""Sweeps and policies of a page against the first of them (STATISTICS 3.15)."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
import pandas as pd

from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.outcomes.part import Part
from lpa.report.comparison_tables import class_table, count_table, end_table
from lpa.report.shown_tables import ShownTable
from lpa.report.sources import Sources
from lpa.statistics.arms import Arm
from lpa.statistics.end_points import end_points
from lpa.statistics.multiplicity import corrected
from lpa.statistics.policies_compared import has_policies, policies_compared
from lpa.statistics.policy_targets import policy_of
from lpa.statistics.sweeps_compared import sweeps_compared

__all__ = ["Comparisons", "compare_sweeps"]

MOST_VALUES = 8
"""Values of an axis at which sweeps are compared; more are thinned evenly, whatever they show."""

HALVINGS = 50

Pieces = tuple[pd.DataFrame, pd.DataFrame]
"""End points and classes of one or more comparisons, with ``axis`` and ``value``."""


class Comparisons(NamedTuple):
    """End points, counts of classes, the classes that differ most surely, and who is first."""

    ends: ShownTable
    counts: ShownTable
    classes: ShownTable
    first: list[str]


@dataclasses.dataclass(frozen=True)
class _Contender:
    """One model of one run on an axis of the page."""

    name: str
    outcomes: Outcomes
    model: str
    axis: str
    values: tuple[float, ...]

    def arm(self, value: float) -> Arm:
        return Arm(self.name, self.outcomes, value, self.model, self.axis)


def compare_sweeps(sources: Sources) -> Comparisons:
    """Compare policies with the plain training, and sweeps with the first one on the same axis.

    A model that was trained with a policy is compared with the plain one
    (:func:`~lpa.statistics.policies_compared.policies_compared`); every other model of every run
    with training runs is a sweep of its own, the first on the page the baseline. Sweeps are
    compared at the values that both have, with at least two training runs each, and not at those
    that look best. Holm's correction of the end points is over all of them, values, policies and
    axes, by split and direction; that of the classes is within one comparison.

    Parameters
    ----------
    sources : Sources
        The runs.
    """
    notes: list[str] = []
    found = [*_policies(sources, notes), *_side_by_side(sources, notes)]
    notes = list(dict.fromkeys(notes))
    if not found:
        nothing = ShownTable([], [], pd.DataFrame())
        return Comparisons(dataclasses.replace(nothing, notes=notes), nothing, nothing, [])
    ends, classes = (pd.concat(tables, ignore_index=True) for tables in zip(*found, strict=True))
    joined = corrected(ends, by=["split", "level", "direction"])
    return Comparisons(
        end_table(joined, notes),
        count_table(classes),
        class_table(classes),
        list(dict.fromkeys(joined["baseline"])),
    )


def _policies(sources: Sources, notes: list[str]) -> list[Pieces]:
    """Compare the models that were trained with a policy, under the names of the page."""
    runs = {run.name: run for run in sources.runs if run.trained and not run.counted}
    outcomes = {name: run.outcomes for name, run in runs.items()}
    if not any(has_policies(run) for run in outcomes.values()):
        return []
    shown = {
        (f"{name}: {model}" if len(runs) > 1 else model): (run, model)
        for name, run in runs.items() for model in run.models
    }  # fmt: skip
    try:
        found = policies_compared(outcomes, family="all", halvings=HALVINGS)
    except InputError as error:
        notes.append(str(error))
        return []
    notes += found.end_points.attrs["notes"]
    tables = []
    for table in found:
        axes = [shown[one][0].axes[own]
                for one, own in zip(table["baseline"], table["axis"], strict=True)]  # fmt: skip
        baseline, policy = (
            [shown[each][0].models[shown[each][1]] for each in table[column]]
            for column in ("baseline", "policy")
        )
        tables.append(table.assign(axis=axes, baseline=baseline, policy=policy))
    return [(tables[0], tables[1])]


def _side_by_side(sources: Sources, notes: list[str]) -> list[Pieces]:
    """Compare sweeps without policies with the first one on each axis."""
    found = []
    for axis in sources.axes:
        contenders = _contenders(sources, axis)
        for other in contenders[1:]:
            for value in _shared(contenders[0], other, notes):
                arms = contenders[0].arm(value), [other.arm(value)]
                try:
                    ends, classes = end_points(*arms, halvings=HALVINGS), sweeps_compared(*arms)
                except InputError as error:
                    notes.append(str(error))
                    continue
                notes += [*ends.attrs["notes"], *classes.attrs["notes"]]
                found.append(
                    (ends.assign(axis=axis, value=value), classes.assign(axis=axis, value=value))
                )
    return found


def _contenders(sources: Sources, axis: str) -> list[_Contender]:
    found = []
    for run in sources.runs:
        own = next((name for name, shown in run.axes.items() if shown == axis), None)
        if own is None or not run.trained or run.counted:
            continue
        cells = run.outcomes.cells
        for model, shown in run.models.items():
            if policy_of(run.outcomes.models.get(model, {})):
                continue
            mine = cells[(cells["model"] == model) & (cells["axis"] == own)]
            runs = mine.groupby("value").size()
            enough = [float(value) for value in runs.index[runs > 1]]
            if len(mine):
                part = Part(run.outcomes, models=[model], axes=[own])
                values = run.axis(own).ordered(enough)
                found.append(_Contender(shown, part, model, own, values))
    return found


def _shared(baseline: _Contender, other: _Contender, notes: list[str]) -> list[float]:
    """Return the values to compare at, from weak to strong."""
    shared = [value for value in baseline.values if value in other.values]
    if not shared:
        notes.append(
            f"{other.name} and {baseline.name} have no value of {other.axis} in common at which "
            "both have two training runs"
        )
    if len(shared) <= MOST_VALUES:
        return shared
    notes.append(
        f"{other.name} and {baseline.name} have {len(shared)} values of {other.axis} in common; "
        f"{MOST_VALUES} of them, evenly apart, are compared"
    )
    places = np.linspace(0, len(shared) - 1, MOST_VALUES).round().astype(int)
    return [shared[place] for place in places]
