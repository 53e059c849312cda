"""Policies of training compared with the plain training, in one run or several (3.15)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from lpa.axes import format_value
from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.outcomes.part import Part
from lpa.statistics.arms import Arm
from lpa.statistics.end_points import COLUMNS as END_POINTS
from lpa.statistics.end_points import end_points
from lpa.statistics.multiplicity import corrected
from lpa.statistics.policy_targets import policy_of, targeted_classes
from lpa.statistics.selected_images import scoring_keys
from lpa.statistics.sweeps_compared import COLUMNS as CLASSES
from lpa.statistics.sweeps_compared import sweeps_compared

__all__ = ["PoliciesCompared", "has_policies", "policies_compared"]

PLACE = ("axis", "value")
_TOGETHER = ("level", "direction")
END_FAMILY = ("baseline", "axis", "value", "split", *_TOGETHER)
SELECTED_RUNS = "selected on these runs"
"""Mark of a policy that is compared with the very trainings that chose it."""
CLASS_FAMILY = ("baseline", "policy", "axis", "value", "split", *_TOGETHER)


class PoliciesCompared(NamedTuple):
    """End points and classes; the same notes in ``attrs`` of both."""

    end_points: pd.DataFrame
    classes: pd.DataFrame


@dataclass(frozen=True)
class _Pair:
    """A policy's model beside the plain one, on one axis; both limited to that curve.

    ``fresh`` has the plain trainings that did not choose the policy.
    """

    baseline: str
    policy: str
    axis: str
    plain: Part
    fresh: Part
    chosen: Part
    plain_model: str
    model: str
    record: Mapping[str, Any]
    selected_on: tuple[str, ...]


def has_policies(outcomes: Outcomes) -> bool:
    """Whether a run has a model that was trained with a policy."""
    return any(policy_of(facts) for facts in outcomes.models.values())


def policies_compared(
    runs: Mapping[str, Outcomes],
    values: Sequence[float] | None = None,
    targeted: Sequence[str] = (),
    models: Sequence[str] | None = None,
    family: Literal["one", "all"] = "one",
    confidence: float = 0.95,
    split: str | None = None,
    method_fdr: Literal["fdr_bh", "fdr_by"] = "fdr_bh",
    halvings: int = 200,
    by_class: bool = True,
) -> PoliciesCompared:
    """Compare every policy with the plain training of the same model, axis and value.

    Estimands, levels (``run`` and ``both``), intervals and tests are those of
    :func:`~lpa.statistics.end_points.end_points` and
    :func:`~lpa.statistics.sweeps_compared.sweeps_compared`. The plain model of ``MODEL+POLICY`` is
    ``MODEL``, of its own run or else of the first that has it. Family: end points x policies of one
    plain model, axis, value, split, level and direction (Holm); classes by policy, too;
    ``family="all"`` joins models, axes and values. The targeted classes are, for a policy that says
    so, those that it trains otherwise than the plain training does.

    Edge cases: a policy that was chosen on some of the images is scored on the others, which is
    noted; one that was chosen on all of them is marked "selected on these images" and has no
    p-value. Plain trainings that chose it are left out, whatever run they stand in; where fewer
    than two others are left, all are kept, and it is marked "selected on these runs" without a
    p-value. A value with fewer than two trainings of either is left out and noted.

    Parameters
    ----------
    runs : mapping of str to Outcomes
        Sweeps by name.
    values : sequence of float, optional
        Fixed beforehand; by default every value beside the reference that both have.
    targeted : sequence of str
        Names of classes, in place of the policies' own.
    models : sequence of str, optional
        Only these models with policies.
    family, confidence, split, method_fdr, halvings
        As there.
    by_class : bool
        Whether classes are wanted; otherwise their table is empty.

    Returns
    -------
    PoliciesCompared
        The columns of the two statistics, ``axis`` and ``value`` before them.

    Raises
    ------
    InputError
        Where no run has a policy, nothing can be compared with it, and as
        :func:`~lpa.statistics.arms.aligned_arms`.
    """
    notes: list[str] = []
    points, classes = [], []
    for pair in _pairs(runs, models, notes):
        for value in _values(pair, values, notes):
            plain, chosen, mark = _arms(pair, value, notes)
            own = _targeted(pair, value) if not targeted else list(targeted)
            place: dict[str, Any] = {
                "axis": pair.axis,
                "value": value,
                **({"mark": mark} if mark else {}),
            }
            found = end_points(plain, [chosen], own, confidence, split, halvings)
            points.append(found.assign(**place))
            notes += found.attrs["notes"]
            if by_class:
                table = sweeps_compared(plain, [chosen], confidence, split)
                classes.append(table.assign(**place))
    if not points:
        raise InputError("; ".join(notes) or "no policy can be compared")
    alone = family == "one"
    return PoliciesCompared(
        _joined(points, END_POINTS, END_FAMILY if alone else _TOGETHER, method_fdr, notes),
        _joined(classes, CLASSES, CLASS_FAMILY if alone else _TOGETHER, method_fdr, notes),
    )


def _joined(
    pieces: list[pd.DataFrame],
    columns: Sequence[str],
    family: Sequence[str],
    method_fdr: Literal["fdr_bh", "fdr_by"],
    notes: Sequence[str],
) -> pd.DataFrame:
    frame = pd.DataFrame(columns=[*PLACE, *columns])
    if pieces:
        joined = pd.concat(pieces, ignore_index=True)
        frame = corrected(joined, by=family, method_fdr=method_fdr)[[*PLACE, *columns]]
    frame.attrs["notes"] = list(dict.fromkeys(notes))
    return frame


def _pairs(
    runs: Mapping[str, Outcomes], models: Sequence[str] | None, notes: list[str]
) -> Iterator[_Pair]:
    """Yield each policy's model, on each axis, beside the plain model."""
    found = [
        (run, model, policy_of(facts))
        for run, outcomes in runs.items()
        for model, facts in outcomes.models.items()
        if policy_of(facts) and (outcomes.cells["model"] == model).any()
    ]
    if not found:
        raise InputError(
            f"no model in {', '.join(runs)} was trained with a policy; expected a sweep with "
            "--policy, such as --policy plain,adaptive_strength"
        )
    for run, model, policy in found:
        if models is not None and model not in models:
            continue
        plain = _plain(runs, run, model)
        if plain is None:
            notes.append(
                f"{model} in {run} has no plain training to be compared with; train it with "
                "--policy plain, or give its run, too"
            )
            continue
        shown = [
            f"{where}: {who}" if len(runs) > 1 else who for where, who in (plain, (run, model))
        ]
        for axis in _axes(runs[plain[0]], plain[1], runs[run], model):
            chosen = _scoring(runs[run], model, axis, policy.get("record", {}), shown[1], notes)
            whole: Outcomes = runs[plain[0]]
            if len(chosen.samples) < len(runs[run].samples):
                whole = Part(whole, images=np.isin(whole.samples.key, chosen.samples.key))
            yield _Pair(
                shown[0], shown[1], axis,
                Part(whole, models=[plain[1]], axes=[axis]),
                _fresh(whole, plain[1], axis, policy.get("record", {})),
                chosen,
                plain[1], model, policy.get("record", {}), tuple(policy.get("selected_on", ())),
            )  # fmt: skip


