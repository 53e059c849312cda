"""What each class may lose, as a file beside a gate."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

from lpa.errors import InputError
from lpa.json_text import read_json

__all__ = ["read_budget"]

COLUMNS = ("class", "max_drop")


def read_budget(path: str | os.PathLike[str]) -> dict[str, float]:
    """Read what each class may lose: a JSON object, or a CSV with the columns class and max_drop.

    Raises
    ------
    InputError
        For a file that is neither.
    """
    way_out = 'expected {"class": 0.05, ...}, or CSV lines "class,max_drop" with that first line'
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); {way_out}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no budget (it is no text in UTF-8); {way_out}") from error
    try:
        return _from_json(text) if text.lstrip()[:1] in ("{", "[") else _from_csv(text)
    except (ValueError, csv.Error) as error:
        raise InputError(f"{path} is no budget ({error}); {way_out}") from error


def _from_json(text: str) -> dict[str, float]:
    record = read_json(text)
    if not isinstance(record, dict):
        raise ValueError("it is a list")
    return {name: _drop(name, drop) for name, drop in record.items()}


def _from_csv(text: str) -> dict[str, float]:
    rows = csv.DictReader(text.splitlines())
    if not set(COLUMNS) <= set(rows.fieldnames or ()):
        lines = text.splitlines()
        raise ValueError(f"its first line is {lines[0]!r}" if lines else "it is empty")
    budget: dict[str, float] = {}
    for row in rows:
        name, drop = (row[column] for column in COLUMNS)
        if name in budget:
            raise ValueError(f"class {name!r} stands twice")
        budget[name] = _drop(name, drop)
    return budget


def _drop(name: str, drop: Any) -> float:
    try:
        return float(drop)
    except (ValueError, TypeError, OverflowError):
        raise ValueError(f"class {name!r} has {drop!r}, which is no number") from None
