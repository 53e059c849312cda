"""Moments of a process: after a share of its time, or at one of its requests to the run's store.

The second kind is exact. An audit hook, or a wrapper of an object store's requests, counts what
concerns the case's folder; at the wanted one the process says so, and waits until it is let go on.
"""

from __future__ import annotations

import functools
import os
import random
import sys
import threading
from dataclasses import dataclass
from typing import Any

__all__ = ["Moment", "Steps", "watch_folder", "watch_object_store"]

WATCHED = {
    "open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.listdir", "os.scandir",
    "os.chmod", "os.truncate",
}  # fmt: skip
"""Audit events whose first argument is a path."""


@dataclass(frozen=True)
class Moment:
    """When something happens to a process: at a step, or after a share of its usual time."""

    step: int | None = None
    share: float = 0.0

    @classmethod
    def drawn(cls, generator: random.Random, steps: int) -> Moment:
        """Draw one over the whole duration; of a process without counted steps, a share."""
        if steps and generator.random() < 0.6:
            return cls(step=generator.randint(1, steps))
        return cls(share=generator.choice([0.0, 1.0, *[generator.uniform(0, 1.05)] * 6]))

    def __str__(self) -> str:
        """Write it for the protocol."""
        return f"step {self.step}" if self.step is not None else f"{100 * self.share:.0f} %"


class Steps:
    """Counts steps in the watched process and holds it at one."""

    def __init__(self, at: int | None, tell: int, hear: int) -> None:
        self.at, self.tell, self.hear = at, tell, hear
        self.count, self.lock = 0, threading.Lock()

    def take(self) -> None:
        """Count one step; at the wanted one, say so and wait."""
        with self.lock:
            self.count += 1
            held = self.count == self.at
        if held:
            os.write(self.tell, b"!")
            os.read(self.hear, 1)


def watch_folder(folder: str, steps: Steps) -> None:
    """Count what this process asks of files under a folder."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        path = arguments[0] if event in WATCHED and arguments else None
        if isinstance(path, str | os.PathLike) and os.fspath(path).startswith(folder):
            steps.take()

    sys.addaudithook(hook)


def watch_object_store(steps: Steps) -> None:
    """Count the requests to object stores."""
    from lpa.outcomes.object_store import ObjectStore

    tried = ObjectStore._tried

    @functools.wraps(tried)
    def counted(self: ObjectStore, *arguments: Any, **named: Any) -> Any:
        steps.take()
        return tried(self, *arguments, **named)

    ObjectStore._tried = counted  # type: ignore[method-assign]
