"""Counts without outcomes: right predictions by training run and class.

One immutable object per import, ``counts/<hash>.parquet``, with the columns of
:data:`COUNTS_SCHEMA`; and ``source/<hash>.parquet``, what a probe keeps of its backbones' sweep.
"""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lpa.errors import InputError
from lpa.outcomes.parquet_bytes import table_of
from lpa.outcomes.store import Store

__all__ = ["COUNTS_SCHEMA", "SOURCE", "put_counts", "read_counts"]

COUNTS_SCHEMA = pa.schema(
    [
        pa.field("model", pa.string(), nullable=False),
        pa.field("axis", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("replicate", pa.int64(), nullable=False),
        pa.field("class", pa.string(), nullable=False),
        pa.field("correct", pa.int64(), nullable=False),
        pa.field("n", pa.int64(), nullable=False),
    ]
)
"""Columns of a table of counts; ``class`` is the class's name."""

SOURCE = "source"
"""Folder of the counts of a probe's backbones on the data that they were trained for."""


def put_counts(store: Store, counts: pd.DataFrame, folder: str = "counts") -> str:
    """Write a table of counts; the same table gets the same name.

    Raises
    ------
    InputError
        When the store cannot be written.
    """
    keys = ["model", "axis", "value", "replicate", "class"]
    ordered = counts[COUNTS_SCHEMA.names].sort_values(keys, ignore_index=True)
    table = pa.Table.from_pandas(ordered, COUNTS_SCHEMA, preserve_index=False)
    sink = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(None), sink, compression="zstd")
    data = sink.getvalue()
    name = f"{folder}/{hashlib.blake2b(data, digest_size=16).hexdigest()}.parquet"
    if not store.exists(name):
        store.put(name, data)
    return name


def read_counts(store: Store, folder: str = "counts") -> pd.DataFrame:
    """Read all counts in a folder of a run, in no particular order; empty where there are none.

    Raises
    ------
    InputError
        For a damaged object, named.
    """
    tables = [COUNTS_SCHEMA.empty_table()]
    for name in store.list(folder):
        try:
            table = table_of(store.get(name)).cast(COUNTS_SCHEMA)
            _check(table)
            tables.append(table)
        except (pa.ArrowException, OSError, ValueError) as error:
            what = "command" if folder == SOURCE else "import"
            raise InputError(
                f"{store}/{name} is damaged: delete the file and run the same {what} again"
            ) from error
    frame: pd.DataFrame = pa.concat_tables(tables).to_pandas(use_threads=False)
    return frame.astype({"model": object, "axis": object, "class": object})


def _check(table: pa.Table) -> None:
    """Raise ValueError for counts that nobody can have counted."""
    if any(table[field.name].null_count for field in COUNTS_SCHEMA if not field.nullable):
        raise ValueError("an empty cell")
    correct, n, replicate = (table[name].to_numpy() for name in ("correct", "n", "replicate"))
    if (correct < 0).any() or (correct > n).any() or (n < 1).any() or (replicate < 0).any():
        raise ValueError("counts that are none")
    axis, value = table["axis"].is_null(), table["value"].is_null()
    if axis != value or not np.isfinite(table["value"].drop_null().to_numpy()).all():
        raise ValueError("a place on no axis")
