"""A crew for engines whose units say themselves what shall happen."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lpa.engines import Place, Worker
from lpa.errors import InputError
from lpa.outcomes import Store

Unit = tuple[str, Any]


def first_time(path: str) -> bool:
    """Whether nobody asked this before, in whatever process."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
        return True
    return False


@dataclass
class Doer:
    """Does what a unit says, and puts it into the store."""

    place: Place
    seen: list[Unit] = field(default_factory=list)

    def prefetch(self, unit: Unit) -> None:
        self.seen.append(unit)

    def __call__(self, unit: Unit) -> Any:
        assert unit in self.seen
        what, value = unit
        self.place.tick(1)
        if what == "die" or (what == "die once" and first_time(value)):
            time.sleep(1.5)  # Its tick is heard before.
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "hang once" and first_time(value):
            time.sleep(3600)
        if what == "refuse":
            raise InputError(value)
        if what == "break":
            raise ZeroDivisionError(value)
        if what == "until stopped":
            self.place.tick(1)
            first_time(value)
            return "stopped" if self.place.stop.wait(60) else "forgotten"
        if what == "square":
            self.place.store.put(f"units/{value}", str(value**2).encode())
            assert self.place.store.get(f"units/{value}") == str(value**2).encode()
            return value**2
        if what == "together":
            folder, count, number = value
            first_time(f"{folder}/together-{number}")
            while len(list(Path(folder).glob("together-*"))) < count:
                time.sleep(0.02)
        if what == "alone":
            assert first_time(value), "another is at work"
            time.sleep(0.3)
            Path(value).unlink()
        if what in ("where", "together"):
            return type(self.place.store).__name__, self.place.device, self.place.cpus
        return what


@dataclass(frozen=True)
class Maker:
    """Makes workers; ``refusals`` names a file by which only the first place refuses."""

    refusal: str = ""
    only_first: str = ""
    payload: Any = None

    def __call__(self, place: Place) -> Worker[Unit, Any]:
        if self.refusal and (not self.only_first or first_time(self.only_first)):
            raise InputError(self.refusal)
        return Doer(place)


@dataclass
class Crew:
    """Writes down what the engine says."""

    store: Store
    made: Maker = field(default_factory=Maker)
    weights: int = 0
    ticks: int = 0
    notes: list[str] = field(default_factory=list)
    begun: list[Unit] = field(default_factory=list)
    nodes: set[str] = field(default_factory=set)

    def tick(self, count: int) -> None:
        self.ticks += count

    def note(self, text: str) -> None:
        self.notes.append(text)

    @contextlib.contextmanager
    def here(self) -> Iterator[Sequence[Worker[Unit, Any]]]:
        yield [Doer(Place(self.store, "cpu", 1, threading.Event(), self.tick)) for _ in range(2)]

    def maker(self) -> Callable[[Place], Worker[Unit, Any]]:
        return replace(self.made)

    def weight_bytes(self) -> int:
        return self.weights

    def unfinished(self, unit: Unit) -> Unit | None:
        return unit

    def lost(self, unit: Unit, reason: str) -> Any:
        return "lost", unit[0], reason

    def named(self, result: Any, node: str) -> Any:
        self.nodes.add(node)
        return result


def crew(folder: Path, **options: Any) -> Crew:
    return Crew(Store(str(folder)), **options)
