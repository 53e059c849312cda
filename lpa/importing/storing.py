"""Writing imported cells and counts into a run: what is new is added, what differs is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.axes import Axis
from lpa.errors import InputError
from lpa.importing.cells import NewCell
from lpa.importing.places import Place
from lpa.outcomes import COLUMNS, Cell, Outcomes, Store, content_hash, read_column, write_unit
from lpa.outcomes.counts import put_counts, read_counts

__all__ = ["NewUnits", "add_counts", "new_counts", "new_units"]

ROWS_PER_UNIT = 4_000_000
"""Rows of one result file: few enough to hold in memory, many enough for few files."""


@dataclass(frozen=True)
class NewUnits:
    """Cells that are not stored yet, and how many already are."""

    cells: list[tuple[Cell, NewCell]]
    known: int

    def write(self, store: Store, samples: npt.NDArray[np.int64]) -> None:
        """Write the cells, several to a unit."""
        step = max(1, ROWS_PER_UNIT // max(1, len(samples)))
        for start in range(0, len(self.cells), step):
            part = self.cells[start : start + step]
            columns = {name: _stacked([new for _, new in part], name) for name in COLUMNS}
            write_unit(store, 0, [cell for cell, _ in part], samples, columns, {}, {})


def _stacked(cells: Sequence[NewCell], name: str) -> npt.NDArray[np.generic] | None:
    """Stack a column of several cells, with nulls where it is not known."""
    if name == "prediction":
        return np.stack([cell.prediction for cell in cells])
    if not any(name in cell.columns for cell in cells):
        return None
    empty = np.full(len(cells[0].prediction), np.nan)
    values = np.ma.masked_invalid(np.stack([cell.columns.get(name, empty) for cell in cells]))
    kind = COLUMNS[name].to_pandas_dtype()
    stacked: npt.NDArray[np.generic] = np.ma.MaskedArray(
        values.filled(0).astype(kind), np.ma.getmaskarray(values)
    )
    return stacked


def new_units(
    cells: Sequence[NewCell], run: Outcomes | None, fingerprint: str, notes: list[str]
) -> NewUnits:
    """Find the cells that are not stored yet.

    Parameters
    ----------
    cells : sequence of NewCell
        Over the run's samples.
    run : Outcomes or None
        The run as it is.
    fingerprint : str
        Of the samples.
    notes : list of str
        What is taken from the run instead of a file is appended.

    Raises
    ------
    InputError
        For a cell that is stored with other rows.
    """
    stored: dict[Place, str] = {}
    for entry in run.coverage if run else ():
        cell = entry.cell
        stored[Place(cell.model, cell.axis, cell.value, cell.replicate)] = cell.id
    if run is not None:
        _refuse_two_references(cells, stored, run.axes)
    fresh, known = [], 0
    for new in cells:
        key = _cell_id(new, fingerprint)
        there = stored.get(new.place)
        if there is None:
            fresh.append((Cell(*new.place, id=key), new))
            continue
        known += 1
        if there != key:
            assert run is not None
            _compare(new, run, there, notes)
    return NewUnits(fresh, known)


def _refuse_two_references(
    cells: Sequence[NewCell], stored: dict[Place, str], axes: dict[str, Axis]
) -> None:
    """Refuse a model whose reference would stand in a run both without an axis and on one."""
    bare = {place.model for place in stored if place.axis is None}
    named = {
        place.model
        for place in stored
        if place.axis in axes and place.value == axes[place.axis].reference
    }
    for cell in cells:
        place = cell.place
        on_reference = place.axis in axes and place.value == axes[place.axis].reference
        if (place.axis is None and place.model in named) or (on_reference and place.model in bare):
            raise InputError(
                f"{cell.file} holds {place}, the reference of {place.model}, which the run has "
                f"{'on an axis' if place.axis is None else 'without an axis'}; name it as there"
            )


def _cell_id(new: NewCell, fingerprint: str) -> str:
    """Hash coordinates and rows: a changed file is another cell at the same coordinates."""
    digest = hashlib.blake2b(new.prediction.astype("<i4").tobytes(), digest_size=16)
    for name, values in sorted(new.columns.items()):
        digest.update(name.encode() + values.astype("<f4").tobytes())
    return content_hash([*new.place, fingerprint, digest.hexdigest()])


def _compare(new: NewCell, run: Outcomes, key: str, notes: list[str]) -> None:
    """Accept an identity with the same predictions, which another axis's file may hold."""
    different = int((_stored_prediction(run, key) != new.prediction).sum())
    if new.place.axis is None and not different:
        line = f"{new.place.model}: the identity's probabilities are those that the run has already"
        if line not in notes:
            notes.append(line)
        return
    what = (
        f"{different:,} of {len(new.prediction):,} predictions differ"
        if different
        else "the predictions are equal, ranks or probabilities differ"
    )
    raise InputError(
        f"{new.file} holds {new.place}, and {run.store} has it already with other rows: {what}; "
        "results of a run never change: give another directory with --out DIR"
    )


def _stored_prediction(run: Outcomes, key: str) -> npt.NDArray[np.generic]:
    for unit in run.units:
        for row, cell in enumerate(unit.cells):
            if cell.id == key:
                return np.asarray(read_column(run.store, unit, "prediction")[row])
    raise KeyError(key)


def new_counts(store: Store, counts: pd.DataFrame) -> pd.DataFrame:
    """Return the counts that are not stored yet.

    Raises
    ------
    InputError
        For a class of a training run that is stored with other numbers.
    """
    keys = ["model", "axis", "value", "replicate", "class"]
    stored = read_counts(store)
    joined = counts.merge(stored, on=keys, how="left", suffixes=("", "_stored"))
    there = joined["n_stored"].notna()
    differs = there & (
        (joined["n"] != joined["n_stored"]) | (joined["correct"] != joined["correct_stored"])
    )
    if differs.any():
        row = joined[differs].iloc[0]
        place = Place(row["model"], row["axis"], row["value"], int(row["replicate"]))
        raise InputError(
            f"class {row['class']!r} of {place} has {row['correct_stored']:.0f} right of "
            f"{row['n_stored']:.0f} in {store}, and {row['correct']:.0f} of {row['n']:.0f} in the "
            "files; results of a run never change: give another directory with --out DIR"
        )
    return pd.DataFrame(counts[~there.to_numpy()])


def add_counts(store: Store, counts: pd.DataFrame) -> None:
    """Write counts that are not stored yet."""
    if len(counts):
        put_counts(store, counts)
