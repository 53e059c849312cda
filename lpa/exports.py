"""The long table of a run as one file: Parquet or CSV, streamed, always the same bytes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from lpa.csv_cells import neutralised
from lpa.errors import InputError
from lpa.outcomes import Outcomes, local_path

__all__ = ["EXPORT", "export_table"]

EXPORT = pa.schema([
    ("model", pa.string()),
    ("axis", pa.string()),
    ("value", pa.float64()),
    ("replicate", pa.int64()),
    ("sample", pa.int64()),
    ("class", pa.string()),
    ("label", pa.int64()),
    ("prediction", pa.int32()),
    ("prediction_probability", pa.float32()),
    ("label_rank", pa.int32()),
    ("label_probability", pa.float32()),
])  # fmt: skip
"""Columns of an export: the waist's, and ``class``, the name that ``label`` indexes."""


def export_table(outcomes: Outcomes, path: str | os.PathLike[str]) -> Path:
    """Write one row per cell and sample; see :meth:`lpa.runs.Run.export`.

    Raises
    ------
    InputError
        For a suffix that is not ``.parquet`` or ``.csv``, and when the file cannot be written.
    """
    target = local_path(path)
    kind = target.suffix.lower()
    if kind not in (".parquet", ".csv"):
        raise InputError(
            f"{target} ends in {target.suffix or 'no suffix'!r}; "
            "expected a file that ends in .parquet or .csv"
        )
    with _replacing(target) as temporary:
        pieces = outcomes.tables()
        (_write_parquet if kind == ".parquet" else _write_csv)(pieces, temporary)
    return target


def _write_parquet(pieces: Iterator[pd.DataFrame], path: Path) -> None:
    with pq.ParquetWriter(path, EXPORT, compression="zstd", store_schema=False) as writer:
        for piece in pieces:
            writer.write_table(_arrow(piece))


def _write_csv(pieces: Iterator[pd.DataFrame], path: Path) -> None:
    options = arrow_csv.WriteOptions(include_header=False)
    with path.open("wb") as file:
        file.write((",".join(EXPORT.names) + "\n").encode())
        for piece in pieces:
            arrow_csv.write_csv(_arrow(neutralised(piece)), file, options)


def _arrow(piece: pd.DataFrame) -> pa.Table:
    table = pa.Table.from_pandas(piece[EXPORT.names], EXPORT, preserve_index=False)
    return table.replace_schema_metadata(None)


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """Give a temporary path beside the target that replaces it when all went well."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".export-", dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            mask = os.umask(0)
            os.umask(mask)
            temporary.chmod(0o666 & ~mask)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(
            f"cannot write {target} ({reason}); expected a file in a writable directory"
        ) from error
