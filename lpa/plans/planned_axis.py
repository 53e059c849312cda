"""The values and replicates that are asked for on one axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lpa.axes import Axis, format_value
from lpa.errors import InputError

__all__ = ["PlannedAxis"]


@dataclass(frozen=True)
class PlannedAxis:
    """The values and draws that are asked for on one axis.

    Attributes
    ----------
    axis : Axis
        The axis, under its canonical name.
    values : tuple of float
        From weak to strong, the reference first (see :meth:`lpa.axes.Axis.check`).
    draws : int
        Random draws per value; the reference has one, deterministic outcome.
    augmentation : dict
        Name, options and integer revision of the augmentation: what its outcomes depend on.
    """

    axis: Axis
    values: tuple[float, ...]
    draws: int
    augmentation: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check values and draws."""
        object.__setattr__(self, "values", self.axis.check(self.values))
        if self.draws < 1:
            raise InputError(f"draws {self.draws} is out of range; expected at least 1")

    def conditions(self) -> list[tuple[float, int]]:
        """Return (value, draw) of every cell beside the reference, weak to strong."""
        return [(value, draw) for value in self.values[1:] for draw in range(self.draws)]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "axis": self.axis.to_dict(),
            "values": list(self.values),
            "draws": self.draws,
            "augmentation": dict(self.augmentation),
        }

    def __str__(self) -> str:
        """Write the axis as it is typed: ``crop=1,0.5,0.08``."""
        return f"{self.axis.name}=" + ",".join(format_value(value) for value in self.values)
