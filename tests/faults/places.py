"""Where a case's run lies: a plain folder, a small disk of its own, an object store."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

__all__ = ["PLACES", "Bucket", "Disk", "Folder", "Nodes", "Place", "can_mount"]

TESTS = Path(__file__).resolve().parent.parent


class Place:
    """A location for a run and one for its caches; a context that clears up behind it."""

    name = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = str(folder / "run")
        self.cache = folder / "cache"
        self.environment: dict[str, str] = {}
        self.words: list[str] = []
        self.watched = str(folder)

    def __enter__(self) -> Place:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        """Do nothing."""

    def begun(self) -> bool:
        """Whether there is a run."""
        return (Path(self.out) / "run.json").exists()


class Folder(Place):
    """A folder on the disk of this machine."""

    name = "folder"


class Disk(Place):
    """A disk of 24 MB in memory, which can be filled and made read-only."""

    name = "disk"

    def __enter__(self) -> Disk:
        self.disk = self.folder / "disk"
        self.disk.mkdir(parents=True, exist_ok=True)
        _mount("-t", "tmpfs", "-o", "size=24m", "tmpfs", str(self.disk))
        self.out, self.cache = str(self.disk / "run"), self.disk / "cache"
        return self

    def __exit__(self, *_: object) -> None:
        for _attempt in range(50):
            if subprocess.run(["umount", str(self.disk)], capture_output=True).returncode == 0:
                return
            time.sleep(0.1)
        raise RuntimeError(f"{self.disk} cannot be unmounted")

    @property
    def ballast(self) -> Path:
        """What fills it."""
        return self.disk / "ballast"

    def fill(self, left: int) -> None:
        """Fill it but for some bytes."""
        state = os.statvfs(self.disk)
        free = max(0, state.f_bavail * state.f_frsize - left)
        with self.ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, free))

    def writable(self, allowed: bool) -> bool:
        """Let it be written or not; return whether that could be done (no file may be open)."""
        for _attempt in range(40):
            if _mount("-o", f"remount,{'rw' if allowed else 'ro'}", str(self.disk), check=False):
                return True
            time.sleep(0.02)
        return False


def _mount(*words: str, check: bool = True) -> bool:
    done = subprocess.run(["mount", *words], capture_output=True, check=check)
    return done.returncode == 0


@cache
def can_mount(folder: Path) -> str:
    """Return why a disk cannot be mounted here; nothing where it can."""
    try:
        with Disk(folder / "trial"):
            return ""
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no disk can be mounted here ({type(error).__name__})"


class Bucket(Place):
    """An object store served on this machine, which can be stopped, started and held.

    Its server is a process of its own: threads would not survive a fork.
    """

    name = "s3"

    def __enter__(self) -> Bucket:
        super().__enter__()
        self.server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("s3_server.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env=os.environ | {"PYTHONPATH": _python_path()},
        )  # fmt: skip
        self.out, self.watched = "s3://bucket/run", "s3://bucket/run"
        self.environment = {
            "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": self._heard(),
            "AWS_MAX_ATTEMPTS": "1",
        }  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        self.server.kill()
        self.server.communicate()

    def _heard(self) -> str:
        assert self.server.stdout is not None
        return self.server.stdout.readline().strip()

    def ask(self, word: str) -> str:
        """Let the server ``stop``, ``start``, or say what objects it ``list``s."""
        assert self.server.stdin is not None
        self.server.stdin.write(f"{word}\n")
        self.server.stdin.flush()
        return self._heard()

    def begun(self) -> bool:
        return self.ask("begun") == "yes"


class Nodes(Place):
    """A folder that the three nodes of a Ray cluster write into.

    The cluster is started once and serves all cases.
    """

    name = "ray"
    cluster: subprocess.Popen[str] | None = None

    def __enter__(self) -> Nodes:
        super().__enter__()
        if Nodes.cluster is None:
            Nodes.cluster = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("ray_cluster.py"))],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                text=True, env=os.environ | {"PYTHONPATH": _python_path()},
            )  # fmt: skip
            answer = ""
            while not answer.startswith("address "):
                answer = self._heard()
            Nodes.address = answer.split()[1]
        self.words = ["--engine", "ray", "--address", Nodes.address, "--unit-time", "15"]
        return self

    address = ""

    def _heard(self) -> str:
        assert Nodes.cluster is not None and Nodes.cluster.stdout is not None
        line = Nodes.cluster.stdout.readline()
        if not line:
            raise RuntimeError("the Ray cluster ended")
        return line.strip()

    def ask(self, word: str) -> None:
        """Let the cluster ``lose`` or ``add`` a node."""
        assert Nodes.cluster is not None and Nodes.cluster.stdin is not None
        Nodes.cluster.stdin.write(f"{word}\n")
        Nodes.cluster.stdin.flush()
        while self._heard() != "done":
            pass

    def workers(self) -> list[psutil.Process]:
        """Return the processes of this cluster's workers."""
        import psutil

        assert Nodes.cluster is not None
        found = []
        for process in psutil.Process(Nodes.cluster.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if "ray::RayWorker" in " ".join(process.cmdline()):
                    found.append(process)
        return found

    @classmethod
    def end(cls) -> None:
        """End the cluster."""
        if cls.cluster is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                cls.cluster.communicate(timeout=60)
            cls.cluster.kill()
            cls.cluster = None


def _python_path() -> str:
    return os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])


PLACES: dict[str, Callable[[Path], Place]] = {
    "folder": Folder,
    "disk": Disk,
    "s3": Bucket,
    "ray": Nodes,
}
