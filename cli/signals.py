"""Ctrl-C and the signals of batch systems: stop cleanly, to go on later."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

import click

__all__ = ["STOPPED", "stop_on_signals"]

STOPPED = 75
"""Exit status of work that was stopped and can go on (EX_TEMPFAIL of sysexits.h): a batch script
requeues its job on it."""


@contextlib.contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Make Ctrl-C, SIGTERM and SIGUSR1 stop cleanly; a second one interrupts at once."""
    stop = threading.Event()

    def ask(number: int, frame: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        click.echo("stopping: what is finished is being stored", err=True)

    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGUSR1"):  # Windows has none
        numbers.append(signal.SIGUSR1)
    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
