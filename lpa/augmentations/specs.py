"""What is asked of an augmentation, and how people type it. Without torch.

========================================  =====================================================
``crop,cutout``                           default grids
``crop=1,.5,.08``                         values in any order; the identity is added
``crop=1:.08:20``                         start, stop, count: evenly spaced, both ends included
``crop(place=centre)=1,.5,cutout=0,.3``   options in brackets; a number belongs to the name before
``kornia:Class(argument={alpha})@0,1,2``  any 2-D class of Kornia; the first value is the identity
========================================  =====================================================
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from lpa.augmentations.grammar import range_or_number, read_options, read_values, split
from lpa.augmentations.kornia_calls import PREFIX, canonical_call, kornia_version
from lpa.augmentations.register import AUGMENTATIONS, OPTIONS, REVISIONS
from lpa.axes import Axis, format_value
from lpa.errors import InputError, unknown

__all__ = ["AugmentationSpec", "from_mapping", "list_augmentations", "parse", "spec_of"]

_KORNIA_TARGET = "lpa.augmentations.kornia_any:KorniaAugmentation"
_HINT = "lpa augmentations lists them"


@dataclass(frozen=True)
class AugmentationSpec:
    """One augmentation with its options, and the strengths at which it is to be measured.

    Attributes
    ----------
    name : str
        Canonical name: options sorted, defaults dropped.
    family : str
        The name without options; it enters the random numbers, so that the variants of one
        augmentation share their places.
    axis : Axis
        Its axis, under the canonical name.
    target : str
        ``"module:Class"``, imported by :func:`lpa.augmentations.build`.
    revision : int
        Revision of the implementation; another one means other pixels.
    options : dict of str to str
        Options that are not the default, as canonical text.
    values : tuple of float or None
        From weak to strong, the identity first; None: the axis's default grid.
    """

    name: str
    family: str
    axis: Axis
    target: str
    revision: int = 1
    options: dict[str, str] = field(default_factory=dict)
    values: tuple[float, ...] | None = None

    @property
    def strengths(self) -> tuple[float, ...]:
        """The values to measure, from weak to strong, the identity first."""
        return self.axis.grid if self.values is None else self.values

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        record = {**asdict(self), "axis": self.axis.to_dict()}
        record["values"] = None if self.values is None else list(self.values)
        return record

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> AugmentationSpec:
        """Read what :meth:`to_dict` wrote."""
        values = record["values"]
        return cls(
            **{
                **record,
                "axis": Axis.from_dict(record["axis"]),
                "options": dict(record["options"]),
                "values": None if values is None else tuple(float(value) for value in values),
            }
        )


def _kornia_axis(name: str, values: list[float]) -> Axis:
    """Make the axis of a Kornia augmentation from its values: the first is the identity."""
    if len(values) < 2:
        raise InputError(
            f"{name}: expected values after @, the identity first, e.g. {name}@0,1,2,4"
        )
    reference, others = values[0], values[1:]
    up = all(value >= reference for value in others)
    if not up and not all(value <= reference for value in others):
        raise InputError(
            f"{name}: values lie on both sides of the identity {format_value(reference)} (the "
            "first value); give one direction at a time"
        )
    stronger: Literal["down", "up"] = "up" if up else "down"
    least, most = (reference, math.inf) if up else (-math.inf, reference)
    axis = Axis(name, "alpha", reference, stronger, minimum=least, maximum=most)
    return replace(axis, grid=axis.check(values))


def _floats(name: str, values: Any) -> list[float]:
    """Return values from Python as numbers; raise :class:`~lpa.errors.InputError` for others."""
    listed = list(values) if isinstance(values, Iterable) else [values]
    for value in listed:
        # numpy's numbers and zero-dimensional tensors have __float__, texts do not.
        if not hasattr(value, "__float__"):
            raise InputError(f"{name}: value {value!r} is no number; expected e.g. [1, 0.5, 0.08]")
    return [float(value) for value in listed]


def spec_of(name: str, values: Iterable[float] | None = None) -> AugmentationSpec:
    """Make the spec of one augmentation from its name, options included, and its values.

    Raises
    ------
    InputError
        For an unknown augmentation, option or option value, and for values that the axis refuses.
    """
    numbers = None if values is None else _floats(name, values)
    name = name.strip()
    if name.startswith(PREFIX):
        kornia_class, written = canonical_call(name.removeprefix(PREFIX).strip())
        axis = _kornia_axis(f"{PREFIX}{kornia_class}({written})", numbers or [])
        options = {"arguments": written, "kornia": kornia_version()}
        family = f"{PREFIX}{kornia_class}"
        return AugmentationSpec(axis.name, family, axis, _KORNIA_TARGET, 1, options, axis.grid)
    match = re.fullmatch(r"([^()]*)(?:\((.*)\))?", name, re.DOTALL)
    family = match[1].strip() if match else name
    if match is None or family not in AUGMENTATIONS:
        raise unknown("augmentation", family, AUGMENTATIONS, _HINT)
    axis, target = AUGMENTATIONS[family]
    options = read_options(family, match[2] or "", OPTIONS.get(family, {}), _HINT)
    written = ",".join(f"{option}={value}" for option, value in options.items())
    axis = axis.renamed(f"{family}({written})" if written else family)
    checked = None if numbers is None else axis.check(numbers)
    revision = REVISIONS.get(family, 1)
    return AugmentationSpec(axis.name, family, axis, target, revision, options, checked)


def _unique(specs: list[AugmentationSpec]) -> list[AugmentationSpec]:
    """Return the specs; refuse an augmentation that stands there twice."""
    names = [spec.name for spec in specs]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"augmentation {name!r} is given twice; give it once, with all its values"
            )
    return specs


def parse(text: str) -> list[AugmentationSpec]:
    """Read what people type after ``--aug``; the module's docstring shows the forms.

    Raises
    ------
    InputError
        For anything that cannot be read, an unknown name, a value out of range, and for an
        augmentation that is named twice.
    """
    found: list[tuple[str, list[float] | None]] = []
    for token in split(text, ","):
        numbers = range_or_number(token)
        if numbers is None and token:
            if found and found[-1][1] is not None and re.match(r"[-+.\d]", token):
                raise InputError(
                    f"{found[-1][0]}: value {token!r} is no number; expected e.g. "
                    "crop=1,.5,.08 or crop=1:.08:20"
                )
            name, *assigned = split(token, "=@")
            found.append((name, None))
            if not assigned:
                continue
            numbers = range_or_number(assigned[0]) if len(assigned) == 1 else None
            if numbers is None:
                raise InputError(
                    f"augmentation {token!r}: expected numbers after the name, e.g. crop=1,.5,.08 "
                    "or crop=1:.08:20"
                )
        if not found:
            raise InputError(
                f"augmentations {text!r}: expected a name first, e.g. crop=1,.5,.08 ({_HINT})"
            )
        if numbers is None:
            raise InputError(f"augmentations {text!r}: nothing stands between two commas")
        name, before = found[-1]
        found[-1] = (name, (before or []) + numbers)
    # After a value, what is no name may have been meant as a value.
    for (name, _), (_, before) in zip(found[1:], found, strict=False):
        if before is not None and not name.startswith(PREFIX):
            family = name.partition("(")[0].strip()
            if family not in AUGMENTATIONS:
                raise unknown("augmentation or number", family, AUGMENTATIONS, _HINT)
    return _unique([spec_of(name, values) for name, values in found])


def from_mapping(
    augmentations: Mapping[str, Iterable[float] | str | None],
) -> list[AugmentationSpec]:
    """Read the Python form: ``{"crop": [1, .5], "cutout(fill=0.5)": "0:.5:6", "blur": None}``.

    Parameters
    ----------
    augmentations : mapping
        Name, options included, to values; a string is read as after ``=`` on the command line,
        None stands for the default grid.

    Raises
    ------
    InputError
        As :func:`parse`.
    """
    specs = []
    for name, values in augmentations.items():
        if not isinstance(name, str):
            raise InputError(f"augmentation {name!r}: expected a name, e.g. 'crop' ({_HINT})")
        if isinstance(values, str):
            specs.append(spec_of(name, read_values(name, values)))
        else:
            specs.append(spec_of(name, values))
    return _unique(specs)


def list_augmentations() -> list[dict[str, Any]]:
    """Describe every augmentation of the register, for ``lpa augmentations``.

    Returns
    -------
    list of dict
        ``name``, ``unit``, ``identity``, ``minimum``, ``maximum``, ``grid`` (list of float) and
        ``options`` (text: each option with what it takes, the default first).
    """
    rows = []
    for name, (axis, _) in AUGMENTATIONS.items():
        options = [
            f"{option}: {rule.expected()} (default {rule.default})"
            for option, rule in OPTIONS.get(name, {}).items()
        ]
        rows.append(
            {
                "name": name,
                "unit": axis.unit,
                "identity": axis.reference,
                "minimum": axis.minimum,
                "maximum": axis.maximum,
                "grid": list(axis.grid),
                "options": "; ".join(options),
            }
        )
    return rows
