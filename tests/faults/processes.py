"""Commands as processes: forks of this one, which has imported all, or real ones."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults.stepping import Moment, Steps, watch_folder, watch_object_store

__all__ = ["LIMIT", "Command", "Ended", "forked", "real"]

LIMIT = 150.0
"""Seconds after which a command hangs."""

LPA = [sys.executable, "-m", "lpa_cli"]


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes
    ----------
    status : int
        Exit status; -n for death by signal n.
    output, errors : str
    seconds : float
    hung : bool
        Whether it was ended because it took too long.
    steps : int
        Counted requests to the store.
    """

    status: int
    output: str
    errors: str
    seconds: float
    hung: bool = False
    steps: int = 0

    @property
    def last(self) -> str:
        """The last line of standard error."""
        return (self.errors.strip().splitlines() or [""])[-1]


@dataclass
class Command:
    """A running command.

    Attributes
    ----------
    pid : int
        Of its first process, which leads a group of its own.
    folder : Path
        Where its output goes.
    """

    pid: int
    folder: Path
    tag: str
    began: float = field(default_factory=time.monotonic)
    told: int = -1
    go: int = -1
    ended: Ended | None = None

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        if self.ended is None:
            self._reap(os.WNOHANG)
        return self.ended is None

    def until(self, moment: Moment, usual: float) -> bool:
        """Wait for a moment of the command; return whether it came while the command lived.

        Parameters
        ----------
        usual : float
            Seconds that the command usually takes.
        """
        if moment.step is None:
            limit = self.began + moment.share * usual
            while time.monotonic() < limit and self.alive:
                time.sleep(0.002)
            return self.alive
        limit = self.began + LIMIT
        while time.monotonic() < limit:
            ready, _, _ = select.select([self.told], [], [], 0.02)
            if ready:
                return os.read(self.told, 1) == b"!"
            if not self.alive:
                return False
        return False

    def release(self) -> None:
        """Let a process go on that waits at its step."""
        if self.go >= 0:
            with contextlib.suppress(OSError):
                os.write(self.go, b"!")

    def send(self, number: signal.Signals) -> None:
        """Send a signal to its first process."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait(self, limit: float = LIMIT) -> Ended:
        """Wait for the end; what takes too long is killed, and said to hang."""
        end = time.monotonic() + limit
        while self.alive and time.monotonic() < end:
            time.sleep(0.004)
        if self.ended is None:
            self.send(signal.SIGABRT)  # faulthandler says where it hangs.
            time.sleep(1)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._reap(0, hung=True)
        assert self.ended is not None
        return self.ended

    def _reap(self, options: int, hung: bool = False) -> None:
        pid, status = os.waitpid(self.pid, options)
        if not pid:
            return
        # One that is killed at once has written none.
        files = [self.folder / f"{self.tag}.{name}" for name in ("out", "err")]
        texts = [file.read_text(errors="replace") if file.exists() else "" for file in files]
        steps = self.folder / f"{self.tag}.steps"
        count = int(steps.read_text() or 0) if steps.exists() else 0
        for descriptor in (self.told, self.go):
            if descriptor >= 0:
                os.close(descriptor)
        self.told = self.go = -1
        seconds = time.monotonic() - self.began
        self.ended = Ended(os.waitstatus_to_exitcode(status), *texts, seconds, hung, count)


def forked(
    words: Sequence[str], folder: Path, tag: str, *, at: int | None = None, watched: str = "",
    before: Callable[[], None] = lambda: None, environment: Mapping[str, str] | None = None,
    action: Callable[[], Any] | None = None,
) -> Command:  # fmt: skip
    """Begin a command as a fork.

    Parameters
    ----------
    folder : Path
        Its working directory, with its output.
    tag : str
        How the files of its output are called.
    at : int or None
        The step at which it waits.
    watched : str
        The folder whose requests are steps; an address: all requests to object stores.
    before : callable
        Done in the child first.
    action : callable or None
        Done there in place of a command.
    """
    told, tell = os.pipe()
    hear, go = os.pipe()
    child = os.fork()
    if child:
        os.close(tell)
        os.close(hear)
        return Command(child, folder, tag, told=told, go=go)
    os.close(told)
    os.close(go)
    _live(words, folder, tag, Steps(at, tell, hear), watched, before, environment or {}, action)
    return None  # type: ignore[return-value]  # never reached


def _live(
    words: Sequence[str], folder: Path, tag: str, steps: Steps, watched: str,
    before: Callable[[], None], environment: Mapping[str, str], action: Callable[[], Any] | None,
) -> None:  # fmt: skip
    """Be a command, and end."""
    status = 1
    try:
        os.setsid()
        os.chdir(folder)
        os.environ.update(environment)
        for number, name in ((1, "out"), (2, "err")):
            file = os.open(folder / f"{tag}.{name}", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o666)
            os.dup2(file, number)
        faulthandler.enable(file=2)
        before()
        if "://" in watched:
            watch_object_store(steps)
        elif watched:
            watch_folder(watched, steps)
        status = _called(words, action)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
            (folder / f"{tag}.steps").write_text(str(steps.count))
        os._exit(status)


def _called(words: Sequence[str], action: Callable[[], Any] | None) -> int:
    from lpa_cli import main

    if action is not None:
        action()
        return 0
    try:
        main(args=list(words), prog_name="lpa")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    return 0


def real(
    words: Sequence[str], folder: Path, tag: str, *, prefix: Sequence[str] = (),
    environment: Mapping[str, str] | None = None, launcher: Sequence[str] | None = None,
) -> Command:  # fmt: skip
    """Begin a command as people do: ``python -m lpa_cli``, behind a prefix or by a launcher."""
    with (folder / f"{tag}.out").open("ab") as out, (folder / f"{tag}.err").open("ab") as err:
        process = subprocess.Popen(
            [*prefix, *(launcher or LPA), *words], cwd=folder, stdin=subprocess.DEVNULL,
            stdout=out, stderr=err, env=os.environ | dict(environment or {}),
            start_new_session=True,
        )  # fmt: skip
    process.returncode = 0  # Waited for by its number; Popen shall not.
    return Command(process.pid, folder, tag)
