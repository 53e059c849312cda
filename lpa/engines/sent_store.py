"""A store whose requests another process answers, for machines that do not see the run's folder."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from lpa.outcomes import Store

__all__ = ["Desk", "Request", "SentStore", "answered"]

Request = tuple[int, str, tuple[Any, ...]]
"""Number, method of the store, arguments."""

Answer = tuple[str, Any]
"""``("value", what the store returned)``, or ``("missing", text)``."""


class Desk:
    """Where one process leaves what another one comes to fetch: ticks and requests."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._ticks = 0
        self._number = 0
        self._requests: list[Request] = []
        self._answers: dict[int, Answer] = {}

    def tick(self, count: int) -> None:
        """Count what is done."""
        with self._changed:
            self._ticks += count

    def ask(self, method: str, *arguments: Any) -> Any:
        """Leave a request and wait for its answer.

        Raises
        ------
        FileNotFoundError
            As the store says.
        """
        with self._changed:
            self._number += 1
            number = self._number
            self._requests.append((number, method, arguments))
            self._changed.notify_all()
            self._changed.wait_for(lambda: number in self._answers)
            kind, value = self._answers.pop(number)
        if kind == "missing":
            raise FileNotFoundError(value)
        return value

    @property
    def ticks(self) -> int:
        """What was counted in all; what is told twice or late is not counted twice."""
        return self._ticks

    def news(self, seconds: float) -> tuple[int, list[Request]]:
        """Return :attr:`ticks` and the requests since the last call; wait so long for one."""
        with self._changed:
            self._changed.wait_for(lambda: self._requests, seconds)
            requests, self._requests = self._requests, []
            return self._ticks, requests

    def answer(self, number: int, answer: Answer) -> None:
        """Answer a request."""
        with self._changed:
            self._answers[number] = answer
            self._changed.notify_all()


def answered(store: Store, method: str, arguments: Sequence[Any]) -> Answer:
    """Do what is requested of the run's store.

    Raises
    ------
    InputError
        When the store cannot be written: what a worker finds cannot be kept.
    """
    try:
        return "value", getattr(store, method)(*arguments)
    except FileNotFoundError as error:
        return "missing", str(error)


class SentStore(Store):
    """A store elsewhere.

    Parameters
    ----------
    location : str
        As it is there.
    ask : callable
        Method's name and arguments -> what the store returns.
    """

    def __new__(cls, location: str, ask: Callable[..., Any]) -> SentStore:
        """Make it, whatever the location is."""
        return object.__new__(cls)

    def __init__(self, location: str, ask: Callable[..., Any]) -> None:
        super().__init__(location)
        self._ask = ask

    @property
    def name(self) -> str:
        """The last part of the location."""
        return self.location.rstrip("/").rpartition("/")[2]

    def put(self, name: str, data: bytes) -> None:
        """Send an object."""
        self._ask("put", name, data)

    def put_new(self, name: str, data: bytes) -> bool:
        """Send an object unless there is one of that name."""
        return bool(self._ask("put_new", name, data))

    def get(self, name: str) -> bytes:
        """Fetch an object; raise FileNotFoundError when there is none."""
        data: bytes = self._ask("get", name)
        return data

    def buffer(self, name: str) -> pa.NativeFile:
        """Fetch an object, to read parts of it."""
        return pa.BufferReader(self.get(name))

    def tail(self, name: str, size: int) -> bytes:
        """Fetch an object's last bytes."""
        data: bytes = self._ask("tail", name, size)
        return data

    def exists(self, name: str) -> bool:
        """Ask whether an object is there."""
        return bool(self._ask("exists", name))

    def list(self, prefix: str) -> list[str]:
        """Ask for the names directly under a folder of the store."""
        names: list[str] = self._ask("list", prefix)
        return names

    def stamps(self, prefix: str) -> dict[str, str | None]:
        """Ask for the names with what changes when their objects do."""
        found: dict[str, str | None] = self._ask("stamps", prefix)
        return found

    def entries(self) -> Sequence[str]:
        """Ask for all that lies directly in the run's folder."""
        names: list[str] = self._ask("entries")
        return names

    def delete(self, name: str) -> None:
        """Ask for an object's removal."""
        self._ask("delete", name)
