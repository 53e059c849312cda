"""Units of whole cells: what training sweeps and probes have to do, what is missing, doing it.

A cell here is one trained model on all evaluated samples, so a run has one shard. What a unit's
work is (train and evaluate, evaluate a ready checkpoint, train a head) is told by its
:class:`Work`.
"""

from __future__ import annotations

import datetime
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from lpa.axes import format_value
from lpa.engines import Engine, Worker
from lpa.engines.in_process import InProcess
from lpa.errors import InputError, Stopped
from lpa.experiments.crews import CellCrew
from lpa.experiments.machine import device_name, versions
from lpa.experiments.progress import Progress, duration
from lpa.outcomes import (
    DIVERGED,
    Cell,
    RunRecord,
    Samples,
    Store,
    StoredUnits,
    WorkUnit,
    check_begun,
    create_or_check,
    put_plan,
    read_objects,
)
from lpa.training.distributed import World

__all__ = [
    "BYTES_PER_OUTCOME",
    "DIVERGED",
    "CellEstimate",
    "CellSummary",
    "CellTask",
    "Work",
    "kept_samples",
    "named",
]

BYTES_PER_OUTCOME = 8.0
"""Stored bytes per cell and sample (735 MB for 1,860 models x 50,000 samples)."""


@dataclass
class CellSummary:
    """What became of a unit.

    Attributes
    ----------
    cells : int
        Cells stored.
    failures : list of (str, str)
        Which cell, and why there is no outcome of it.
    notes : list of str
        What else is to be said of it.
    stopped : bool
        Whether it was stopped before its end.
    """

    cells: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stopped: bool = False


@dataclass(frozen=True)
class CellEstimate:
    """What the missing units will take.

    Attributes
    ----------
    units, cells : int
    what : str
        What a cell is: ``"trainings"``, ``"checkpoints"``, ``"probes"``.
    images : int
        Images that go through a model, each epoch counted.
    device_seconds : float
        Of one device; measured on a little of it and extrapolated; NaN where it is not.
    devices : int
        Devices that share the work.
    stored_bytes : int
        Disk for outcomes and kept weights.
    """

    units: int
    cells: int
    what: str
    images: int
    device_seconds: float
    devices: int
    stored_bytes: int

    def __str__(self) -> str:
        """Write one line."""
        if math.isnan(self.device_seconds):
            return (
                f"{self.cells} {self.what} in {self.units} units, {self.images} images, about "
                f"{self.stored_bytes / 1e6:.1f} MB on disk"
            )
        alone = duration(self.device_seconds)
        shared = f"{duration(self.device_seconds / self.devices)} on {self.devices} devices"
        return (
            f"{self.cells} {self.what} in {self.units} units, {self.images} images, about "
            f"{self.device_seconds / 3600:.2f} device hours "
            f"({shared if self.devices > 1 else alone}), about "
            f"{self.stored_bytes / 1e6:.1f} MB on disk"
        )


class Work(Protocol):
    """What the units of a task are, and who does them."""

    what: str
    title: str

    def groups(self) -> list[WorkUnit]:
        """Return every planned unit; the plan fixes how cells are grouped."""

    def begin(self, store: Store) -> None:
        """Store what belongs to the run beside its record, before the first unit."""

    def total(self, units: Sequence[WorkUnit]) -> int:
        """Return the images that go through a model for some units, for the progress."""

    def workers(
        self, samples: Samples, stop: threading.Event, tick: Callable[[int], None]
    ) -> list[Worker[WorkUnit, CellSummary]]:
        """Load what is needed, and return one worker per device."""

    def elsewhere(self, store: Store, device: torch.device, threads: int) -> Work:
        """Return the work for one device of another machine, with so many threads that decode."""

    def check_here(self) -> None:
        """Raise InputError where this machine lacks what the work reads."""

    def weight_bytes(self) -> int:
        """Return the size of the models that a worker holds at once."""

    def estimate(self, units: Sequence[WorkUnit], samples: Samples) -> CellEstimate:
        """Measure a little of the work and extrapolate; nothing is stored."""


