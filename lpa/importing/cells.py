"""From rows to cells: every sample once, nothing missing, the identity once per model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lpa.axes import Axis
from lpa.errors import InputError
from lpa.importing.measured import Measured
from lpa.importing.places import Place
from lpa.importing.rows import Rows

__all__ = ["NewCell", "arrange", "check_places", "fold_identity", "whole_cells"]

Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class NewCell:
    """One imported cell over the candidate samples.

    Attributes
    ----------
    place : Place
        Its coordinates.
    file : str
        Where it comes from.
    present : array of bool, shape [samples]
        Which samples the file has.
    prediction : array of int32, shape [samples]
        -1 outside of the run's classes.
    columns : dict of str to array of float64, shape [samples]
        The others that are known, NaN where they are not.
    """

    place: Place
    file: str
    present: Bools
    prediction: npt.NDArray[np.int32]
    columns: dict[str, npt.NDArray[np.float64]]

    def take(self, kept: Codes) -> NewCell:
        """Return the cell over some of the samples."""
        columns = {name: values[kept] for name, values in self.columns.items()}
        return replace(
            self, present=self.present[kept], prediction=self.prediction[kept], columns=columns
        )


def arrange(
    rows: Rows,
    places: Sequence[Place],
    codes: Codes,
    sample: Codes,
    size: int,
    measured: Measured,
    notes: list[str],
) -> list[NewCell]:
    """Put the rows of a file into cells.

    Parameters
    ----------
    rows : Rows
        The file.
    places, codes
        See :func:`~lpa.importing.places.place_rows`.
    sample : array of int64, shape [rows]
        The sample of each row, -1 for one that is left out.
    size : int
        Number of candidate samples.
    measured : Measured
        The waist's columns.
    notes : list of str
        Rows that stand twice with the same prediction are counted here.

    Raises
    ------
    InputError
        For a sample with two different predictions in one cell: both lines.
    """
    kept = np.flatnonzero(sample >= 0)
    flat = codes[kept] * size + sample[kept]
    prediction = np.full(len(places) * size, -1, dtype=np.int32)
    # Written backwards, so that of rows that stand twice the first counts.
    prediction[flat[::-1]] = measured.prediction[kept][::-1]
    times = np.bincount(flat, minlength=len(prediction))
    again = int((times - 1)[times > 1].sum())
    if again:
        different = prediction[flat] != measured.prediction[kept]
        if different.any():
            raise _contradiction(rows, places, kept, flat, int(np.argmax(different)), size)
        notes.append(
            f"{rows.table.path}: {again} rows stand twice with the same prediction; each is "
            "counted once"
        )
    columns = {}
    for name, values in measured.columns.items():
        columns[name] = np.full(len(prediction), np.nan)
        columns[name][flat[::-1]] = values[kept][::-1]
    shape = (len(places), size)
    present, table = (times > 0).reshape(shape), prediction.reshape(shape)
    grids = {name: values.reshape(shape) for name, values in columns.items()}
    return [
        NewCell(
            place, rows.table.path, present[row], table[row],
            {name: values[row] for name, values in grids.items()},
        )
        for row, place in enumerate(places)
    ]  # fmt: skip


def _contradiction(
    rows: Rows, places: Sequence[Place], kept: Codes, flat: Codes, wrong: int, size: int
) -> InputError:
    first = int(np.argmax(flat == flat[wrong]))
    names = rows.named["sample"]
    text = names.texts[names.codes[kept[wrong]]]
    earlier = rows.line(int(kept[first])).rpartition(", ")[2]
    return InputError(
        f"{rows.where(int(kept[wrong]), 'sample')}: {text!r} stands already in {earlier} with "
        f"another prediction, for {places[int(flat[wrong]) // size]}; expected each sample once, "
        "or a column that tells them apart: --map replicate=COLUMN"
    )


def check_places(cells: Sequence[NewCell]) -> None:
    """Refuse a cell that two files give.

    Raises
    ------
    InputError
        Naming both files.
    """
    seen: dict[Place, NewCell] = {}
    for cell in cells:
        other = seen.setdefault(cell.place, cell)
        if other is not cell:
            raise InputError(
                f"{cell.file} and {other.file} both hold {cell.place}; tell them apart with "
                "{value}, {replicate} or {model} in the pattern of file names, or import one"
            )


def whole_cells(
    cells: Sequence[NewCell], names: Sequence[str], common: bool, fixed: bool, notes: list[str]
) -> Codes:
    """Choose the samples that every cell holds.

    Parameters
    ----------
    cells : sequence of NewCell
        All that is imported.
    names : sequence of str
        The candidate samples.
    common : bool
        Leave out samples that some cell lacks, instead of refusing.
    fixed : bool
        Whether the candidates are the samples of a run, none of which can be left out.
    notes : list of str
        What is left out is counted here.

    Returns
    -------
    array of int64
        Indices of the candidates that are kept.

    Raises
    ------
    InputError
        When a cell lacks samples that it must have: the file, how many, and the first.
    """
    present = np.stack([cell.present for cell in cells])
    anywhere = np.ones(len(names), dtype=bool) if fixed else present.any(axis=0)
    lacking = anywhere & ~present.all(axis=0)
    if lacking.any() and (fixed or not common):
        cell = cells[int(np.argmax((anywhere & ~present).any(axis=1)))]
        missing = np.flatnonzero(anywhere & ~cell.present)
        out = (
            "the run has them: complete the file, or import into another directory with --out DIR"
            if fixed else
            "complete the file, or leave them out of all files with --samples common"
        )  # fmt: skip
        raise InputError(
            f"{cell.file} lacks {len(missing):,} of {int(anywhere.sum()):,} samples for "
            f"{cell.place}, first {names[missing[0]]!r}; {out}"
        )
    kept = np.flatnonzero(anywhere & ~lacking)
    if not len(kept):
        raise InputError(
            f"no sample is in all of the {len(cells)} cells; expected the same samples in every "
            "file (are their names written alike?)"
        )
    if lacking.any():
        notes.append(
            f"{int(lacking.sum()):,} of {int(anywhere.sum()):,} samples are missing in some file "
            f"and left out of all, first {names[int(np.argmax(lacking))]!r}"
        )
    if not anywhere.all():
        notes.append(
            f"{int((~anywhere).sum()):,} of {len(names):,} labelled samples are in no file and "
            "left out"
        )
    return kept


def fold_identity(
    cells: Sequence[NewCell], axes: Mapping[str, Axis], trained: bool
) -> list[NewCell]:
    """Make the identity of each model one cell without an axis, as scans store it.

    A fixed model has one outcome per sample at the reference of every axis. Trainings are left
    alone: each axis has its own runs at the reference.

    Raises
    ------
    InputError
        When the predictions at the reference differ between files, axes or replicates.
    """
    if trained:
        _refuse_mixture(cells, axes)
        return list(cells)
    folded: dict[str, NewCell] = {}
    result = []
    for cell in cells:
        axis, value = cell.place.axis, cell.place.value
        if axis is not None and value != axes[axis].reference:
            result.append(cell)
            continue
        identity = replace(cell, place=Place(cell.place.model, None, None, 0))
        first = folded.setdefault(cell.place.model, identity)
        if first is identity:
            result.append(identity)
            continue
        different = int((first.prediction != cell.prediction).sum())
        if different:
            raise InputError(
                f"{cell.file} ({cell.place}) and {first.file} differ at the identity of "
                f"{cell.place.model}, in {different:,} of {len(cell.prediction):,} predictions; a "
                "fixed model has one outcome there: check the files, or say --replicates trainings"
            )
    return result


def _refuse_mixture(cells: Sequence[NewCell], axes: Mapping[str, Axis]) -> None:
    bare = {cell.place.model for cell in cells if cell.place.axis is None}
    for cell in cells:
        axis = cell.place.axis
        if cell.place.model in bare and axis and cell.place.value == axes[axis].reference:
            raise InputError(
                f"{cell.file} holds {cell.place}, which is the reference, and other rows of "
                f"{cell.place.model} have no axis, which is the reference too; name the axis in all"
            )
