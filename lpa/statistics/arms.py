"""Arms of a comparison: groups of training runs, brought to the same images and classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from lpa.axes import format_value
from lpa.errors import InputError, unknown
from lpa.outcomes import Outcomes
from lpa.statistics.curve_data import CurveData, curve_data, levels

__all__ = ["SELECTED", "AlignedArms", "Arm", "aligned_arms"]

SELECTED = "selected on these images"
"""Mark of an arm that was chosen by its scores on the images that it is scored on."""


@dataclass(frozen=True)
class Arm:
    """One group of training runs: a value of a sweep, or a policy.

    Attributes
    ----------
    name : str
        What it is called in tables.
    outcomes : Outcomes
        The sweep or probe.
    value : float
        The value of its axis.
    model, axis : str, optional
        Needed where the run has several.
    selected_on : collection of str
        Fingerprints of the images from whose scores this arm was chosen.
    """

    name: str
    outcomes: Outcomes
    value: float
    model: str | None = None
    axis: str | None = None
    selected_on: Sequence[str] = ()

    @property
    def mark(self) -> str:
        """Whether the arm was chosen on the images of its own run; empty if not."""
        return SELECTED if self.outcomes.record.fingerprint in self.selected_on else ""


@dataclass(frozen=True)
class AlignedArms:
    """Arms on the images that all of them have.

    Attributes
    ----------
    split : str
        Of the images; splits are never pooled.
    correct : list of arrays of bool, shape [runs, images]
        One array per arm.
    labels : array of int64, shape [images]
        Class of each image, as the first arm's run numbers them.
    notes : list of str
        What was left out.
    """

    split: str
    correct: list[npt.NDArray[np.bool_]]
    labels: npt.NDArray[np.int64]
    notes: list[str] = field(default_factory=list)


def aligned_arms(arms: Sequence[Arm], split: str | None = None) -> list[AlignedArms]:
    """Return the arms on their common images, one entry per split.

    Images are the same where their bytes are. Those that some arm lacks are left out and counted.

    Raises
    ------
    InputError
        For fixed models, for a model, axis or value that a run lacks or that is not said, and where
        no image, or no split, is common.
    """
    curves = [_curves(arm, split) for arm in arms]
    common = [name for name in curves[0] if all(name in other for other in curves)]
    if not common:
        raise InputError(
            "the runs have no split in common: "
            + "; ".join(
                f"{arm.name} has {', '.join(c)}" for arm, c in zip(arms, curves, strict=True)
            )
        )
    return [_aligned(arms, [curve[name] for curve in curves], name) for name in common]


def _curves(arm: Arm, split: str | None) -> dict[str, CurveData]:
    levels(arm.outcomes, "run")
    cells = arm.outcomes.cells
    model = _only(arm, "model", arm.model, cells["model"].unique().tolist())
    mine = cells[cells["model"] == model]
    axis = _only(arm, "axis", arm.axis, mine["axis"].dropna().unique().tolist())
    return {
        curve.split: curve
        for curve in curve_data(arm.outcomes, split)
        if (curve.model, curve.axis) == (model, axis)
    }


def _only(arm: Arm, kind: str, wanted: str | None, known: list[str]) -> str:
    if wanted is None and len(known) == 1:
        return known[0]
    if wanted is None:
        raise InputError(
            f"{arm.outcomes.store} has {len(known)} of kind {kind} ({', '.join(known)}); say which"
        )
    if wanted not in known:
        raise unknown(kind, wanted, known)
    return wanted


def _aligned(arms: Sequence[Arm], curves: Sequence[CurveData], split: str) -> AlignedArms:
    keys, rows = [], []
    for arm, curve in zip(arms, curves, strict=True):
        at = np.flatnonzero(np.isclose(curve.values, arm.value, rtol=1e-9, atol=0))
        if not len(at):
            known = ", ".join(format_value(value) for value in curve.values)
            raise InputError(
                f"{arm.name}: value {format_value(arm.value)} of {curve.axis} is not there; "
                f"{arm.outcomes.store} has {known}"
            )
        rows.append(curve.replicates(int(at[0])))
        if len(rows[-1]) < 2:
            raise InputError(
                f"{arm.name}: one training run at {format_value(arm.value)}; expected at least 2: "
                "train more seeds"
            )
        samples = arm.outcomes.samples
        keys.append(np.asarray(samples.key)[np.asarray(samples.split, dtype=object) == split])
    labels = curves[0].labels
    if all(np.array_equal(keys[0], other) for other in keys[1:]):
        return AlignedArms(split, rows, labels)
    common = np.unique(keys[0])
    for other in keys[1:]:
        common = np.intersect1d(common, other)
    if not len(common):
        raise InputError(
            "the runs have no image in common: " + ", ".join(str(a.outcomes.store) for a in arms)
        )
    places = [np.unique(mine, return_index=True) for mine in keys]
    taken = [index[np.searchsorted(value, common)] for value, index in places]
    most = max(len(mine) for mine in keys)
    note = f"{split}: {len(common)} of {most} images are in all runs, and are compared"
    correct = [row[:, index] for row, index in zip(rows, taken, strict=True)]
    return AlignedArms(split, correct, labels[taken[0]], [note])
