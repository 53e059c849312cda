"""An axis: what is varied, in which unit, from which reference value, towards which side.

Statistics know only axes, so each of them works for scans, training sweeps and probes alike.
This module imports nothing but the standard library and :mod:`lpa.errors`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from lpa.errors import InputError

__all__ = ["Axis", "format_value"]


def format_value(value: float) -> str:
    """Write an axis value as people type it: ``0.08``, ``1``, ``1e-05``."""
    return f"{value:.12g}"


@dataclass(frozen=True)
class Axis:
    """One axis of an experiment.

    Attributes
    ----------
    name : str
        Canonical name, options included: ``"crop"``, ``"crop(place=centre)"``.
    unit : str
        Unit of the values, written on axis titles: ``"fraction of the view kept"``.
    reference : float
        The identity of an augmentation, or "no regularization".
    stronger : {"down", "up"}
        Whether strength grows as the value falls or as it rises.
    scale : {"linear", "log"}
        Scale of the axis, for drawing, interpolation and trapezoid weights.
    minimum, maximum : float
        Inclusive range of permitted values.
    monotone : bool
        Whether the true loss can be taken to grow with strength (STATISTICS 3.5): true for
        scans of a fixed model, false for training sweeps and probes.
    grid : tuple of float
        Default values from weak to strong, the reference first.
    """

    name: str
    unit: str
    reference: float
    stronger: Literal["down", "up"] = "up"
    scale: Literal["linear", "log"] = "linear"
    minimum: float = -math.inf
    maximum: float = math.inf
    monotone: bool = True
    grid: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Keep the default grid a tuple whatever it was read from (JSON gives lists)."""
        object.__setattr__(self, "grid", tuple(float(value) for value in self.grid))

    def strength(self, value: float) -> float:
        """Return a number that grows with strength; 0 at the reference, in units of the axis."""
        difference = value - self.reference
        return -difference if self.stronger == "down" else difference

    def ordered(self, values: Iterable[float]) -> tuple[float, ...]:
        """Sort values from weak to strong."""
        return tuple(sorted(values, key=self.strength))

    def check(self, values: Iterable[float], called: str = "identity") -> tuple[float, ...]:
        """Check values of the user and return them from weak to strong, the reference included.

        Parameters
        ----------
        values : iterable of float
            As typed, in any order, with or without the reference.
        called : str
            How messages call the reference.

        Returns
        -------
        tuple of float
            From weak to strong; the first is the reference.

        Raises
        ------
        InputError
            For a value that is no finite number in range, for duplicates, and when nothing but
            the reference is left.
        """
        checked: list[float] = []
        for value in values:
            number = float(value)
            if not math.isfinite(number) or not self.minimum <= number <= self.maximum:
                raise InputError(
                    f"{self.name}: value {format_value(number)} is out of range; expected "
                    f"{format_value(self.minimum)} to {format_value(self.maximum)} "
                    f"({self.unit}, {called} {format_value(self.reference)})"
                )
            if number in checked:
                raise InputError(
                    f"{self.name}: value {format_value(number)} is given twice; give each once"
                )
            checked.append(number)
        others = [number for number in checked if number != self.reference]
        if not others:
            raise InputError(
                f"{self.name}: no value beside the {called} {format_value(self.reference)}; "
                f"give at least one more, e.g. {self.name}="
                + ",".join(format_value(value) for value in (self.grid or (self.reference,))[:3])
            )
        return self.ordered([self.reference, *others])

    def renamed(self, name: str) -> Axis:
        """Return the same axis under another canonical name (options included)."""
        return replace(self, name=name)

    def to_dict(self) -> dict[str, Any]:
        """Return the axis as plain JSON values; infinite ends become null."""
        record = asdict(self)
        for end in ("minimum", "maximum"):
            if not math.isfinite(record[end]):
                record[end] = None
        record["grid"] = list(self.grid)
        return record

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Axis:
        """Read what :meth:`to_dict` wrote; raise ValueError or TypeError for anything else."""
        record = dict(record)
        if record.get("minimum") is None:
            record["minimum"] = -math.inf
        if record.get("maximum") is None:
            record["maximum"] = math.inf
        try:
            axis = cls(**record)
        except OverflowError:
            raise ValueError("an axis has a grid of no finite numbers") from None
        if not all(isinstance(each, str) for each in (axis.name, axis.unit)) or not axis.name:
            raise ValueError(f"an axis is named {axis.name!r}, in {axis.unit!r}")
        if axis.stronger not in ("down", "up") or axis.scale not in ("linear", "log"):
            raise ValueError(f"{axis.name} has stronger {axis.stronger!r} and scale {axis.scale!r}")
        if not all(map(_is_finite, (axis.reference, *axis.grid))):
            raise ValueError(f"{axis.name} has a reference or grid of no finite numbers")
        for end in (axis.minimum, axis.maximum):
            if not _is_finite(end) and end not in (-math.inf, math.inf):
                raise ValueError(f"{axis.name} has a range of no numbers")
        return replace(axis, reference=float(axis.reference), monotone=bool(axis.monotone))


def _is_finite(value: Any) -> bool:
    """Tell a number that a float holds; whole numbers of JSON have any size."""
    return isinstance(value, int | float) and abs(value) <= sys.float_info.max
