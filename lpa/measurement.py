"""The hot loop: streams x models -> outcomes.

Image-major: a shard is decoded once; then for every augmentation, value and draw the batch is made
once per distinct view and given to all models. A batch never mixes cells or shards, so an outcome
does not depend on what else is computed.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lpa.augmentations.augmentation import Augmentation
from lpa.examples import ExamplePlan, Strips, write_pictures
from lpa.forward import (
    SMALL_MARGIN,
    Columns,
    DeviceModel,
    MeasuredModel,
    columns,
    mean_probability,
)
from lpa.outcomes import COLUMNS, Cell, Store, WorkUnit, put_failure, unit_name, write_unit
from lpa.streams import Batches, Shard, ShardReader
from lpa.views import View

__all__ = ["Measurement", "Summary"]

FLUSH_SECONDS = 60.0
"""Finished cells are stored at least this often, so that a kill loses a minute."""

Condition = tuple[str | None, float | None, int]
"""Axis, value and replicate; axis and value are None for the identity."""


@dataclass
class Summary:
    """What became of a unit.

    Attributes
    ----------
    shard : int
        Its shard.
    cells : int
        Cells stored.
    passes : int
        Images that went through a model.
    skips : dict of int to str
        Samples that could not be decoded.
    failures : list of (str, str)
        Model (or "data") and reason; their cells are still missing.
    identity : dict
        Model -> (labels, predictions) at the identity, for the check of the classes.
    """

    shard: int
    cells: int = 0
    passes: int = 0
    skips: dict[int, str] = field(default_factory=dict)
    failures: list[tuple[str, str]] = field(default_factory=list)
    identity: dict[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]] = field(default_factory=dict)


@dataclass
class _Part:
    """Finished cells of a unit that are not stored yet."""

    cells: list[Cell] = field(default_factory=list)
    columns: list[Columns] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    passes: int = 0
    repeated: int = 0


class Measurement:
    """Measures units on one device.

    Parameters
    ----------
    models : sequence of MeasuredModel
        All models of the scan, means included.
    augmentations : mapping of str to Augmentation
        Canonical name -> module.
    reader : ShardReader
        Gives decoded shards.
    store : Store
        Where units, failures and examples go.
    device : torch.device
        Where this worker computes.
    seed : int
        The run's seed.
    precision : {"fp32", "fp16", "bf16"}
        Of the forward passes.
    batch_size : int
        Images per forward pass.
    classes : int
        Number of the run's classes.
    stop : threading.Event
        Checked between cells; what is finished is stored, then the unit ends.
    examples : ExamplePlan or None
        Pictures to keep; None: none.
    tick : callable
        Called with the number of images that went through a model.
    """

    def __init__(
        self,
        models: Sequence[MeasuredModel],
        augmentations: Mapping[str, Augmentation],
        reader: ShardReader,
        store: Store,
        device: torch.device,
        *,
        seed: int,
        precision: str,
        batch_size: int,
        classes: int,
        stop: threading.Event,
        examples: ExamplePlan | None = None,
        tick: Callable[[int], None] = lambda passes: None,
    ) -> None:
        self.models = {model.name: model for model in models}
        self.on_device = {
            model.name: DeviceModel(model, device, precision, batch_size)
            for model in models
            if model.module is not None
        }
        self.augmentations = dict(augmentations)
        for module in augmentations.values():
            module.to(device)
        self.reader = reader
        self.store = store
        self.device = device
        self.seed = seed
        self.precision = precision
        self.classes = classes
        self.stop = stop
        self.examples = examples
        self.tick = tick

    def prefetch(self, unit: WorkUnit) -> None:
        """Start reading the unit's shard."""
        self.reader.prefetch(unit.shard)

    def __call__(self, unit: WorkUnit) -> Summary:
        """Measure a unit's cells and store them.

        Data that cannot be read and models that fail are recorded, in the store and in the
        summary; the unit's other cells are kept.

        Raises
        ------
        InputError
            When the store cannot be written, or a file has changed since the run began.
        """
        summary = Summary(unit.shard)
        try:
            shard = self.reader.read(unit.shard)
        except OSError as error:
            self._fail(summary, None, f"data cannot be read: {error}", unit.cells)
            return summary
        summary.skips = shard.skips
        if not shard.images:
            self._store_empty(unit, shard, summary)
            return summary
        pool = self.reader.pool if self.device.type == "cpu" else None
        batches = Batches(shard, self.device, self.seed, pool)
        strips = Strips(self.examples) if self.examples else None
        if self.examples:
            first = next(m.view for m in self.models.values() if m.view is not None)
            write_pictures(self.store, shard, first, self.examples)
        self._measure(unit, batches, summary, strips)
        _return_memory()
        return summary

    # ---- one unit ------------------------------------------------------------------------

    def _measure(
        self, unit: WorkUnit, batches: Batches, summary: Summary, strips: Strips | None
    ) -> None:
        labels = torch.from_numpy(batches.shard.samples.label.astype(np.int64)).to(self.device)
        broken: set[str] = set()
        part = _Part()
        for condition, cells in _by_condition(unit.cells).items():
            if self.stop.is_set():
                break
            wanted = [c for c in cells if not broken.intersection(self._parts_of(c.model))]
            logits = self._logits(condition, wanted, batches, summary, broken, unit, strips, part)
            for cell in wanted:
                if broken.intersection(self._parts_of(cell.model)):
                    continue
                part.cells.append(cell)
                part.columns.append(self._columns(self.models[cell.model], logits, labels))
            if time.monotonic() - part.began > FLUSH_SECONDS:
                self._flush(part, batches, summary, strips, labels)
                part = _Part()
        self._flush(part, batches, summary, strips, labels)

    def _logits(
        self,
        condition: Condition,
        cells: Sequence[Cell],
        batches: Batches,
        summary: Summary,
        broken: set[str],
        unit: WorkUnit,
        strips: Strips | None,
        part: _Part,
    ) -> dict[str, Tensor]:
        """Run every model that the cells need over the condition's batch, once per view."""
        logits: dict[str, Tensor] = {}
        needed = {name for cell in cells for name in self._parts_of(cell.model)}
        images: dict[View, Tensor] = {}
        for name in [n for n in self.on_device if n in needed]:
            view = self.models[name].view
            assert view is not None
            if view not in images:
                images[view] = self._batch(batches, view, condition)
                if strips is not None and len(images) == 1 and condition[2] == 0:
                    strips.add(batches.shard, images[view], *condition)
            try:
                logits[name] = self.on_device[name].logits(images[view])
            except Exception as error:  # Whatever a user's module raises is a finding.
                broken.add(name)
                lost = self._left(unit, condition, name)
                self._fail(summary, name, _one_line(error), lost)
                continue
            self.tick(len(batches))
            part.passes += len(batches)
        return logits

    def _batch(
        self,
        batches: Batches,
        view: View,
        condition: Condition,
        rows: npt.NDArray[np.int64] | None = None,
    ) -> Tensor:
        axis, value, draw = condition
        if axis is None or value is None:
            index = None if rows is None else torch.from_numpy(rows).to(self.device)
            return batches.floats(view, index)
        return batches.augmented(view, self.augmentations[axis], value, draw, rows)

    def _columns(
        self, model: MeasuredModel, logits: Mapping[str, Tensor], labels: Tensor
    ) -> Columns:
        if not model.members:
            return columns(logits[model.name], labels, model)
        members = [self.models[name] for name in model.members]
        return columns(mean_probability(logits, members, self.classes), labels, model)

    def _left(self, unit: WorkUnit, condition: Condition, name: str) -> list[Cell]:
        """Return the unit's cells from a condition on that need a model."""
        order = {key: place for place, key in enumerate(_by_condition(unit.cells))}
        return [
            cell
            for cell in unit.cells
            if name in self._parts_of(cell.model) and order[_condition(cell)] >= order[condition]
        ]

    def _parts_of(self, name: str) -> tuple[str, ...]:
        """Return the models whose outputs a cell of this model needs."""
        return self.models[name].members or (name,)

    # ---- storing -------------------------------------------------------------------------

    def _flush(
        self,
        part: _Part,
        batches: Batches,
        summary: Summary,
        strips: Strips | None,
        labels: Tensor,
    ) -> None:
        """Store the finished cells of a part; nothing is stored of models that gave NaN."""
        if not part.cells:
            return
        margins = torch.stack([c["margin"] for c in part.columns]).cpu().numpy()
        if self.precision != "fp32":
            self._repeat(part, batches, labels, margins)
            margins = torch.stack([c["margin"] for c in part.columns]).cpu().numpy()
        sound = self._sound(part, margins, summary)
        stacked = {
            name: torch.stack([part.columns[row][name] for row in sound]).cpu().numpy()
            for name in COLUMNS
            if sound
        }
        cells = [part.cells[row] for row in sound]
        if not cells:
            return
        if strips is not None:
            # Before the unit: where the unit stands, its examples stand too.
            strips.flush(self.store, unit_name(batches.shard.number, cells))
        write_unit(
            self.store,
            batches.shard.number,
            cells,
            batches.shard.samples.sample,
            stacked,
            batches.shard.skips,
            self._timings(part),
        )
        summary.cells += len(cells)
        summary.passes += part.passes
        for cell, predictions in zip(cells, stacked["prediction"], strict=True):
            if cell.axis is None:
                summary.identity[cell.model] = (batches.shard.samples.label, predictions)

    def _sound(self, part: _Part, margins: npt.NDArray[np.float32], summary: Summary) -> list[int]:
        """Return the rows whose scores are numbers; record the models of the others."""
        finite: npt.NDArray[np.bool_] = np.asarray(~np.isnan(margins).any(axis=1))
        bad = [cell for cell, good in zip(part.cells, finite, strict=True) if not good]
        for model in dict.fromkeys(cell.model for cell in bad):
            lost = [cell for cell in bad if cell.model == model]
            self._fail(summary, model, f"the model's outputs are NaN in {len(lost)} cells", lost)
        return np.flatnonzero(finite).tolist()

    def _repeat(
        self,
        part: _Part,
        batches: Batches,
        labels: Tensor,
        margins: npt.NDArray[np.float32],
    ) -> None:
        """Compute the samples of small margin again in float32, gathered over the cells.

        Their batches are made again: the parameters depend on the sample alone, so the pixels are
        the same, and nothing had to be kept.
        """
        # Not "< margin is False": NaN (an overflow in half precision) is repeated as well.
        doubtful = ~(margins >= SMALL_MARGIN)
        for name in dict.fromkeys(cell.model for cell in part.cells):
            model = self.models[name]
            entries = [
                (index, np.flatnonzero(doubtful[index]))
                for index, cell in enumerate(part.cells)
                if cell.model == name and doubtful[index].any()
            ]
            size = self._batch_size(name)
            for group in _grouped(entries, size):
                logits = {
                    member: self._exact_logits(member, part, batches, group, size)
                    for member in self._parts_of(name)
                }
                rows = np.concatenate([rows for _, rows in group])
                again = self._columns(model, logits, labels[torch.from_numpy(rows).to(self.device)])
                self._replace(part, group, again)
                part.repeated += len(rows)

    def _exact_logits(
        self, name: str, part: _Part, batches: Batches, group: list[tuple[int, Any]], size: int
    ) -> Tensor:
        view = self.models[name].view
        assert view is not None
        images = [
            self._batch(batches, view, _condition(part.cells[index]), rows) for index, rows in group
        ]
        batch = torch.cat(images)
        # Always the same shape, since which samples meet here depends on when a run was killed, and
        # the last bits of a pass depend on the shape.
        padded = torch.cat([batch, batch[-1:].expand(size - len(batch), -1, -1, -1)])
        return self.on_device[name].logits(padded, exact=True)[: len(batch)]

    @staticmethod
    def _replace(part: _Part, group: list[tuple[int, Any]], again: Columns) -> None:
        start = 0
        for index, rows in group:
            where = torch.from_numpy(rows).to(again["margin"].device)
            for column, values in again.items():
                part.columns[index][column][where] = values[start : start + len(rows)]
            start += len(rows)

    def _batch_size(self, name: str) -> int:
        return min(self.on_device[member].batch_size for member in self._parts_of(name))

    def _timings(self, part: _Part) -> dict[str, Any]:
        timings: dict[str, Any] = {
            "seconds": round(time.monotonic() - part.began, 3),
            "passes": part.passes,
            "repeated_in_fp32": part.repeated,
            "device": str(self.device),
        }
        halved = {n: m.batch_size for n, m in self.on_device.items() if m.halvings}
        if halved:
            timings["batch_size_after_out_of_memory"] = halved
        return timings

    def _store_empty(self, unit: WorkUnit, shard: Shard, summary: Summary) -> None:
        """Store a shard of which nothing can be decoded, so that it is not tried for ever."""
        empty = {
            name: np.empty((len(unit.cells), 0), kind.to_pandas_dtype())
            for name, kind in COLUMNS.items()
        }
        none = np.empty(0, dtype=np.int64)
        write_unit(self.store, shard.number, unit.cells, none, empty, shard.skips, {})
        summary.cells = len(unit.cells)

    def _fail(
        self, summary: Summary, model: str | None, reason: str, cells: Iterable[Cell]
    ) -> None:
        put_failure(self.store, summary.shard, model, reason, [cell.id for cell in cells])
        summary.failures.append((model or "data", reason))


def _return_memory() -> None:
    """Give freed memory back to the system, where the C library keeps it (glibc).

    Its arenas fragment under images of many sizes, and the peak would creep up with every shard.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


def _condition(cell: Cell) -> Condition:
    return cell.axis, cell.value, cell.replicate


def _by_condition(cells: Iterable[Cell]) -> dict[Condition, list[Cell]]:
    """Group cells by condition, in the order in which they come."""
    grouped: dict[Condition, list[Cell]] = {}
    for cell in cells:
        grouped.setdefault(_condition(cell), []).append(cell)
    return grouped


def _grouped(
    entries: list[tuple[int, npt.NDArray[np.int64]]], size: int
) -> list[list[tuple[int, npt.NDArray[np.int64]]]]:
    """Cut entries (cell, rows) into groups of at most ``size`` rows."""
    groups: list[list[tuple[int, npt.NDArray[np.int64]]]] = []
    room = 0
    for index, rows in entries:
        for start in range(0, len(rows), size):
            piece = rows[start : start + size]
            if len(piece) > room:
                groups.append([])
                room = size
            groups[-1].append((index, piece))
            room -= len(piece)
    return groups


def _one_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:500]
