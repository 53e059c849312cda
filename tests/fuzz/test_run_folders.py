"""Folders that claim to be runs: read, or refused in one line; whatever is changed in them."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st
from synthetic import CROP, write_run

import lpa
from fuzz.mutations import Raw, json_values, mutated
from fuzz.watch import FOLDER, cases, refused_or_read
from lpa.outcomes import Samples, Store, content_hash, put_failure
from lpa.outcomes.counts import read_counts
from lpa.runs import open_run

COUNTS = "model,axis,value,replicate,class,correct,n\n" + "".join(
    f"m,crop,{value},{replicate},{name},{5 + replicate},10\n"
    for value in (1, 0.5) for replicate in (0, 1, 2) for name in "ab"
)  # fmt: skip


@cache
def whole() -> dict[str, bytes]:
    """The objects of a small scan with everything in it."""
    folder = write_run(
        FOLDER / "whole", per_class=[3, 2, 1, 0], models=["m"], axes={CROP: (1.0, 0.5)}, draws=2,
        skips={4: "not an image"}, shard_size=3,
    )  # fmt: skip
    put_failure(Store(folder), 0, "m", "out of memory", ["no such cell"])
    return objects(folder)


@cache
def counted() -> dict[str, bytes]:
    """The objects of an import of counts."""
    file = FOLDER / "counts.csv"
    file.write_text(COUNTS)
    lpa.import_results(file, FOLDER / "counted")
    return objects(FOLDER / "counted")


def objects(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    # Without its digest, which would refuse every change before anything is read.
    record = json.loads(found["run.json"])
    del record["digest"]
    return {**found, "run.json": json.dumps(record).encode()}


def laid_out(contents: dict[str, bytes]) -> Path:
    folder = FOLDER / "run"
    shutil.rmtree(folder, ignore_errors=True)
    for name, data in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


READERS: dict[str, Callable[[Path], Any]] = {
    "show": lambda folder: [str(lpa.overview(folder)), json.dumps(lpa.overview(folder).to_dict())],
    "curves": lambda folder: open_run(folder).curves(aggregate=None),
    "rank": lambda folder: open_run(folder).rank(),
    "test": lambda folder: open_run(folder).test(),
    "policy": lambda folder: open_run(folder).policy(),
    "gate": lambda folder: open_run(folder).gate().reasons,
    "compare": lambda folder: open_run(folder).compare(values="crop=1,.5").overall,
    "export": lambda folder: open_run(folder).export(FOLDER / "out.csv"),
    "figure": lambda folder: open_run(folder).figure("class_curves"),
}
SLOW: dict[str, Callable[[Path], Any]] = {
    "report": lambda folder: open_run(folder).report(FOLDER / "page" / "report.html"),
}


def read(contents: dict[str, bytes], names: list[str]) -> None:
    folder = laid_out(contents)
    for name in names:
        refused_or_read(lambda name=name: {**READERS, **SLOW}[name](folder))


some_readers = st.lists(st.sampled_from(sorted(READERS)), min_size=1, max_size=2, unique=True)


@st.composite
def changed(draw: st.DrawFn, contents: dict[str, bytes]) -> dict[str, bytes]:
    """Bytes of one object mutated, or replaced by another object, or gone."""
    name = draw(st.sampled_from(sorted(contents)))
    other = draw(st.sampled_from(sorted(contents)))
    data = draw(
        mutated([contents[name]]) | st.binary(max_size=64) | st.just(contents[other]) | st.none()
    )
    result = {**contents, name: data or b""}
    if data is None:
        del result[name]
    return result


@cases(38)
@given(st.data())
def test_a_run_with_a_mutated_object_is_read_or_one_line(data: st.DataObject) -> None:
    read(data.draw(changed(whole())), data.draw(some_readers))


@cases(10)
@given(st.data())
def test_imported_counts_with_a_mutated_object_are_read_or_one_line(data: st.DataObject) -> None:
    read(data.draw(changed(counted())), data.draw(some_readers))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [path, *(place for key, each in inner for place in places(each, (*path, key)))]


def with_value(text: bytes | str, place: tuple[Any, ...], value: Any) -> bytes:
    """JSON with something else at a place: any value, or ``Raw`` text as it is."""
    record = json.loads(text)
    holder: dict[str, Any] = {"": record}
    target: Any = holder
    for key in ("", *place)[:-1]:
        target = target[key]
    last = ("", *place)[-1]
    if value is GONE:
        del target[last]
        return json.dumps(holder.get("", {})).encode()
    target[last] = "@@" if isinstance(value, Raw) else value
    return json.dumps(holder[""]).replace('"@@"', str(value)).encode()


GONE = object()


def json_object(contents: dict[str, bytes]) -> st.SearchStrategy[tuple[str, tuple[Any, ...]]]:
    """The name of a JSON object of a run, and a place in it."""
    return st.sampled_from([
        (name, place)
        for name, text in contents.items() if name.endswith(".json")
        for place in places(json.loads(text))
    ])  # fmt: skip


@cases(125)
@given(st.data(), json_values() | st.just(GONE), some_readers)
def test_a_run_with_any_value_in_its_json_is_read_or_one_line(
    data: st.DataObject, value: Any, names: list[str]
) -> None:
    contents = whole() if data.draw(st.booleans()) else counted()
    name, place = data.draw(json_object(contents))
    read({**contents, name: with_value(contents[name], place, value)}, names)


@cases(3)
@given(st.data(), json_values() | st.just(GONE))
def test_a_report_of_a_run_with_any_value_is_written_or_one_line(
    data: st.DataObject, value: Any
) -> None:
    contents = whole()
    name, place = data.draw(json_object(contents))
    read({**contents, name: with_value(contents[name], place, value)}, ["report"])


def unit_names(contents: dict[str, bytes]) -> list[str]:
    return [name for name in contents if name.startswith("units/")]


def relabelled_unit(data: bytes, place: tuple[Any, ...], value: Any, honest: bool) -> bytes:
    """A unit whose header says something else; ``honest``: with the digest of what it says."""
    parquet = pq.ParquetFile(io.BytesIO(data))
    header = json.loads(parquet.metadata.metadata[b"lpa"])
    text = with_value(json.dumps(header), place, value)
    if honest:
        try:
            record = json.loads(text)
            record.pop("digest", None)
            record["digest"] = content_hash(record)
            text = json.dumps(record).encode()
        except (ValueError, AttributeError, TypeError, RecursionError):
            pass
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, parquet.schema_arrow, store_schema=False) as writer:
        writer.write_table(parquet.read())
        writer.add_key_value_metadata({"lpa": text.decode()})
    return sink.getvalue()


@cases(100)
@given(
    st.data(),
    json_values() | st.just(GONE) | st.sampled_from([[[0, 2**62]], [[-5, 1]], [[2, 0]]]),
    st.booleans(),
    some_readers,
)
def test_a_unit_whose_header_lies_is_damaged_or_read(
    data: st.DataObject, value: Any, honest: bool, names: list[str]
) -> None:
    contents = whole()
    unit = data.draw(st.sampled_from(unit_names(contents)))
    header = json.loads(pq.read_metadata(io.BytesIO(contents[unit])).metadata[b"lpa"])
    place = data.draw(st.sampled_from(places(header)))
    changed_unit = relabelled_unit(contents[unit], place, value, honest)
    read({**contents, unit: changed_unit}, names)


def cells_of(kind: pa.DataType) -> st.SearchStrategy[Any]:
    """Values of an Arrow type at its ends."""
    if pa.types.is_integer(kind):
        bits = kind.bit_width
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        if pa.types.is_unsigned_integer(kind):
            low, high = 0, 2**bits - 1
        return st.sampled_from([low, high, 0, 1]) | st.integers(max(low, -3), 9)
    if pa.types.is_floating(kind):
        return st.floats(width=32)
    if pa.types.is_binary(kind):
        return st.binary(max_size=8)
    return st.text(max_size=5)


KINDS = [pa.int64(), pa.int32(), pa.uint64(), pa.float64(), pa.string(), pa.binary(), pa.bool_(),
         pa.list_(pa.int64())]  # fmt: skip


@st.composite
def retold(draw: st.DrawFn, data: bytes) -> bytes:
    """A Parquet table with other values, another type, nulls, or without a column."""
    parquet = pq.ParquetFile(io.BytesIO(data))
    table = parquet.read()
    name = draw(st.sampled_from(table.column_names))
    position = table.column_names.index(name)
    kind = table.schema.field(name).type
    how = draw(st.sampled_from(["values", "type", "nulls", "drop", "rows", "twice"]))
    if how == "values":
        cell = st.none() | cells_of(kind) if not pa.types.is_list(kind) else st.none()
        some = draw(st.lists(cell, min_size=len(table), max_size=len(table)))
        table = table.set_column(position, name, pa.array(some, kind))
    elif how == "type":
        other = draw(st.sampled_from(KINDS))
        table = table.set_column(position, name, pa.nulls(len(table), other))
    elif how == "nulls":
        table = table.set_column(position, name, pa.nulls(len(table), kind))
    elif how == "drop":
        table = table.drop_columns([name])
    elif how == "rows":
        table = table.slice(0, draw(st.integers(0, len(table))))
    else:
        table = table.append_column(name, table[name])
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, table.schema, store_schema=False) as writer:
        writer.write_table(table)
        header = (parquet.metadata.metadata or {}).get(b"lpa")
        if header:
            writer.add_key_value_metadata({"lpa": header.decode()})
    return sink.getvalue()


@cases(100)
@given(st.data(), some_readers)
def test_a_run_with_another_table_is_read_or_one_line(
    data: st.DataObject, names: list[str]
) -> None:
    contents = whole() if data.draw(st.booleans()) else counted()
    tables = [name for name in contents if name.endswith(".parquet")]
    name = data.draw(st.sampled_from(tables))
    read({**contents, name: data.draw(retold(contents[name]))}, names)


@cases(3)
@given(st.data())
def test_a_report_of_a_run_with_another_table_is_written_or_one_line(data: st.DataObject) -> None:
    contents = whole()
    tables = [name for name in contents if name.endswith(".parquet")]
    name = data.draw(st.sampled_from(tables))
    read({**contents, name: data.draw(retold(contents[name]))}, ["report"])


@cases(38)
@given(st.binary(max_size=100) | st.deferred(lambda: mutated([whole()["samples.parquet"]])))
def test_a_mutated_table_of_samples_is_read_or_one_line(data: bytes) -> None:
    refused_or_read(lambda: Samples.from_parquet_bytes(data))


@cases(15)
@given(st.data())
def test_mutated_counts_are_read_or_one_line(data: st.DataObject) -> None:
    name = next(name for name in counted() if name.startswith("counts/"))
    store = Store(FOLDER / "tables")
    store.put("counts/a.parquet", data.draw(mutated([counted()[name]]) | retold(counted()[name])))
    refused_or_read(lambda: read_counts(store))


def test_a_run_of_a_hundred_thousand_classes_is_read() -> None:
    names = [f"class {number}" for number in range(100_000)]
    folder = write_run(
        FOLDER / "many",
        names=names,
        titles=names,
        per_class=[1] * 30 + [0] * 99_970,
        models=["m"],
        axes={CROP: (1.0, 0.5)},
        draws=1,
        pictures=False,
    )
    assert refused_or_read(lambda: "classes: 100000\n" in str(lpa.overview(folder)))
    table = refused_or_read(lambda: open_run(folder).rank())
    assert table is not None and len(table) == 30
    page = refused_or_read(lambda: open_run(folder).report(FOLDER / "many.html"))
    assert page is not None and page.stat().st_size < 20_000_000
