"""A file that holds decoded images: decoded once, memory-mapped afterwards.

Layout of ``<key>.pixels``: a header of 4,096 bytes (a line that says what the file is, the digest
of the rest, JSON); the grey levels of image after image, uint8 [h, w, 3]; the index, one row of
eight int64 (:data:`COLUMNS`) an image; JSON of what could not be decoded. It is written under
another name in the same folder, synced and renamed, so that a file under its own name is whole, and
two writers of one file do no harm.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, Self

import numpy as np
import numpy.typing as npt
import torch

from lpa import cache_files
from lpa.cache_files import (
    AGAIN,
    HEADER,
    MISSTATED,
    cache_folder,
    damaged,
    digest,
    explained,
    header,
    plain_json,
    read_header,
    read_tail,
)
from lpa.errors import InputError
from lpa.json_text import read_json
from lpa.outcomes import Samples
from lpa.outcomes.cells import content_hash
from lpa.training.decoding import SHORT_SIDE, Pixels
from lpa.training.image_memory import Ragged, Stack, is_grey
from lpa.views import View

__all__ = ["Contents", "PixelFile", "PixelWriter", "check_space", "default_folder"]

FORMAT = 1
_WHAT = "pixel cache"
MAGIC = b"pixel cache of lpa\n"
COLUMNS = ("position", "start", "width", "height", "full_width", "full_height", "check", "spare")
"""Of the index: row in the table of samples; first byte of the image after the header; size of
what is stored; size of the image itself; CRC-32 of the stored bytes; 0."""

STALE_SECONDS = 6 * 3_600
"""An unfinished file that nobody has written to for so long was left by a process that was
killed."""

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Contents:
    """What a file holds.

    Attributes
    ----------
    kind : {"originals", "views"}
        Images whose short side is at most 512 pixels
        (:func:`lpa.training.decoding.reduced`), or evaluation views.
    fingerprint : str
        Of the table of samples.
    count : int
        Number of samples.
    made : dict
        How the pixels were made: the limit, or the view's record.
    """

    kind: Literal["originals", "views"]
    fingerprint: str
    count: int
    made: dict[str, Any]

    @classmethod
    def originals(cls, samples: Samples) -> Contents:
        """Say that a file holds the images of some samples."""
        return cls("originals", samples.fingerprint, len(samples), {"short_side": SHORT_SIDE})

    @classmethod
    def views(cls, samples: Samples, view: View) -> Contents:
        """Say that a file holds the views of some samples."""
        return cls("views", samples.fingerprint, len(samples), view.to_dict())

    @property
    def key(self) -> str:
        """32 hexadecimal digits of everything above."""
        return content_hash([FORMAT, self.kind, self.fingerprint, self.count, self.made])

    def path(self, folder: Path) -> Path:
        """Return the file's place in a folder."""
        return folder / f"{self.key}.pixels"


def default_folder() -> Path:
    """Return where files are kept; see :func:`lpa.cache_files.cache_folder`."""
    return cache_folder("pixels")


def check_space(folder: Path, needed: int) -> None:
    """Make the folder and check that it has room; see :func:`lpa.cache_files.check_space`."""
    cache_files.check_space(folder, needed, _WHAT)


