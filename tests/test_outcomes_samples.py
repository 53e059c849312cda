from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lpa.errors import InputError
from lpa.outcomes.samples import Samples


def samples() -> Samples:
    return Samples(
        sample=np.array([0, 3, 4]),
        key=np.array([1, 2**64 - 1, 2**63], dtype=np.uint64),
        name=("a.png", "ä/b c.png", "c,\n'.png"),
        label=np.array([0, 2, 1]),
        split=np.array(["train", "val", "val"]),
        size=np.array([10, 20, 30]),
    )


def test_the_table_comes_back_from_parquet_as_it_was() -> None:
    back = Samples.from_parquet_bytes(samples().to_parquet_bytes())
    for column in ("sample", "key", "label", "split", "size"):
        expected = getattr(samples(), column)
        np.testing.assert_array_equal(getattr(back, column), expected)
        assert getattr(back, column).dtype.kind == expected.dtype.kind
    assert back.name == samples().name
    assert back.key.dtype == np.uint64
    assert back.fingerprint == samples().fingerprint
    assert len(back) == 3


def test_equal_samples_give_equal_bytes_that_any_reader_of_parquet_reads() -> None:
    data = samples().to_parquet_bytes()
    assert data == samples().to_parquet_bytes()
    table = pq.read_table(io.BytesIO(data))
    assert table.column_names == ["sample", "key", "name", "label", "split", "size"]
    assert table["key"].to_pylist() == [1, 2**64 - 1, 2**63]


@pytest.mark.parametrize(
    "change",
    [
        {"sample": np.array([0, 3, 5])},
        {"key": np.array([1, 2, 3], dtype=np.uint64)},
        {"name": ("a.png", "b.png", "c.png")},
        {"label": np.array([0, 2, 2])},
        {"split": np.array(["train", "val", "train"])},
    ],
)
def test_the_fingerprint_knows_every_column(change: dict[str, object]) -> None:
    assert replace(samples(), **change).fingerprint != samples().fingerprint


def test_the_fingerprint_does_not_know_sizes_and_is_the_same_on_every_machine() -> None:
    assert replace(samples(), size=np.zeros(3)).fingerprint == samples().fingerprint
    swapped = replace(samples(), key=samples().key.astype(">u8"))
    assert swapped.fingerprint == samples().fingerprint


def test_relabelling_changes_labels_alone() -> None:
    changed = samples().relabelled([5, 7, 9])
    assert changed.label.tolist() == [5, 9, 7]
    assert changed.name == samples().name
    assert changed.fingerprint != samples().fingerprint


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="columns of unequal length"):
        replace(samples(), label=np.array([0, 1]))


@pytest.mark.parametrize("damage", ["cut", "text", "other columns"])
def test_a_damaged_table_is_told(damage: str) -> None:
    data = samples().to_parquet_bytes()
    sink = io.BytesIO()
    pq.write_table(pa.table({"sample": [1]}), sink)
    broken = {"cut": data[:-30], "text": b"hello", "other columns": sink.getvalue()}[damage]
    with pytest.raises(InputError) as caught:
        Samples.from_parquet_bytes(broken)
    assert str(caught.value) == (
        "samples.parquet is damaged or of another program; expected a Parquet table with the "
        "columns sample, key, name, label, split, size; copy the run folder again, or start a new "
        "run"
    )


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("sample", [3, 0, 4]), ("sample", [0, 0, 4]), ("label", [0, None, 1]),
        ("label", [0, -2, 1]),
        ("name", [None, "b", "c"]), ("size", ["x", "y", "z"]), ("key", [-1, 0, 1]),
    ],
)  # fmt: skip
def test_a_table_with_other_values_is_damaged(column: str, values: list[object]) -> None:
    table = pq.read_table(io.BytesIO(samples().to_parquet_bytes()))
    place = table.column_names.index(column)
    sink = io.BytesIO()
    pq.write_table(table.set_column(place, column, pa.array(values)), sink)
    with pytest.raises(InputError, match=r"^samples\.parquet is damaged or of another program"):
        Samples.from_parquet_bytes(sink.getvalue())