@dataclass
class CellTask:
    """A sweep or a probe that is ready to run: everything is checked, nothing is computed.

    Attributes
    ----------
    store : Store
    record : RunRecord
    samples : Samples
        The evaluated samples.
    plan : mapping
        What was asked, with the run's models and the command: the plan's record.
    work : Work
    devices : list of torch.device
    shard : (int, int) or None
        Part i of n of the units, counted from 1.
    world : World
        The processes that share each unit.
    progress : bool
    units : list of WorkUnit
        What is missing.
    diverged : list of str
        Cells that diverged earlier and are not tried again.
    """

    store: Store
    record: RunRecord
    samples: Samples
    plan: Mapping[str, Any]
    work: Work
    devices: list[torch.device]
    shard: tuple[int, int] | None = None
    world: World = field(default_factory=World)
    progress: bool = True
    units: list[WorkUnit] = field(default_factory=list)
    diverged: list[str] = field(default_factory=list)

    def find_missing(self, retry: bool = False) -> None:
        """Set :attr:`units` to planned minus stored, without what diverged before.

        Parameters
        ----------
        retry : bool
            Try again what diverged; it fails alike unless versions or devices differ.
        """
        done = StoredUnits(self.store).present().get(0, set())
        failed = set() if retry else self._diverged_before()
        units = self.work.groups()
        planned = {cell.id for unit in units for cell in unit.cells}
        self.diverged = sorted((failed & planned) - done)
        if self.shard is not None:
            units = units[self.shard[0] - 1 :: self.shard[1]]
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

    def estimate(self) -> CellEstimate:
        """Return what the missing units will take; nothing is stored."""
        return self.work.estimate(self.units, self.samples)

    def run(self, stop: threading.Event, engine: Engine | None = None) -> list[CellSummary]:
        """Do what is missing and store it; return one summary per unit that was begun.

        Parameters
        ----------
        stop : threading.Event
            Set it to end soon.
        engine : Engine or None
            Which runs the units; None: in this process.

        Raises
        ------
        InputError
            When the store cannot be written or data cannot be read.
        """
        engine = engine or InProcess()
        machines = engine.machines()
        if machines and self.world.size > 1:
            raise InputError(
                f"--engine {machines[0].partition(':')[0]} under torchrun: expected one of the two"
            )
        # All processes have looked at the folder before one of them writes into it.
        self.world.wait()
        if self.world.first:
            record = create_or_check(self.store, self.record, self.samples)
            check_begun(self.store, record, self.record)
            self.work.begin(self.store)
            put_plan(self.store, self._plan_record(machines))
        if not self.units or self.world.agreed(stop.is_set()):
            return []
        # Processes that share each unit agree on where to stop; none leaves the others alone.
        own = stop if self.world.size == 1 else threading.Event()
        summaries: list[CellSummary] = []
        total = self.work.total(self.units)
        with Progress(total, "images", self.work.title, self.progress) as progress:
            crew = CellCrew(self, stop, progress)
            for summary in engine.run(self.units, crew, own):
                summaries.append(summary)
                for cell, reason in summary.failures:
                    progress.note(f"failed: {cell}: {reason}")
                for note in summary.notes:
                    progress.note(note)
        return summaries

    def _plan_record(self, machines: list[str]) -> dict[str, Any]:
        return {
            **self.plan,
            "precision": self.record.precision,
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "device": machines or [device_name(device) for device in self.devices],
            "versions": versions(),
        }

    def check_finished(self, summaries: Sequence[CellSummary], stop: threading.Event) -> None:
        """Raise what is to be said of work that is not finished.

        Raises
        ------
        Stopped
            When it was stopped.
        InputError
            When units failed otherwise than by diverging.
        """
        done = sum(summary.cells for summary in summaries)
        planned = sum(len(unit.cells) for unit in self.units)
        failures = [failure for summary in summaries for failure in summary.failures]
        what = self.work.what
        stopped = stop.is_set() or any(summary.stopped for summary in summaries)
        if stopped and done + len(failures) < planned:
            raise Stopped(
                f"stopped after {done} of {planned} {what}, which are stored in {self.store}, "
                "with the state of those under way; the same command goes on from there"
            )
        lasting = [(name, why) for name, why in failures if not why.startswith(DIVERGED)]
        if lasting:
            name, reason = lasting[0]
            raise InputError(
                f"{len(lasting)} of {planned} {what} failed, first {name} ({reason}); everything "
                f"else is stored in {self.store}: mend it and run the same command again"
            )

    def check_complete(self) -> None:
        """Refuse a task of which anything is missing, in whatever part of it.

        Raises
        ------
        InputError
            With the first cell that is missing.
        """
        done = StoredUnits(self.store).present().get(0, set())
        planned = [cell for unit in self.work.groups() for cell in unit.cells]
        missing = [cell for cell in planned if cell.id not in done]
        if missing:
            raise InputError(
                f"{self.store} lacks {len(missing)} of {len(planned)} {self.work.what}, first "
                f"{named(missing[0])}; run the same command again, with --retry where they "
                "diverged, or leave --strict out"
            )


def kept_samples(samples: Samples, skips: Mapping[int, str]) -> npt.NDArray[np.int64]:
    """Return the numbers of the samples that are not skipped."""
    return samples.sample[[number not in skips for number in samples.sample.tolist()]]


def named(cell: Cell) -> str:
    """Name a cell in messages: ``small_cnn random_crop=0.3 seed 2``."""
    value = "" if cell.value is None else f" {cell.axis}={format_value(cell.value)}"
    return f"{cell.model}{value} seed {cell.replicate}"
