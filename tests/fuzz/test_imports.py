"""Files of results for ``lpa import``: read, or refused in one line; nothing unpickled."""

from __future__ import annotations

import csv
import io
import os
import pickle
import shutil
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

import lpa
from fuzz.mutations import SIGNS, hostile_texts, mutated
from fuzz.watch import FOLDER, cases, refused_or_read
from lpa.importing.tables import open_table
from lpa.outcomes import Outcomes

CANARY = FOLDER / "unpickled"
OUT = FOLDER / "imported"


def imported(data: bytes, suffix: str, **options: Any) -> None:
    """Import a file, and read the run where there is one."""
    path = FOLDER / f"results{suffix}"
    path.write_bytes(data)
    shutil.rmtree(OUT, ignore_errors=True)
    done = refused_or_read(lambda: lpa.import_results(path, OUT, **options))
    assert not CANARY.exists()
    if done is not None:
        str(done).encode()
        refused_or_read(lambda: lpa.open(OUT).curves(aggregate=None))
        refused_or_read(lambda: str(lpa.overview(OUT)))
    else:
        assert not OUT.exists() or not any(OUT.rglob("*.parquet")), "half an import was written"


def table(columns: dict[str, list[Any]]) -> bytes:
    return pd.DataFrame(columns).to_csv(index=False).encode()


PREDICTIONS: dict[str, list[Any]] = {
    "sample": ["a.png", "b.png", "a.png", "b.png"], "label": ["cat", "dog", "cat", "dog"],
    "prediction": ["cat", "cat", "dog", "dog"], "value": [1, 1, 0.5, 0.5],
    "replicate": [0, 0, 0, 0], "prediction_probability": [0.9, 0.8, 0.7, 0.6],
}  # fmt: skip
COUNTS: dict[str, list[Any]] = {
    "class": ["cat", "dog", "cat", "dog"], "value": [1, 1, 0.5, 0.5], "replicate": [0, 0, 0, 0],
    "correct": [3, 4, 2, 2], "n": [5, 5, 5, 5],
}  # fmt: skip
TIMM: dict[str, list[Any]] = {
    "filename": ["a.png", "b.png"], "index": ["[0, 1]", "[1, 0]"],
    "label": ["['cat' 'dog']", "['dog' 'cat']"], "prob": ["[0.9, 0.1]", "[0.6, 0.4]"],
}  # fmt: skip
LABELS = FOLDER / "labels.csv"
LABELS.write_text("sample,label\na.png,cat\nb.png,dog\n")
VALID = [table(each) for each in (PREDICTIONS, COUNTS, TIMM)]
GIVEN: dict[str, Any] = {"model": "m", "axis": "crop"}


@cases(60)
@given(st.binary(max_size=120) | st.text(max_size=80).map(str.encode))
def test_any_text_is_read_or_one_line(data: bytes) -> None:
    imported(data, ".csv", **GIVEN)


@cases(160)
@given(mutated(VALID), st.sampled_from([GIVEN, {}, {"model": "m"}, {**GIVEN, "value": 0.5}]))
def test_a_mutated_csv_is_read_or_one_line(data: bytes, options: dict[str, Any]) -> None:
    imported(data, ".csv", **options)


