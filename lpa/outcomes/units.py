"""Units: the immutable result files of a run.

A unit holds whole cells of one shard, cell-major: for every cell the same samples in the same
order. Its metadata lists the cells, the samples that were skipped and the timings.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from lpa.errors import InputError
from lpa.json_text import read_json
from lpa.outcomes.cells import Cell, CellColumns, content_hash
from lpa.outcomes.plain_records import check_cells
from lpa.outcomes.store import Store

__all__ = [
    "COLUMNS",
    "Header",
    "Unit",
    "parse_header",
    "read_column",
    "read_end",
    "read_header",
    "unit_name",
    "write_unit",
]

FORMAT = 1
"""Version of the unit's layout; a file of another version is refused by name."""

MOST_SAMPLES = 2**26
"""A header that claims more in a unit lies: a list of them would fill the memory."""

USUAL_FOOTER = 16 * 2**10
"""Bytes at the end of a file within which a unit of a hundred cells says what it is."""

LONGEST_FOOTER = 2**28
"""Bytes; a file that claims more is damaged."""

COLUMNS: dict[str, pa.DataType] = {
    "prediction": pa.int32(),
    "prediction_probability": pa.float32(),
    "label_rank": pa.int32(),
    "label_probability": pa.float32(),
}
"""Measured columns and their types. ``label`` belongs to the sample and is in samples.parquet."""


@dataclass(frozen=True)
class Unit:
    """What a unit file says of itself.

    Attributes
    ----------
    name : str
        The object's name in the store.
    shard : int
        Number of the shard.
    cells : tuple of Cell
        The cells, in the order of the rows.
    samples : array of int64
        Samples of each cell, ascending, in the order of the rows; the skipped are left out.
    skips : dict of int to str
        Sample -> reason, for samples whose bytes cannot be decoded.
    timings : dict
        Seconds by stage, and what else was recorded (device, batch size).
    """

    name: str
    shard: int
    cells: tuple[Cell, ...]
    samples: npt.NDArray[np.int64]
    skips: dict[int, str] = field(default_factory=dict)
    timings: dict[str, Any] = field(default_factory=dict)


def unit_name(shard: int, cells: Sequence[Cell]) -> str:
    """Name a unit by its shard and its cells: the same content gets the same name."""
    return f"units/{shard:06d}-{content_hash([shard, sorted(c.id for c in cells)])}.parquet"


def write_unit(
    store: Store,
    shard: int,
    cells: Sequence[Cell],
    samples: npt.NDArray[np.int64],
    columns: Mapping[str, npt.NDArray[Any] | None],
    skips: Mapping[int, str],
    timings: Mapping[str, Any],
) -> str:
    """Write cells of one shard; see :class:`Unit`.

    Parameters
    ----------
    columns : mapping of str to array of shape [cells, samples]
        The columns of :data:`COLUMNS`; None for one that is not known (imports).

    Returns
    -------
    str
        The unit's name.

    Raises
    ------
    ValueError
        When a column's shape does not fit.
    InputError
        When the store cannot be written.
    """
    arrays = {"cell": pa.array(np.repeat(np.arange(len(cells), dtype=np.int32), len(samples)))}
    arrays["sample"] = pa.array(np.tile(samples, len(cells)))
    for name, kind in COLUMNS.items():
        values = columns.get(name)
        if values is None:
            arrays[name] = pa.nulls(len(cells) * len(samples), kind)
        elif values.shape != (len(cells), len(samples)):
            raise ValueError(f"{name}: {values.shape} is not {len(cells)} x {len(samples)}")
        else:
            arrays[name] = pa.array(values.reshape(-1), kind)
    header: dict[str, Any] = {
        "format": FORMAT,
        "shard": shard,
        "cells": CellColumns.dump(cells),
        "samples": _ranges(samples),
        "skips": {str(sample): reason for sample, reason in sorted(skips.items())},
        "timings": dict(timings),
    }
    header["digest"] = content_hash(header)
    table = pa.table(arrays)
    sink = io.BytesIO()
    # Key-value metadata of the schema is dropped without `store_schema`, so it is added apart.
    with pq.ParquetWriter(
        sink,
        table.schema,
        compression="zstd",
        use_dictionary=["cell", "sample", "prediction", "label_rank"],
        column_encoding={
            "prediction_probability": "BYTE_STREAM_SPLIT",
            "label_probability": "BYTE_STREAM_SPLIT",
        },
        write_page_checksum=True,
        store_schema=False,
    ) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"lpa": json.dumps(header)})
    name = unit_name(shard, cells)
    store.put(name, sink.getvalue())
    return name


