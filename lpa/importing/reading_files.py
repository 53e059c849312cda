"""All files of an import: their rows, the coordinates of these, and what kind of results it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lpa.errors import InputError
from lpa.importing.asked import Asked
from lpa.importing.axis_choice import canonical
from lpa.importing.files import find_files
from lpa.importing.naming import Named
from lpa.importing.places import Place, place_rows
from lpa.importing.rows import Rows, read_rows

__all__ = ["FileRows", "kind_of", "read_files"]

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FileRows:
    """One file.

    Attributes
    ----------
    rows : Rows
        What its rows say.
    places : list of Place
        Under canonical names of axes.
    codes : array of int64, shape [rows]
        The place of each row.
    """

    rows: Rows
    places: list[Place]
    codes: Codes


def read_files(asked: Asked, notes: list[str]) -> list[FileRows]:
    """Read every file.

    Parameters
    ----------
    asked : Asked
        Files, columns and what is said of all of them.
    notes : list of str
        How columns were understood is appended, once for files that are alike.

    Raises
    ------
    InputError
        Naming file, line and column.
    """
    found = find_files(asked.files, notes)
    read = []
    understood: dict[str, list[str]] = {}
    for file in found:
        rows = read_rows(file.path, asked.columns)
        if asked.split is not None and "split" in rows.named:
            rows.select("split", asked.split)
        places, codes = place_rows(rows, file, asked.given)
        places = [
            place._replace(axis=None if place.axis is None else canonical(place.axis))
            for place in places
        ]
        if asked.by_row:
            _name_by_row(rows, codes)
        read.append(FileRows(rows, places, codes))
        source = f" ({rows.layout.source})" if rows.layout.source else ""
        understood.setdefault(f"{rows.layout}{source}", []).append(file.path)
        notes.extend(note for note in rows.layout.notes if note not in notes)
    for layout, paths in understood.items():
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        notes.insert(0, f"{paths[0]}{more}: {layout}")
    return read


def _name_by_row(rows: Rows, codes: Codes) -> None:
    """Name samples by the place of their row within each cell."""
    if "sample" in rows.named:
        raise InputError(
            f"{rows.table.path} names its samples in column {rows.column('sample')!r}; leave "
            "--by-row out"
        )
    order = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes)
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    within = np.empty(len(codes), dtype=np.int64)
    within[order] = np.arange(len(codes)) - starts[codes[order]]
    rows.named["sample"] = Named(tuple(str(row) for row in range(int(sizes.max()))), within)
    # For messages: the row itself is what names the sample.
    first = next(iter(rows.layout.columns.values()))
    rows.layout.columns["sample"] = first


def kind_of(read: Sequence[FileRows], notes: list[str]) -> str:
    """Return what files become: ``outcomes``, or ``counts`` where samples have no names.

    Raises
    ------
    InputError
        When files are of different kinds.
    """
    kinds: dict[str, FileRows] = {}
    for file in read:
        kind = "predictions" if "sample" in file.rows.named else "predictions without sample names"
        kinds.setdefault(kind if file.rows.layout.kind == "predictions" else "counts", file)
    if len(kinds) > 1:
        (one, first), (other, second) = list(kinds.items())[:2]
        raise InputError(
            f"{first.rows.table.path} holds {one} and {second.rows.table.path} {other}; import "
            "them into runs of their own"
        )
    if "predictions without sample names" in kinds:
        notes.append(
            "samples have no names, so only counts are kept; name them with --map sample=COLUMN, "
            "or say with --by-row that every file has the same samples in the same order"
        )
    return "outcomes" if "predictions" in kinds else "counts"
