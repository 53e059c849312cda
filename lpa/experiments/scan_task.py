"""A scan that is ready to run: its cells, what is missing, and the running of it."""

from __future__ import annotations

import contextlib
import copy
import datetime
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from lpa.augmentations.augmentation import Augmentation
from lpa.datasets import Source
from lpa.engines import Engine
from lpa.engines.in_process import InProcess
from lpa.errors import InputError
from lpa.examples import choose_examples
from lpa.experiments.class_check import best_relabelling, suggested_file
from lpa.experiments.commands import call, command
from lpa.experiments.crews import ScanCrew
from lpa.experiments.devices import batch_size_of
from lpa.experiments.machine import device_name, versions
from lpa.experiments.progress import Progress, duration
from lpa.forward import DeviceModel, MeasuredModel
from lpa.measurement import Measurement, Summary
from lpa.models.loaded import LoadedModel
from lpa.outcomes import (
    Cell,
    RunRecord,
    Samples,
    Store,
    StoredUnits,
    WorkUnit,
    cell_id,
    check_begun,
    create_or_check,
    put_plan,
    read_column,
)
from lpa.plans import PlannedAxis, ScanPlan
from lpa.streams import ShardReader

__all__ = ["Estimate", "ScanTask"]

BYTES_PER_OUTCOME = 7.0
"""Stored bytes per cell and sample (18 M rows are about 125 MB)."""


@dataclass
class Estimate:
    """What a scan will take.

    Attributes
    ----------
    units, cells, passes : int
        Work units, cells that are missing, images that go through a model.
    stored_bytes : int
        Disk for outcomes.
    seconds : float
        Measured on one batch per model on this machine, extrapolated.
    """

    units: int
    cells: int
    passes: int
    stored_bytes: int
    seconds: float

    def __str__(self) -> str:
        """Write one line."""
        return (
            f"{self.units} units, {self.cells} cells, {self.passes} forward passes, about "
            f"{self.stored_bytes / 1e6:.1f} MB on disk, about {duration(self.seconds)}"
        )


