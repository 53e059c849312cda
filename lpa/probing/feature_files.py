"""A file of features: extracted once, memory-mapped afterwards.

Layout of ``<key>.features``: the header of :mod:`lpa.cache_files`; features of image after image,
float16 or float32, little-endian, [images, dim]; the images' positions in the table of samples,
int64; JSON of what could not be decoded, and of the checksum of every shard.

While it is made it is called ``.<key>.partial``, and ``.<key>.progress`` beside it has a line of
JSON for each shard whose features are written: what is killed goes on after the last such line,
and the checksums tell whether that is really there. A second process that makes the same file
leaves these alone and writes under a name of its own. A file under its own name is whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
import uuid
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Literal, Self

import numpy as np
import numpy.typing as npt

from lpa.cache_files import (
    AGAIN,
    HEADER,
    MISSTATED,
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
from lpa.probing.table import FeatureRows

__all__ = ["LARGEST", "WHAT", "FeatureContents", "FeatureFile", "FeatureWriter", "Features"]

FORMAT = 1
MAGIC = b"features of lpa\n"
WHAT = "feature file"
LARGEST = float(np.finfo(np.float16).max)
"""What float16 holds at most."""

STALE_SECONDS = 6 * 3_600
"""A second writer's file that nobody has written to for so long was left by a kill."""

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FeatureContents:
    """Everything that features depend on; the order of fields is that of messages.

    Attributes
    ----------
    weights : str
        :func:`lpa.models.loaded.hash_weights` of the backbone.
    convention : str
        :attr:`lpa.probing.pooled.FeatureInterface.convention`.
    dim : int
        Number of features.
    fingerprint : str
        Of the table of samples.
    split : str
        Of the samples, for readers.
    count : int
        Number of samples.
    view : mapping
        The view's record.
    mean, std : tuple of float
        Normalisation.
    augmentation : mapping or None
        Name, options, revision, value, draw and seed; None for the view as it is.
    precision : str
        Of the forward passes: ``"fp32"``, ``"fp16"``, ``"bf16"``.
    stored : {"float16", "float32"}
        Type in the file.
    """

    weights: str
    convention: str
    dim: int
    fingerprint: str
    split: str
    count: int
    view: Mapping[str, Any]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    augmentation: Mapping[str, Any] | None
    precision: str
    stored: Literal["float16", "float32"]

    @property
    def record(self) -> dict[str, Any]:
        """All of it as plain JSON values."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain

    @property
    def key(self) -> str:
        """32 hexadecimal digits of everything above."""
        return content_hash([FORMAT, self.record])

    @property
    def row_bytes(self) -> int:
        """Bytes of the features of one image."""
        return self.dim * np.dtype(self.stored).itemsize

    def path(self, folder: Path) -> Path:
        """Return the file's place in a folder."""
        return folder / f"{self.key}.features"


@dataclass(frozen=True, eq=False)
class Features:
    """Features with what heads need of their images (a ``FeatureTable``).

    Attributes
    ----------
    features : FeatureRows of float16 or float32, shape [N, dim]
        Memory-mapped.
    labels : array of int64, shape [N]
        The run's classes.
    keys : array of uint64, shape [N]
        The images' keys.
    """

    features: FeatureRows
    labels: Integers
    keys: npt.NDArray[np.uint64]


@dataclass(frozen=True)
class _Shard:
    """One line of the progress: samples, images among them, CRC-32, skips, error."""

    samples: int
    rows: int
    check: int
    skips: dict[str, str]
    error: tuple[int, float, float]


