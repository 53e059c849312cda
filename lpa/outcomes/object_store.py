"""A run in an object store: any location that fsspec has a package for (``s3://bucket/run``).

One request puts an object, one gets it. A store that stops answering is asked again for a bounded
time. Options and credentials are fsspec's own, from its configuration or the environment.
"""

from __future__ import annotations

import errno
import functools
import io
import re
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import fsspec
import pyarrow as pa
from fsspec.registry import known_implementations

from lpa.errors import InputError
from lpa.outcomes.store import Location, Store, parts_of

__all__ = ["FIRST_PATIENCE", "PATIENCE", "ObjectStore"]

FIRST_PATIENCE = 15.0
"""Seconds for which a store is asked that never answered: its address may be wrong."""

PATIENCE = 300.0
"""Seconds for which a store is asked that answered before."""

WHOLE = 4 * 2**20
"""Objects up to this size are read whole, which is one request; of larger ones parts are."""

SMALL = 2**20
"""Objects up to this size are read whole where their end is asked for."""

BUCKETED = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "memory"}
"""Protocols without directories. Making one there could make a bucket, which nobody asked for."""

FINAL = {errno.EINVAL, errno.EPERM, errno.ENAMETOOLONG, errno.EMSGSIZE, errno.ENOSYS}
"""Error numbers of requests that would fail again."""

LASTING = (AttributeError, NotImplementedError, TypeError, ValueError)
"""How packages say that they cannot do something at all."""

T = TypeVar("T")