@dataclass
class ScanTask:
    """A scan that is ready to run: everything is checked, nothing is computed.

    Attributes
    ----------
    plan : ScanPlan
        What was asked.
    store : Store
        The run's folder.
    record : RunRecord
        What the run is.
    source : Source
        Where images are read.
    samples : Samples
        The declared samples.
    loaded : list of LoadedModel
        The models.
    models : list of MeasuredModel
        The same with their maps to the run's classes, and the ensemble.
    augmentations : dict of str to Augmentation
        Modules by canonical name.
    devices : list of torch.device
        Where to compute.
    units : list of WorkUnit
        What is missing.
    damaged : list of str
        Stored units that are computed again: removed when the task runs.
    class_check : bool
        Whether the confusions at the identity may stop the run.
    progress : bool
        Whether to say on standard error what is done.
    data_is_text : bool
        Whether the data were named, so that a command can ask for them, or given as an object.
    """

    plan: ScanPlan
    store: Store
    record: RunRecord
    source: Source
    samples: Samples
    loaded: list[LoadedModel]
    models: list[MeasuredModel]
    augmentations: dict[str, Augmentation]
    devices: list[torch.device]
    units: list[WorkUnit] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    class_check: bool = True
    progress: bool = True
    data_is_text: bool = True

    # ---- what there is to do --------------------------------------------------------------

    def cells(self) -> list[Cell]:
        """Return every planned cell: the identities, then axis by axis, weak to strong."""
        conditions: list[tuple[PlannedAxis | None, float | None, int]] = [(None, None, 0)]
        for planned in self.plan.axes:
            conditions += [(planned, value, draw) for value, draw in planned.conditions()]
        return [
            self._cell(model, planned, value, draw)
            for planned, value, draw in conditions
            for model in self.models
        ]

    def _cell(
        self, model: MeasuredModel, planned: PlannedAxis | None, value: float | None, draw: int
    ) -> Cell:
        key = cell_id(
            model=model.id,
            augmentation=None if planned is None else dict(planned.augmentation),
            value=value,
            replicate=draw,
            seed=self.plan.seed,
            precision=self.record.precision,
            data=self.record.fingerprint,
        )
        return Cell(model.name, planned.axis.name if planned else None, value, draw, key)

    def missing(self, present: Mapping[int, set[str]]) -> list[WorkUnit]:
        """Return planned minus stored, as one unit per shard."""
        cells = self.cells()
        shards = -(-len(self.samples) // self.record.shard_size)
        units = []
        for shard in range(shards):
            stored = present.get(shard, set())
            left = tuple(cell for cell in cells if cell.id not in stored)
            if left:
                units.append(WorkUnit(shard, left))
        if self.plan.shard is None:
            return units
        part, parts = self.plan.shard
        return [unit for unit in units if unit.shard % parts == part - 1]

    def passes(self) -> int:
        """Return the number of images that go through a model."""
        members = {model.name: model.members or (model.name,) for model in self.models}
        total = 0
        for unit in self.units:
            images = len(range(len(self.samples))[self._slice(unit.shard)])
            needed: dict[Any, set[str]] = {}
            for cell in unit.cells:
                condition = (cell.axis, cell.value, cell.replicate)
                needed.setdefault(condition, set()).update(members[cell.model])
            total += images * sum(len(names) for names in needed.values())
        return total

    def _slice(self, shard: int) -> slice:
        return slice(shard * self.record.shard_size, (shard + 1) * self.record.shard_size)

    def estimate(self) -> Estimate:
        """Time one batch of each model and extrapolate; nothing is stored."""
        cells = sum(len(unit.cells) for unit in self.units)
        outcomes = sum(
            len(unit.cells) * len(range(len(self.samples))[self._slice(unit.shard)])
            for unit in self.units
        )
        passes = self.passes()
        seconds = 0.0
        plain = [model for model in self.models if model.module is not None]
        if passes:
            for model in plain:
                seconds += _seconds_per_image(model, self.devices[0]) * passes / len(plain)
        stored = int(outcomes * BYTES_PER_OUTCOME)
        return Estimate(len(self.units), cells, passes, stored, seconds / len(self.devices))

    # ---- doing it --------------------------------------------------------------------------

    def run(
        self, stop: threading.Event | None = None, engine: Engine | None = None
    ) -> list[Summary]:
        """Compute what is missing and store it.

        Parameters
        ----------
        stop : threading.Event or None
            Set it to end soon: finished cells are stored, and the same command goes on later.
        engine : Engine or None
            Which runs the units; None: in this process.

        Returns
        -------
        list of Summary
            One per unit.

        Raises
        ------
        InputError
            When the disk is full, a file has changed, or the classes are matched wrongly.
        """
        stop, engine = stop or threading.Event(), engine or InProcess()
        summaries: list[Summary] = []
        self._begin(engine.machines())
        before = self._stored_identity() if self.class_check else []
        self._check_classes(before)
        with Progress(self.passes(), "images", "scan", self.progress) as progress:
            checked = 0
            crew = ScanCrew(self, stop, progress)
            # Closed by name, so that workers end when a check stops the run.
            with contextlib.closing(engine.run(self.units, crew, stop)) as results:
                for summary in results:
                    summaries.append(summary)
                    for model, reason in summary.failures:
                        progress.note(f"failed: {model} in unit {summary.shard}: {reason}")
                    # Now and then: each time, the cost of all checks would grow with the square.
                    if len(summaries) >= 1.5 * checked:
                        checked = len(summaries)
                        self._check_classes([*before, *summaries])
            if checked < len(summaries):
                self._check_classes([*before, *summaries])
        return summaries

    def reader(self, threads: int) -> ShardReader:
        """Return what reads and decodes the images."""
        views = [model.view for model in self.models if model.view is not None]
        return ShardReader(self.source, self.samples, self.record.shard_size, threads, views)

    def _begin(self, machines: list[str]) -> None:
        """Write what the run is and what is asked of it; nothing was written before."""
        record = create_or_check(self.store, self.record, self.samples)
        check_begun(self.store, record, self.record)
        for name in self.damaged:
            if self.progress:
                print(f"removing the damaged {name}; it is computed again", file=sys.stderr)
            self.store.delete(name)
        put_plan(self.store, self._plan_record(machines))

    def worker(
        self,
        device: torch.device,
        reader: ShardReader,
        stop: threading.Event,
        tick: Callable[[int], None],
    ) -> Measurement:
        """Return what measures units on one device."""
        several = len(self.devices) > 1
        models = [
            replace(model, module=copy.deepcopy(model.module)) if several else model
            for model in self.models
        ]
        modules = copy.deepcopy(self.augmentations) if several else self.augmentations
        return Measurement(
            models,
            modules,
            reader,
            self.store,
            device,
            seed=self.plan.seed,
            precision=self.record.precision,
            batch_size=batch_size_of(self.plan.batch_size, self.devices),
            classes=len(self.record.classes),
            stop=stop,
            examples=choose_examples(self.samples) if self.plan.images else None,
            tick=tick,
        )

    def _stored_identity(self) -> list[Summary]:
        """Return the outcomes at the identity that earlier commands stored."""
        planned = {cell.id: cell.model for cell in self.cells() if cell.axis is None}
        labels = dict(zip(self.samples.sample.tolist(), self.samples.label, strict=True))
        found = []
        for unit in StoredUnits(self.store).units:
            rows = [row for row, cell in enumerate(unit.cells) if cell.id in planned]
            if not rows:
                continue
            predictions = read_column(self.store, unit, "prediction")
            label = np.array([labels[sample] for sample in unit.samples.tolist()], dtype=np.int64)
            identity = {planned[unit.cells[row].id]: (label, predictions[row]) for row in rows}
            found.append(Summary(unit.shard, identity=identity))
        return found

    def _check_classes(self, summaries: Sequence[Summary]) -> None:
        """Stop when the best relabelling of the confusions at the identity gains much."""
        for model in self.models:
            # A mean of models is matched rightly where its members are.
            if model.members or not self.class_check:
                continue
            seen = [s.identity[model.name] for s in summaries if model.name in s.identity]
            if not seen:
                continue
            labels = np.concatenate([labels for labels, _ in seen]).astype(np.int64)
            predictions = np.concatenate([guesses for _, guesses in seen]).astype(np.int64)
            best = best_relabelling(labels, predictions)
            if best is None or not best.suspicious:
                continue
            names = next(m.classes.names for m in self.loaded if m.name == model.name)
            text = suggested_file(best.mapping, model.outputs.tolist(), self.record.classes, names)
            name = f"suggested-classes-{re.sub(r'[^A-Za-z0-9._-]+', '-', model.name)}.json"
            self.store.put(name, text.encode())
            raise InputError(
                f"model {model.name!r} gets {100 * best.accuracy:.1f} % of {best.images} images "
                f"right, and {100 * best.relabelled:.1f} % when its classes are matched otherwise: "
                f"check them; a suggestion is in {self.store}/{name}, to be used with "
                "--classes and another --out; if they are right, go on with --no-class-check"
            )

    def _plan_record(self, machines: list[str]) -> dict[str, Any]:
        return {
            **self.plan.to_dict(),
            "precision": self.record.precision,
            "models": {model.name: self._model_facts(model) for model in self.models},
            "command": self._command(),
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "device": machines or [device_name(device) for device in self.devices],
            "versions": versions(),
        }

    def _command(self) -> str:
        texts = {
            model.name: None if model.source == "module" else model.spec for model in self.loaded
        }
        if self.data_is_text and None not in texts.values():
            return command(self.plan, self.store)
        return call(self.plan, self.store, texts, self.data_is_text)

    def _model_facts(self, model: MeasuredModel) -> dict[str, Any]:
        facts: dict[str, Any] = {"id": model.id, "members": list(model.members)}
        for loaded in self.loaded:
            if loaded.name == model.name:
                facts |= {
                    "source": loaded.source,
                    "spec": loaded.spec,
                    "weights": loaded.weights,
                    "weights_hash": loaded.weights_hash,
                    "preprocessing": loaded.preprocessing,
                    "published_accuracy": loaded.published_accuracy,
                    "notes": list(loaded.notes),
                    "outputs": len(loaded.classes),
                }
        return facts


def _seconds_per_image(model: MeasuredModel, device: torch.device) -> float:
    assert model.view is not None
    count = 8 if device.type == "cpu" else 256
    runner = DeviceModel(model, device, "fp32" if device.type == "cpu" else "fp16", count)
    images = torch.rand(count, 3, *model.view.size, device=device)
    runner.logits(images[:1]).cpu()
    began = time.monotonic()
    runner.logits(images).cpu()
    return (time.monotonic() - began) / count
