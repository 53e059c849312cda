"""The axes of imported results: known by name, or described by the user."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from lpa.augmentations import AUGMENTATIONS, spec_of
from lpa.axes import Axis, format_value
from lpa.errors import InputError

__all__ = ["OwnAxis", "canonical", "choose_axis"]


@dataclass(frozen=True)
class OwnAxis:
    """What the user says of an axis; None where nothing is said."""

    unit: str | None = None
    reference: float | None = None
    stronger: str | None = None
    scale: str | None = None

    def said(self) -> dict[str, Any]:
        """Return what is said."""
        return {name: value for name, value in vars(self).items() if value is not None}


def canonical(name: str) -> str:
    """Return an axis's one spelling: options of known augmentations sorted, defaults dropped."""
    return spec_of(name).name if _family(name) in AUGMENTATIONS else name


def _family(name: str) -> str:
    return name.partition("(")[0].strip()


def choose_axis(
    name: str,
    values: Collection[float],
    own: OwnAxis,
    present: Mapping[str, Axis],
    trained: bool,
) -> Axis:
    """Return the axis of a name.

    Parameters
    ----------
    name : str
        Canonical.
    values : collection of float
        Its values in the files, at least one.
    own : OwnAxis
        What the user says.
    present : mapping of str to Axis
        The axes of the run that is extended.
    trained : bool
        Whether replicates are trainings; then nothing is isotonic along the axis (STATISTICS 3.5).

    Raises
    ------
    InputError
        For an axis that nobody describes, a description that differs from what is known, and for
        values out of range or on both sides of the reference.
    """
    if name in present:
        axis = present[name]
        _check_same(name, axis, own, "the run")
    elif _family(name) in AUGMENTATIONS:
        axis = spec_of(name).axis
        _check_same(name, axis, own, "lpa's own")
        axis = replace(axis, monotone=axis.monotone and not trained)
    else:
        axis = _described(name, values, own, trained)
    _check_values(axis, values)
    return axis


def _check_same(name: str, axis: Axis, own: OwnAxis, whose: str) -> None:
    for field, said in own.said().items():
        there = getattr(axis, field)
        if there != said:
            raise InputError(
                f"axis {name!r} has {field} {_shown(there)} in {whose} axes, and {_shown(said)} is "
                f"said; leave --{field} out, or give the axis another name"
            )


def _shown(value: Any) -> str:
    return format_value(value) if isinstance(value, float | int) else str(value)


def _described(name: str, values: Collection[float], own: OwnAxis, trained: bool) -> Axis:
    if own.reference is None:
        raise InputError(
            f"axis {name!r} is not known to lpa; describe it, e.g. --axis {name} --unit quality "
            "--reference 100 --stronger down"
        )
    reference = float(own.reference)
    up = all(value >= reference for value in values)
    down = all(value <= reference for value in values)
    stronger = own.stronger
    if stronger is None and up == down:
        raise InputError(
            f"axis {name!r}: its values do not say on which side of the reference "
            f"{format_value(reference)} strength grows; give --stronger up or down"
        )
    direction: Literal["up", "down"] = (
        "up" if (stronger or ("up" if up else "down")) == "up" else "down"
    )
    least, most = (reference, math.inf) if direction == "up" else (-math.inf, reference)
    scale: Literal["linear", "log"] = "log" if own.scale == "log" else "linear"
    if scale == "log" and (reference <= 0 or min(values) <= 0):
        raise InputError(
            f"axis {name!r}: a log scale needs values above 0, and "
            f"{format_value(min(reference, *values))} is not; leave --scale log out"
        )
    return Axis(
        name, own.unit or name, reference, direction, scale, least, most, monotone=not trained
    )


def _check_values(axis: Axis, values: Collection[float]) -> None:
    for value in values:
        if not axis.minimum <= value <= axis.maximum:
            limits = [
                f"{word} {format_value(limit)}"
                for word, limit in (("from", axis.minimum), ("to", axis.maximum))
                if math.isfinite(limit)
            ]
            raise InputError(
                f"{axis.name}: value {format_value(value)} is out of range; expected "
                f"{' '.join(limits)} ({axis.unit}, reference {format_value(axis.reference)})"
            )
