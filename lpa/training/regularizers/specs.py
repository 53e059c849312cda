"""What people write to ask for a regularizer and its values, read without torch.

=================================  ========================================================
``random_crop``                    a regularizer
``random_crop(frame=image)``       options in brackets
``random_crop=.08``                held fixed at a value (``--set``)
``1,.5,.08``                       values in any order; the reference is added
``1:.08:8``                        start, stop, count: evenly spaced on the axis's scale
=================================  ========================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lpa.augmentations.grammar import read_options, read_values, split
from lpa.axes import Axis, format_value
from lpa.errors import InputError, unknown
from lpa.training.regularizers.register import REGULARIZERS

__all__ = [
    "RegularizerSpec",
    "list_regularizers",
    "parse_setting",
    "parse_values",
    "regularizer_spec",
]

_HINT = "lpa regularizers lists them"


@dataclass(frozen=True)
class RegularizerSpec:
    """One regularizer with its options.

    Attributes
    ----------
    name : str
        Canonical name: options sorted, defaults dropped.
    family : str
        The name without options, of :data:`~lpa.training.regularizers.register.REGULARIZERS`.
    axis : Axis
        Its axis, under the canonical name.
    options : dict of str to str
        Options that are not the default, as canonical text.
    """

    name: str
    family: str
    axis: Axis
    options: dict[str, str] = field(default_factory=dict)


def regularizer_spec(text: str) -> RegularizerSpec:
    """Read a regularizer's name and options.

    Raises
    ------
    InputError
        For an unknown regularizer or option, and for a value that an option does not take.
    """
    match = re.fullmatch(r"([^()=]*)(?:\((.*)\))?", text.strip(), re.DOTALL)
    family = match[1].strip() if match else text.strip()
    if match is None or family not in REGULARIZERS:
        raise unknown("regularizer", family, REGULARIZERS, _HINT)
    entry = REGULARIZERS[family]
    options = read_options(family, match[2] or "", entry.options, _HINT)
    written = ",".join(f"{name}={value}" for name, value in options.items())
    name = f"{family}({written})" if written else family
    return RegularizerSpec(name, family, entry.axis.renamed(name), options)


def parse_values(text: str | Iterable[float] | None, axis: Axis) -> tuple[float, ...]:
    """Read the values of a sweep.

    Parameters
    ----------
    text : str, iterable of float, or None
        As typed, or numbers from Python; None: the axis's default grid.
    axis : Axis
        Of the regularizer. On a logarithmic axis a range is evenly spaced in logarithms.

    Returns
    -------
    tuple of float
        From weak to strong, the reference first.

    Raises
    ------
    InputError
        For what is no number, a range that a logarithmic axis cannot have, a value out of range
        or given twice, and no value beside the reference.
    """
    if text is None:
        return axis.grid
    if not isinstance(text, str):
        return axis.check(_numbers(axis, text), "reference")
    numbers: list[float] = []
    for part in split(text, ",", "values"):
        read = read_values(axis.name, part)
        numbers += _geometric(axis, part, read) if axis.scale == "log" and len(read) > 1 else read
    return axis.check(numbers, "reference")


def _numbers(axis: Axis, values: object) -> list[float]:
    """Read numbers from Python."""
    try:
        return [float(value) for value in values]  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise InputError(
            f"{axis.name}: values {values!r} are no numbers; expected e.g. '1,.5' or [1, 0.5]"
        ) from None


def _geometric(axis: Axis, text: str, evenly: list[float]) -> list[float]:
    """Respace a range evenly in logarithms."""
    start, stop = evenly[0], evenly[-1]
    if min(start, stop) <= 0:
        raise InputError(
            f"{axis.name}: range {text!r}: a logarithmic axis has no steps from or to 0; expected "
            f"e.g. 1e-05:0.001:5 (the reference {format_value(axis.reference)} is added by itself)"
        )
    inner = np.geomspace(start, stop, len(evenly))[1:-1]
    return [start, *(float(format_value(value)) for value in inner), stop]


def parse_setting(text: str) -> tuple[RegularizerSpec, float]:
    """Read a regularizer that is held fixed: ``random_crop(frame=image)=.08``.

    Returns
    -------
    (RegularizerSpec, float)
        The value may be the reference: then the regularizer is off.

    Raises
    ------
    InputError
        As :func:`regularizer_spec`, and for anything but one value in range.
    """
    name, *values = split(text, "=", "setting")
    spec = regularizer_spec(name)
    numbers = read_values(spec.name, values[0]) if len(values) == 1 else []
    if len(numbers) != 1:
        example = format_value(spec.axis.grid[-1])
        raise InputError(
            f"setting {text!r}: expected one value after the name, e.g. {spec.name}={example}"
        )
    if numbers[0] != spec.axis.reference:
        spec.axis.check(numbers, "reference")
    return spec, numbers[0]


def list_regularizers() -> list[dict[str, Any]]:
    """Describe every regularizer, for ``lpa regularizers``.

    Returns
    -------
    list of dict
        ``name``, ``unit``, ``reference``, ``minimum``, ``maximum``, ``grid`` (list of float),
        ``description`` and ``options`` (text: each option with what it takes, its default).
    """
    rows = []
    for name, (axis, _, description, known) in REGULARIZERS.items():
        options = [
            f"{option}: {rule.expected()} (default {rule.default})"
            for option, rule in known.items()
        ]
        rows.append(
            {
                "name": name,
                "unit": axis.unit,
                "reference": axis.reference,
                "minimum": axis.minimum,
                "maximum": axis.maximum,
                "grid": list(axis.grid),
                "description": description,
                "options": "; ".join(options),
            }
        )
    return rows
