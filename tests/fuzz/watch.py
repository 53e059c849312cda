"""What every case must keep: one line for the user, no program run, nothing written outside."""

from __future__ import annotations

import os
import re
import resource
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings

from lpa.errors import InputError

__all__ = ["FOLDER", "Hang", "cases", "refused_or_read", "watched"]

T = TypeVar("T")

FOLDER = Path(tempfile.mkdtemp(prefix="lpa-fuzz-")).resolve()
"""The only place where a case may write."""

SECONDS = 30.0
"""A case that takes longer hangs; most take milliseconds."""

MEMORY = 3 * 2**30
"""Bytes of address space that a case may add: where a few bytes ask for more, it is a bomb."""

FORBIDDEN = (
    "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile",
    "os.fork", "pty.spawn", "socket.connect", "socket.bind", "ctypes.dlopen",
)  # fmt: skip
"""Audit events of running a program, loading a library or reaching a network."""

CHANGING = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink",
            "os.truncate", "os.chmod", "os.utime", "shutil.rmtree")  # fmt: skip
"""Audit events that change what lies at the paths among their arguments."""

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


class Hang(Exception):  # noqa: N818 - what it is
    """A case that did not come to an end."""


class Trespass(BaseException):
    """A case that ran a program, or wrote outside of its folder."""


_watching = 0
_trespasses: list[str] = []


def _inside(path: Any) -> bool:
    if isinstance(path, int) or path is None:
        return True
    place = os.path.realpath(os.path.join(os.getcwd(), os.fsdecode(path)))  # noqa: PTH118, PTH109
    return place == os.devnull or Path(place).is_relative_to(FOLDER)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching:
        return
    wrong = event in FORBIDDEN
    if event == "open":
        path, mode, flags = arguments
        written = bool(flags & WRITING) if isinstance(flags, int) else (mode or "r")[:1] != "r"
        wrong = written and not _inside(path)
    elif event in CHANGING:
        paths = [each for each in arguments if isinstance(each, str | bytes)]
        wrong = not all(map(_inside, paths))
    if wrong:
        _trespasses.append(f"{event} {arguments!r}"[:300])
        raise Trespass(_trespasses[-1])


sys.addaudithook(_hook)
# Modules that are imported on use would write their bytecode.
sys.dont_write_bytecode = True


@contextmanager
def watched(seconds: float = SECONDS) -> Iterator[None]:
    """Watch what runs inside: it must end, start no program and write in its folder alone."""
    global _watching
    alarmed = threading.current_thread() is threading.main_thread()
    if alarmed:
        before = signal.signal(signal.SIGALRM, _on_alarm)
        signal.setitimer(signal.ITIMER_REAL, seconds)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, limits[1]))
    _watching += 1
    try:
        yield
    finally:
        _watching -= 1
        resource.setrlimit(resource.RLIMIT_AS, limits)
        if alarmed:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        found = list(_trespasses)
        _trespasses.clear()
    assert not found, found


def _on_alarm(*_: object) -> None:
    raise Hang("no end")


def refused_or_read(call: Callable[[], T], *also: type[Exception]) -> T | None:
    """Call; return the result, or None where the input was refused by one line for the user.

    ``also`` are the module's own findings (bytes that are no image); all else is a failure.
    """
    try:
        with watched():
            return call()
    except (InputError, *also) as error:
        text = str(error)
        assert text.strip(), "an empty message"
        assert not CONTROL.search(text), f"not one plain line: {text!r}"
        text.encode()
        return None


def cases(examples: int) -> Callable[[Any], Any]:
    """Return the settings of a property: the same cases each time, without a time per case."""
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
