"""A sweep that is ready to run: its trainings, what is missing, and the running of it."""

from __future__ import annotations

import datetime
import shlex
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from lpa.engines.in_process import run_units
from lpa.experiments.machine import device_name, versions
from lpa.experiments.progress import Progress, duration
from lpa.experiments.sweep_worker import (
    DIVERGED,
    DeviceData,
    SweepSummary,
    Training,
    TrainingWorker,
)
from lpa.models.untrained import UntrainedModel
from lpa.outcomes import (
    Cell,
    RunRecord,
    Samples,
    Store,
    StoredUnits,
    WorkUnit,
    create_or_check,
    put_plan,
    read_objects,
)
from lpa.plans import SweepPlan
from lpa.training.distributed import World

__all__ = ["TRAINING_SAMPLES", "SweepEstimate", "SweepTask"]

TRAINING_SAMPLES = "training-samples.parquet"
"""Table of the images to train on, beside that of the evaluated ones."""

BYTES_PER_OUTCOME = 8.0
"""Stored bytes per training and evaluated image (735 MB for 1,860 x 50,000)."""

TIMED_UPDATES = 4


@dataclass(frozen=True)
class SweepEstimate:
    """What a sweep will take.

    Attributes
    ----------
    groups, trainings : int
        Work units, and the trainings in them, that are missing.
    images : int
        Training images that go through a model, each epoch counted.
    device_seconds : float
        Of one device; measured on a few updates and extrapolated.
    devices : int
        Devices that share the work.
    stored_bytes : int
        Disk for outcomes and kept weights.
    """

    groups: int
    trainings: int
    images: int
    device_seconds: float
    devices: int
    stored_bytes: int

    def __str__(self) -> str:
        """Write one line."""
        shared = f", {duration(self.device_seconds / self.devices)} on {self.devices}"
        return (
            f"{self.trainings} trainings in {self.groups} units, {self.images} training images, "
            f"about {self.device_seconds / 3600:.2f} device hours"
            f"{shared if self.devices > 1 else f' ({duration(self.device_seconds)})'}, about "
            f"{self.stored_bytes / 1e6:.1f} MB on disk"
        )


