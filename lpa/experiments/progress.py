"""Progress on standard error: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

__all__ = ["Progress", "duration", "say_on_standard_error"]

LINE_SECONDS = 15.0
"""Seconds between plain lines."""


class Progress:
    """Counts what is done and says how fast it goes and how long it will take.

    Parameters
    ----------
    total : int
        What there is to do.
    what : str
        What is counted, e.g. ``"images"``.
    title : str
        What is being done.
    enabled : bool
        False: count silently.
    """

    def __init__(self, total: int, what: str, title: str, enabled: bool = True) -> None:
        self.total = total
        self.what = what
        self.title = title
        self.enabled = enabled and total > 0
        self.done = 0
        self.began = self.last = time.monotonic()
        self.lock = threading.Lock()
        self.bar: Any = None
        if self.enabled and sys.stderr.isatty():
            from tqdm import tqdm

            self.bar = tqdm(total=total, unit=what, desc=title, smoothing=0.1, unit_scale=True)

    def __enter__(self) -> Progress:
        """Return the counter."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the bar, or write the last line."""
        if self.bar is not None:
            self.bar.close()
        elif self.enabled and self.done:
            self._line(time.monotonic())

    def tick(self, count: int) -> None:
        """Add to what is done; may be called from any thread."""
        with self.lock:
            self.done += count
            if self.bar is not None:
                self.bar.update(count)
                return
            now = time.monotonic()
            if self.enabled and now - self.last >= LINE_SECONDS and self.done < self.total:
                self.last = now
                self._line(now)

    def note(self, text: str) -> None:
        """Write a line without disturbing the bar."""
        if self.bar is not None:
            self.bar.write(text, file=sys.stderr)
        elif self.enabled:
            print(text, file=sys.stderr, flush=True)

    def _line(self, now: float) -> None:
        seconds = max(now - self.began, 1e-9)
        rate = self.done / seconds
        left = (self.total - self.done) / rate if rate else 0.0
        remaining = f", {duration(left)} left" if self.done < self.total else ""
        print(
            f"{self.title}: {self.done} of {self.total} {self.what} "
            f"({100 * self.done / self.total:.0f} %), {rate:.1f} {self.what}/s{remaining}",
            file=sys.stderr,
            flush=True,
        )


def duration(seconds: float) -> str:
    """Write seconds as people say them: ``45 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def say_on_standard_error(text: str) -> None:
    """Write a line at once."""
    print(text, file=sys.stderr, flush=True)
