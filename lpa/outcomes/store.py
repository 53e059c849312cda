"""A run's folder as an object store: put a whole object, list, get. Nothing else is needed.

Objects are immutable once put. A put is atomic: a reader sees the whole object or none, and two
writers of the same object are harmless. Names are relative, with ``/`` between parts.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from lpa.errors import InputError
from lpa.user_paths import exists, is_file, is_folder

__all__ = ["FolderStore", "Location", "Store", "is_address", "local_path"]

Location = str | os.PathLike[str]
"""A folder, or an object store's address as fsspec writes them: ``s3://bucket/run``."""

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.:-]+://")

_MANGLED = re.compile(r"[a-z][a-z0-9+]+:/[^/]")
"""What a pathlib.Path makes of an address."""


class Store:
    """The objects of a run, wherever they are.

    ``Store(location)`` makes a :class:`FolderStore` of a path, or of an address that begins with
    ``file://``, and an :class:`~lpa.outcomes.object_store.ObjectStore` of any other address, as
    ``pathlib.Path`` makes the path of its system.

    Parameters
    ----------
    location : str or path
        The run's folder or address. It need not exist before the first put.

    Attributes
    ----------
    location : str
        As the user gave it; what commands and messages show.
    """

    location: str

    def __new__(cls, location: Location) -> Store:
        """Choose the kind of store by its location."""
        chosen: type[Store] = cls
        if cls is Store:
            chosen = FolderStore
            if is_address(location) and not str(location).startswith(("file://", "local://")):
                from lpa.outcomes.object_store import ObjectStore

                chosen = ObjectStore
        return object.__new__(chosen)

    def __init__(self, location: Location) -> None:
        self.location = os.fspath(location)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the location alone: another process makes its own connections."""
        return (type(self), (self.location,))

    def __str__(self) -> str:
        """Return the location as the user gave it."""
        return self.location

    @property
    def name(self) -> str:
        """The last part of the location, which names the run."""
        raise NotImplementedError

    def put(self, name: str, data: bytes) -> None:
        """Write an object whole, in place of one of that name.

        Raises
        ------
        InputError
            When the store cannot be written; nothing is left half written.
        """
        raise NotImplementedError

    def put_new(self, name: str, data: bytes) -> bool:
        """Write an object whole unless there is one of that name; return whether it was written.

        Of several writers at the same moment one succeeds. An object store without such a request
        may let several succeed, of whose objects the last stays.
        """
        raise NotImplementedError

    def get(self, name: str) -> bytes:
        """Return an object's bytes; raise FileNotFoundError when there is none."""
        raise NotImplementedError

    def buffer(self, name: str) -> pa.NativeFile:
        """Return an object for reading parts of it; raise FileNotFoundError when there is none."""
        raise NotImplementedError

    def tail(self, name: str, size: int) -> bytes:
        """Return the last bytes of an object, or all; raise FileNotFoundError without it."""
        raise NotImplementedError

    def exists(self, name: str) -> bool:
        """Tell whether an object is there."""
        raise NotImplementedError

    def list(self, prefix: str) -> list[str]:
        """Return the sorted names of the objects directly under a folder of the store."""
        raise NotImplementedError

    def stamps(self, prefix: str) -> dict[str, str | None]:
        """Return what :meth:`list` does, each name with a text that changes when its object does.

        None where the store tells nothing of the kind. Compared for being equal alone, so that a
        clock that jumps does no harm.
        """
        raise NotImplementedError

    def entries(self) -> Sequence[str]:
        """Return the sorted names of all that lies directly in the run's folder.

        Raises
        ------
        InputError
            When there is something else than a folder.
        """
        raise NotImplementedError

    def delete(self, name: str) -> None:
        """Remove an object (a damaged unit that is to be computed again), if it is there."""
        raise NotImplementedError