@dataclass
class SweepTask:
    """A sweep that is ready to run: everything is checked, nothing is trained.

    Attributes
    ----------
    plan : SweepPlan
    store : Store
    record : RunRecord
    samples, training_samples : Samples
        The evaluated samples, and those to train on.
    model : UntrainedModel
    models : dict of str to dict
        The run's models (the architecture under each policy) and what is known of them.
    trainings : dict of str to Training
        Every planned training, by the id of its cell, in the order of the plan.
    stack : int
        How many of them train as one.
    load : callable
        Device -> its images; called once a device, when there is something to train.
    devices : list of torch.device
    units : list of WorkUnit
        What is missing: one group of trainings each.
    diverged : list of str
        Trainings that diverged earlier and are not tried again.
    """

    plan: SweepPlan
    store: Store
    record: RunRecord
    samples: Samples
    training_samples: Samples
    model: UntrainedModel
    models: dict[str, dict[str, Any]]
    trainings: dict[str, Training]
    stack: int
    load: Callable[[torch.device], tuple[DeviceData, dict[int, str]]]
    devices: list[torch.device]
    world: World = field(default_factory=World)
    units: list[WorkUnit] = field(default_factory=list)
    diverged: list[str] = field(default_factory=list)
    progress: bool = True

    # ---- what there is to do -------------------------------------------------------------

    def groups(self) -> list[WorkUnit]:
        """Cut the planned trainings into groups, which never mix the run's models."""
        by_model: dict[str, list[Cell]] = {}
        for training in self.trainings.values():
            by_model.setdefault(training.cell.model, []).append(training.cell)
        return [
            WorkUnit(0, tuple(cells[start : start + self.stack]))
            for cells in by_model.values()
            for start in range(0, len(cells), self.stack)
        ]

    def find_missing(self, retry: bool = False) -> None:
        """Set :attr:`units` to planned minus stored, without what diverged before.

        Parameters
        ----------
        retry : bool
            Try diverged trainings again; they fail alike unless versions or devices differ.
        """
        done = StoredUnits(self.store).present().get(0, set())
        failed = set() if retry else self._diverged_before()
        self.diverged = sorted(failed & self.trainings.keys() - done)
        units = self.groups()
        if self.plan.shard is not None:
            part, parts = self.plan.shard
            units = units[part - 1 :: parts]
        left = [
            replace(unit, cells=tuple(c for c in unit.cells if c.id not in done | failed))
            for unit in units
        ]
        self.units = [unit for unit in left if unit.cells]

    def _diverged_before(self) -> set[str]:
        return {
            key
            for failure in read_objects(self.store, "failures")
            if str(failure.get("reason", "")).startswith(DIVERGED)
            for key in failure["cells"]
        }

    def _images(self, trained: int) -> int:
        return sum(
            self.trainings[cell.id].recipe.epochs * trained
            for unit in self.units
            for cell in unit.cells
        )

    def estimate(self) -> SweepEstimate:
        """Time a few updates of the first training and extrapolate; nothing is stored."""
        cells = [cell for unit in self.units for cell in unit.cells]
        if not cells:
            return SweepEstimate(0, 0, 0, 0.0, len(self.devices), 0)
        data, _ = self.load(self.devices[0])
        worker = self._worker(self.devices[0], data, {}, threading.Event(), lambda images: None)
        seconds = worker.seconds_per_image(self.units[0], TIMED_UPDATES)
        images = self._images(len(data.train))
        weights = worker.weight_bytes() if self.plan.keep != "none" else 0
        stored = len(cells) * (len(self.samples) * BYTES_PER_OUTCOME + weights)
        return SweepEstimate(
            len(self.units), len(cells), images, seconds * images, len(self.devices), int(stored)
        )

    # ---- doing it ------------------------------------------------------------------------

    def run(self, stop: threading.Event) -> list[SweepSummary]:
        """Train what is missing and store it; return one summary per group that was begun.

        Raises
        ------
        InputError
            When the store cannot be written or data cannot be read.
        """
        if self.world.first:
            create_or_check(self.store, self.record, self.samples)
            if not self.store.exists(TRAINING_SAMPLES):
                self.store.put(TRAINING_SAMPLES, self.training_samples.to_parquet_bytes())
            put_plan(self.store, self._plan_record())
        if not self.units:
            return []
        loaded = [self.load(device) for device in self.devices]
        total = self._images(len(loaded[0][0].train))
        enabled = self.progress and self.world.first
        summaries: list[SweepSummary] = []
        with Progress(total, "images", "training", enabled) as progress:
            workers = [
                self._worker(device, data, skips, stop, progress.tick)
                for device, (data, skips) in zip(self.devices, loaded, strict=True)
            ]
            for summary in run_units(self.units, workers, stop):
                summaries.append(summary)
                for training, reason in summary.failures:
                    progress.note(f"failed: {training}: {reason}")
        return summaries

    def _worker(
        self,
        device: torch.device,
        data: DeviceData,
        skips: Mapping[int, str],
        stop: threading.Event,
        tick: Callable[[int], None],
    ) -> TrainingWorker:
        kept = [s not in skips for s in self.samples.sample.tolist()]
        return TrainingWorker(
            self.trainings,
            self.model,
            data,
            classes=len(self.record.classes),
            samples=self.samples.sample[kept],
            skips=dict(skips),
            store=self.store,
            device=device,
            precision=self.record.precision,
            keep=self.plan.keep != "none",
            compiled=self.plan.compiled,
            stop=stop,
            tick=tick,
            world=self.world,
        )

    def _plan_record(self) -> dict[str, Any]:
        return {
            **self.plan.to_dict(),
            "precision": self.record.precision,
            "models": self.models,
            "command": command(self.plan, self.store),
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "device": [device_name(device) for device in self.devices],
            "versions": versions(),
        }


def command(plan: SweepPlan, store: Store) -> str:
    """Write the command that asks for the same again."""
    axis = plan.axis
    values = str(axis).removeprefix(f"{axis.axis.name}=")
    words = ["lpa", "train-sweep", "--data", plan.data, "--model", plan.model]
    words += ["--regularizer", axis.axis.name, "--values", values, "--seeds", str(axis.draws)]
    for name, value in plan.held.items():
        words += ["--set", f"{name}={value:g}"]
    for policy in plan.policies if plan.policies != ("plain",) else ():
        words += ["--policy", policy]
    options: list[tuple[str, Any]] = [
        ("--from", plan.checkpoints),
        ("--split", plan.split),
        ("--train-split", plan.train_split),
        ("--per-class", plan.per_class),
        ("--limit", plan.limit),
        ("--seed", plan.seed or None),
        ("--precision", None if plan.precision == "auto" else plan.precision),
        ("--keep", None if plan.keep == "last" else plan.keep),
        ("--stack", None if plan.stack == "auto" else plan.stack),
    ]
    if plan.checkpoints is None:
        # Every number of the recipe, so that another version's defaults do not matter.
        options += [
            (f"--{name.replace('_', '-')}", value)
            for name, value in plan.recipe.to_dict().items()
            if name != "select"
        ]
    for name, value in plan.overrides.items():
        numbers = value if isinstance(value, list) else [value]
        options.append((f"--{name.replace('_', '-')}", ",".join(map(str, numbers))))
    for name, value in options:
        if value is not None:
            words += [name, str(value)]
    return shlex.join([*words, "--out", str(store)])