class ObjectStore(Store):
    """Objects under one address of an object store.

    Parameters
    ----------
    location : str
        ``PROTOCOL://BUCKET/FOLDER``.

    Raises
    ------
    InputError
        For a protocol that fsspec does not know, or one whose package is missing.
    """

    def __init__(self, location: Location) -> None:
        protocol, _, path = str(location).partition("://")
        super().__init__(f"{protocol}://{path.rstrip('/')}")
        if "::" in self.location or not path.strip("/"):
            raise InputError(f"{location}: expected one address, such as s3://bucket/run")
        self._answered = False
        self._files, root = _opened(self.location)
        self._root = re.sub("/+", "/", root)

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self.location.rpartition("/")[2]

    def put(self, name: str, data: bytes) -> None:
        """Write an object whole, with one request.

        Raises
        ------
        InputError
            For a bucket that there is not or that may not be written, and when the store does not
            answer.
        """
        self._put(name, functools.partial(self._files.pipe_file, self._path(name), data))

    def put_new(self, name: str, data: bytes) -> bool:
        """Write an object whole unless it is there: a conditional request, where there are such."""
        write = functools.partial(self._files.pipe_file, self._path(name), data)
        try:
            self._put(name, functools.partial(write, mode="create"), known=False)
        except FileExistsError:
            return False
        except (TypeError, NotImplementedError):
            if self.exists(name):
                return False
            self._put(name, write)
        return True

    def _put(self, name: str, write: Callable[[], Any], known: bool = True) -> None:
        try:
            self._tried(write, "written", known)
        except FileNotFoundError as error:
            if self._protocol in BUCKETED:
                raise self._no_bucket() from error
            self._tried(lambda: self._files.makedirs(self._path(name).rpartition("/")[0]), "made")
            self._tried(write, "written")

    def get(self, name: str) -> bytes:
        """Return an object's bytes; raise FileNotFoundError when there is none."""
        return self._part(name, 0, None)

    def buffer(self, name: str) -> pa.NativeFile:
        """Return an object for reading parts of it: whole where it is small."""
        head = self._part(name, 0, WHOLE)
        if len(head) < WHOLE:
            return pa.BufferReader(head)
        size = int(self._tried(lambda: self._files.info(self._path(name)), "read")["size"])
        return pa.PythonFile(_Parts(size, lambda start, end: self._part(name, start, end)), "r")

    def tail(self, name: str, size: int) -> bytes:
        """Return the last bytes of an object, or all of a shorter one."""
        # From its start a small object takes one request, and a range from its end two.
        head = self._part(name, 0, max(size, SMALL))
        return head[-size:] if len(head) < max(size, SMALL) else self._part(name, -size, None)

    def exists(self, name: str) -> bool:
        """Tell whether an object is there."""
        # fsspec's own exists() also says no when it could not find out.
        try:
            found = self._tried(lambda: self._files.info(self._path(name)), "read")
        except (FileNotFoundError, NotADirectoryError):
            return False
        return bool(found["type"] == "file")

    def stamps(self, prefix: str) -> dict[str, str | None]:
        """Return the objects' names as :meth:`list` does, each with its size and tag."""
        found = {}
        for entry in self._listed(self._path(prefix)):
            name = _last(entry["name"])
            if entry["type"] == "file" and not name.startswith("."):
                tag = entry.get("ETag") or entry.get("etag") or entry.get("md5Hash")
                found[f"{prefix}/{name}"] = f"{entry['size']}-{tag}" if tag else None
        return dict(sorted(found.items()))

    def entries(self) -> Sequence[str]:
        """Return the sorted names of all that lies directly at the address."""
        names = {_last(entry["name"]) for entry in self._listed(self._root)}
        return sorted(name for name in names if name)

    def list(self, prefix: str) -> list[str]:
        """Return the sorted names of the objects directly under a folder of the store."""
        return list(self.stamps(prefix))

    def delete(self, name: str) -> None:
        """Remove an object, if it is there."""
        try:
            self._tried(lambda: self._files.rm_file(self._path(name)), "written")
        except FileNotFoundError:
            return

    # ---- asking ----------------------------------------------------------------------------

    @property
    def _protocol(self) -> str:
        return self.location.partition("://")[0]

    def _path(self, name: str) -> str:
        return "/".join([self._root, *parts_of(name)])

    def _listed(self, path: str) -> Sequence[dict[str, Any]]:
        try:
            found = self._tried(lambda: self._files.ls(path, detail=True), "read")
        except (FileNotFoundError, NotADirectoryError):
            return []
        # An object at the very path is no folder; a marker of one has the path as its name.
        return [entry for entry in found if entry["name"].strip("/") != path.strip("/")]

    def _part(self, name: str, start: int, end: int | None) -> bytes:
        """Return a range of an object's bytes, to its end at most."""
        path = self._path(name)
        try:
            # A range from 0 spares s3fs the request for the size.
            data = self._tried(lambda: self._files.cat_file(path, start=start, end=end), "read")
        except OSError as error:
            if _says(error, "InvalidRange", "range not satisfiable", "416"):
                return b""
            raise
        return bytes(data)

    def _tried(self, request: Callable[[], T], verb: str, known: bool = True) -> T:
        """Make a request, and make it again while the store does not answer.

        What not every store has a request for (not ``known``) raises what Python raises.

        Raises
        ------
        FileNotFoundError, FileExistsError
            As the store answers.
        InputError
            For what would fail again, and when the time is over.
        """
        began, pause, told = time.monotonic(), 0.5, False
        while True:
            try:
                answer = request()
            except NotADirectoryError:
                raise
            except Exception as error:
                if not known and isinstance(error, TypeError | NotImplementedError):
                    raise
                self._judge(error, verb)
                patience = PATIENCE if self._answered else FIRST_PATIENCE
                passed = time.monotonic() - began
                if passed + pause > patience:
                    raise InputError(
                        f"{self} does not answer ({_reason(error)}), asked for {passed:.0f} "
                        "seconds; what was finished is kept: check the address and the network, "
                        "and run the same command again"
                    ) from error
                if not told and self._answered:
                    told = True
                    print(
                        f"{self} does not answer ({_reason(error)}); asking again for up to "
                        f"{patience:.0f} seconds",
                        file=sys.stderr,
                        flush=True,
                    )
                time.sleep(pause)
                pause = min(2 * pause, 15.0)
            else:
                self._answered = True
                return answer

    def _judge(self, error: Exception, verb: str) -> None:
        """Raise what is final; return for what may pass."""
        if _says(error, "PreconditionFailed", "conditionNotMet"):
            raise FileExistsError(str(error)) from error
        if isinstance(error, FileNotFoundError):
            self._answered = True
            if _says(error, "NoSuchBucket", "bucket does not exist"):
                raise self._no_bucket() from error
            raise error
        if isinstance(error, FileExistsError):
            raise error
        if isinstance(error, PermissionError) or "Credential" in type(error).__name__:
            raise InputError(
                f"{self} may not be {verb} ({_reason(error)}); expected credentials that may, in "
                "the environment or in fsspec's configuration"
            ) from error
        if _says(error, "InvalidRange"):
            raise error
        if (
            isinstance(error, LASTING)
            or getattr(error, "errno", None) in FINAL
            or (type(error).__name__ == "ParamValidationError")
        ):
            raise InputError(
                f"{self} cannot be {verb} ({_reason(error)}); expected an address such as "
                "s3://bucket/run"
            ) from error

    def _no_bucket(self) -> InputError:
        bucket = self._root.strip("/").partition("/")[0]
        return InputError(
            f"{self}: there is no bucket {bucket!r}; expected one that exists: create it, or give "
            "another address"
        )


class _Parts(io.RawIOBase):
    """A file whose parts are got when they are read."""

    def __init__(self, size: int, part: Callable[[int, int], bytes]) -> None:
        self._size, self._part, self._at = size, part, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        end = self._size if size < 0 else min(self._at + size, self._size)
        if end <= self._at:
            return b""
        data = self._part(self._at, end)
        self._at += len(data)
        return data


def _opened(location: str) -> tuple[Any, str]:
    """Return fsspec's file system and the path in it."""
    protocol = location.partition("://")[0]
    try:
        # A listing is asked for anew each time: other processes write as well.
        return fsspec.core.url_to_fs(location, use_listings_cache=False)  # type: ignore[no-any-return]
    except ImportError as error:
        known = known_implementations.get(protocol, {})
        package = known.get("class", protocol).partition(".")[0]
        if package == "fsspec":
            raise InputError(
                f"{location} needs what is not installed: {known.get('err', _reason(error))}"
            ) from error
        raise InputError(
            f"{location} needs {package}, which is not installed: pip install '{package}'"
        ) from error
    except Exception as error:  # each package refuses an address in its own way
        raise InputError(
            f"{location} cannot be used ({_reason(error)}); expected a path or an address such as "
            "s3://bucket/run"
        ) from error


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _says(error: BaseException, *texts: str) -> bool:
    """Tell whether an error or its cause has one of some texts in it."""
    told = f"{error} {error.__cause__}"
    return any(text in told for text in texts)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
