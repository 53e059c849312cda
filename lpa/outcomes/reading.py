"""Reading a run: arrays [cells, samples], the counts, the long table. Never loads torch."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.axes import Axis
from lpa.classes import Classes
from lpa.errors import InputError
from lpa.outcomes.cells import Cell
from lpa.outcomes.counts import read_counts
from lpa.outcomes.plain_records import check_extent
from lpa.outcomes.record import RunRecord, read_objects, read_record
from lpa.outcomes.samples import Samples
from lpa.outcomes.store import Store
from lpa.outcomes.stored_units import StoredUnits
from lpa.outcomes.units import COLUMNS, Unit, read_column, read_header

__all__ = ["Coverage", "Outcomes", "foreign_unit"]


@dataclass(frozen=True)
class Coverage:
    """How complete a cell is: samples stored, of those declared and not skipped."""

    cell: Cell
    stored: int
    expected: int

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return self.stored == self.expected


class Outcomes:
    """The outcomes of a run.

    Parameters
    ----------
    path : path
        The run's folder.
    strict : bool
        Refuse a run with incomplete cells instead of leaving them out.
    tolerant : bool
        Leave damaged units out and list them, instead of refusing the run.

    Attributes
    ----------
    record : RunRecord
        What the run is.
    samples : Samples
        The samples that are in every cell: the declared ones without the skipped.
    cells : DataFrame
        One row per readable cell, ordered by the names of model and axis, by strength and by
        replicate, however the run came to be: ``model``, ``axis``, ``value`` (float64),
        ``replicate``. The identity, stored once per model, stands under each axis of the model at
        its reference value, and with axis None where the model has none.
    skips : dict of int to str
        Sample -> reason.
    stored : StoredUnits
        The units that it all is read from.
    damaged : list of str
        Units that are left out because they cannot be read (``tolerant``).
    coverage : list of Coverage
        One entry per stored cell, the incomplete ones included.
    counts_only : bool
        Whether the run is an import of counts: :attr:`counts` is all that it has.

    Raises
    ------
    InputError
        For a folder that is no run or lacks a part, a damaged unit, or (``strict``) incomplete
        cells.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, strict: bool = False, tolerant: bool = False
    ) -> None:
        self.store = Store(path)
        self.record: RunRecord = read_record(self.store)
        self.declared = _samples(self.store)
        self._check_labels()
        self.stored = stored = StoredUnits(self.store)
        self.damaged = stored.damaged
        if stored.damaged and not tolerant:
            # read_header names the file and the way out.
            read_header(self.store, stored.damaged[0])
        self.units = stored.units
        self.counts_only = self.record.reference.get("holds") == "counts"
        self.skips: dict[int, str] = {}
        for unit in self.units:
            self.skips.update(unit.skips)
        strangers = np.setdiff1d(list(self.skips), self.declared.sample)
        if len(strangers):
            where = next(unit for unit in self.units if int(strangers[0]) in unit.skips)
            raise foreign_unit(self.store, where)
        self._skipped = np.array(sorted(self.skips), dtype=np.int64)
        kept = ~np.isin(self.declared.sample, self._skipped)
        self.samples = self.declared.take(np.flatnonzero(kept))
        self._place()
        if not tolerant:
            self._check_described()
        if strict and self.incomplete:
            first = self.incomplete[0]
            raise InputError(
                f"{self.store} has {len(self.incomplete)} incomplete cells, first "
                f"{_named(first.cell)} with {first.stored} of {first.expected} samples; "
                "run the scan again to complete them, or leave --strict out"
            )
        if strict and (never := self._never_begun()):
            raise InputError(
                f"{self.store} lacks {len(never)} planned cells, first {never[0]}; "
                "run the scan again to complete them, or leave --strict out"
            )

    def _check_labels(self) -> None:
        """Refuse samples of classes that the run does not have: the parts are of two runs."""
        label = self.declared.label
        if len(label) and label.max() >= len(self.record.classes):
            raise InputError(
                f"{self.store}/samples.parquet has label {label.max()}, and run.json names "
                f"{len(self.record.classes)} classes; expected the files of one run: copy the "
                "folder again"
            )
        if self.declared.fingerprint != self.record.fingerprint:
            raise InputError(
                f"{self.store}/samples.parquet lists other samples than run.json was written for; "
                "expected the files of one run: copy the folder again"
            )

    def _check_described(self) -> None:
        """Refuse outcomes on an axis of which no plan tells the reference and the direction."""
        stored = {entry.cell.axis for entry in self.coverage if entry.cell.axis is not None}
        if lost := sorted(stored - set(self.axes)):
            raise InputError(
                f"{self.store} has outcomes on {lost[0]}, and nothing in {self.store}/plans "
                "describes that axis; expected the run's folder whole: copy plans/ as well"
            )

    def _never_begun(self) -> list[str]:
        """Name the planned cells beside the identity of which nothing at all is stored."""
        stored = {
            (entry.cell.model, entry.cell.axis, entry.cell.value, entry.cell.replicate)
            for entry in self.coverage
        }
        return [
            f"{model} {axis}={value:g} replicate {draw}"
            for model, axis, value, draw in self.planned
            if (model, axis, value, draw) not in stored
        ]

    @property
    def planned(self) -> list[tuple[str, str, float, int]]:
        """What the plans asked for beside the identities: model, axis, value and replicate.

        Trained runs have models of their own at the reference, too. Nothing for an import: its
        plans say what was read, not what is to be computed.
        """
        if self.record.kind == "import":
            return []
        # The first value is the reference: in a scan the identity, which is stored once.
        first = 0 if self.record.trained else 1
        return [
            (model, asked["axis"]["name"], float(value), draw)
            for plan in self.plans
            for model in plan.get("models", {})
            for asked in plan.get("axes", [])
            if model in asked.get("models", [model])
            for value in asked.get("values", [])[first:]
            for draw in asked.get("replicates", range(asked.get("draws", 0)))
        ]

    # ---- what there is -------------------------------------------------------------------

    @property
    def cells(self) -> pd.DataFrame:
        """See the class.

        Raises
        ------
        InputError
            For a run that holds counts only.
        """
        if self.counts_only:
            raise InputError(
                f"{self.store} holds counts only (right predictions by training run and class), "
                "and this needs the prediction for every sample: import predictions with sample "
                "names, or test training runs with `lpa test`"
            )
        return self._cells

    @property
    def classes(self) -> Classes:
        """The classes that ``label`` and ``prediction`` index; -1 is an output outside them."""
        return self.record.classes

    @property
    def incomplete(self) -> list[Coverage]:
        """The cells that are left out because samples are missing."""
        return [entry for entry in self.coverage if not entry.complete]

    @functools.cached_property
    def plans(self) -> list[dict[str, Any]]:
        """What was asked of the run, one record per invocation, oldest first."""
        try:
            for plan in (found := read_objects(self.store, "plans")):
                if self.record.kind != "import":
                    check_extent(plan)
        except ValueError as error:
            raise InputError(
                f"{self.store}/plans has a plan that nobody asked for ({error}): delete its file"
            ) from error
        return sorted(
            found,
            key=lambda plan: (str(plan.get("created", "")), str(plan.get("command", ""))),
        )

    @functools.cached_property
    def axes(self) -> dict[str, Axis]:
        """The axes of the run by canonical name, in the order of the plans."""
        axes: dict[str, Axis] = {}
        for plan in self.plans:
            for planned in plan.get("axes", []):
                axis = Axis.from_dict(planned["axis"])
                axes.setdefault(axis.name, axis)
        return axes

    @functools.cached_property
    def models(self) -> dict[str, dict[str, Any]]:
        """What is known of each model (source, weights, preprocessing, ...), in plan order."""
        models: dict[str, dict[str, Any]] = {}
        for plan in self.plans:
            for name, facts in plan.get("models", {}).items():
                models.setdefault(name, facts)
        return models

    @property
    def failures(self) -> list[dict[str, Any]]:
        """What failed and is still missing."""
        present: dict[int, set[str]] = {}
        for unit in self.units:
            present.setdefault(unit.shard, set()).update(cell.id for cell in unit.cells)
        return [
            failure
            for failure in read_objects(self.store, "failures")
            if set(failure["cells"]) - present.get(failure["shard"], set())
        ]

    # ---- outcomes ------------------------------------------------------------------------

    def column(self, name: str) -> npt.NDArray[Any]:
        """Return one column of every cell.

        Parameters
        ----------
        name : str
            ``label``, ``sample``, ``correct`` or one of the measured columns: ``prediction``,
            ``prediction_probability``, ``label_rank``, ``label_probability``.

        Returns
        -------
        array of shape [cells, samples]
            Rows as in :attr:`cells`, columns as in :attr:`samples`.

        Raises
        ------
        KeyError
            For another name.
        InputError
            For a damaged unit.
        """
        shape = (len(self.cells), len(self.samples))
        if name in ("label", "sample"):
            return np.broadcast_to(getattr(self.samples, name), shape)
        if name == "correct":
            return np.asarray(self.column("prediction") == self.samples.label)
        if name not in COLUMNS:
            raise KeyError(name)
        stored = self._stored_column(name)
        return stored if self._identity_order else stored[self._rows]

    def correct(self) -> npt.NDArray[np.bool_]:
        """Return whether the prediction is the label: bool array [cells, samples]."""
        return np.asarray(self.column("correct"), dtype=bool)

    @functools.cached_property
    def counts(self) -> pd.DataFrame:
        """Correct predictions by cell and class: model, axis, value, replicate, class, correct, n.

        ``class`` is the class's name; classes without samples are left out.
        """
        if self.counts_only:
            return self._imported_counts()
        present, inverse = np.unique(self.samples.label, return_inverse=True)
        correct = self.correct()
        totals = np.bincount(inverse, minlength=len(present))
        hits = np.stack(
            [np.bincount(inverse, weights=row, minlength=len(present)) for row in correct]
        ).astype(np.int64)
        frame = self.cells.loc[self.cells.index.repeat(len(present))].reset_index(drop=True)
        names = np.array(self.classes.names, dtype=object)[present]
        frame["class"] = np.tile(names, len(self.cells))
        frame["correct"] = hits.reshape(-1)
        frame["n"] = np.tile(totals, len(self.cells))
        return frame

    def _imported_counts(self) -> pd.DataFrame:
        """Return the imported counts, ordered as cells are, and classes as the run's."""
        frame = read_counts(self.store)
        strengths = [
            self.axes[axis].strength(value) if axis in self.axes else value
            for axis, value in zip(frame["axis"], frame["value"], strict=True)
        ]
        place = {name: index for index, name in enumerate(self.classes.names)}
        order = frame.assign(strength=strengths, place=frame["class"].map(place))
        keys = ["model", "axis", "strength", "replicate", "place"]
        ordered = order.sort_values(keys, kind="stable", na_position="first", ignore_index=True)
        return ordered[list(frame.columns)]

    def tables(self, rows: int = 1_000_000) -> Iterator[pd.DataFrame]:
        """Yield the long table in pieces of about ``rows`` rows, in the order of :attr:`cells`.

        Columns: model, axis, value, replicate, sample, class, label, prediction,
        prediction_probability, label_rank, label_probability.
        """
        step = max(1, rows // max(1, len(self.samples)))
        measured = {name: self.column(name) for name in COLUMNS}
        names = np.array([*self.classes.names, None], dtype=object)
        for start in range(0, len(self.cells), step):
            part = self.cells.iloc[start : start + step]
            frame = part.loc[part.index.repeat(len(self.samples))].reset_index(drop=True)
            frame["sample"] = np.tile(self.samples.sample, len(part))
            frame["class"] = np.tile(names[self.samples.label], len(part))
            frame["label"] = np.tile(self.samples.label, len(part))
            for name, values in measured.items():
                frame[name] = values[start : start + step].reshape(-1)
            yield frame

    def table(self) -> pd.DataFrame:
        """Return the long table whole; see :meth:`tables`. Meant for runs that fit in memory."""
        return pd.concat(list(self.tables()), ignore_index=True)

    # ---- placing -------------------------------------------------------------------------

    def _place(self) -> None:
        """Find each cell's units, leave the incomplete out, and order the rest."""
        # Two units may hold the same cell of a shard (two writers); the first by name counts.
        self._where: dict[str, dict[int, tuple[Unit, int]]] = {}
        cells: dict[str, Cell] = {}
        for unit in self.units:
            for row, cell in enumerate(unit.cells):
                cells.setdefault(cell.id, cell)
                self._where.setdefault(cell.id, {}).setdefault(unit.shard, (unit, row))
        self._columns: dict[str, npt.NDArray[np.int64]] = {}
        self._positions: dict[bytes, npt.NDArray[np.int64] | None] = {}
        stored: dict[str, int] = {}
        counts = {unit.name: self._checked(unit) for unit in self.units}
        for key, places in self._where.items():
            stored[key] = sum(counts[unit.name] for unit, _ in places.values())
        expected = len(self.samples)
        self.coverage = [Coverage(cell, stored[key], expected) for key, cell in cells.items()]
        complete = [entry.cell for entry in self.coverage if entry.complete]
        self._stored_ids = [cell.id for cell in complete]
        self._cells, self._rows = self._ordered(complete)
        self._identity_order = len(self._rows) == len(complete) and bool(
            (self._rows == np.arange(len(complete))).all()
        )

    def _checked(self, unit: Unit) -> int:
        """Return how many kept samples a unit has; assert that they are this run's, each once."""
        # The units of a sweep all hold the same samples, which are looked at once.
        key = unit.samples.tobytes()
        if key not in self._positions:
            kept = unit.samples[self._kept(unit)]
            mine = self.samples.sample
            positions = np.searchsorted(mine, kept)
            known = positions < len(mine)
            known[known] = mine[positions[known]] == kept[known]
            sound = known.all() and len(np.unique(positions)) == len(positions)
            self._positions[key] = positions if sound else None
        found = self._positions[key]
        if found is None:
            raise foreign_unit(self.store, unit)
        self._columns[unit.name] = found
        return len(found)

    def _kept(self, unit: Unit) -> npt.NDArray[np.bool_]:
        """Return which samples of a unit are in no skip of any unit."""
        if not len(self._skipped):
            return np.ones(len(unit.samples), dtype=bool)
        return ~np.isin(unit.samples, self._skipped)

    def _ordered(self, complete: list[Cell]) -> tuple[pd.DataFrame, npt.NDArray[np.int64]]:
        """Order cells and repeat each identity under the axes of its model."""
        of_model: dict[str, set[str]] = {}
        for cell in complete:
            if cell.axis is not None:
                of_model.setdefault(cell.model, set()).add(cell.axis)
        rows: list[tuple[Any, ...]] = []
        for index, cell in enumerate(complete):
            names: list[str | None] = [cell.axis]
            if cell.axis is None:
                names = [*sorted(of_model.get(cell.model, set()))] or [None]
            for name in names:
                axis = self.axes.get(name) if name else None
                value = cell.value
                if value is None:
                    value = axis.reference if axis else np.nan
                strength = axis.strength(value) if axis else 0.0
                rank = (cell.model, name or "", strength, cell.replicate)
                rows.append((rank, cell.model, name, value, cell.replicate, index))
        rows.sort(key=lambda row: row[0])
        frame = pd.DataFrame(
            [row[1:5] for row in rows], columns=["model", "axis", "value", "replicate"]
        ).astype({"value": "float64", "replicate": "int64"})
        return frame, np.array([row[5] for row in rows], dtype=np.int64)

    def _stored_column(self, name: str) -> npt.NDArray[Any]:
        """Return a column of the complete stored cells, [stored cells, samples]."""
        rows = {key: row for row, key in enumerate(self._stored_ids)}
        by_unit: dict[str, list[tuple[int, int]]] = {}
        units = {unit.name: unit for unit in self.units}
        for key in self._stored_ids:
            for unit, row in self._where[key].values():
                by_unit.setdefault(unit.name, []).append((rows[key], row))
        result: npt.NDArray[Any] | None = None
        dtype = COLUMNS[name].to_pandas_dtype()
        floating = np.issubdtype(dtype, np.floating)

        def load(unit_key: str) -> npt.NDArray[Any]:
            return read_column(self.store, units[unit_key], name)

        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            for unit_key, values in zip(by_unit, pool.map(load, by_unit), strict=True):
                unit = units[unit_key]
                if result is None:
                    result = np.empty((len(rows), len(self.samples)), dtype)
                if values.dtype != dtype and not floating and np.isnan(values).any():
                    # An integer column with nulls (imports): it becomes floating, NaN for null.
                    result, dtype, floating = result.astype(np.float64), np.float64, True
                kept = self._kept(unit)
                to, source = (list(pair) for pair in zip(*by_unit[unit_key], strict=True))
                part = values[source] if kept.all() else values[source][:, kept]
                positions = self._columns[unit_key]
                if len(positions) == result.shape[1]:  # ascending, so all of them in order
                    result[to] = part
                else:
                    result[np.ix_(to, positions)] = part
        if result is None:
            return np.empty((0, len(self.samples)), dtype)
        if name == "prediction" and result.size:
            self._check_predictions(result)
        return result

    def _check_predictions(self, predictions: npt.NDArray[Any]) -> None:
        """Refuse predictions of classes that the run does not have; null is no prediction."""
        least, most = np.nanmin(predictions), np.nanmax(predictions)
        if least < -1 or most >= len(self.classes):
            raise InputError(
                f"{self.store} has predictions from {least:g} to {most:g}, and run.json names "
                f"{len(self.classes)} classes; expected the files of one run: copy the folder again"
            )


def foreign_unit(store: Store, unit: Unit) -> InputError:
    """Say that a unit is of another run."""
    return InputError(
        f"{store}/{unit.name} holds samples that are not this run's, or one twice; the file "
        "belongs to another run: delete it"
    )


def _samples(store: Store) -> Samples:
    try:
        return Samples.from_parquet_bytes(store.get("samples.parquet"))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{store}/samples.parquet is missing or damaged; expected the table that was written "
            "with run.json: restore it, or start a new run with --out"
        ) from error


def _named(cell: Cell) -> str:
    place = "identity" if cell.axis is None else f"{cell.axis}={cell.value:g}"
    return f"{cell.model} {place} replicate {cell.replicate}"
