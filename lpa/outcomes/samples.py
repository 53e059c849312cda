"""The samples of a run: which images, in which order, with which label.

One row per image, kept in ``samples.parquet``. Everything that is measured refers to it by the
column ``sample``, so that a part of a data set keeps the numbers of the whole.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from lpa.errors import InputError
from lpa.outcomes.parquet_bytes import table_of

__all__ = ["SAMPLES_SCHEMA", "Samples"]

SAMPLES_SCHEMA = pa.schema(
    [
        pa.field("sample", pa.int64(), nullable=False),
        pa.field("key", pa.uint64(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("label", pa.int64(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
    ]
)
"""Columns of ``samples.parquet`` and their types."""


@dataclass(frozen=True, eq=False)
class Samples:
    """The table of samples, one row each; all columns are equally long.

    Attributes
    ----------
    sample : array of int64
        Index in the full data set sorted by name; ascending.
    key : array of uint64
        64-bit blake2b of the encoded bytes, from which all randomness of the sample derives.
    name : tuple of str
        File name, relative to the data set.
    label : array of int64
        Index into the run's classes.
    split : array of str
        The split that the sample comes from.
    size : array of int64
        Number of encoded bytes: a cheap check, on resuming, that the data are still the same.
    """

    sample: npt.NDArray[np.int64]
    key: npt.NDArray[np.uint64]
    name: tuple[str, ...]
    label: npt.NDArray[np.int64]
    split: npt.NDArray[np.str_]
    size: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        """Give every column its type; raise ``ValueError`` for columns of unequal length."""
        for column, kind in (("sample", "i8"), ("key", "u8"), ("label", "i8"), ("size", "i8")):
            object.__setattr__(self, column, np.asarray(getattr(self, column), dtype=kind))
        object.__setattr__(self, "name", tuple(self.name))
        object.__setattr__(self, "split", np.asarray(self.split, dtype=np.str_))
        lengths = {column: len(getattr(self, column)) for column in SAMPLES_SCHEMA.names}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of unequal length: {lengths}")

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.name)

    @functools.cached_property
    def fingerprint(self) -> str:
        """32 hexadecimal digits: blake2b over every column but ``size``, in order."""
        digest = hashlib.blake2b(digest_size=16)
        for numbers in (self.sample, self.key, self.label):
            digest.update(numbers.astype(numbers.dtype.newbyteorder("<")).tobytes())
        for texts in (self.name, self.split.tolist()):
            digest.update(json.dumps(list(texts), separators=(",", ":")).encode())
        return digest.hexdigest()

    def take(self, positions: npt.ArrayLike) -> Samples:
        """Return the samples at some positions (array of int64), in that order."""
        chosen = np.asarray(positions, dtype=np.int64)
        columns = ("sample", "key", "label", "split", "size")
        parts: dict[str, Any] = {column: getattr(self, column)[chosen] for column in columns}
        return Samples(name=tuple(self.name[position] for position in chosen), **parts)

    def relabelled(self, mapping: npt.ArrayLike) -> Samples:
        """Return the same samples with other labels.

        Parameters
        ----------
        mapping : array of int64
            New label of each old one, e.g. of classes in another order.

        Returns
        -------
        Samples
            Everything but ``label`` (and so the fingerprint) is as before.
        """
        return replace(self, label=np.asarray(mapping, dtype=np.int64)[self.label])

    def to_parquet_bytes(self) -> bytes:
        """Return the table as a Parquet file; equal samples give equal bytes."""
        columns: dict[str, Any] = {name: getattr(self, name) for name in SAMPLES_SCHEMA.names}
        columns["name"], columns["split"] = list(self.name), self.split.tolist()
        sink = io.BytesIO()
        pq.write_table(pa.table(columns, schema=SAMPLES_SCHEMA), sink, compression="zstd")
        return sink.getvalue()

    @classmethod
    def from_parquet_bytes(cls, data: bytes) -> Samples:
        """Read what :meth:`to_parquet_bytes` wrote.

        Raises
        ------
        InputError
            For bytes that are no such table.
        """
        try:
            table = table_of(data).select(SAMPLES_SCHEMA.names)
            table = table.cast(SAMPLES_SCHEMA)
            if any(column.null_count for column in table.columns):
                raise ValueError("an empty cell")
            numbers = {name: table[name].to_numpy() for name in ("sample", "key", "label", "size")}
            if (np.diff(numbers["sample"]) <= 0).any() or (numbers["sample"] < 0).any():
                raise ValueError("samples that do not ascend")
            if (numbers["label"] < 0).any():
                raise ValueError("a label below 0")
            names = tuple(table["name"].to_pylist())
            splits = np.array(table["split"].to_pylist(), dtype=np.str_)
        except (pa.ArrowException, KeyError, OSError, ValueError) as error:
            raise InputError(
                "samples.parquet is damaged or of another program; expected a Parquet table with "
                f"the columns {', '.join(SAMPLES_SCHEMA.names)}; copy the run folder again, or "
                "start a new run"
            ) from error
        return cls(name=names, split=splits, **numbers)