def _plain(runs: Mapping[str, Outcomes], run: str, model: str) -> tuple[str, str] | None:
    """Return run and name of the plain model: ``MODEL`` of ``MODEL+POLICY``, its own run first."""
    for where in (run, *(other for other in runs if other != run)):
        outcomes = runs[where]
        measured = set(outcomes.cells["model"])
        names = [
            name
            for name, facts in outcomes.models.items()
            if not policy_of(facts) and name in measured and model.startswith(f"{name}+")
        ]
        if names:
            return where, max(names, key=len)
    return None


def _axes(first: Outcomes, plain: str, second: Outcomes, model: str) -> list[str]:
    """Return the axes on which both models were trained."""
    mine = first.cells.loc[first.cells["model"] == plain, "axis"].dropna()
    theirs = second.cells.loc[second.cells["model"] == model, "axis"].dropna()
    return [str(axis) for axis in dict.fromkeys(mine) if (theirs == axis).any()]


def _fresh(outcomes: Outcomes, model: str, axis: str, record: Mapping[str, Any]) -> Part:
    """Return the plain model's curve without the trainings that chose the policy."""
    ids = set(record.get("cells", ()))
    chose = {
        (entry.cell.value, entry.cell.replicate)
        for entry in outcomes.coverage
        if entry.cell.id in ids
    }
    cells = outcomes.cells
    others = [pair not in chose for pair in zip(cells["value"], cells["replicate"], strict=True)]
    return Part(outcomes, models=[model], axes=[axis], cells=np.array(others, dtype=bool))