class PixelWriter:
    """Writes a file; a context that leaves nothing behind where it is left by an error.

    Parameters
    ----------
    folder : Path
        Exists.
    contents : Contents
        What the file will hold.

    Raises
    ------
    InputError
        Where the folder cannot be written to, or its disk is full.
    """

    def __init__(self, folder: Path, contents: Contents) -> None:
        self.folder = folder
        self.contents = contents
        self.path = contents.path(folder)
        self.rows: list[tuple[int, ...]] = []
        self.skips: dict[int, str] = {}
        self.written = 0
        self.grey = True
        self._remove_stale()
        with self._explaining():
            self.temporary = folder / f".{contents.key}.{uuid.uuid4().hex}.writing"
            self.file: IO[bytes] = self.temporary.open("xb")
            self.file.write(b"\0" * HEADER)

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove what was not finished."""
        with contextlib.suppress(OSError):
            self.file.close()
        with contextlib.suppress(OSError):
            self.temporary.unlink()

    def add(self, position: int, full: tuple[int, int], pixels: Pixels) -> None:
        """Append an image.

        Parameters
        ----------
        position : int
            Row in the table of samples.
        full : (int, int)
            Width and height of the image before it was reduced.
        pixels : array of uint8, shape [h, w, 3]
            What is stored.
        """
        data = np.ascontiguousarray(pixels)
        self.grey = self.grey and is_grey(data)
        height, width = data.shape[:2]
        check = zlib.crc32(data.data)
        self.rows.append((position, self.written, width, height, *full, check, 0))
        with self._explaining():
            self.file.write(data.data)
        self.written += data.nbytes

    def skip(self, position: int, problem: str) -> None:
        """Note that the sample at a position cannot be decoded."""
        self.skips[position] = problem

    def finish(self) -> None:
        """Write index and header, sync, and give the file its name; it holds an image at least."""
        index = np.array(self.rows, dtype="<i8").reshape(-1, len(COLUMNS)).tobytes()
        index += plain_json({str(position): problem for position, problem in self.skips.items()})
        facts = {
            "format": FORMAT,
            "key": self.contents.key,
            "kind": self.contents.kind,
            "fingerprint": self.contents.fingerprint,
            "samples": self.contents.count,
            "made": self.contents.made,
            "images": len(self.rows),
            "grey": self.grey,
            "pixel_bytes": self.written,
            "index_bytes": len(index),
            "index_digest": digest(index),
        }
        with self._explaining():
            self.file.write(index)
            self.file.seek(0)
            self.file.write(header(MAGIC, facts))
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()
            self.temporary.replace(self.path)

    def _remove_stale(self) -> None:
        """Remove what killed processes left of this very file."""
        for left in self.folder.glob(f".{self.contents.key}.*.writing"):
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > STALE_SECONDS:
                    left.unlink()

    @contextlib.contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise explained(error, self.folder, _WHAT) from error


@dataclass(frozen=True, eq=False)
class PixelFile:
    """A file that was opened; its pixels are read when they are used.

    Attributes
    ----------
    path : Path
        The file.
    index : array of int64, shape [images, 8]
        See :data:`COLUMNS`.
    skips : dict of int to str
        Row in the table of samples -> why it cannot be decoded.
    grey : bool
        Whether the three channels are the same everywhere.
    levels : array of uint8
        All pixels, memory-mapped, read-only.
    """

    path: Path
    index: Integers
    skips: dict[int, str]
    grey: bool
    levels: Pixels

    @classmethod
    def open(cls, folder: Path, contents: Contents) -> PixelFile:
        """Open the file of some contents and check all of it but the pixels themselves.

        Raises
        ------
        FileNotFoundError
            Where there is none.
        InputError
            For a file that is foreign, damaged, cut short or made from other data.
        """
        path = contents.path(folder)
        with path.open("rb") as file:
            facts = read_header(path, file.read(HEADER), MAGIC, _WHAT)
            try:
                return cls._checked(path, file, facts, contents)
            except MISSTATED as error:
                raise damaged(path) from error

    @classmethod
    def _checked(
        cls, path: Path, file: IO[bytes], facts: dict[str, Any], contents: Contents
    ) -> PixelFile:
        """Open what the header describes; whatever it lacks or misstates raises a plain error."""
        _check_facts(path, facts, contents)
        tail = read_tail(
            path, file, facts["pixel_bytes"], facts["index_bytes"], facts["index_digest"]
        )
        rows = facts["images"]
        table = 8 * len(COLUMNS) * rows
        index = np.frombuffer(tail[:table], dtype="<i8").reshape(rows, len(COLUMNS))
        shape = (facts["pixel_bytes"],)
        levels = np.asarray(np.memmap(path, np.uint8, "r", offset=HEADER, shape=shape))
        skips = {int(row): problem for row, problem in read_json(tail[table:]).items()}
        return cls(path, index.astype(np.int64), skips, bool(facts["grey"]), levels)

    def column(self, name: str) -> Integers:
        """Return a column of the index."""
        return self.index[:, COLUMNS.index(name)]

    @property
    def sizes(self) -> Integers:
        """Width and height of what is stored: int64 [images, 2]."""
        return self.index[:, 2:4]

    @property
    def full_sizes(self) -> Integers:
        """Width and height of the images before they were reduced: int64 [images, 2]."""
        return self.index[:, 4:6]

    def images(self, device: torch.device) -> Stack | Ragged:
        """Return the pixels, still in the file, for batches on a device."""
        sizes = self.sizes
        if (sizes == sizes[0]).all():
            width, height = sizes[0].tolist()
            levels = self.levels.reshape(-1, height, width, 3)
            return Stack(levels[..., :1] if self.grey else levels, device)
        return Ragged(self.levels, self.column("start"), sizes, device)

    def verify(self, progress: Callable[[int], object] | None = None) -> None:
        """Read all pixels and check them against the index.

        Parameters
        ----------
        progress : callable or None
            Called with the number of images checked since the last call.

        Raises
        ------
        InputError
            Naming the first image whose bytes are others than were stored.
        """
        for position, start, width, height, _, _, check, _ in self.index.tolist():
            if zlib.crc32(self.levels[start : start + 3 * width * height].data) != check:
                raise InputError(f"{self.path} is damaged in image {position}; {AGAIN}")
            if progress is not None:
                progress(1)


def _check_facts(path: Path, facts: dict[str, Any], contents: Contents) -> None:
    if facts["format"] != FORMAT:
        raise InputError(
            f"{path} has format {facts['format']}, expected {FORMAT}: another version of lpa made "
            f"it; {AGAIN}"
        )
    if facts["key"] != contents.key:
        raise InputError(
            f"{path} is a cache made from other data ({facts['kind']} of {facts['samples']:,} "
            f"samples with fingerprint {facts['fingerprint'][:8]}), expected {contents.kind} of "
            f"{contents.count:,} samples with fingerprint {contents.fingerprint[:8]}; {AGAIN}, or "
            "give another folder with --cache"
        )
