"""Targets whose confidence is the measured preservation at the drawn strength (paper, Eq. 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch

from lpa.axes import Axis, format_value
from lpa.classes import Classes
from lpa.errors import InputError
from lpa.outcomes import content_hash
from lpa.statistics.predictions import PredictedCurve, predicted_curves
from lpa.statistics.selected_images import choosing_half, images_record
from lpa.training.batch import Batch
from lpa.training.policies.context import PolicyContext
from lpa.training.policies.policy import Policy
from lpa.training.policies.sources import SourceRun, source_run
from lpa.training.policies.specs import PolicySpec

__all__ = ["PreservationTargets"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
REVISION = 1


class _Measured(NamedTuple):
    """What a scan says of the run's classes."""

    targets: npt.NDArray[np.float32]
    undefined: list[str]
    unmeasured: list[str]


class PreservationTargets(Policy):
    r"""The target of class c at strength a has confidence :math:`\min(1, A_c(a) / A_c(v_0))`.

    An augmentation that leaves the label's level set biases the model unless the target moves with
    it (Eq. 1); here it moves as far as one fixed model was measured to follow. The rest spreads
    over the other classes as the scan's predictions of class c at that strength do (draws averaged;
    what is confused at the reference is not subtracted; predictions outside the run's classes do
    not count), evenly where there is none. Between two measured strengths targets are interpolated
    linearly in the strength; beyond the strongest they stay. Classes that the scan lacks or
    never recognises at the reference keep their label. Classes are matched by name. Not in the
    paper.

    Parameters
    ----------
    axis : Axis
        The scanned one.
    values : sequence of float
        Measured strengths, from weak to strong, the reference first.
    targets : array of float, shape [classes, values, classes]
        Target of each run's class at each of them; rows add up to 1.
    device : torch.device
        Where the tables lie, in float32.
    """

    name = "preservation_targets"

    def __init__(
        self,
        axis: Axis,
        values: Sequence[float],
        targets: npt.NDArray[np.floating[Any]],
        device: torch.device,
    ) -> None:
        self._sign = -1.0 if axis.stronger == "down" else 1.0
        self._places = self._sign * np.asarray(values, dtype=np.float64)
        self._targets = torch.from_numpy(np.asarray(targets, dtype=np.float32)).to(device)
        self._facts: dict[str, Any] = {"revision": REVISION}

    @classmethod
    def build(cls, spec: PolicySpec, context: PolicyContext) -> Self:
        """Read the scan; see :func:`lpa.training.policies.build_policy`."""
        scanned = context.regularizer.scanned
        if scanned is None:
            raise InputError(
                f"policy {spec.name} needs an augmentation that `lpa scan` knows, and "
                f"{context.axis.name} is none; sweep one that is, e.g. random_crop"
            )
        run = source_run(spec.name, spec.source, scanned, trained=False)
        curve = _curve(run)
        # Images that the run evaluates, too, are halved: one half to measure on, one to score.
        keys = run.outcomes.samples.key
        half = bool(np.isin(keys, context.evaluated.key).any())
        kept = choosing_half(keys) if half else np.ones(len(keys), dtype=bool)
        measured = _measured(curve, kept, run.outcomes.classes, context.classes)
        if len(measured.unmeasured) == len(context.classes):
            raise InputError(
                f"policy {spec.name}: none of the {len(run.outcomes.classes)} classes of "
                f"{run.outcomes.store} is a class of the run, such as "
                f"{context.classes.names[0]!r}; expected the same classes"
            )
        made = cls(run.axis, curve.values.tolist(), measured.targets, context.device)
        made._facts |= {
            "run": content_hash(run.cells),
            "axis": run.axis.name,
            "values": curve.values.tolist(),
            "images": images_record(run.outcomes.samples, half=half),
        }
        made.selected_on = (run.outcomes.samples.fingerprint,)
        made.notes = tuple(_notes(measured, run, context))
        return made

    def record(self) -> dict[str, Any]:
        """Return what outcomes depend on; see :meth:`Policy.record`."""
        return dict(self._facts)

    def targets(self, batch: Batch, strengths: Floats | None, classes: int) -> Batch:
        """Move each target by what its image really got; see :meth:`Policy.targets`."""
        if strengths is None:
            return batch
        low, share = self._between(strengths)
        device = self._targets.device
        at = torch.from_numpy(low).to(device)
        weight = torch.from_numpy(share.astype(np.float32)).to(device)[:, None]
        labels = batch.labels.to(device)
        weaker, stronger = self._targets[labels, at], self._targets[labels, at + 1]
        batch.targets = torch.lerp(weaker, stronger, weight)
        return batch

    def _between(self, strengths: Floats) -> tuple[Integers, Floats]:
        """Return the last measured value at or before each strength, and the way to the next."""
        where = self._sign * np.asarray(strengths, dtype=np.float64)
        low = np.searchsorted(self._places, where, side="right") - 1
        low = np.clip(low, 0, len(self._places) - 2)
        step = self._places[low + 1] - self._places[low]
        return low, np.clip((where - self._places[low]) / step, 0.0, 1.0)


