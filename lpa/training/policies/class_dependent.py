"""The augmentation for some classes only (paper, Fig. 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lpa.axes import Axis, format_value
from lpa.class_files import read_classes_file
from lpa.classes import Classes
from lpa.errors import InputError, unknown
from lpa.json_text import read_json
from lpa.statistics.curve_data import curve_data
from lpa.statistics.policy_record import read_policy
from lpa.statistics.selected_images import choosing_half, images_record
from lpa.training.policies.context import PolicyContext
from lpa.training.policies.policy import Policy
from lpa.training.policies.sources import SourceRun, family, is_run, source_run
from lpa.training.policies.specs import PolicySpec
from lpa.user_paths import is_file, user_path

__all__ = ["ClassDependent"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
NAMED = 3


class ClassDependent(Policy):
    """Each class has a strength of its own at each value of the sweep.

    Made from one of three sources:

    - names of classes: these get the value, all others the reference;
    - a finished sweep: a class gets the value if its run-averaged accuracy there is above that at
      the reference, on one half of the run's images
      (:func:`~lpa.statistics.selected_images.choosing_half`); the other half is left for scores;
    - the JSON of `lpa policy`: a class gets the value if it is within its safe range, else the last
      safe value; the reference if the range is undefined or holds nothing else.

    The paper's Fig. 7 applies the augmentation to the classes that it helps, over all images. Ours
    differs in the half, since classes that were chosen for their scores regress to the mean
    (STATISTICS 3.14).

    Parameters
    ----------
    strengths : mapping of float to array of float64, shape [classes]
        Value of the sweep -> strength of each class, on the axis.
    facts : mapping
        What it was made from, as plain JSON values; see
        :func:`~lpa.statistics.policy_targets.targeted_classes`.
    """

    name = "class_dependent"

    def __init__(
        self,
        strengths: Mapping[float, Floats],
        facts: Mapping[str, Any],
        notes: Sequence[str] = (),
    ) -> None:
        self._strengths, self._facts = dict(strengths), dict(facts)
        self.notes = tuple(notes)
        images = self._facts.get("images")
        self.selected_on = (images["fingerprint"],) if images else ()

    @classmethod
    def build(cls, spec: PolicySpec, context: PolicyContext) -> Self:
        """Read the source; see :func:`lpa.training.policies.build_policy`."""
        if context.regularizer.place == "recipe":
            raise InputError(
                f"policy {spec.name} gives classes strengths of their own, and "
                f"{context.axis.name} acts on all of them at once; sweep an augmentation"
            )
        notes: list[str] = []
        axis, names = context.axis, context.classes.names
        if is_run(spec.source):
            run = source_run(spec.name, spec.source, axis.name, trained=True)
            helped = _helped(run, context, notes)
            strengths = {v: np.where(helped[v], v, axis.reference) for v in context.values}
            facts: dict[str, Any] = {
                "cells": run.cells,
                "chosen": {format_value(v): _named(names, flags) for v, flags in helped.items()},
                "images": images_record(run.outcomes.samples, half=True),
            }
        elif _is_policy(spec.source):
            record = read_policy(spec.source)
            limits = _limits(record, spec, context, notes)
            strengths = {v: _limited(axis, v, limits) for v in context.values}
            facts = {
                "runs": record["runs"],
                "limits": dict(zip(names, limits.tolist(), strict=True)),
                "images": record["images"],
            }
        else:
            chosen = np.zeros(len(names), dtype=bool)
            chosen[_listed(spec.source, context.classes)] = True
            strengths = {v: np.where(chosen, v, axis.reference) for v in context.values}
            facts = {"chosen": _named(names, chosen)}
        return cls(strengths, facts, notes)

    def values(self, labels: npt.NDArray[np.int64], value: float, axis: Axis) -> Floats:
        """Return each image's strength; see :meth:`Policy.values`."""
        return self._strengths[value][labels]

    def record(self) -> dict[str, Any]:
        """Return what outcomes depend on; see :meth:`Policy.record`.

        Nothing of it depends on which values are trained, so that a sweep can be extended by some.
        """
        return dict(self._facts)


def _named(names: Sequence[str], flags: Flags) -> list[str]:
    return [name for name, flag in zip(names, flags, strict=True) if flag]


def _listed(source: str, classes: Classes) -> list[int]:
    """Find the classes that a file, or names with commas between, name."""
    # A class whose own name holds a comma is one class.
    names = [source]
    if classes.find([source], by_index=False)[0] < 0:
        there = is_file(user_path(source))
        names = read_classes_file(source) if there else source.split(",")
        names = [name.strip() for name in names if name.strip()]
    if not names:
        raise InputError(
            f"{source!r} names no class; expected a file with one name a line, or names with "
            "commas between"
        )
    found = classes.find(names)
    for name, index in zip(names, found, strict=True):
        if index < 0 and len(names) == 1 and ("/" in name or "." in name):
            raise InputError(
                f"policy class_dependent: {name!r} is no file, no run and no class; expected "
                "classes, a finished sweep, or the JSON of `lpa policy`"
            )
        if index < 0:
            raise unknown("class", name, {*classes.names, *classes.labels}, "of this run")
    return [int(index) for index in found]


