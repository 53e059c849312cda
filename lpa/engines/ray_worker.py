"""What stands on a machine of a Ray cluster: a worker, its mail, and what it was made of."""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lpa.engines.crew import Place, Worker
from lpa.engines.sent_store import Desk, Request, SentStore
from lpa.errors import InputError
from lpa.outcomes import Store

__all__ = ["Assignment", "Parcel", "RayWorker", "pack", "unpack"]

Bytes = npt.NDArray[np.uint8]
Parcel = tuple[Bytes, list[Bytes]]
"""A pickle, and the memory of its arrays, which Ray keeps once on each machine."""

SHARED = 2**20
"""Arrays from this size on stay in the machine's shared memory, which cannot be written; smaller
ones are copied, so that nothing has to know of it."""


@dataclass(frozen=True)
class Assignment:
    """Where a worker is, in words that can be sent.

    Attributes
    ----------
    location : str
        The run's, as the driver knows it.
    token : (str, bytes)
        Name and content of an object that the driver put into the run's store.
    folder : str
        The driver's working directory, from which relative paths start.
    modules : tuple of str
        Folders from which the driver imports: a user's module may be there, too.
    device : str
    cpus : int
    """

    location: str
    token: tuple[str, bytes]
    folder: str
    modules: tuple[str, ...]
    device: str
    cpus: int


def pack(thing: object) -> Parcel:
    """Pickle something for other machines.

    Raises
    ------
    InputError
        For what cannot be pickled.
    """
    from ray import cloudpickle

    buffers: list[pickle.PickleBuffer] = []
    try:
        data = cloudpickle.dumps(thing, protocol=5, buffer_callback=buffers.append)
    except Exception as error:  # Objects of users fail in their own ways.
        raise InputError(
            f"models or data cannot be sent to other machines ({_one_line(error)}); expected "
            "objects that can be pickled: give them by name or path, or use --engine local"
        ) from error
    arrays = [np.frombuffer(buffer.raw(), np.uint8) for buffer in buffers]
    return np.frombuffer(data, np.uint8), arrays


def unpack(parcel: Parcel) -> Any:
    """Return what was packed."""
    data, arrays = parcel
    buffers = [array if len(array) >= SHARED else bytearray(array) for array in arrays]
    return pickle.loads(memoryview(data), buffers=buffers)  # type: ignore[arg-type]


class RayWorker:
    """The actor: one worker in a process of its own.

    Nothing is raised, since Ray's own way to bring an error to the driver needs the error's class
    there, and mixes it with what happened to the process.
    """

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._desk = Desk()
        self._worker: Worker[Any, Any] | None = None
        # Ray calls from several threads, each of which would get computing threads of its own.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="work")

    def make(self, parcel: Parcel, assignment: Assignment) -> tuple[str, str]:
        """Make the worker; return ``("made", "")`` or ``("failed", reason)``."""
        return self._thread.submit(self._made, parcel, assignment).result()

    def _made(self, parcel: Parcel, assignment: Assignment) -> tuple[str, str]:
        try:
            with contextlib.suppress(OSError):
                os.chdir(assignment.folder)
            sys.path += [folder for folder in assignment.modules if folder not in sys.path]
            place = Place(
                self._store(assignment),
                assignment.device,
                assignment.cpus,
                self._stop,
                self._desk.tick,
            )
            maker: Callable[[Place], Worker[Any, Any]] = unpack(parcel)
            self._worker = maker(place)
        except Exception as error:  # Whatever a user's objects raise is a reason.
            return "failed", _one_line(error)
        return "made", ""

    def _store(self, assignment: Assignment) -> Store:
        """Return the run's store where this machine sees the same one, else the driver's."""
        name, content = assignment.token
        # A store of another kind may lack its package here, or credentials, or the network.
        with contextlib.suppress(Exception):
            store = Store(assignment.location)
            if store.get(name) == content:
                return store
        return SentStore(assignment.location, self._desk.ask)

    def work(self, unit: Any, following: Any) -> tuple[str, Any, int]:
        """Do a unit; return what came of it, and the ticks of this worker so far.

        What came of it is ``"done"`` and the summary, ``"refused"`` and the text of an InputError,
        or ``"broken"`` and that of another error.
        """
        outcome, value = self._thread.submit(self._worked, unit, following).result()
        return outcome, value, self._desk.ticks

    def _worked(self, unit: Any, following: Any) -> tuple[str, Any]:
        worker = self._worker
        assert worker is not None
        try:
            worker.prefetch(unit)
            if following is not None:
                worker.prefetch(following)
            return "done", worker(unit)
        except InputError as error:
            return "refused", str(error)
        except Exception as error:  # A bug; the driver says so.
            place = traceback.extract_tb(error.__traceback__)[-1]
            return "broken", f"{_one_line(error)} ({place.filename}:{place.lineno})"

    def news(self, seconds: float) -> tuple[int, list[Request]]:
        """Return ticks and requests; wait so long for a request."""
        return self._desk.news(seconds)

    def answer(self, number: int, answer: tuple[str, Any]) -> None:
        """Answer a request."""
        self._desk.answer(number, answer)

    def stop(self) -> None:
        """Let the unit under way end soon."""
        self._stop.set()


def _one_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else ""
    return text if isinstance(error, InputError) else f"{type(error).__name__}: {text}"[:500]