def _scoring(
    outcomes: Outcomes,
    model: str,
    axis: str,
    record: Mapping[str, Any],
    shown: str,
    notes: list[str],
) -> Part:
    """Return the policy's curve on the images that did not choose it, or on all if all did."""
    scoring = scoring_keys(record, outcomes.samples.key)
    if scoring.all() or not scoring.any():
        return Part(outcomes, models=[model], axes=[axis])
    notes.append(
        f"{shown} was chosen on images of {outcomes.store}: it is scored on {int(scoring.sum())} "
        f"of {len(scoring)}, which did not choose it"
    )
    return Part(outcomes, models=[model], axes=[axis], images=scoring)


def _values(pair: _Pair, wanted: Sequence[float] | None, notes: list[str]) -> list[float]:
    """Return the values that both were trained at, at least twice each."""
    reference = pair.plain.axes[pair.axis].reference
    asked = list(dict.fromkeys(pair.plain.cells["value"])) if wanted is None else wanted
    kept = []
    for value in map(float, asked):
        if wanted is None and value == reference:
            continue
        runs = [_trainings(part, value) for part in (pair.plain, pair.chosen)]
        if min(runs) >= 2:
            kept.append(value)
        else:
            notes.append(
                f"{pair.axis}={format_value(value)}: {pair.baseline} has {runs[0]} trainings and "
                f"{pair.policy} {runs[1]}; expected at least 2 of each: train more seeds"
            )
    return kept


def _arms(pair: _Pair, value: float, notes: list[str]) -> tuple[Arm, Arm, str]:
    """Return plain training and policy, and the policy's mark where runs chose it."""
    selected, mark = pair.selected_on, ""
    if pair.record.get("images"):
        # The keys decide, where they are recorded: the part holds what did not choose, or all.
        chose = not scoring_keys(pair.record, pair.chosen.samples.key).any()
        selected = (pair.chosen.record.fingerprint,) if chose else ()
    plain, left = pair.plain, _trainings(pair.fresh, value)
    if left < (all_of := _trainings(pair.plain, value)):
        where = f"{pair.axis}={format_value(value)}: {all_of - left} of {all_of} trainings of"
        if left >= 2:
            plain = pair.fresh
            notes.append(f"{where} {pair.baseline} chose {pair.policy} and are left out")
        else:
            own = pair.chosen.record.fingerprint
            mark = "" if own in selected else SELECTED_RUNS
            selected = (own,)
            notes.append(
                f"{where} {pair.baseline} chose {pair.policy}, which has no p-value; train others "
                "with --policy plain and another --seed"
            )
    return (
        Arm(pair.baseline, plain, value, pair.plain_model, pair.axis),
        Arm(pair.policy, pair.chosen, value, pair.model, pair.axis, selected),
        mark,
    )


def _trainings(part: Part, value: float) -> int:
    return int(np.isclose(part.cells["value"], value, rtol=1e-9, atol=0).sum())


def _targeted(pair: _Pair, value: float) -> list[str]:
    """Return the classes that the policy trains otherwise, as far as the plain run has them.

    Where these are all classes, their mean is the mean of classes, and none is returned.
    """
    names = targeted_classes(
        pair.record, pair.chosen.classes.names, pair.chosen.axes[pair.axis], value
    )
    found = pair.plain.classes.find(names, by_index=False)
    if not len(np.setdiff1d(pair.plain.samples.label, found)):
        return []
    return [name for name, index in zip(names, found, strict=True) if index >= 0]
