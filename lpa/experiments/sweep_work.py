"""The work of a training sweep: its trainings, in groups of those that train as one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch

from lpa.engines import Worker
from lpa.experiments.cell_task import (
    BYTES_PER_OUTCOME,
    CellEstimate,
    CellSummary,
    kept_samples,
)
from lpa.experiments.crews import module_bytes
from lpa.experiments.sweep_data import SweepData
from lpa.experiments.sweep_worker import DeviceData, Training, TrainingWorker, group_key
from lpa.models.untrained import UntrainedModel
from lpa.outcomes import Cell, RunRecord, Samples, Store, StoredUnits, WorkUnit
from lpa.training.checkpoint import Checkpoint
from lpa.training.distributed import World

__all__ = ["TRAINING_SAMPLES", "TrainingWork"]

TRAINING_SAMPLES = "training-samples.parquet"
"""Table of the images to train on, beside that of the evaluated ones."""

TIMED_UPDATES = 4


@dataclass
class TrainingWork:
    """See :class:`lpa.experiments.cell_task.Work`.

    Attributes
    ----------
    store : Store
    record : RunRecord
    model : UntrainedModel
    trainings : dict of str to Training
        Every planned one, by the id of its cell, in the order of the plan.
    data : SweepData
    stack : int
        How many train as one.
    keep, compiled : bool
    devices : list of torch.device
    world : World
    """

    store: Store
    record: RunRecord
    model: UntrainedModel
    trainings: dict[str, Training]
    data: SweepData
    stack: int
    keep: bool
    compiled: bool
    devices: list[torch.device]
    world: World
    what: str = "trainings"
    title: str = "training"
    _loaded: dict[torch.device, tuple[DeviceData, dict[int, str]]] = field(default_factory=dict)

    def groups(self) -> list[WorkUnit]:
        """Cut the trainings into groups, which never mix the run's models."""
        by_model: dict[str, list[Cell]] = {}
        for training in self.trainings.values():
            by_model.setdefault(training.cell.model, []).append(training.cell)
        return [
            WorkUnit(0, tuple(cells[start : start + self.stack]))
            for cells in by_model.values()
            for start in range(0, len(cells), self.stack)
        ]

    def begin(self, store: Store) -> None:
        """Store which images are trained on; drop checkpoints of what is stored already.

        A kill between the two leaves one.
        """
        if not store.exists(TRAINING_SAMPLES):
            store.put(TRAINING_SAMPLES, self.data.parts.train.samples.to_parquet_bytes())
        if not store.list("checkpoints"):
            return
        done = StoredUnits(store).present().get(0, set())
        for unit in self.groups():
            if all(cell.id in done for cell in unit.cells):
                Checkpoint(store, group_key(unit), self.devices[0]).delete()

    def total(self, units: Sequence[WorkUnit]) -> int:
        """Return the images of all updates; what fills no batch is not shown in an epoch."""
        return sum(
            recipe.epochs * (count - count % min(recipe.batch_size, count))
            for count in (len(self.data.train),)
            for unit in units
            for recipe in (self.trainings[cell.id].recipe for cell in unit.cells)
        )

    def workers(
        self, samples: Samples, stop: threading.Event, tick: Callable[[int], None]
    ) -> list[Worker[WorkUnit, CellSummary]]:
        """Load the images for each device, and return one worker for each."""
        return [self._worker(device, samples, stop, tick) for device in self.devices]

    def _worker(
        self,
        device: torch.device,
        samples: Samples,
        stop: threading.Event,
        tick: Callable[[int], None],
    ) -> TrainingWorker:
        if device not in self._loaded:
            self._loaded[device] = self.data(device)
        data, skips = self._loaded[device]
        return TrainingWorker(
            self.trainings,
            self.model,
            data,
            classes=len(self.record.classes),
            samples=kept_samples(samples, skips),
            skips=skips,
            store=self.store,
            device=device,
            precision=self.record.precision,
            keep=self.keep,
            compiled=self.compiled,
            stop=stop,
            tick=tick,
            world=self.world,
        )

    def elsewhere(self, store: Store, device: torch.device, threads: int) -> TrainingWork:
        """Return the work for one device of another machine."""
        data = replace(self.data, workers=min(self.data.workers, threads), progress=False)
        return replace(self, store=store, devices=[device], data=data, _loaded={})

    def check_here(self) -> None:
        """Check nothing: loading the images reads all of them."""

    def weight_bytes(self) -> int:
        """Return the size of the models that train as one."""
        return self.stack * module_bytes(self.model.build(0.0))

    def estimate(self, units: Sequence[WorkUnit], samples: Samples) -> CellEstimate:
        """Time a few updates of the first group."""
        cells = [cell for unit in units for cell in unit.cells]
        devices = len(self.devices)
        if not cells:
            return CellEstimate(0, 0, self.what, 0, 0.0, devices, 0)
        worker = self._worker(self.devices[0], samples, threading.Event(), lambda images: None)
        images = self.total(units)
        seconds = images * worker.seconds_per_image(units[0], TIMED_UPDATES)
        weights = worker.weight_bytes() if self.keep else 0
        stored = len(cells) * (len(samples) * BYTES_PER_OUTCOME + weights)
        return CellEstimate(
            len(units), len(cells), self.what, images, seconds, devices, int(stored)
        )
