"""Reading columns of a CSV, Parquet or npz file, and naming the place of what is wrong in it."""

from __future__ import annotations

import csv
import hashlib
import itertools
import math
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from lpa.errors import InputError
from lpa.importing.naming import Named
from lpa.user_paths import user_path

__all__ = ["SUFFIXES", "Table", "open_table"]

SUFFIXES = (".csv", ".parquet", ".npz")

Floats = npt.NDArray[np.float64]

LIST = re.compile(r"^\s*\[(.*)\]\s*$", re.DOTALL)
QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)


class Table:
    """One file: its columns are read when they are asked for.

    Attributes
    ----------
    path : str
        As the user typed it.
    names : list of str
        Its columns, or the arrays of an npz file.
    digest : str
        32 hexadecimal digits of the file's bytes.
    """

    def __init__(self, path: str, names: Sequence[str]) -> None:
        self.path = path
        self.names = list(names)

    @property
    def file(self) -> Path:
        """Where the file lies."""
        return user_path(self.path)

    @property
    def digest(self) -> str:
        """Hash of the file's content, for the run's records."""
        with self.file.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()

    def where(self, row: int, column: str) -> str:
        """Name a cell of the table: file, line and column."""
        return f"{self.path}, row {row + 1}, column {column!r}"

    def values(self, column: str) -> Any:
        """Return a column as an Arrow array, or a matrix as numpy array."""
        raise NotImplementedError

    def prepare(self, columns: Sequence[str]) -> None:
        """Announce the columns that will be asked for, so that one pass reads them."""

    def forget(self) -> None:
        """Free the memory of what was read; it can be asked for again."""

    def rows(self, column: str) -> int:
        """Return the number of rows."""
        return len(self.values(column))

    # ---- what a column means -------------------------------------------------------------

    def named(self, column: str) -> Named:
        """Read a column of names or whole numbers.

        Raises
        ------
        InputError
            For a column that holds neither.
        """
        values = self._flat(column)
        try:
            if pa.types.is_dictionary(values.type):
                values = values.dictionary_decode()
            encoded = values.dictionary_encode()
            texts = encoded.dictionary.cast(pa.string()).to_pylist()
        except pa.ArrowException as error:
            raise InputError(
                f"{self.path}, column {column!r} holds {values.type}; expected names or whole "
                "numbers"
            ) from error
        return Named.clean(texts, encoded.indices.fill_null(-1).to_numpy().astype(np.int64))

    def numbers(self, column: str) -> Floats:
        """Read a column of numbers; NaN where a cell is empty.

        Raises
        ------
        InputError
            Naming line and column, for a cell that is no number.
        """
        values = self._flat(column)
        try:
            if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
                blank = pc.equal(pc.utf8_trim_whitespace(values), "")
                values = pc.if_else(blank, pa.scalar(None, values.type), values)
            return np.asarray(
                values.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64
            )
        except pa.ArrowException:
            pass
        for row, cell in enumerate(values.to_pylist()):
            try:
                float(cell if cell is not None else "nan")
            except (TypeError, ValueError):
                raise InputError(
                    f"{self.where(row, column)}: {str(cell)!r} is no number; expected e.g. 0.5"
                ) from None
        return np.array([np.nan if cell is None else float(cell) for cell in values.to_pylist()])

    def is_list(self, column: str) -> bool:
        """Tell whether the cells of a column are lists, as Parquet or in brackets."""
        values = self.values(column)
        if isinstance(values, np.ndarray):
            return values.ndim == 2
        if _is_list_type(values.type):
            return True
        if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
            return False
        first = next((cell for cell in values.slice(0, 100).to_pylist() if cell), "")
        return LIST.match(first) is not None

    def named_lists(self, column: str) -> Named:
        """Read a column of equally long lists of names or whole numbers: codes [rows, k]."""
        cells = self._list_cells(column, words=True)
        flat = pa.array(itertools.chain.from_iterable(cells), pa.string()).dictionary_encode()
        width = len(cells[0]) if cells else 0
        codes = flat.indices.to_numpy().astype(np.int64).reshape(len(cells), width)
        return Named.clean(flat.dictionary.to_pylist(), codes)

    def number_lists(self, column: str) -> npt.NDArray[np.floating]:
        """Read a column of equally long lists of numbers: [rows, k], a matrix as it is."""
        values = self.values(column)
        if isinstance(values, np.ndarray):
            if values.dtype.kind not in "fiu":
                raise InputError(
                    f"{self.path}, array {column!r} holds {values.dtype}; expected numbers"
                )
            return values
        if not self.is_list(column):
            raise InputError(
                f"{self.path}, column {column!r} holds one value a row; expected a row of all "
                "outputs: a matrix [N, classes], or lists such as [0.9 0.05]"
            )
        cells = self._list_cells(column, words=False)
        try:
            width = len(cells[0]) if cells else 0
            return np.array(cells, dtype=np.float64).reshape(len(cells), width)
        except ValueError:
            row = next(r for r, cell in enumerate(cells) if not all(map(_is_number, cell)))
            raise InputError(
                f"{self.where(row, column)}: the list holds no numbers only; expected e.g. "
                "[0.9 0.05]"
            ) from None

    def _list_cells(self, column: str, words: bool) -> list[list[str]]:
        values = self.values(column)
        if isinstance(values, np.ndarray):
            return [[str(part) for part in row] for row in values.tolist()]
        cells: list[list[str]] = []
        typed = _is_list_type(values.type)
        for row, cell in enumerate(values.to_pylist()):
            parts = [str(part) for part in cell or ()] if typed else _parts(cell or "", words)
            if not parts or (cells and len(parts) != len(cells[0])) or "..." in parts:
                raise InputError(
                    f"{self.where(row, column)}: {_short(str(cell))} is not a list of "
                    f"{len(cells[0]) if cells else 'one or more'} entries as in the rows before; "
                    "expected equally long lists, e.g. [3 1 7] or ['cat' 'dog']"
                )
            cells.append(parts)
        return cells

    def _flat(self, column: str) -> Any:
        values = self.values(column)
        if isinstance(values, np.ndarray) or _is_list_type(values.type):
            raise InputError(
                f"{self.path}, column {column!r} holds lists; expected one value a row"
            )
        return values


