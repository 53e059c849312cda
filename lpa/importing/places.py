"""The coordinates of every row: model, axis, value, replicate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lpa.axes import format_value
from lpa.errors import InputError
from lpa.importing.files import FoundFile
from lpa.importing.naming import Named
from lpa.importing.rows import Rows

__all__ = ["Given", "Place", "place_rows"]

Codes = npt.NDArray[np.int64]

MOST = 2**31
"""Replicates are numbered below: what a run's records hold."""


class Place(NamedTuple):
    """Coordinates of a cell; axis and value are None for the identity."""

    model: str
    axis: str | None
    value: float | None
    replicate: int

    def __str__(self) -> str:
        """Write it for a message: ``rn50 at crop 0.5, replicate 0``."""
        if self.axis is None or self.value is None:
            return f"{self.model} at the identity, replicate {self.replicate}"
        return f"{self.model} at {self.axis} {format_value(self.value)}, replicate {self.replicate}"


@dataclass(frozen=True)
class Given:
    """Coordinates that the user says for all files."""

    model: str | None = None
    axis: str | None = None
    value: float | None = None
    replicate: int | None = None


def place_rows(rows: Rows, file: FoundFile, given: Given) -> tuple[list[Place], Codes]:
    """Return the places in a file, and which one each row has.

    A coordinate comes from the file's name, from a column or from the user; with a column, the
    user's ``--model`` and ``--axis`` select rows.

    Returns
    -------
    list of Place
        Under the axes' names as they are written in the file.
    array of int64, shape [rows]

    Raises
    ------
    InputError
        For a coordinate that is missing, said twice, or no number.
    """
    for target in ("model", "axis"):
        chosen = getattr(given, target)
        if chosen is not None and target in rows.named:
            rows.select(target, chosen)
    for target in ("model", "axis", "value", "replicate"):
        in_column = target in rows.named or target in rows.numbers
        said = getattr(given, target) is not None
        # A column that also the option names has just been used for selecting.
        if target in file.fields and (in_column or said):
            other = (
                f"its column {rows.column(target)!r} says it" if in_column else f"so is --{target}"
            )
            raise InputError(
                f"{file.path}: the {target} is given by the file's name, and {other} too; say it "
                "once"
            )
        if target in rows.numbers and said:
            raise InputError(
                f"{file.path}: column {rows.column(target)!r} says the {target}, and so does "
                f"--{target}; leave the option out"
            )
    model, axis = _texts(rows, file, given, "model"), _texts(rows, file, given, "axis")
    if (model.codes < 0).any():
        row = int(np.argmax(model.codes < 0))
        at = (
            f"{rows.where(row, 'model')}: the cell is empty" if "model" in rows.named else file.path
        )
        raise InputError(f"{at}: no model is named; give --model NAME, or a column for it")
    if "value" in rows.numbers and "axis" not in rows.named:
        # Without a column of axes, a row without a value is the identity.
        empty = np.isnan(rows.numbers["value"])
        axis = Named(axis.texts, np.where(empty, -1, axis.codes))
    value = _value(rows, file, given, axis)
    replicate = _replicate(rows, file, given)
    return _unique(model, axis, value, replicate)


def _texts(rows: Rows, file: FoundFile, given: Given, target: str) -> Named:
    if target in rows.named:
        return rows.named[target]
    text = file.fields.get(target) or getattr(given, target)
    zeros = np.zeros(len(rows), dtype=np.int64)
    return Named((text,), zeros) if text else Named((), zeros - 1)


def _value(rows: Rows, file: FoundFile, given: Given, axis: Named) -> npt.NDArray[np.float64]:
    on_axis = axis.codes >= 0
    if "value" in rows.numbers:
        value = rows.numbers["value"]
        lacking = on_axis & ~np.isfinite(value)
        if lacking.any():
            raise InputError(
                f"{rows.where(int(np.argmax(lacking)), 'value')}: expected a finite number, the "
                "value on the axis"
            )
        floating = ~on_axis & np.isfinite(value)
        if floating.any():
            where = rows.where(int(np.argmax(floating)), "value")
            raise InputError(f"{where}: a value of no axis; name the axis with --axis NAME")
        return value
    text = file.fields.get("value")
    number = float(text) if text is not None else given.value
    if number is None and on_axis.any():
        raise InputError(
            f"{file.path}: no value on the axis {axis.texts[0]!r}; write {{value}} in the pattern "
            "of file names, or give --value, or a column with --map value=COLUMN"
        )
    if number is not None and not on_axis.all():
        raise InputError(
            f"{file.path}: the value {format_value(number)} is of no axis; name the axis with "
            "--axis NAME"
        )
    return np.full(len(rows), np.nan if number is None else number)


def _replicate(rows: Rows, file: FoundFile, given: Given) -> Codes:
    if "replicate" in rows.numbers:
        numbers = rows.numbers["replicate"]
        wrong = ~((numbers >= 0) & (numbers == np.floor(numbers)) & (numbers < MOST))
        if wrong.any():
            raise InputError(
                f"{rows.where(int(np.argmax(wrong)), 'replicate')}: expected a whole number from 0"
            )
        return numbers.astype(np.int64)
    text = file.fields.get("replicate")
    number = int(text) if text is not None else given.replicate or 0
    if not 0 <= number < MOST:
        raise InputError(
            f"{file.path}: replicate {number} is out of range; expected a whole number from 0 to "
            f"{MOST - 1}"
        )
    return np.full(len(rows), number, dtype=np.int64)


def _unique(
    model: Named, axis: Named, value: npt.NDArray[np.float64], replicate: Codes
) -> tuple[list[Place], Codes]:
    values, value_codes = np.unique(value, return_inverse=True)
    numbers, number_codes = np.unique(replicate, return_inverse=True)
    shape = (len(model.texts), len(axis.texts) + 1, len(values), len(numbers))
    keys = np.ravel_multi_index((model.codes, axis.codes + 1, value_codes, number_codes), shape)
    distinct, first, codes = np.unique(keys, return_index=True, return_inverse=True)
    # In the order of the file, which is the order that the user knows.
    order = np.argsort(first)
    back = np.empty(len(order), dtype=np.int64)
    back[order] = np.arange(len(order))
    places = []
    for key in distinct[order]:
        m, a, v, r = np.unravel_index(key, shape)
        name = axis.texts[a - 1] if a else None
        places.append(
            Place(model.texts[m], name, float(values[v]) if name else None, int(numbers[r]))
        )
    return places, back[codes]
