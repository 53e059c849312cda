"""A limit of the time that an experiment takes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

__all__ = ["stopping_after"]


@contextlib.contextmanager
def stopping_after(seconds: float | None, stop: threading.Event) -> Iterator[None]:
    """Set an event when a time is over, unless the block has ended before.

    Parameters
    ----------
    seconds : float or None
        None: never.
    stop : threading.Event
    """
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, stop.set)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
