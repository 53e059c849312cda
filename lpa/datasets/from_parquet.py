"""The hub's Parquet shards on a local disk, read lazily, one row group at a time.

Splits are told by the files' names, ``data/validation-00000-of-00014.parquet``, or by the folder
above them, ``default/validation/0000.parquet``. Classes come from the record that ``datasets``
keeps in the schema.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lpa.datasets.hub_columns import HubColumns, find_columns, hub_classes, hub_name, labelled
from lpa.datasets.source import (
    BARE_SPLIT,
    SPLIT_NAMES,
    Entry,
    Source,
    assemble,
    choose_splits,
)
from lpa.errors import InputError, one_line
from lpa.json_text import read_json

__all__ = ["ParquetReader", "open_path", "recognises"]

SHARD = re.compile(r"^(?P<split>.+?)-\d{5}-of-\d{5}(-[0-9a-f]+)?$")
KEPT = 4
"""Row groups kept in memory: the hub's hold 100 images each, and threads read near each other."""


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix.lower() == ".parquet" else []
    return sorted(
        file
        for file in path.rglob("*.parquet")
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )


def recognises(path: Path) -> bool:
    """Take a Parquet file, or a folder with Parquet files in it or one or two folders below."""
    if path.is_file():
        return path.suffix.lower() == ".parquet"
    patterns = ("*.parquet", "data/*.parquet", "*/*.parquet", "*/*/*.parquet")
    if not path.is_dir() or any(path.glob(patterns[0])) or any(path.glob(patterns[1])):
        return path.is_dir()
    # A folder of a thousand classes is not searched through: shards lie in few folders.
    with_few = sum(1 for _ in zip(path.iterdir(), range(65), strict=False)) <= 64
    return with_few and any(next(path.glob(pattern), None) for pattern in patterns[2:])


def _split_of(file: Path) -> str:
    shard = SHARD.match(file.stem)
    if shard:
        return shard["split"]
    for candidate in (file.stem, file.parent.name):
        if candidate in SPLIT_NAMES:
            return candidate
    return BARE_SPLIT


def open_path(path: Path, name: str, split: str | None) -> Source:
    """Open Parquet shards.

    Parameters
    ----------
    path : Path
        One file, or a folder of them.
    name : str
        Name of the source.
    split : str or None
        See :func:`lpa.datasets.source.choose_splits`.

    Raises
    ------
    InputError
        For a missing split, a file that is not Parquet, a table without image or label.
    """
    by_split: dict[str, list[Path]] = {}
    for file in _files(path):
        by_split.setdefault(_split_of(file), []).append(file)
    chosen = choose_splits(by_split, split, name)
    files = [(part, file) for part in chosen for file in by_split[part]]
    if not files:
        raise InputError(f"no Parquet file in {path} can be read; expected regular files")
    tables = [_read_index(file) for _, file in files]
    columns = tables[0][0]
    values = [value for _, labels, _ in tables for value in labels]
    classes, labels = hub_classes(columns.names, values, str(path))
    labelled(labels, str(path))
    entries = []
    position, counts = 0, dict.fromkeys(chosen, 0)
    for (part, _), (_, rows, paths), index in zip(files, tables, range(len(files)), strict=True):
        for row in range(len(rows)):
            if labels[position] >= 0:
                title = hub_name(counts[part], paths[row])
                entries.append(Entry(title, int(labels[position]), part, (index, row)))
            counts[part] += 1
            position += 1
    places = [str(file) for _, file in files]
    return assemble(
        name,
        classes,
        entries,
        str(path),
        lambda rows: ParquetReader(places, columns.image, np.array(rows, dtype=np.int64)),
    )


def _read_index(file: Path) -> tuple[HubColumns, list[Any], list[str | None]]:
    """Return columns, labels and stored paths of one file, without reading an image."""
    try:
        with pq.ParquetFile(file) as parquet:
            schema = parquet.schema_arrow
            record = read_json((schema.metadata or {}).get(b"huggingface", b"{}"))
            features = record.get("info", {}).get("features", {})
            columns = find_columns(features, schema.names, str(file))
            _check_types(file, schema, columns)
            labels = parquet.read(columns=[columns.label])[columns.label].to_pylist()
            paths: list[str | None] = [None] * len(labels)
            if f"{columns.image}.path" in _leaves(parquet):
                table = parquet.read(columns=[f"{columns.image}.path"])[columns.image]
                paths = [row["path"] if row else None for row in table.to_pylist()]
            return columns, labels, paths
    except (pa.ArrowException, OSError, ValueError, KeyError, AttributeError) as error:
        raise InputError(
            f"{file} cannot be read as Parquet ({' '.join(str(error).split())}); fetch it again"
        ) from error


