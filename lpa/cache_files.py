"""Files that are computed once and kept in the user's cache: where they lie, how they begin.

Such a file begins with a header of 4,096 bytes: a line that says what the file is, the digest of
the rest, JSON. What follows belongs to its writer.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import IO, Any

from lpa.errors import InputError
from lpa.json_text import read_json

__all__ = [
    "AGAIN",
    "HEADER",
    "MISSTATED",
    "cache_folder",
    "check_space",
    "damaged",
    "digest",
    "explained",
    "header",
    "plain_json",
    "read_header",
    "read_tail",
]

HEADER = 4_096
"""Bytes before the content: a page, so that it is mapped from the page's end."""

MISSTATED = (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError)
"""What reading a file raises whose header lacks something or misstates it."""

AGAIN = "delete it and run the same command again"


def cache_folder(kind: str) -> Path:
    """Return where files of a kind are kept: ``$XDG_CACHE_HOME/lpa/KIND``, else ``~/.cache``'s."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "lpa" / kind


def check_space(folder: Path, needed: int, what: str) -> None:
    """Make a folder, and check that it has room.

    Parameters
    ----------
    folder : Path
        Where files shall be written.
    needed : int
        About how many bytes.
    what : str
        ``"pixel cache"``, for messages.

    Raises
    ------
    InputError
        Where the folder cannot be made or its disk has less room.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise explained(error, folder, what) from error
    if needed > free:
        raise InputError(
            f"the {what} needs about {_gigabytes(needed)} in {folder}, where {_gigabytes(free)} "
            "are free; free some space, or give another folder with --cache"
        )


def explained(error: OSError, folder: Path, what: str) -> InputError:
    """Turn a failed write into one line that says what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return InputError(
            f"no space left on the disk of {folder} for the {what}; free some space, or give "
            "another folder with --cache"
        )
    reason = os.strerror(error.errno) if error.errno else str(error)
    return InputError(
        f"cannot write the {what} to {folder} ({reason.lower()}); expected a writable folder: "
        "give another with --cache"
    )


def plain_json(values: Any) -> bytes:
    """Return JSON without spaces, keys sorted: equal values give equal bytes."""
    return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()


def digest(data: bytes | memoryview) -> str:
    """Return 32 hexadecimal digits of BLAKE2b."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def header(magic: bytes, facts: dict[str, Any]) -> bytes:
    """Return the header: the line, a digest, and JSON filled up with spaces."""
    rest = plain_json(facts).ljust(HEADER - len(magic) - 33)
    return magic + digest(rest).encode() + b"\n" + rest


def read_header(path: Path, data: bytes, magic: bytes, what: str) -> dict[str, Any]:
    """Read what :func:`header` wrote.

    Raises
    ------
    InputError
        For another file, and for one that is damaged in its header.
    """
    if not data.startswith(magic):
        raise InputError(
            f"{path} is no {what} of lpa; move it away, or give another folder with --cache"
        )
    digits, _, rest = data[len(magic) :].partition(b"\n")
    if digest(rest).encode() != digits:
        raise damaged(path)
    try:
        facts = read_json(rest)
    except ValueError as error:
        raise damaged(path) from error
    if not isinstance(facts, dict):
        raise damaged(path)
    return facts


def read_tail(path: Path, file: IO[bytes], body: int, tail: int, written: str) -> bytes:
    """Read what stands behind header and body, and check that nothing is missing.

    Parameters
    ----------
    path : Path
        For messages.
    file : binary file
        Open at any place.
    body, tail : int
        Bytes of both, as the header says.
    written : str
        The :func:`digest` of the tail.

    Raises
    ------
    InputError
        For a file of another length, and for a tail that is damaged.
    """
    expected = HEADER + body + tail
    length = file.seek(0, os.SEEK_END)
    if length != expected:
        raise InputError(
            f"{path} has {length:,} bytes, expected {expected:,}: it was cut short or changed; "
            f"{AGAIN}"
        )
    file.seek(HEADER + body)
    data = file.read(tail)
    if digest(data) != written:
        raise InputError(f"{path} is damaged in its index; {AGAIN}")
    return data


def damaged(path: Path) -> InputError:
    """Say that a file's header does not say what it must."""
    return InputError(f"{path} is damaged in its header; {AGAIN}")


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
