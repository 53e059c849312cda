"""A run's folder as an object store: put a whole object, list, get. Nothing else is needed.

Objects are immutable once put. A put is atomic: a reader sees the whole object or none, and two
writers of the same object are harmless. Names are relative, with ``/`` between parts.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from pathlib import Path, PurePosixPath

import pyarrow as pa

from lpa.errors import InputError

__all__ = ["Store"]


class Store:
    """Objects under one directory of a file system.

    Parameters
    ----------
    root : path
        The run's folder. It need not exist before the first put.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)

    def __str__(self) -> str:
        """Return the folder's path as the user gave it."""
        return str(self.root)

    def path(self, name: str) -> Path:
        """Return where an object lies; refuse a name that leaves the folder."""
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts:
            raise ValueError(f"not an object's name: {name!r}")
        return self.root.joinpath(*parts)

    def put(self, name: str, data: bytes) -> None:
        """Write an object whole: temporary file, fsync, rename.

        Raises
        ------
        InputError
            When the disk is full or the folder cannot be written; nothing is left half written.
        """
        path = self.path(name)
        temporary = ""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(prefix=".put-", dir=path.parent)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            # mkstemp makes files that only their owner reads; a shared run folder needs the usual.
            Path(temporary).chmod(0o666 & ~_umask())
            Path(temporary).replace(path)
        except OSError as error:
            if temporary:
                with contextlib.suppress(OSError):
                    Path(temporary).unlink()
            raise _explained(error, self.root) from error

    def get(self, name: str) -> bytes:
        """Return an object's bytes; raise FileNotFoundError when there is none."""
        return self.path(name).read_bytes()

    def buffer(self, name: str) -> pa.NativeFile:
        """Return an object for reading parts of it, memory-mapped where that is possible."""
        return pa.memory_map(str(self.path(name)))

    def exists(self, name: str) -> bool:
        """Tell whether an object is there."""
        return self.path(name).is_file()

    def list(self, prefix: str) -> list[str]:
        """Return the sorted names of the objects directly under a folder of the store."""
        folder = self.path(prefix)
        try:
            with os.scandir(folder) as entries:
                names = [e.name for e in entries if not e.name.startswith(".") and e.is_file()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(f"{prefix}/{name}" for name in names)

    def delete(self, name: str) -> None:
        """Remove an object (a damaged unit that is to be computed again)."""
        with contextlib.suppress(FileNotFoundError):
            self.path(name).unlink()


def _umask() -> int:
    """Return the process's file mode mask."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _explained(error: OSError, root: Path) -> InputError:
    """Turn a failed write into one line that says what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return InputError(
            f"no space left on the disk of {root}: what was finished is kept; "
            "free some space and run the same command again"
        )
    reason = os.strerror(error.errno) if error.errno else str(error)
    return InputError(
        f"cannot write to {root} ({reason.lower()}): expected a writable directory; "
        "give another with --out DIR"
    )
