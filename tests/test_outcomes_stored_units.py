"""What units say of themselves is read from a copy, which changes nothing but the time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from object_stores import Server, serving

from lpa.errors import InputError
from lpa.outcomes import Cell, Store, StoredUnits, stored_units, write_unit
from lpa.outcomes.stored_units import INDEX

SAMPLES = np.arange(4)
UNITS = 6


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as started:
        yield started


@pytest.fixture(autouse=True)
def _few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_units, "FEWEST", 3)


def cells(shard: int, count: int = 2) -> list[Cell]:
    return [Cell("m", "crop", 0.5, draw, f"{shard}-{draw}") for draw in range(count)]


def write(store: Store, shard: int, count: int = 2) -> str:
    columns = {"prediction": np.full((count, 4), shard, dtype=np.int32)}
    skips = {9: "no image"} if shard == 2 else {}
    return write_unit(store, shard, cells(shard, count), SAMPLES, columns, skips, {"seconds": 1.5})


@pytest.fixture(params=["folder", "s3", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path, server: Server) -> Store:
    place = {"folder": str(tmp_path), "s3": f"s3://bucket/{tmp_path.name}",
             "memory": f"memory://{tmp_path.name}"}  # fmt: skip
    made = Store(place[request.param])
    for shard in range(UNITS):
        write(made, shard)
    StoredUnits(made).put_index()
    return made


def said(store: Store) -> list[dict[str, Any]]:
    return [{**asdict(unit), "samples": unit.samples.tolist()} for unit in StoredUnits(store).units]


def opened(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the units whose files are read for a listing."""
    asked: list[str] = []
    real = type(store).tail

    def tail(self: Store, name: str, size: int) -> bytes:
        asked.append(name)
        return real(self, name, size)

    with monkeypatch.context() as patch:
        patch.setattr(type(store), "tail", tail)
        StoredUnits(store)
    return sorted(asked)


def test_units_say_the_same_with_the_copy_and_without(store: Store) -> None:
    assert store.exists(INDEX)
    with_copy = said(store)
    store.delete(INDEX)
    assert said(store) == with_copy
    assert [unit["shard"] for unit in with_copy] == list(range(UNITS))
    assert with_copy[2]["skips"] == {9: "no image"}
    assert with_copy[2]["cells"] == tuple(asdict(cell) for cell in cells(2))


def test_no_file_is_opened_whose_copy_is_up_to_date(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = store.list("units")
    # Objects in memory have nothing that tells whether they changed.
    in_memory = store.location.startswith("memory://")
    assert opened(store, monkeypatch) == (names if in_memory else [])
    new = write(store, 77)
    assert opened(store, monkeypatch) == ([*names, new] if in_memory else [new])
    store.delete(INDEX)
    assert opened(store, monkeypatch) == [*names, new]


def test_units_of_other_writers_and_deleted_ones_are_noticed(store: Store) -> None:
    write(Store(store.location), 50, count=1)
    store.delete(store.list("units")[0])
    present = StoredUnits(store).present()
    assert present == {
        **{shard: {f"{shard}-0", f"{shard}-1"} for shard in range(1, UNITS)}, 50: {"50-0"}
    }  # fmt: skip


def test_a_unit_that_is_damaged_or_replaced_after_the_copy_is_read_again(store: Store) -> None:
    names = store.list("units")
    whole = store.get(names[1])
    store.put(names[1], whole[:-10])
    found = StoredUnits(store)
    assert found.damaged == [names[1]]
    assert sorted(found.present()) == [0, 2, 3, 4, 5]
    # The bytes of a unit of the same length.
    store.put(names[1], whole)
    flipped = bytearray(whole)
    flipped[whole.rindex(b"crop")] ^= 1
    store.put(names[1], bytes(flipped))
    assert StoredUnits(store).damaged == [names[1]]
    store.put(names[1], whole)
    assert StoredUnits(store).damaged == []


def test_a_damaged_copy_is_no_harm(store: Store) -> None:
    expected, copy = said(store), store.get(INDEX)
    table = pq.read_table(pa.BufferReader(copy))
    texts = [text.replace(b"crop", b"burn") for text in table["text"].to_pylist()]
    changed = table.set_column(3, "text", pa.array(texts, pa.binary()))
    sink = pa.BufferOutputStream()
    pq.write_table(changed, sink)
    for bad in (b"", b"rubbish", copy[:-5], copy[: len(copy) // 2], sink.getvalue().to_pybytes()):
        store.put(INDEX, bad)
        assert said(store) == expected
        assert StoredUnits(store).damaged == []


def test_the_copy_is_written_when_many_units_are_new(store: Store) -> None:
    before = store.get(INDEX)
    if store.location.startswith("memory://"):
        return
    StoredUnits(store).put_index()
    for shard in (60, 61):
        write(store, shard)
        StoredUnits(store).put_index()
    assert store.get(INDEX) == before
    write(store, 62)
    StoredUnits(store).put_index()
    assert store.get(INDEX) != before


def test_a_store_that_may_only_be_read_is_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: Store, name: str, data: bytes) -> None:
        raise InputError("read-only")

    monkeypatch.setattr(type(store), "put", refused)
    store.delete(INDEX)
    found = StoredUnits(store)
    found.put_index()
    assert len(found.units) == UNITS
    assert not store.exists(INDEX)


def test_few_units_are_listed_without_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    names = [write(store, shard) for shard in range(2)]
    expected = [unit.name for unit in StoredUnits(store).units]
    monkeypatch.setattr(stored_units, "ThreadPoolExecutor", None)
    assert [unit.name for unit in StoredUnits(store).units] == expected == sorted(names)
    assert StoredUnits(Store(tmp_path / "empty")).units == []
