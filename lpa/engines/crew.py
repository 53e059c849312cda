"""What an engine knows of the work: how workers are made, and what becomes of a lost unit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from lpa.outcomes import Store

__all__ = ["Crew", "Engine", "Place", "Worker"]

U = TypeVar("U")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
U_contra = TypeVar("U_contra", contravariant=True)


class Worker(Protocol[U_contra, R_co]):
    """Computes units on one device."""

    def prefetch(self, unit: U_contra) -> None:
        """Start reading what the unit needs."""

    def __call__(self, unit: U_contra) -> R_co:
        """Compute the unit, store it, and return a summary."""


@dataclass(frozen=True)
class Place:
    """Where a worker is made.

    Attributes
    ----------
    store : Store
        Where outcomes go.
    device : str
        ``"cpu"`` or ``"cuda:0"``.
    cpus : int
        Processors that are the worker's own; at least 1.
    stop : threading.Event
        Set when the unit under way shall end soon.
    tick : callable
        To be called with what is done, in the units of the progress.
    """

    store: Store
    device: str
    cpus: int
    stop: threading.Event
    tick: Callable[[int], None]


class Crew(Protocol[U, R]):
    """Who does the units of a task."""

    @property
    def store(self) -> Store:
        """The run's."""

    def tick(self, count: int) -> None:
        """Count what is done; less than nothing where it was lost."""

    def note(self, text: str) -> None:
        """Write a line to the user."""

    def here(self) -> AbstractContextManager[Sequence[Worker[U, R]]]:
        """Make one worker per device of this process; they end with the context."""

    def maker(self) -> Callable[[Place], Worker[U, R]]:
        """Return what makes a worker elsewhere: it can be pickled, and brings no store.

        It raises InputError where the place lacks what the work needs.
        """

    def weight_bytes(self) -> int:
        """Return the size of the models that a worker holds at once."""

    def unfinished(self, unit: U) -> U | None:
        """Return what the store lacks of a unit that was begun; None where it lacks nothing."""

    def lost(self, unit: U, reason: str) -> R:
        """Record a unit that could not be done, and return its summary."""

    def named(self, result: R, node: str) -> R:
        """Say in a summary's failures on which machine they happened."""


class Engine(Protocol):
    """Runs units, somewhere."""

    def __enter__(self) -> Engine:
        """Connect to where units are run."""

    def __exit__(self, *_: object) -> None:
        """Release it."""

    def device(self, asked: str) -> str | None:
        """Return the kind of device that computes; None: this machine's, as asked."""

    def machines(self) -> list[str]:
        """Describe the machines, for the run's record; empty: it is this one alone."""

    def run(
        self, units: Sequence[U], crew: Crew[U, R], stop: threading.Event
    ) -> Generator[R, None, None]:
        """Yield the summaries of units as they are done.

        Parameters
        ----------
        units : sequence
            In the order in which they are begun.
        crew : Crew
        stop : threading.Event
            No unit is begun once it is set; the units under way end as they see fit.
        """
