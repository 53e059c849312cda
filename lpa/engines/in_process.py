"""Run work units in this process: one worker per device, each in a thread of its own.

An engine sees units and workers and knows nothing of what is measured.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import Any, Generic, TypeVar

from lpa.engines.crew import Crew, Worker
from lpa.errors import InputError

__all__ = ["InProcess", "Worker", "run_units"]

U = TypeVar("U")
R = TypeVar("R")


class InProcess:
    """See :class:`lpa.engines.crew.Engine`.

    Raises
    ------
    InputError
        For options of engines on other machines.
    """

    def __init__(self, **options: Any) -> None:
        for name, value in options.items():
            if value is not None:
                shown = value if isinstance(value, str) else f"{value:g}"
                raise InputError(
                    f"--{name.replace('_', '-')} {shown} has no effect in this process; leave it "
                    "out, or give --engine ray"
                )

    def __enter__(self) -> InProcess:
        """Do nothing: the devices are here."""
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing."""

    def device(self, asked: str) -> None:
        """Leave the choice to the task."""

    def machines(self) -> list[str]:
        """Describe nothing: the task knows its devices."""
        return []

    def run(
        self, units: Sequence[U], crew: Crew[U, R], stop: threading.Event
    ) -> Generator[R, None, None]:
        """Yield the summaries of units as they are done."""
        # Closed by name, so that workers end before what they read from does.
        with crew.here() as workers, closing(run_units(units, workers, stop)) as results:
            yield from results


def run_units(
    units: Sequence[U], workers: Sequence[Worker[U, R]], stop: threading.Event
) -> Generator[R, None, None]:
    """Yield the summaries of units as they are done.

    Parameters
    ----------
    units : sequence
        In the order in which they are begun.
    workers : sequence of Worker
        One per device. A single worker runs in the calling thread.
    stop : threading.Event
        No unit is begun once it is set; the units under way end as they see fit.

    Raises
    ------
    Exception
        What a worker raises; the other workers stop after their present unit.
    """
    if len(workers) == 1:
        yield from _run_alone(units, workers[0], stop)
        return
    yield from _Threads(units, workers, stop).results()


def _run_alone(units: Sequence[U], worker: Worker[U, R], stop: threading.Event) -> Iterator[R]:
    for index, unit in enumerate(units):
        if stop.is_set():
            return
        worker.prefetch(unit)
        if index + 1 < len(units):
            worker.prefetch(units[index + 1])
        yield worker(unit)


class _Threads(Generic[U, R]):
    """Workers in threads that take units from one list and put summaries into one queue."""

    def __init__(
        self, units: Sequence[U], workers: Sequence[Worker[U, R]], stop: threading.Event
    ) -> None:
        self.units = list(units)
        self.stop = stop
        self.halted = threading.Event()
        self.done: queue.Queue[tuple[R | None, BaseException | None]] = queue.Queue()
        self.lock = threading.Lock()
        self.next = 0
        self.threads = [
            threading.Thread(target=self._work, args=(worker,), daemon=True) for worker in workers
        ]

    def results(self) -> Iterator[R]:
        for thread in self.threads:
            thread.start()
        ended = 0
        try:
            while ended < len(self.threads):
                result, error = self.done.get()
                if error is not None:
                    raise error
                if result is None:
                    ended += 1
                else:
                    yield result
        finally:
            self.halted.set()
            for thread in self.threads:
                thread.join()

    def _take(self, ahead: bool = False) -> U | None:
        with self.lock:
            left = len(self.units) - self.next
            # None is taken ahead of the last ones, of which each worker shall have its share.
            if left < (len(self.threads) if ahead else 1):
                return None
            if self.stop.is_set() or self.halted.is_set():
                return None
            self.next += 1
            return self.units[self.next - 1]

    def _work(self, worker: Worker[U, R]) -> None:
        try:
            unit = self._take()
            while unit is not None:
                worker.prefetch(unit)
                following = self._take(ahead=True)
                if following is not None:
                    worker.prefetch(following)
                self.done.put((worker(unit), None))
                # A unit taken ahead is left undone when the run is stopped meanwhile.
                if self.stop.is_set() or self.halted.is_set():
                    break
                unit = following if following is not None else self._take()
        except BaseException as error:
            self.done.put((None, error))
        else:
            self.done.put((None, None))