def open_table(path: str) -> Table:
    """Open a file by its suffix.

    Raises
    ------
    InputError
        For another suffix, and for a file that cannot be read.
    """
    kinds = {".csv": _CsvTable, ".parquet": _ParquetTable, ".npz": _ArrayTable}
    suffix = Path(path).suffix.lower()
    if suffix not in kinds:
        raise InputError(
            f"{path} ends in {suffix or 'no suffix'!r}; expected {', '.join(SUFFIXES)} "
            "(timm: --results-format csv or parquet)"
        )
    try:
        return kinds[suffix](path)
    except (OSError, pa.ArrowException, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path} cannot be read as {suffix[1:]} ({_first_line(error)}); expected "
            f"a file of predictions or counts"
        ) from error


class _CsvTable(Table):
    def __init__(self, path: str) -> None:
        place = user_path(path)
        with place.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            reader = csv.reader(file)
            header = next((row for row in reader if row), [])
            self._header_lines = reader.line_num
        super().__init__(path, [name.strip() for name in header])
        if not header:
            raise InputError(f"{path} is empty; expected a line of column names and rows below")
        self._read: dict[str, Any] = {}

    def where(self, row: int, column: str) -> str:
        """Name file, line and column; lines are counted as editors do."""
        return f"{self.path}, line {self._line(row)}, column {column!r}"

    def values(self, column: str) -> Any:
        """Return a column of texts, without the white space around them."""
        if column not in self._read:
            self.prepare([column])
        return self._read[column]

    def forget(self) -> None:
        """Free the memory of what was read."""
        self._read = {}

    def prepare(self, columns: Sequence[str]) -> None:
        """Read several columns in one pass."""
        wanted = [name for name in dict.fromkeys(columns) if name not in self._read]
        for name in wanted:
            if self.names.count(name) > 1:
                raise InputError(f"{self.path}, line 1: column {name!r} stands twice; rename one")
        # Columns that nobody asked for may have no name, or one name twice.
        unique = [name if name in wanted else f"\0{i}" for i, name in enumerate(self.names)]
        try:
            table = arrow_csv.read_csv(
                str(self.file),
                arrow_csv.ReadOptions(
                    column_names=unique, skip_rows=self._header_lines, block_size=1 << 24
                ),
                arrow_csv.ParseOptions(newlines_in_values=True),
                arrow_csv.ConvertOptions(
                    include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string())
                ),
            )
        except (pa.ArrowException, OSError) as error:
            raise self._explained(error) from error
        for name in wanted:
            self._read[name] = pc.utf8_trim_whitespace(table[name]).combine_chunks()

    def _line(self, row: int) -> int:
        """Return the line in which a row begins; Arrow counts rows only."""
        # Blank lines are no rows, and the first record names the columns.
        records = (line for line, cells in self._records() if cells)
        return next(itertools.islice(records, row + 1, None))

    def _records(self) -> Iterator[tuple[int, int]]:
        """Yield the first line and the number of cells of each record."""
        line = 1
        # Arrow has read the file already, whatever the length of its cells.
        csv.field_size_limit(2**31 - 1)
        with self.file.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            reader = csv.reader(file)
            for record in reader:
                yield line, len(record)
                line = reader.line_num + 1

    def _explained(self, error: Exception) -> InputError:
        """Name the first row of another length, where there is one."""
        for line, cells in self._records():
            if cells not in (0, len(self.names)):
                return InputError(
                    f"{self.path}, line {line}: {cells} cells, but line 1 names "
                    f"{len(self.names)} columns; mend the line"
                )
        with self.file.open("rb") as file:
            for number, text in enumerate(file, start=1):
                try:
                    text.decode()
                except UnicodeDecodeError:
                    return InputError(
                        f"{self.path}, line {number}: bytes that are no UTF-8; save the file as "
                        "UTF-8 text"
                    )
        return InputError(
            f"{self.path} cannot be read as CSV ({_first_line(error)}); expected UTF-8 text with "
            "commas between"
        )