def _curve(run: SourceRun) -> PredictedCurve:
    (curve,) = (
        each
        for each in predicted_curves(run.outcomes)
        if each.model == run.model and each.axis == run.axis
    )
    if not curve.has_losses:
        raise InputError(
            f"policy preservation_targets: {run.model} on {run.axis.name} in {run.outcomes.store} "
            "has no reference and other value; scan it at some"
        )
    return curve


def _measured(
    curve: PredictedCurve, kept: npt.NDArray[np.bool_], scan: Classes, run: Classes
) -> _Measured:
    """Make the targets of every run's class at every measured value."""
    classes = len(run)
    place = run.find(scan.names, by_index=False)
    # The last entry is met by -1, a prediction outside of the scan's classes.
    to_run = np.append(place, -1)
    labels = to_run[curve.labels][kept]
    rows = np.flatnonzero(labels >= 0)
    sizes = np.bincount(labels[rows], minlength=classes).astype(np.float64)
    targets = np.zeros((classes, len(curve.values), classes), dtype=np.float32)
    right = np.zeros((len(curve.values), classes))
    for index in range(len(curve.values)):
        drawn = to_run[curve.at(index)][:, kept][:, rows]
        counts = _shares(labels[rows], drawn, classes)
        right[index] = np.diagonal(counts)
        np.fill_diagonal(counts, 0.0)
        total = counts.sum(axis=1, keepdims=True)
        even = (1.0 - np.eye(classes)) / max(classes - 1, 1)
        targets[:, index] = np.where(total > 0, counts / np.where(total > 0, total, 1.0), even)
    defined = right[0] > 0
    confidence = np.ones_like(right)
    confidence[:, defined] = np.minimum(1.0, right[:, defined] / right[0, defined])
    targets *= (1.0 - confidence.T)[:, :, None].astype(np.float32)
    every = np.arange(classes)
    targets[every, :, every] = confidence.T
    return _Measured(
        targets,
        [run.names[index] for index in np.flatnonzero((sizes > 0) & ~defined)],
        [run.names[index] for index in np.flatnonzero(sizes == 0)],
    )


def _shares(labels: Integers, drawn: Integers, classes: int) -> Floats:
    """Return how often class b is predicted for class c, draws averaged: [classes, classes]."""
    inside = drawn >= 0
    pairs = (labels * classes + drawn)[inside]
    counts = np.bincount(pairs, minlength=classes**2).astype(np.float64) / len(drawn)
    return counts.reshape(classes, classes)


def _notes(measured: _Measured, run: SourceRun, context: PolicyContext) -> list[str]:
    """Say which classes keep their label, and which strengths lie beyond what was measured."""
    notes = []
    for names, reason in (
        (measured.undefined, f"are never recognised at the reference in {run.outcomes.store}"),
        (measured.unmeasured, f"have no images in {run.outcomes.store}"),
    ):
        if names:
            named = ", ".join(map(repr, names[:3])) + (", ..." if len(names) > 3 else "")
            notes.append(
                f"preservation_targets: {len(names)} of {len(context.classes)} classes {reason} "
                f"and keep their label as target: {named}"
            )
    cells = run.outcomes.cells
    mine = cells.loc[(cells["model"] == run.model) & (cells["axis"] == run.axis.name), "value"]
    last = max(mine, key=run.axis.strength)
    beyond = [v for v in context.values if run.axis.strength(v) > run.axis.strength(last) + 1e-9]
    if beyond:
        notes.append(
            f"preservation_targets: {context.axis.name} reaches {format_value(beyond[-1])} and "
            f"{run.outcomes.store} {format_value(last)}; stronger images get the targets of "
            f"{format_value(last)}"
        )
    return notes
