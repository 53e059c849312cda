"""Names for classes that the data call by numbers only (``--classes FILE``)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from lpa.classes import Classes
from lpa.datasets.source import Source
from lpa.errors import InputError

__all__ = ["named", "read_names"]


def read_names(path: Path) -> list[str]:
    """Read class names in the order of their indices.

    Parameters
    ----------
    path : Path
        One name a line; or JSON: a list of names, or an object name -> index.

    Raises
    ------
    InputError
        For a file that is neither, or whose indices are not 0 to one below their number.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = json.loads(text) if text.lstrip()[:1] in ("{", "[") else text.splitlines()
    except (OSError, ValueError) as error:
        raise InputError(
            f"classes file {str(path)!r} cannot be read ({error}); expected one name a line, or "
            "JSON name -> index"
        ) from error
    if isinstance(content, dict):
        if sorted(content.values(), key=str) != sorted(range(len(content)), key=str):
            raise InputError(
                f"classes file {str(path)!r}: indices are not 0 to {len(content) - 1}, each once; "
                "expected JSON name -> index"
            )
        return sorted(content, key=content.__getitem__)
    names = [str(name).strip() for name in content]
    return [name for name in names if name]


def named(source: Source, path: Path) -> Source:
    """Give names to classes that are numbers; a source that has names keeps them.

    Raises
    ------
    InputError
        Where the file has too few names.
    """
    numbers = source.classes.names
    if not all(name.isascii() and name.isdigit() for name in numbers):
        return source
    names = read_names(path)
    highest = max(int(name) for name in numbers)
    if highest >= len(names):
        raise InputError(
            f"classes file {str(path)!r} names {len(names)} classes, but {source.name} has class "
            f"{highest}; give a name for each, in the order of their indices from 0"
        )
    return replace(source, classes=Classes(tuple(names[int(name)] for name in numbers)))
