"""A manifest: a CSV file with the columns ``path``, ``label`` and, if there are splits, ``split``.

Paths are relative to the manifest. Other columns are ignored.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

from lpa.datasets.files import FileReader, printable
from lpa.datasets.source import (
    BARE_SPLIT,
    Entry,
    Source,
    assemble,
    choose_splits,
    classes_of_labels,
)
from lpa.errors import InputError
from lpa.user_paths import is_file

__all__ = ["open_path", "recognises"]


def recognises(path: Path) -> bool:
    """Take a file whose name ends in ``.csv``."""
    return path.is_file() and path.suffix.lower() == ".csv"


def open_path(path: Path, name: str, split: str | None) -> Source:
    """Open a manifest.

    Parameters
    ----------
    path : Path
        The CSV file (UTF-8).
    name : str
        Name of the source.
    split : str or None
        See :func:`lpa.datasets.source.choose_splits`.

    Raises
    ------
    InputError
        Naming line and column, for a missing column, an empty cell, an image that is not there,
        or one that is listed twice.
    """
    rows = _rows(path)
    chosen = set(choose_splits(dict.fromkeys(row[2] for row in rows), split, name))
    rows = [row for row in rows if row[2] in chosen]
    classes = classes_of_labels(row[1] for row in rows)
    where = {label: index for index, label in enumerate(classes.names)}
    entries = []
    for file, label, part, line in rows:
        place = path.parent / file
        if not is_file(place):
            raise InputError(
                f"{path}, line {line}, column 'path': {file!r} is no file; expected a path "
                "relative to the manifest"
            )
        entries.append(Entry(printable(os.path.normpath(file)), where[label], part, str(place)))
    return assemble(name, classes, entries, str(path), FileReader)


def _rows(path: Path) -> list[tuple[str, str, str, int]]:
    """Return path, label, split and line of each row."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            columns = list(reader.fieldnames or [])
            for column in ("path", "label"):
                if column not in columns:
                    raise InputError(
                        f"{path}, line 1: no column {column!r} among {', '.join(columns) or 'none'}"
                        "; expected path,label or path,label,split"
                    )
            rows = [_row(path, reader.line_num, row, "split" in columns) for row in reader]
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as CSV ({error}); expected UTF-8 text") from error
    if not rows:
        raise InputError(f"no images in {path}; expected one line per image below path,label")
    lines: dict[tuple[str, str], int] = {}
    for place, _, part, line in rows:
        first = lines.setdefault((os.path.normpath(place), part), line)
        if first != line:
            raise InputError(
                f"{path}, line {line}, column 'path': {place!r} stands already in line {first}; "
                "list each image once"
            )
    return rows


def _row(
    path: Path, line: int, row: dict[str, str | None], with_split: bool
) -> tuple[str, str, str, int]:
    cells = []
    for column in ("path", "label", "split") if with_split else ("path", "label"):
        cell = (row[column] or "").strip()
        if not cell:
            raise InputError(
                f"{path}, line {line}, column {column!r}: the cell is empty; expected "
                f"{'a path' if column == 'path' else 'a name'}"
            )
        cells.append(cell)
    return cells[0], cells[1], cells[2] if with_split else BARE_SPLIT, line