def parts_of(name: str) -> tuple[str, ...]:
    """Return the parts of an object's name; refuse a name that leaves the folder."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts:
        raise ValueError(f"not an object's name: {name!r}")
    return parts


class FolderStore(Store):
    """Objects under one directory of a file system."""

    def __init__(self, location: Location) -> None:
        text = str(location)
        if is_address(location):
            text = text.partition("://")[2]
            if not text:
                raise InputError(f"{location} names no folder; expected e.g. file:///data/run")
        self.root = Path(text)
        super().__init__(str(self.root))

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.root.resolve().name

    def path(self, name: str) -> Path:
        """Return where an object lies; refuse a name that leaves the folder."""
        return self.root.joinpath(*parts_of(name))

    def put(self, name: str, data: bytes) -> None:
        """Write an object whole: temporary file, fsync, rename.

        Raises
        ------
        InputError
            When the disk is full or the folder cannot be written; nothing is left half written.
        """
        self._write(name, data, replace=True)

    def put_new(self, name: str, data: bytes) -> bool:
        """Write an object whole unless it is there: temporary file, fsync, link."""
        return self._write(name, data, replace=False)

    def _write(self, name: str, data: bytes, *, replace: bool) -> bool:
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
            if not replace and not _linked(temporary, path):
                return False
            Path(temporary).replace(path)
        except OSError as error:
            raise _explained(error, self.root) from error
        finally:
            if temporary:
                with contextlib.suppress(OSError):
                    Path(temporary).unlink()
        return True

    def get(self, name: str) -> bytes:
        """Return an object's bytes; raise FileNotFoundError when there is none."""
        return self.path(name).read_bytes()

    def buffer(self, name: str) -> pa.NativeFile:
        """Return an object for reading parts of it, memory-mapped."""
        return pa.memory_map(str(self.path(name)))

    def tail(self, name: str, size: int) -> bytes:
        """Return the last bytes of an object, or all of a shorter one."""
        with self.path(name).open("rb", buffering=0) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - size))
            return file.read(size)

    def exists(self, name: str) -> bool:
        """Tell whether an object is there."""
        return is_file(self.path(name))

    def list(self, prefix: str) -> list[str]:
        """Return the sorted names of the objects directly under a folder of the store."""
        return sorted(f"{prefix}/{entry.name}" for entry in self._files(prefix))

    def stamps(self, prefix: str) -> dict[str, str | None]:
        """Return the objects' names as :meth:`list` does, each with its size and time of change."""
        found: dict[str, str | None] = {}
        for entry in self._files(prefix):
            with contextlib.suppress(OSError):
                state = entry.stat()
                found[f"{prefix}/{entry.name}"] = f"{state.st_size}-{state.st_mtime_ns}"
        return dict(sorted(found.items()))

    def _files(self, prefix: str) -> Sequence[os.DirEntry[str]]:
        try:
            with os.scandir(self.path(prefix)) as entries:
                return [e for e in entries if not e.name.startswith(".") and _is_object(e)]
        except (FileNotFoundError, NotADirectoryError):
            return []

    def entries(self) -> Sequence[str]:
        """Return the sorted names of all that lies directly in the folder.

        Raises
        ------
        InputError
            When it is a file.
        """
        if not exists(self.root):
            return []
        if not is_folder(self.root):
            raise InputError(
                f"{self} is a file; expected an empty or new directory, or a run: give another "
                "with --out DIR"
            )
        return sorted(path.name for path in self.root.iterdir())

    def delete(self, name: str) -> None:
        """Remove an object (a damaged unit that is to be computed again)."""
        with contextlib.suppress(FileNotFoundError):
            self.path(name).unlink()


def is_address(location: Location) -> bool:
    """Tell an address from a path.

    Raises
    ------
    InputError
        For what is left of an address that went through a ``pathlib.Path``.
    """
    if isinstance(location, str):
        return bool(_ADDRESS.match(location))
    text = os.fspath(location)
    if _MANGLED.match(text):
        raise InputError(
            f"{text} is no path but the rest of an address; expected text: "
            f"{text.replace(':/', '://', 1)!r}, not a pathlib.Path of it"
        )
    return False


def local_path(path: Location) -> Path:
    """Return the path of a file that is written whole on this machine: a page, a table, a figure.

    Raises
    ------
    InputError
        For an address.
    """
    if is_address(path):
        raise InputError(
            f"{path} is an address, and this file is written here; expected a path: copy the file "
            "there afterwards"
        )
    return Path(path)


def _linked(temporary: str, path: Path) -> bool:
    """Give a file its name unless it is taken, which a rename does not ask."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS):
            raise
        # A file system without links: two writers at the same moment are not told apart.
        return not path.exists()
    return True


def _is_object(entry: os.DirEntry[str]) -> bool:
    """Tell a file, or a link to one; a link to itself is none."""
    try:
        return entry.is_file()
    except OSError:
        return False


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
