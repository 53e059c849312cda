"""Who does the units of an experiment, for any engine: workers here; how they are made elsewhere.

What makes a worker elsewhere is the prepared task, pickled: nothing is checked or read twice.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

import torch

from lpa.datasets import Source
from lpa.engines import Place, Worker
from lpa.errors import InputError
from lpa.experiments.machine import versions
from lpa.experiments.progress import Progress
from lpa.outcomes import FolderStore, Samples, Store, StoredUnits, WorkUnit, put_failure

if TYPE_CHECKING:
    from lpa.experiments.cell_task import CellSummary, CellTask, Work
    from lpa.experiments.scan_task import ScanTask
    from lpa.measurement import Summary

__all__ = ["CellCrew", "ScanCrew", "check_readable", "module_bytes", "settle"]

T = TypeVar("T", "ScanTask", "CellTask")

NOWHERE = FolderStore(".")
"""Stands for the run's store in what is sent: every place brings its own."""


@dataclass(frozen=True)
class _TaskCrew(Generic[T]):
    """What crews of both kinds of task have in common.

    Attributes
    ----------
    task : ScanTask or CellTask
    stop : threading.Event
    progress : Progress
    """

    task: T
    stop: threading.Event
    progress: Progress

    @property
    def store(self) -> Store:
        """The run's."""
        return self.task.store

    def tick(self, count: int) -> None:
        """Count images."""
        self.progress.tick(count)

    def note(self, text: str) -> None:
        """Write a line to the user."""
        self.progress.note(text)


class ScanCrew(_TaskCrew["ScanTask"]):
    """See :class:`lpa.engines.Crew`."""

    @contextlib.contextmanager
    def here(self) -> Iterator[Sequence[Worker[WorkUnit, Summary]]]:
        """Make one worker per device; they share what reads the images."""
        with self.task.reader(self.task.plan.workers) as reader:
            yield [
                self.task.worker(device, reader, self.stop, self.progress.tick)
                for device in self.task.devices
            ]

    def maker(self) -> Callable[[Place], Worker[WorkUnit, Summary]]:
        """Return the task as what makes a worker."""
        return _ScanMaker(replace(self.task, store=NOWHERE, units=[], damaged=[]), versions())

    def weight_bytes(self) -> int:
        """Return the size of all models together."""
        return sum(module_bytes(m.module) for m in self.task.models if m.module is not None)

    def unfinished(self, unit: WorkUnit) -> WorkUnit | None:
        """Return the cells of a unit that are not stored."""
        return _unfinished(self.store, unit)

    def lost(self, unit: WorkUnit, reason: str) -> Summary:
        """Record a unit that could not be done."""
        from lpa.measurement import Summary

        put_failure(self.store, unit.shard, None, reason, [cell.id for cell in unit.cells])
        return Summary(unit.shard, failures=[("unit", reason)])

    def named(self, result: Summary, node: str) -> Summary:
        """Say on which machine something failed."""
        return replace(result, failures=_named(result.failures, node))


@dataclass(frozen=True)
class _ScanMaker:
    task: ScanTask
    versions: dict[str, str]

    def __call__(self, place: Place) -> Worker[WorkUnit, Summary]:
        """Make a worker, after a look at whether the images are there."""
        settle(place, self.versions)
        check_readable(self.task.source, self.task.samples)
        device = torch.device(place.device)
        task = replace(self.task, store=place.store, devices=[device])
        # Its threads end with the process.
        reader = task.reader(min(task.plan.workers, place.cpus))
        return task.worker(device, reader, place.stop, place.tick)


class CellCrew(_TaskCrew["CellTask"]):
    """See :class:`lpa.engines.Crew`."""

    @contextlib.contextmanager
    def here(self) -> Iterator[Sequence[Worker[WorkUnit, CellSummary]]]:
        """Make one worker per device."""
        yield self.task.work.workers(self.task.samples, self.stop, self.progress.tick)

    def maker(self) -> Callable[[Place], Worker[WorkUnit, CellSummary]]:
        """Return the work as what makes a worker."""
        sent = self.task.work.elsewhere(NOWHERE, self.task.devices[0], 1)
        return _CellMaker(sent, self.task.samples, versions())

    def weight_bytes(self) -> int:
        """Return the size of the models that a worker holds at once."""
        return self.task.work.weight_bytes()

    def unfinished(self, unit: WorkUnit) -> WorkUnit | None:
        """Return the cells of a unit that are not stored."""
        return _unfinished(self.store, unit)

    def lost(self, unit: WorkUnit, reason: str) -> CellSummary:
        """Record cells that could not be done."""
        from lpa.experiments.cell_task import CellSummary, named

        summary = CellSummary()
        for cell in unit.cells:
            put_failure(self.store, unit.shard, named(cell), reason, [cell.id])
            summary.failures.append((named(cell), reason))
        return summary

    def named(self, result: CellSummary, node: str) -> CellSummary:
        """Say on which machine something failed."""
        return replace(result, failures=_named(result.failures, node))


@dataclass(frozen=True)
class _CellMaker:
    work: Work
    samples: Samples
    versions: dict[str, str]

    def __call__(self, place: Place) -> Worker[WorkUnit, CellSummary]:
        """Make a worker, after a look at whether everything is there."""
        settle(place, self.versions)
        work = self.work.elsewhere(place.store, torch.device(place.device), place.cpus)
        work.check_here()
        (worker,) = work.workers(self.samples, place.stop, place.tick)
        return worker


def settle(place: Place, expected: dict[str, str]) -> None:
    """Prepare a process for computing: its threads, and the same versions as the driver's.

    Raises
    ------
    InputError
        With the first version that differs.
    """
    for name, version in versions().items():
        if version != expected[name]:
            raise InputError(
                f"{name} {version} is installed there; expected {expected[name]}, as here"
            )
    # Several processes on one machine would wait for each other's threads.
    torch.set_num_threads(place.cpus)


def check_readable(source: Source, samples: Samples) -> None:
    """Read one image.

    Raises
    ------
    InputError
        Where the data are not.
    """
    try:
        source.read(int(samples.sample[0]))
    except OSError as error:
        raise InputError(
            f"{source.root} cannot be read there ({error}); expected the data at the same path on "
            "every machine"
        ) from error


def module_bytes(module: torch.nn.Module) -> int:
    """Return the size of a module's parameters and buffers."""
    return sum(t.numel() * t.element_size() for t in module.state_dict().values())


def _unfinished(store: Store, unit: WorkUnit) -> WorkUnit | None:
    """Return what is left of a unit whose worker stored some of it before it was lost."""
    done = StoredUnits(store).present().get(unit.shard, set())
    left = tuple(cell for cell in unit.cells if cell.id not in done)
    return replace(unit, cells=left) if left else None


def _named(failures: Sequence[tuple[str, str]], node: str) -> list[tuple[str, str]]:
    return [(what, f"{reason} [on {node}]") for what, reason in failures]