def _check_types(file: Path, schema: pa.Schema, columns: HubColumns) -> None:
    """Refuse an image column that holds no bytes, and a label column of no names or numbers."""
    image, label = schema.field(columns.image).type, schema.field(columns.label).type
    held = {image.field(i).name: image.field(i).type for i in range(image.num_fields)}
    if pa.types.is_struct(image):
        image = held.get("bytes", image)
        # Where every image lies beside the table, the column of bytes has no type.
        path = held.get("path", pa.string())
        if pa.types.is_null(image) and _is_text(path):
            image = pa.binary()
    if not (pa.types.is_binary(image) or pa.types.is_large_binary(image)):
        raise InputError(
            f"{file}: column {columns.image!r} holds {schema.field(columns.image).type}; expected "
            "encoded images: binary, or struct<bytes: binary, path: string>"
        )
    if not _is_text(held.get("path", pa.string())):
        raise InputError(f"{file}: {columns.image}.path holds {held['path']}; expected text")
    if not (pa.types.is_integer(label) or _is_text(label) or pa.types.is_null(label)):
        raise InputError(
            f"{file}: column {columns.label!r} holds {label}; expected one class per image, as a "
            "number or a name"
        )


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)
    )


def _leaves(parquet: pq.ParquetFile) -> set[str]:
    return {parquet.schema.column(index).path for index in range(len(parquet.schema))}


@dataclass
class ParquetReader:
    """Reads the encoded bytes of one row.

    Attributes
    ----------
    files : list of str
        The Parquet files.
    column : str
        The image column: ``struct<bytes, path>`` or binary.
    rows : array of int64, shape [images, 2]
        File and row within the file of each image.
    """

    files: list[str]
    column: str
    rows: Any
    _starts: dict[int, Any] = field(default_factory=dict, repr=False)
    _groups: OrderedDict[tuple[int, int], Any] = field(default_factory=OrderedDict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is read already and the lock."""
        return {"files": self.files, "column": self.column, "rows": self.rows}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Start anew with nothing read."""
        self.__init__(**state)  # type: ignore[misc]

    def __call__(self, index: int) -> bytes:
        """Return the bytes of the image at an index; empty where the row holds none."""
        file, row = (int(number) for number in self.rows[index])
        try:
            with self._lock:
                starts = self._starts_of(file)
                group = int(np.searchsorted(starts, row, side="right")) - 1
                images = self._group(file, group)
            # A column may have fewer rows than its group claims.
            cell = images[row - int(starts[group])].as_py()
        except (pa.ArrowException, IndexError, OSError) as error:
            reason = one_line(" ".join(str(error).split()))
            raise OSError(f"{self.files[file]} is damaged ({reason}): fetch it again") from error
        if isinstance(cell, dict):
            cell = cell.get("bytes") or self._beside(file, cell.get("path"))
        return bytes(cell or b"")

    def _beside(self, file: int, path: str | None) -> bytes:
        """Return the bytes of a file that a row names instead of holding it.

        Tables come from strangers: a file elsewhere on this machine is none of theirs.
        """
        if not path:
            return b""
        folder = Path(self.files[file]).parent
        place = folder / path
        if not place.resolve().is_relative_to(folder.resolve()) or not place.is_file():
            raise OSError(
                f"{self.files[file]} names the image {path!r}, which is no file in {folder}"
            )
        return place.read_bytes()

    def _starts_of(self, file: int) -> Any:
        if file not in self._starts:
            metadata = pq.read_metadata(self.files[file])
            sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
            self._starts[file] = np.cumsum([0, *sizes[:-1]])
        return self._starts[file]

    def _group(self, file: int, group: int) -> Any:
        if (file, group) not in self._groups:
            with pq.ParquetFile(self.files[file]) as parquet:
                table = parquet.read_row_group(group, columns=[self.column], use_threads=False)
            self._groups[file, group] = table[self.column].combine_chunks()
            while len(self._groups) > KEPT:
                self._groups.popitem(last=False)
        self._groups.move_to_end((file, group))
        return self._groups[file, group]
