"""Names for classes that the data call by numbers only (``--classes FILE``)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lpa.class_files import read_classes_file
from lpa.classes import Classes
from lpa.datasets.source import Source
from lpa.errors import InputError

__all__ = ["named"]


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
    names = read_classes_file(path)
    highest = max(int(name) for name in numbers)
    if highest >= len(names):
        raise InputError(
            f"classes file {str(path)!r} names {len(names)} classes, but {source.name} has class "
            f"{highest}; give a name for each, in the order of their indices from 0"
        )
    return replace(source, classes=Classes(tuple(names[int(name)] for name in numbers)))
