"""Files that name classes (``--classes FILE``), and lists of names as JSON has them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from lpa.errors import InputError
from lpa.json_text import read_json
from lpa.user_paths import user_path

__all__ = ["EXPECTED", "ordered_names", "read_classes_file"]

EXPECTED = "(names in output order, one a line, or JSON name -> index)"
"""What a classes file may hold, for messages."""


def read_classes_file(path: str | os.PathLike[str]) -> list[str]:
    """Read class names in output order.

    Parameters
    ----------
    path : path
        Text with one name a line, or JSON: a list of names, name -> index, or index -> name.

    Raises
    ------
    InputError
        For a file that cannot be read or holds something else.
    """
    try:
        text = user_path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:  # no UTF-8, or a zero byte in the path
        raise InputError(
            f"classes file {str(path)!r} cannot be read ({type(error).__name__}); expected text "
            + EXPECTED
        ) from error
    if not text.lstrip().startswith(("{", "[")):
        return [line.strip() for line in text.splitlines() if line.strip()]
    try:
        return ordered_names(read_json(text))
    except ValueError as error:
        raise InputError(
            f"classes file {str(path)!r} does not name each output once ({error}); expected a JSON "
            "list of names, or name -> index with the indices 0, 1, 2, ..."
        ) from error


def ordered_names(record: Any) -> list[str]:
    """Return names in output order from a list, a name -> index or an index -> name mapping.

    Raises
    ------
    ValueError
        When the record is none of these, or its indices are not 0, 1, 2, ... each once.
    """
    if isinstance(record, list | tuple):
        return [str(name) for name in record]
    if not isinstance(record, Mapping) or not record:
        raise ValueError(f"a {type(record).__name__} holds no names")
    if all(isinstance(value, str) for value in record.values()):
        record = {name: index for index, name in record.items()}
        if any(not str(index).isdigit() for index in record.values()):
            raise ValueError("an index is no whole number")
    try:
        indices = [int(index) for index in record.values()]
    except (TypeError, OverflowError):
        raise ValueError("an index is no whole number") from None
    if sorted(indices) != list(range(len(indices))):
        raise ValueError(f"the indices are not 0 to {len(record) - 1}, each once")
    return [str(name) for _, name in sorted(zip(indices, record, strict=True))]