class Header(NamedTuple):
    """What a unit says of itself, as it stands in its file, and its number of rows."""

    text: bytes
    rows: int


def read_header(store: Store, name: str) -> Unit:
    """Read what a unit says of itself.

    Raises
    ------
    InputError
        For a damaged unit, named, and for one of another format version.
    """
    return parse_header(store, name, read_end(store, name))


def read_end(store: Store, name: str) -> Header | None:
    """Read the end of a unit's file, where its header stands; None where that cannot be."""
    try:
        end = store.tail(name, USUAL_FOOTER)
        size = int.from_bytes(end[-8:-4], "little") + 8
        if len(end) < size < LONGEST_FOOTER:
            end = store.tail(name, size)
        metadata = pq.read_metadata(pa.BufferReader(end))
        return Header(metadata.metadata[b"lpa"], metadata.num_rows)
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError):
        return None


def parse_header(store: Store, name: str, found: Header | None) -> Unit:
    """Parse what :func:`read_end` found; raise as :func:`read_header`."""
    try:
        if found is None:
            raise ValueError("no header")
        header = read_json(found.text)
        digest = header.pop("digest")
        if digest != content_hash(header):
            raise ValueError("the header was changed")
        if header.get("format") != FORMAT:
            raise InputError(
                f"{store}/{name} has format {header.get('format')!r}; this version of lpa reads "
                f"format {FORMAT}: use the version that wrote it"
            )
        cells = _cells(header["cells"])
        samples = _from_ranges(header["samples"])
        if found.rows != len(cells) * len(samples):
            raise ValueError(f"{found.rows} rows")
        skips = {int(sample): str(reason) for sample, reason in header["skips"].items()}
        shard, timings = int(header["shard"]), dict(header["timings"])
    except (
        OSError, pa.ArrowException, AttributeError, KeyError, OverflowError, TypeError, ValueError
    ) as error:  # fmt: skip
        raise _damaged(store, name) from error
    return Unit(name, shard, cells, samples, skips, timings)


_SEEN: dict[str, tuple[Any, tuple[Cell, ...]]] = {}


def _cells(columns: Any) -> tuple[Cell, ...]:
    """Check and read cells. The shards of a scan have the same ones, which are looked at once."""
    with contextlib.suppress(KeyError, IndexError, TypeError):
        seen, cells = _SEEN[columns["id"][0]]
        if seen == columns:
            return cells
    check_cells(columns)
    cells = tuple(CellColumns.load(columns))
    if len(cells) > 1:
        if len(_SEEN) >= 1000:
            _SEEN.clear()
        _SEEN[cells[0].id] = columns, cells
    return cells


def read_column(store: Store, unit: Unit, column: str) -> npt.NDArray[Any]:
    """Return one column of a unit as an array of shape [cells, samples].

    Nulls become NaN, for which integer columns become float64.

    Raises
    ------
    InputError
        When a page's checksum is wrong or the file is cut off.
    """
    try:
        with store.buffer(unit.name) as file:
            parquet = pq.ParquetFile(file, page_checksum_verification=True)
            values = parquet.read(columns=[column], use_threads=False).column(0)
        if values.type != COLUMNS[column]:
            raise ValueError(f"{column} holds {values.type}")
        flat: npt.NDArray[Any] = values.to_numpy()
        return flat.reshape(len(unit.cells), len(unit.samples))
    except (OSError, pa.ArrowException, ValueError, IndexError) as error:
        raise _damaged(store, unit.name) from error


def _ranges(samples: npt.NDArray[np.int64]) -> list[list[int]]:
    """Write ascending samples as [first, last] pairs: a sweep's unit holds a whole test set."""
    breaks = np.flatnonzero(np.diff(samples) != 1) + 1
    return [[int(run[0]), int(run[-1])] for run in np.split(samples, breaks) if len(run)]


def _from_ranges(ranges: Sequence[Sequence[int]]) -> npt.NDArray[np.int64]:
    """Read what :func:`_ranges` wrote; raise ValueError for anything else."""
    if sum(last - first + 1 for first, last in ranges) > MOST_SAMPLES:
        raise ValueError(f"more than {MOST_SAMPLES} samples")
    runs = [np.arange(first, last + 1, dtype=np.int64) for first, last in ranges]
    return np.concatenate(runs) if runs else np.empty(0, dtype=np.int64)


def _damaged(store: Store, name: str) -> InputError:
    return InputError(
        f"{store}/{name} is damaged: run the same scan with --repair to compute it again, "
        "or delete the file"
    )
