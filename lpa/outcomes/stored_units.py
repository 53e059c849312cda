"""Which units a run has, and what each says of itself.

That stands at the end of each unit's file. Of many units a copy is kept in one object, so that
thousands of files are not opened to find out what is missing. It is only a copy: an entry counts as
long as its unit has the same size and time of change (in an object store: the same tag) as when it
was read, and everything works alike without the object.
"""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from lpa.errors import InputError
from lpa.outcomes.store import Store
from lpa.outcomes.units import COLUMNS, Header, Unit, parse_header, read_column, read_end

__all__ = ["INDEX", "StoredUnits"]

INDEX = "index/units.parquet"

FEWEST = 256
"""Units that are not in the copy yet for which it is worth writing."""

AT_ONCE = 1024
"""Units whose ends are in memory together."""

THREADS = 8

_SCHEMA = pa.schema(
    [("name", pa.string()), ("stamp", pa.string()), ("rows", pa.int64()), ("text", pa.binary())]
)


class _Entry(NamedTuple):
    stamp: str
    header: Header


class StoredUnits:
    """The units of a run: which cell stands where.

    Attributes
    ----------
    units : list of Unit
        Every readable unit, in the order of names.
    damaged : list of str
        Names of the units that cannot be read.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        # Before they are read: of one that is replaced meanwhile the stamp is the old one.
        self._stamps = store.stamps("units")
        known = _read_index(store) if len(self._stamps) >= FEWEST else {}
        self._headers: dict[str, Header] = {}
        found: dict[str, Unit | None] = {}
        unknown = []
        for name, stamp in self._stamps.items():
            entry = known.get(name)
            if entry is not None and entry.stamp == stamp:
                found[name] = self._parsed(name, entry.header)
            if found.get(name) is None:  # A damaged copy says nothing of the unit.
                unknown.append(name)
        for start in range(0, len(unknown), AT_ONCE):
            found |= self._read(unknown[start : start + AT_ONCE])
        self._new = len(unknown)
        self.units = [unit for name in self._stamps if (unit := found[name]) is not None]
        self.damaged = [name for name in self._stamps if found[name] is None]

    def _read(self, names: Sequence[str]) -> dict[str, Unit | None]:
        """Read files in several threads, for which storage keeps us waiting, and parse in one."""
        pieces = [names[start : start + 32] for start in range(0, len(names), 32)]
        if len(pieces) == 1:
            # Python waits for ever for a thread that has no memory to begin.
            return {name: self._parsed(name, read_end(self.store, name)) for name in names}
        with ThreadPoolExecutor(THREADS) as pool:
            ends = pool.map(lambda piece: [read_end(self.store, name) for name in piece], pieces)
            headers = zip(names, itertools.chain.from_iterable(ends), strict=True)
            return {name: self._parsed(name, header) for name, header in headers}

    def _parsed(self, name: str, header: Header | None) -> Unit | None:
        """Parse what a unit says of itself; None for a damaged one."""
        try:
            unit = parse_header(self.store, name, header)
        except InputError as error:
            if "is damaged" not in str(error):
                raise
            return None
        assert header is not None
        self._headers[name] = header
        return unit

    def present(self, without: Collection[str] = ()) -> dict[int, set[str]]:
        """Return, for every shard, the ids of the cells that its units hold, but for some units."""
        cells: dict[int, set[str]] = {}
        for unit in self.units:
            if unit.name not in without:
                cells.setdefault(unit.shard, set()).update(cell.id for cell in unit.cells)
        return cells

    def damaged_inside(self) -> list[str]:
        """Read every page of every unit, and return the names of those that are damaged."""

        def is_damaged(unit: Unit) -> bool:
            try:
                parse_header(self.store, unit.name, read_end(self.store, unit.name))
                for column in COLUMNS:
                    read_column(self.store, unit, column)
            except InputError:
                return True
            return False

        with ThreadPoolExecutor(THREADS) as pool:
            found = zip(self.units, pool.map(is_damaged, self.units), strict=True)
            return [unit.name for unit, damaged in found if damaged]

    def put_index(self) -> None:
        """Store a copy of the headers where many are not in it; a store that refuses has none."""
        if self._new < max(FEWEST, len(self._stamps) // 10):
            return
        rows = [
            {"name": name, "stamp": stamp, **self._headers[name]._asdict()}
            for name, stamp in self._stamps.items()
            if stamp is not None and name in self._headers
        ]
        table = pa.Table.from_pylist(rows, _SCHEMA)
        sink = io.BytesIO()
        pq.write_table(table, sink, compression="zstd")
        with contextlib.suppress(InputError):
            self.store.put(INDEX, sink.getvalue())


def _read_index(store: Store) -> Mapping[str, _Entry]:
    """Return the entries by name; none where there is no such object, or a damaged one."""
    try:
        table = pq.read_table(io.BytesIO(store.get(INDEX))).cast(_SCHEMA)
        columns = (table[name].to_pylist() for name in _SCHEMA.names)
        return {
            name: _Entry(stamp, Header(text, rows))
            for name, stamp, rows, text in zip(*columns, strict=True)
        }
    except (OSError, ValueError, KeyError, pa.ArrowException):
        return {}
