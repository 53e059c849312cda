from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from synthetic import CROP, made_up_cells

from lpa.errors import InputError
from lpa.outcomes import (
    COLUMNS,
    Store,
    content_hash,
    read_column,
    read_header,
    unit_name,
    write_unit,
)

CELLS = made_up_cells(["m"], {CROP: (1.0, 0.5, 0.2)}, 2)
SAMPLES = np.array([16, 17, 18, 20, 25], dtype=np.int64)


def columns() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    shape = (len(CELLS), len(SAMPLES))
    return {
        "prediction": generator.integers(-1, 9, shape).astype(np.int32),
        "prediction_probability": generator.uniform(size=shape).astype(np.float32),
        "label_rank": generator.integers(0, 9, shape).astype(np.int32),
        "label_probability": generator.uniform(size=shape).astype(np.float32),
    }


def written(folder: Path) -> tuple[Store, str]:
    store = Store(folder)
    name = write_unit(store, 1, CELLS, SAMPLES, columns(), {19: "truncated"}, {"seconds": 1.5})
    return store, name


def test_a_unit_gives_back_what_was_written(tmp_path: Path) -> None:
    store, name = written(tmp_path)
    unit = read_header(store, name)
    assert (unit.name, unit.shard, unit.cells) == (name, 1, tuple(CELLS))
    assert unit.samples.tolist() == SAMPLES.tolist()
    assert (unit.skips, unit.timings) == ({19: "truncated"}, {"seconds": 1.5})
    for column, values in columns().items():
        found = read_column(store, unit, column)
        assert found.dtype == values.dtype
        np.testing.assert_array_equal(found, values)


def test_the_same_content_has_the_same_name_and_bytes(tmp_path: Path) -> None:
    stores = [written(tmp_path / name) for name in ("a", "b")]
    assert stores[0][1] == stores[1][1] == unit_name(1, CELLS[::-1])
    assert stores[0][0].get(stores[0][1]) == stores[1][0].get(stores[1][1])
    assert unit_name(2, CELLS) != unit_name(1, CELLS) != unit_name(1, CELLS[1:])


def test_what_an_import_does_not_know_is_nan(tmp_path: Path) -> None:
    store = Store(tmp_path)
    known = {"prediction": columns()["prediction"]}
    unit = read_header(store, write_unit(store, 0, CELLS, SAMPLES, known, {}, {}))
    for name in ("prediction_probability", "label_rank", "label_probability"):
        assert np.isnan(read_column(store, unit, name)).all()


def test_a_column_of_another_shape_is_refused(tmp_path: Path) -> None:
    wrong = {"prediction": np.zeros((1, 5), np.int32)}
    with pytest.raises(ValueError, match=r"prediction: \(1, 5\) is not 5 x 5"):
        write_unit(Store(tmp_path), 0, CELLS, SAMPLES, wrong, {}, {})
    assert list(tmp_path.iterdir()) == []


def damaged(store: Store, name: str) -> str:
    return (
        f"{store}/{name} is damaged: run the same scan with --repair to compute it again, "
        "or delete the file"
    )


@pytest.mark.parametrize("kept", [0, 1, 4, 100, 0.5, 0.9, -1])
def test_a_unit_that_is_cut_off_is_named(tmp_path: Path, kept: float) -> None:
    store, name = written(tmp_path)
    data = store.get(name)
    length = int(kept * len(data)) if isinstance(kept, float) else kept
    store.path(name).write_bytes(data[:length])
    with pytest.raises(InputError) as caught:
        read_header(store, name)
    assert str(caught.value) == damaged(store, name)


def test_a_flipped_bit_is_named_or_changes_nothing(tmp_path: Path) -> None:
    store, name = written(tmp_path)
    data = store.get(name)
    sound = read_header(store, name)
    expected = columns()
    found = 0
    for position in range(len(data)):
        flipped = bytearray(data)
        flipped[position] ^= 1 << (position % 8)
        store.path(name).write_bytes(flipped)
        try:
            unit = read_header(store, name)
            got = {column: read_column(store, unit, column) for column in COLUMNS}
        except InputError as error:
            assert str(error) == damaged(store, name)
            found += 1
            continue
        # Parquet holds bytes that no reader uses (statistics, padding): then all is as it was.
        assert (unit.cells, unit.skips) == (sound.cells, sound.skips)
        assert unit.samples.tolist() == sound.samples.tolist()
        for column, values in expected.items():
            np.testing.assert_array_equal(got[column], values)
    assert found > len(data) / 2


def test_a_unit_of_a_later_format_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as later:
        later.setattr("lpa.outcomes.units.FORMAT", 2)
        store, name = written(tmp_path)
    with pytest.raises(InputError) as caught:
        read_header(store, name)
    assert str(caught.value) == (
        f"{store}/{name} has format 2; this version of lpa reads format 1: "
        "use the version that wrote it"
    )


def restated(data: bytes, **changes: object) -> bytes:
    """The unit with other statements in its header, and the digest of what it then says."""
    parquet = pq.ParquetFile(io.BytesIO(data))
    header = {**json.loads(parquet.metadata.metadata[b"lpa"]), **changes}
    del header["digest"]
    header["digest"] = content_hash(header)
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, parquet.schema_arrow, store_schema=False) as writer:
        writer.write_table(parquet.read())
        writer.add_key_value_metadata({"lpa": json.dumps(header)})
    return sink.getvalue()


@pytest.mark.parametrize(
    "changes",
    [
        {"samples": [[0, 2**62]]}, {"samples": [["a", "b"]]}, {"samples": 5}, {"skips": []},
        {"skips": {"x": "y"}}, {"timings": 3}, {"shard": None}, {"shard": 1e999}, {"cells": []},
        {"cells": {"model": "m", "axis": [], "value": [], "replicate": [], "id": []}},
        {"samples": [[16, 16], [10**30, 10**30 + 3]]},
    ],
)  # fmt: skip
def test_a_header_that_lies_is_damage(tmp_path: Path, changes: dict[str, object]) -> None:
    store, name = written(tmp_path)
    store.put(name, restated(store.get(name), **changes))
    with pytest.raises(InputError, match="is damaged: run the same scan with --repair"):
        read_header(store, name)


def test_a_column_of_another_type_is_damage(tmp_path: Path) -> None:
    store, name = written(tmp_path)
    table = pq.read_table(io.BytesIO(store.get(name)))
    place = table.column_names.index("prediction")
    table = table.set_column(place, "prediction", pa.array(["1"] * len(table)))
    header = pq.read_metadata(io.BytesIO(store.get(name))).metadata[b"lpa"]
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, table.schema, store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"lpa": header})
    store.put(name, sink.getvalue())
    with pytest.raises(InputError, match="is damaged: run the same scan with --repair"):
        read_column(store, read_header(store, name), "prediction")