class _ParquetTable(Table):
    def __init__(self, path: str) -> None:
        schema = pq.read_schema(user_path(path))
        super().__init__(path, schema.names)
        self._read: dict[str, Any] = {}

    def forget(self) -> None:
        """Free the memory of what was read."""
        self._read = {}

    def values(self, column: str) -> Any:
        """Return a column."""
        if column not in self._read:
            try:
                self._read[column] = pq.read_table(self.file, columns=[column])[column]
            except (pa.ArrowException, OSError) as error:
                raise InputError(
                    f"{self.path}, column {column!r} cannot be read ({_first_line(error)}); "
                    "the file is damaged: write it again"
                ) from error
            self._read[column] = self._read[column].combine_chunks()
        return self._read[column]


class _ArrayTable(Table):
    def __init__(self, path: str) -> None:
        try:
            self._arrays = np.load(user_path(path), allow_pickle=False)
            names = list(self._arrays.files)
        except (*_UNREADABLE, AttributeError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise InputError(
                f"{path} cannot be read as npz ({_first_line(error)}); expected what numpy.savez "
                "writes: logits=[N, classes], sample=[N], label=[N]"
            ) from error
        super().__init__(path, names)

    def values(self, column: str) -> Any:
        """Return a 1-d array as an Arrow array, a matrix as it is."""
        try:
            array = self._array(column)
            if array.ndim == 2:
                return array
            flat = array.astype(np.str_) if array.dtype.kind == "S" else array
            values = pa.array(flat) if array.ndim == 1 else None
        except _UNREADABLE as error:
            raise InputError(
                f"{self.path}, array {column!r} cannot be read ({_first_line(error)}); Python "
                "objects are never unpickled: save names as text, numpy.array(names, dtype=str)"
            ) from error
        if values is None:
            raise InputError(
                f"{self.path}, array {column!r} has {array.ndim} dimensions; expected 1 or 2"
            )
        return values

    def _array(self, column: str) -> npt.NDArray[Any]:
        """Read an array whose header claims no more than its part of the file holds."""
        archive = self._arrays.zip
        name = next(n for n in archive.namelist() if n in (column, f"{column}.npy"))
        with archive.open(name) as member:
            version = np.lib.format.read_magic(member)
            if version > (2, 0):
                raise ValueError(f"version {version[0]} of npy")
            read_header = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, _, kind = read_header(member)
        held = archive.getinfo(name).file_size
        if any(size < 0 for size in shape) or math.prod(shape) * max(kind.itemsize, 1) > held:
            raise ValueError(f"its header claims the shape {shape}, which it does not hold")
        array: npt.NDArray[Any] = self._arrays[column]
        if array.ndim == 2 and not array.shape[1]:
            raise ValueError("its rows are empty")
        if array.dtype.kind not in "biufSUM":
            raise ValueError(f"it holds {array.dtype}")
        return array


_UNREADABLE = (
    ValueError, TypeError, KeyError, OverflowError, OSError, EOFError, MemoryError, RuntimeError,
    NotImplementedError, SyntaxError, StopIteration, zipfile.BadZipFile, zlib.error,
    pa.ArrowException,
)  # fmt: skip
"""What zipfile, zlib, numpy and Arrow raise for a damaged or lying file."""


def _is_list_type(kind: Any) -> bool:
    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _parts(cell: str, words: bool) -> list[str]:
    """Split ``[3 1 7]``, ``[3, 1, 7]`` or ``['cat' "dog's"]``."""
    match = LIST.match(cell)
    if match is None:
        return []
    inner = match[1]
    if words and ("'" in inner or '"' in inner):
        found = [one or other for one, other in QUOTED.findall(inner)]
        return [re.sub(r"\\(.)", r"\1", text) for text in found]
    return inner.replace(",", " ").split()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