class FeatureWriter:
    """Writes a file shard by shard, in their order, going on where a killed writer stopped.

    A context that keeps what is done when it is left by an error.

    Parameters
    ----------
    folder : Path
        Exists.
    contents : FeatureContents
        What the file will hold.
    shard_size : int
        Consecutive samples a shard.

    Attributes
    ----------
    done : int
        Number of shards that are written.

    Raises
    ------
    InputError
        Where the folder cannot be written to.
    """

    def __init__(self, folder: Path, contents: FeatureContents, shard_size: int) -> None:
        self.folder, self.contents, self.shard_size = folder, contents, shard_size
        self._shards: list[_Shard] = []
        with self._explaining():
            self._remove_stale()
            self._open()

    @property
    def done(self) -> int:
        """Number of shards that are written."""
        return len(self._shards)

    @property
    def shards(self) -> int:
        """Number of shards of the whole file."""
        return -(-self.contents.count // self.shard_size)

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files; what a second writer left is removed, as nobody would go on with it."""
        for file in (self._file, self._progress):
            with contextlib.suppress(OSError):
                file.close()
        if not self._resumable:
            self._remove_both()

    def add(
        self,
        features: Floats,
        skips: Mapping[int, str],
        exact: Floats | None = None,
    ) -> None:
        """Append the next shard.

        Parameters
        ----------
        features : array of float32, shape [images, dim]
            Of the samples that could be decoded, in their order; finite, and within what the
            stored type holds.
        skips : mapping of int to str
            Position in the table of samples -> why it could not be decoded.
        exact : array of float32, shape [at most images, dim], optional
            The first rows as they are in float32: the error of what is stored is measured on them.
        """
        stored = np.ascontiguousarray(features, dtype=np.dtype(self.contents.stored))
        count = min(self.shard_size, self.contents.count - self.done * self.shard_size)
        assert len(stored) + len(skips) == count, (len(stored), len(skips), count)
        shard = _Shard(
            count,
            len(stored),
            zlib.crc32(stored.tobytes()),
            {str(position): problem for position, problem in skips.items()},
            _error(stored, exact),
        )
        with self._explaining():
            self._file.write(stored.tobytes())
            self._file.flush()
            self._progress.write(plain_json(asdict(shard)) + b"\n")
            self._progress.flush()
        self._shards.append(shard)

    def finish(self) -> FeatureFile:
        """Write the rest and the header, sync, and give the file its name.

        Raises
        ------
        InputError
            Where not a single image could be decoded.
        """
        assert self.done == self.shards, (self.done, self.shards)
        skips = {place: reason for shard in self._shards for place, reason in shard.skips.items()}
        rows = sum(shard.rows for shard in self._shards)
        if not rows:
            place = min(skips, key=int)
            raise InputError(
                f"none of {len(skips)} images can be decoded (number {place}: {skips[place]}); "
                "expected image files: check the path"
            )
        positions = np.delete(np.arange(self.contents.count), [int(place) for place in skips])
        checks = [[shard.rows, shard.check] for shard in self._shards]
        tail = positions.astype("<i8").tobytes() + plain_json({"skips": skips, "shards": checks})
        measured = [shard.error for shard in self._shards]
        sampled = sum(count for count, _, _ in measured)
        facts = {
            "format": FORMAT,
            "key": self.contents.key,
            "contents": self.contents.record,
            "rows": rows,
            "error": {
                "rows": sampled,
                "mean": sum(total for _, total, _ in measured) / max(sampled, 1),
                "max": max(most for _, _, most in measured),
            },
            "body_bytes": rows * self.contents.row_bytes,
            "tail_bytes": len(tail),
            "tail_digest": digest(tail),
        }
        path = self.contents.path(self.folder)
        with self._explaining():
            self._file.write(tail)
            self._file.seek(0)
            self._file.write(header(MAGIC, facts))
            self._file.flush()
            os.fsync(self._file.fileno())
            self._names[0].replace(path)
            self._file.close()
            self._remove_both()
        return FeatureFile.open(self.folder, self.contents)

    def _open(self) -> None:
        """Take the usual names, or others where another process is writing under these."""
        start = self.folder / f".{self.contents.key}"
        self._names = (Path(f"{start}.partial"), Path(f"{start}.progress"))
        self._names[0].touch()
        self._file: IO[bytes] = self._names[0].open("r+b")
        self._resumable = _locked(self._file, self._names[0])
        if not self._resumable:
            self._file.close()
            own = f"{start}.{uuid.uuid4().hex}"
            self._names = (Path(f"{own}.writing"), Path(f"{own}.notes"))
            self._file = self._names[0].open("x+b")
        self._progress: IO[bytes] = self._names[1].open("a+b")
        self._continue()

    def _continue(self) -> None:
        """Read how far a killed writer came, and cut off what is beyond."""
        self._progress.seek(0)
        end, kept = HEADER, 0
        self._file.seek(HEADER)
        for line in self._progress:
            try:
                values = json.loads(line)
                shard = _Shard(**{**values, "error": tuple(values["error"])})
            except (ValueError, TypeError, KeyError, RecursionError):
                break
            expected = min(self.shard_size, self.contents.count - self.done * self.shard_size)
            data = self._file.read(shard.rows * self.contents.row_bytes)
            if shard.samples != expected or zlib.crc32(data) != shard.check:
                break
            self._shards.append(shard)
            end, kept = end + len(data), kept + len(line)
        self._progress.truncate(kept)
        self._file.truncate(end)
        self._file.seek(0)
        self._file.write(b"\0" * HEADER)
        self._file.seek(end)

    def _remove_both(self) -> None:
        for name in self._names:
            name.unlink(missing_ok=True)

    def _remove_stale(self) -> None:
        """Remove what killed second writers left of this very file."""
        for ending in ("writing", "notes"):
            for left in self.folder.glob(f".{self.contents.key}.*.{ending}"):
                with contextlib.suppress(OSError):
                    if time.time() - left.stat().st_mtime > STALE_SECONDS:
                        left.unlink()

    @contextlib.contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise explained(error, self.folder, WHAT) from error


@dataclass(frozen=True, eq=False)
class FeatureFile:
    """A file that was opened and checked; its features are read when they are used.

    Attributes
    ----------
    path : Path
        The file.
    features : array of float16 or float32, shape [images, dim]
        Memory-mapped, read-only.
    positions : array of int64, shape [images]
        Row of each in the table of samples.
    skips : dict of int to str
        Row in the table of samples -> why it cannot be decoded.
    error : dict
        Of what is stored, relative to float32, as the distance over the norm: ``mean`` and
        ``max`` over a sample of ``rows``.
    """

    path: Path
    features: npt.NDArray[Any]
    positions: Integers
    skips: dict[int, str]
    error: dict[str, float]
    _checks: list[tuple[int, int]]

    @classmethod
    def open(cls, folder: Path, contents: FeatureContents) -> FeatureFile:
        """Open the file of some contents and check all of it but the features themselves.

        Raises
        ------
        FileNotFoundError
            Where there is none.
        InputError
            For a file that is foreign, damaged, cut short, or of other weights, images or views.
        """
        path = contents.path(folder)
        with path.open("rb") as file:
            facts = read_header(path, file.read(HEADER), MAGIC, WHAT)
            try:
                return cls._checked(path, file, facts, contents)
            except MISSTATED as error:
                raise damaged(path) from error

    @classmethod
    def _checked(
        cls, path: Path, file: IO[bytes], facts: dict[str, Any], contents: FeatureContents
    ) -> FeatureFile:
        """Open what the header describes; whatever it lacks or misstates raises a plain error."""
        _check_facts(path, facts, contents)
        tail = read_tail(path, file, facts["body_bytes"], facts["tail_bytes"], facts["tail_digest"])
        rows = facts["rows"]
        rest = read_json(tail[8 * rows :])
        kind = np.dtype(contents.stored).newbyteorder("<")
        mapped = np.memmap(path, kind, "r", offset=HEADER, shape=(rows, contents.dim))
        return cls(
            path=path,
            features=np.asarray(mapped),
            positions=np.frombuffer(tail[: 8 * rows], dtype="<i8").astype(np.int64),
            skips={int(place): reason for place, reason in rest["skips"].items()},
            error=facts["error"],
            _checks=[(count, check) for count, check in rest["shards"]],
        )

    def verify(self) -> None:
        """Read all features and check them against the checksums.

        Raises
        ------
        InputError
            Naming the first shard whose bytes are others than were stored.
        """
        start = 0
        for number, (count, check) in enumerate(self._checks):
            if zlib.crc32(self.features[start : start + count].data) != check:
                raise InputError(f"{self.path} is damaged in shard {number}; {AGAIN}")
            start += count

    def table(self, samples: Samples) -> Features:
        """Return the features with labels and keys of the samples that they were made of."""
        return Features(self.features, samples.label[self.positions], samples.key[self.positions])


def _check_facts(path: Path, facts: dict[str, Any], contents: FeatureContents) -> None:
    if facts["format"] != FORMAT:
        raise InputError(
            f"{path} has format {facts['format']}, expected {FORMAT}: another version of lpa made "
            f"it; {AGAIN}"
        )
    if facts["key"] == contents.key:
        return
    for name, value in contents.record.items():
        if facts["contents"].get(name) != value:
            raise InputError(
                f"{path} holds features with {name} {_shown(facts['contents'].get(name))}, "
                f"expected {name} {_shown(value)}: they were made of something else; {AGAIN}, or "
                "give another folder with --cache"
            )


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text[:12] if len(text) == 32 and " " not in text else text


def _error(stored: npt.NDArray[Any], exact: Floats | None) -> tuple[int, float, float]:
    """Return the number of rows, and sum and maximum of their relative errors."""
    if exact is None or not len(exact):
        return 0, 0.0, 0.0
    wanted = exact.astype(np.float64)
    norms = np.linalg.norm(wanted, axis=1)
    errors = np.linalg.norm(stored[: len(exact)].astype(np.float64) - wanted, axis=1)
    relative = np.divide(errors, norms, out=np.zeros_like(errors), where=norms > 0)
    return len(exact), float(relative.sum()), float(relative.max())


def _locked(file: IO[bytes], path: Path) -> bool:
    """Lock a file; False where another process has, or has just given it its final name."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    try:
        return os.fstat(file.fileno()).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False