def _is_policy(source: str) -> bool:
    """Whether a file is JSON with a ``kind``; a mistyped one is then refused as a policy."""
    path = user_path(source)
    try:
        record = read_json(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(record, dict) and isinstance(record.get("kind"), str)


def _helped(run: SourceRun, context: PolicyContext, notes: list[str]) -> dict[float, Flags]:
    """Return which classes the run's values, and the sweep's, help on the half to choose on."""
    (curve,) = (
        each
        for each in curve_data(run.outcomes)
        if (each.model, each.axis) == (run.model, run.axis.name)
    )
    half = choosing_half(run.outcomes.samples.key)
    labels = curve.labels[half]
    sizes = np.bincount(labels, minlength=len(run.outcomes.classes))
    place = _matched(run.outcomes.classes.names, context.classes, run.outcomes.store)

    def hits(value: float) -> Floats:
        at = np.flatnonzero(np.isclose(curve.values, value, rtol=1e-9, atol=0))
        if not len(at):
            known = ", ".join(format_value(v) for v in curve.values)
            raise InputError(
                f"policy class_dependent: {run.outcomes.store} has no {run.axis.name}="
                f"{format_value(value)}; expected one of {known}: train it there first"
            )
        mean = curve.image_means(int(at[0]))[half]
        return np.asarray(np.bincount(labels, weights=mean, minlength=len(sizes)))

    lost = [n for n, at in zip(context.classes.names, place, strict=True) if not _has(sizes, at)]
    if lost:
        notes.append(
            f"class_dependent: {len(lost)} of {len(place)} classes have no images in the half of "
            f"{run.outcomes.store} to choose on, and stay at the reference: {_few(lost)}"
        )
    before, helped = hits(context.axis.reference), {}
    others = [float(value) for value in curve.values if value not in context.values]
    for value in (*context.values, *others):
        # Sums of shares over the same images: a difference of rounding errors is none.
        better = hits(value) - before > 1e-9
        helped[value] = (place >= 0) & better[place]
        used = value in context.values and value != context.axis.reference
        if used and not helped[value].any():
            notes.append(
                f"class_dependent: {run.axis.name}={format_value(value)} helps no class in "
                f"{run.outcomes.store}; there every class gets the reference"
            )
    return {value: helped[value] for value in run.axis.ordered(helped)}


def _has(sizes: npt.NDArray[np.int64], index: int) -> bool:
    return bool(index >= 0 and sizes[index])


def _limits(
    record: Mapping[str, Any], spec: PolicySpec, context: PolicyContext, notes: list[str]
) -> Floats:
    """Return the last safe value of each of the run's classes; the reference where none is."""
    axis, name = context.axis, record["axis"]["name"]
    scanned = context.regularizer.scanned
    if name != axis.name and (scanned is None or family(name) != family(scanned)):
        expected = axis.name + (f" or {scanned}" if scanned else "")
        raise InputError(
            f"policy {spec.name}: {spec.source} is of {name}; expected the policy of {expected}"
        )
    names = list(record["classes"])
    place = _matched(names, context.classes, spec.source)
    limits = np.full(len(place), axis.reference)
    for index in np.flatnonzero(place >= 0):
        safe = record["classes"][names[place[index]]]["range"]
        if safe is not None:
            limits[index] = safe[1]
    lost = [context.classes.names[index] for index in np.flatnonzero(place < 0)]
    if lost:
        notes.append(
            f"class_dependent: {len(lost)} of {len(place)} classes are not in {spec.source} and "
            f"stay at the reference: {_few(lost)}"
        )
    return limits


def _limited(axis: Axis, value: float, limits: Floats) -> Floats:
    sign = -1.0 if axis.stronger == "down" else 1.0
    return np.where(sign * limits >= sign * value, value, limits)


def _matched(names: Sequence[str], classes: Classes, where: object) -> npt.NDArray[np.int64]:
    """Return for each of the run's classes its place among names, or -1."""
    found = classes.find(names, by_index=False)
    if (found < 0).all():
        raise InputError(
            f"policy class_dependent: none of the {len(names)} classes of {where} is a class of "
            f"the run, such as {classes.names[0]!r}; expected the same classes"
        )
    place = np.full(len(classes), -1, dtype=np.int64)
    place[found[found >= 0]] = np.flatnonzero(found >= 0)
    return place


def _few(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:NAMED])) + (", ..." if len(names) > NAMED else "")