@cases(60)
@given(
    st.sampled_from([PREDICTIONS, COUNTS, TIMM]).flatmap(
        lambda columns: st.tuples(st.just(columns), st.sampled_from(sorted(columns)))
    ),
    st.lists(hostile_texts(), min_size=4, max_size=4),
    st.sampled_from(["utf-8", "utf-16", "latin-1", "utf-8-sig", "utf-32"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_any_cells_in_any_encoding_are_read_or_one_line(
    chosen: tuple[dict[str, list[Any]], str], cells: list[str], encoding: str, quoting: int
) -> None:
    columns, name = chosen
    rows = len(columns[name])
    sink = io.StringIO()
    writer = csv.writer(sink, quoting=quoting)  # type: ignore[arg-type]
    changed = {**columns, name: cells[:rows]}
    writer.writerow(changed)
    writer.writerows(zip(*changed.values(), strict=True))
    imported(sink.getvalue().encode(encoding, "replace"), ".csv", **GIVEN)


@cases(40)
@given(st.lists(hostile_texts(), min_size=1, max_size=5), st.integers(0, 3), hostile_texts())
def test_any_names_of_columns_are_read_or_one_line(names: list[str], rows: int, cell: str) -> None:
    sink = io.StringIO()
    writer = csv.writer(sink)
    writer.writerow(names)
    writer.writerows([[cell] * len(names)] * rows)
    imported(sink.getvalue().encode(), ".csv", **GIVEN)


@cases(24)
@given(st.sampled_from([b"\0", b'"', b"\r", b",", b"\n\n", b"a" * 200_000, b'"' + b"x\n" * 70_000]),
       st.integers(0, 200))  # fmt: skip
def test_zero_bytes_huge_fields_and_open_quotes_are_one_line(part: bytes, place: int) -> None:
    data = VALID[0]
    imported(data[:place] + part + data[place:], ".csv", **GIVEN)


class Touches:
    def __reduce__(self) -> Any:
        return os.mkdir, (str(CANARY),)


ARRAYS = st.sampled_from(
    [
        np.array([Touches()], dtype=object),
        np.array(["cat", "dog"]),
        np.array([b"cat", b"dog"]),
        np.array([0, 1]),
        np.array([1, 0], dtype=np.uint8),
        np.zeros((2, 3)),
        np.zeros((2, 3), np.float16),
        np.array([np.nan, 1.0]),
        np.array([2**63], dtype=np.uint64),
        np.zeros(()),
        np.zeros((2, 2, 2)),
        np.array([1 + 2j, 0]),
        np.array([], dtype=np.int64),
        np.array([True, False]),
        np.array(["2020-01-01"], dtype="M8[D]"),
        np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        np.array([[0.9, 0.1], [0.2, 0.8]]),
        np.array([[np.inf, 0.1], [0.2, 0.8]]),
        np.zeros((0, 4)),
        np.zeros((2, 0)),
        np.array([-5, 10**12]),
        np.array(["\ud800", "a"]),
        np.array(["a\0b", "c"]),
    ]
)
NAMES = [
    "logits",
    "probabilities",
    "prediction",
    "sample",
    "label",
    "names",
    "labels",
    "value",
    "x",
]


def npz(arrays: dict[str, Any], **options: Any) -> bytes:
    sink = io.BytesIO()
    np.savez(sink, **arrays)
    return sink.getvalue()


@cases(120)
@given(st.dictionaries(st.sampled_from(NAMES), ARRAYS, max_size=4), st.booleans(), st.booleans())
def test_any_arrays_are_read_or_one_line(
    arrays: dict[str, Any], by_row: bool, labelled: bool
) -> None:
    options = {"labels": LABELS} if labelled else {}
    imported(npz(arrays), ".npz", **GIVEN, value=0.5, by_row=by_row, **options)


NPZ = [
    npz({"logits": np.eye(2), "sample": np.array(["a.png", "b.png"]), "label": np.array([0, 1])}),
    npz({"prediction": np.array([0, 1]), "label": np.array([0, 1])}),
]


@cases(80)
@given(mutated(NPZ) | st.binary(max_size=60) | st.just(pickle.dumps(Touches())))
def test_a_mutated_npz_is_read_or_one_line(data: bytes) -> None:
    imported(data, ".npz", **GIVEN, value=0.5, by_row=False)


def lying_npy(header: bytes) -> bytes:
    import zipfile

    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        start = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
        archive.writestr("prediction.npy", start + header + b"\0" * 16)
    return sink.getvalue()


@cases(24)
@given(
    st.sampled_from(["<i8", "|O", "<U2147483647", "<U0", "V3", "x", "<f8", "|S0"]),
    st.sampled_from([(2,), (2**62,), (-1,), (2**31, 2**31), (), (0,), ("a",), (1.5,)]),
    st.sampled_from(["True", "False", "None", "__import__('os').mkdir('x')", "1"]),
)
def test_a_header_of_an_array_that_lies_is_one_line(kind: str, shape: Any, order: str) -> None:
    header = f"{{'descr': {kind!r}, 'fortran_order': {order}, 'shape': {shape!r}}}\n"
    imported(lying_npy(header.encode()), ".npz", **GIVEN, value=0.5, by_row=True)


def parquet(arrow: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(arrow, sink)
    return sink.getvalue()


PARQUET = [parquet(pa.table(each)) for each in (PREDICTIONS, COUNTS)] + [
    parquet(
        pa.table({"sample": ["a.png", "b.png"], "label": [0, 1], "prediction": [[0, 1], [1, 0]]})
    )
]
COLUMNS = st.sampled_from(
    [
        pa.array([1, 2]),
        pa.array([None, 1]),
        pa.nulls(2),
        pa.array([[1], [2, 3]]),
        pa.array([[], None]),
        pa.array([{"a": 1}, {"a": 2}]),
        pa.array([b"\xff", b"b"]),
        pa.array([1.5, float("nan")]),
        pa.array([True, False]),
        pa.array(["a", "b"]).dictionary_encode(),
        pa.array(["=1", "\x00"]),
        pa.array([2**63], pa.uint64()),
        pa.array([1, 2], pa.date32()),
        pa.array([[["a"]], [["b"]]]),
        pa.array([[None], ["x"]]),
        pa.array([10**30, 1], pa.decimal128(38)),
        pa.array([], pa.int64()),
        pa.array([float("inf"), 1.0]),
        pa.array(["a", "a"]),
        pa.array([[0.5, 0.5], [1.0, 0.0]]),
    ]
)


@cases(100)
@given(st.dictionaries(st.sampled_from([*PREDICTIONS, *COUNTS, "logits", "model", "axis", "split"]),
                       COLUMNS, min_size=1, max_size=5))  # fmt: skip
def test_any_columns_of_parquet_are_read_or_one_line(columns: dict[str, Any]) -> None:
    rows = len(next(iter(columns.values())))
    same = {name: each for name, each in columns.items() if len(each) == rows}
    imported(parquet(pa.table(same)), ".parquet", **GIVEN)


@cases(48)
@given(mutated(PARQUET) | st.binary(max_size=60))
def test_a_mutated_parquet_is_read_or_one_line(data: bytes) -> None:
    imported(data, ".parquet", **GIVEN)


@cases(48)
@given(mutated([LABELS.read_bytes()]) | st.binary(max_size=80))
def test_mutated_labels_are_read_or_one_line(data: bytes) -> None:
    (FOLDER / "mutated.csv").write_bytes(data)
    imported(VALID[2], ".csv", model="m", labels=FOLDER / "mutated.csv")


@cases(32)
@given(st.sampled_from(["model", "axis", "classes", "split", "unit", "columns", "labels"]),
       hostile_texts())  # fmt: skip
def test_any_option_is_taken_or_one_line(option: str, text: str) -> None:
    imported(VALID[0], ".csv", **{**GIVEN, option: text})


@cases(24)
@given(hostile_texts())
def test_any_pattern_of_files_is_taken_or_one_line(pattern: str) -> None:
    shutil.rmtree(OUT, ignore_errors=True)
    refused_or_read(lambda: lpa.import_results(f"{FOLDER}/{pattern}", OUT, model="m"))
    refused_or_read(lambda: open_table(pattern))


def test_what_spreadsheets_would_run_comes_back_as_it_was() -> None:
    names = [each for each in SIGNS if each.strip() == each and each.isprintable() and each]
    rows = {"sample": [f"{i}.png" for i in range(len(names))], "label": names, "prediction": names}
    shutil.rmtree(OUT, ignore_errors=True)
    path = FOLDER / "signs.csv"
    path.write_bytes(table(rows))
    lpa.import_results(path, OUT, model="m")
    assert set(Outcomes(OUT).classes.names) == set(names)
    lpa.open(OUT).export(FOLDER / "signs-out.csv")
    with (FOLDER / "signs-out.csv").open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell[:1] in tuple("=+@\t\r") or cell[:2] == "-2"]
