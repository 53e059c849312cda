from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from synthetic import made_up_samples, write_run

from lpa.classes import Classes
from lpa.errors import InputError
from lpa.outcomes import (
    RunRecord,
    Samples,
    Store,
    create_or_check,
    put_failure,
    put_plan,
    read_objects,
    read_record,
)

SAMPLES = made_up_samples(2, 3)
RECORD = RunRecord(
    kind="scan", data="there", split="val", per_class=None, limit=None,
    fingerprint=SAMPLES.fingerprint, classes=Classes(("n0", "n1"), ("côté", "<b>")), seed=0,
    precision="fp32", shard_size=64, reference={"published": True},
)  # fmt: skip


def test_a_record_survives_its_file(tmp_path: Path) -> None:
    store = Store(tmp_path / "run")
    assert create_or_check(store, RECORD, SAMPLES) == RECORD
    assert read_record(store) == RECORD
    assert create_or_check(store, RECORD, SAMPLES) == RECORD


def test_classes_and_shard_size_of_the_run_hold(tmp_path: Path) -> None:
    store = Store(tmp_path / "run")
    create_or_check(store, RECORD, SAMPLES)
    asked = dataclasses.replace(RECORD, shard_size=256, data="here")
    assert create_or_check(store, asked, SAMPLES) == RECORD


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("seed", 3, "seed 0, and 3"),
        ("split", None, "split val, and (default)"),
        ("per_class", 5, "per-class (default), and 5"),
        ("limit", 5, "limit (default), and 5"),
        ("precision", "fp16", "precision fp32, and fp16"),
        ("kind", "sweep", "kind scan, and sweep"),
    ],
)
def test_another_run_is_refused_with_the_field_and_both_values(
    tmp_path: Path, field: str, value: object, shown: str
) -> None:
    store = Store(tmp_path / "run")
    create_or_check(store, RECORD, SAMPLES)
    with pytest.raises(InputError) as caught:
        create_or_check(store, dataclasses.replace(RECORD, **{field: value}), SAMPLES)
    assert str(caught.value) == (
        f"{store} is a run with {shown} was asked for; models, augmentations, values and draws "
        "extend a run, this does not: give another directory with --out DIR"
    )


def other_data(store: Store, other: Samples) -> str:
    create_or_check(store, RECORD, SAMPLES)
    asked = dataclasses.replace(RECORD, fingerprint=other.fingerprint)
    with pytest.raises(InputError) as caught:
        create_or_check(store, asked, other)
    tail = (
        "; models, augmentations, values and draws extend a run, this does not: give another "
        "directory with --out DIR"
    )
    assert str(caught.value).endswith(tail)
    return str(caught.value).removesuffix(tail).removeprefix(f"{store} is a run of other data: ")


def test_other_data_are_refused_with_the_number_of_files_that_differ(tmp_path: Path) -> None:
    store = Store(tmp_path / "run")
    count, names = len(SAMPLES), list(SAMPLES.name)
    assert other_data(store, SAMPLES.take(range(count - 2))) == (
        f"compared with its {count} files: 2 gone (first {names[-2]!r})"
    )
    renamed = dataclasses.replace(SAMPLES, name=("0.png", *names[1:]))
    assert other_data(store, renamed) == (
        f"compared with its {count} files: 1 new (first '0.png'), 1 gone (first {names[0]!r})"
    )
    keys = SAMPLES.key.copy()
    keys[1] += np.uint64(1)
    labels = (SAMPLES.label + 1) % 2
    changed = dataclasses.replace(SAMPLES, key=keys, label=labels)
    assert other_data(store, changed) == (
        f"compared with its {count} files: 1 changed (first {names[1]!r}), {count} in another "
        f"class or split (first {names[0]!r})"
    )
    moved = dataclasses.replace(SAMPLES, sample=SAMPLES.sample + 5)
    assert other_data(store, moved) == (f"its {count} files stand at other places of the data set")


def test_a_directory_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(InputError) as caught:
        create_or_check(Store(tmp_path), RECORD, SAMPLES)
    assert str(caught.value) == (
        f"{tmp_path} holds other files (thesis.tex) and no run; expected an empty or new "
        "directory, or a run: give another with --out DIR"
    )
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_that_is_no_run_says_so(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(InputError) as caught:
            read_record(Store(folder))
        assert str(caught.value) == (
            f"{folder} is no run: there is no run.json in it; expected the folder that "
            "`lpa scan`, `train-sweep`, `probe` or `import` named at its end"
        )


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', "{}\xff", "null"])
def test_a_record_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError) as caught:
        read_record(Store(tmp_path))
    assert str(tmp_path / "run.json") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_record_of_a_later_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"format": 9}')
    with pytest.raises(InputError) as caught:
        read_record(Store(tmp_path))
    assert str(caught.value) == (
        f"{tmp_path}/run.json has format 9; this version of lpa reads format 1: "
        "use the version that wrote it"
    )


def test_the_same_request_is_one_plan_whenever_and_wherever_it_was_made(tmp_path: Path) -> None:
    store = Store(tmp_path)
    asked = {"command": "lpa scan", "created": "monday", "device": "cpu", "versions": {"lpa": "1"}}
    first = put_plan(store, asked)
    assert put_plan(store, {**asked, "created": "friday", "device": "cuda"}) == first
    assert put_plan(store, {**asked, "command": "lpa scan --draws 2"}) != first
    assert json.loads(store.get(first))["created"] == "monday"
    assert len(read_objects(store, "plans")) == 2


def test_a_failure_is_told_until_its_cells_are_there(tmp_path: Path) -> None:
    from lpa.outcomes import Outcomes

    folder = write_run(tmp_path / "run", pictures=False)
    outcomes = Outcomes(folder)
    store = Store(folder)
    done = outcomes.coverage[0].cell.id
    put_failure(store, 0, "first", "out of memory", [done])
    assert Outcomes(folder).failures == []
    put_failure(store, 0, "third", "weights could not be loaded", ["missing"])
    assert [f["reason"] for f in Outcomes(folder).failures] == ["weights could not be loaded"]


def test_a_damaged_plan_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put("plans/x.json", b"{")
    with pytest.raises(InputError) as caught:
        read_objects(store, "plans")
    assert (
        str(caught.value) == f"{tmp_path}/plans/x.json is damaged: expected JSON; delete the file"
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"axes": {}}, "axes is {}, expected a list"),
        ({"models": {"m": 3}}, "models.m is 3, expected an object"),
        ({"versions": {"lpa": None}}, "versions.lpa is None, expected text"),
        ({"axes": [{"values": [1]}]}, "no 'axis'"),
        (
            {"axes": [{"axis": {"name": "a", "unit": "u", "reference": "0"}}]},
            "a has a reference or grid of no finite numbers",
        ),
        (
            {"axes": [{"axis": {"name": "a", "unit": "u", "reference": 0}, "values": [1e999]}]},
            "a value of a is inf, expected a finite number",
        ),
        (
            {"axes": [{"axis": {"name": "a", "unit": "u", "reference": 0}, "draws": 10**30}]},
            "draws of a is a long number, expected a whole number from 0",
        ),
        (
            {"models": {"m": {"policy": {"record": {"limits": {"cat": "1"}}}}}},
            "limits.cat is '1', expected a finite number",
        ),
    ],
)
def test_a_plan_that_holds_something_else_is_named(
    tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    store = Store(tmp_path)
    store.put("plans/x.json", json.dumps(change).replace("Infinity", "1e999").encode())
    with pytest.raises(InputError) as caught:
        read_objects(store, "plans")
    assert str(caught.value) == (
        f"{tmp_path}/plans/x.json holds something else than lpa writes there ({reason}): delete "
        "the file"
    )


def test_a_failure_that_holds_something_else_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put("failures/x.json", b'{"shard": 0, "model": null, "reason": "r", "cells": "abc"}')
    with pytest.raises(InputError) as caught:
        read_objects(store, "failures")
    assert str(caught.value) == (
        f"{tmp_path}/failures/x.json holds something else than lpa writes there (cells is 'abc', "
        "expected a list): delete the file"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", "0"), ("seed", None), ("shard_size", 0), ("shard_size", 10**30), ("kind", "other"),
        ("reference", []), ("classes", {"names": [1], "labels": ["a"]}), ("data", None),
        ("per_class", 0.5), ("classes", {"names": "ab", "labels": "ab"}),
    ],
)  # fmt: skip
def test_a_record_with_a_value_of_another_kind_is_refused(
    tmp_path: Path, name: str, value: object
) -> None:
    record = {**json.loads(RECORD.to_bytes()), name: value}
    del record["digest"]
    (tmp_path / "run.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"run\.json cannot be read as a run's record"):
        read_record(Store(tmp_path))


def test_a_record_in_which_any_bit_flipped_is_refused_and_one_without_a_digest_is_read(
    tmp_path: Path,
) -> None:
    store, written = Store(tmp_path), RECORD.to_bytes()
    taken = set()
    for place in range(len(written)):
        flipped = bytearray(written)
        flipped[place] ^= 1 << place % 8
        store.put("run.json", bytes(flipped))
        try:
            taken.add(read_record(store) == RECORD)
        except InputError as error:
            assert "run.json" in str(error)
    assert taken <= {True}  # White space may flip to another.
    record = json.loads(written)
    del record["digest"]
    store.put("run.json", json.dumps(record).encode())
    assert read_record(store) == RECORD


def test_json_that_is_nested_too_deep_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match=r"run\.json cannot be read as a run's record"):
        read_record(Store(tmp_path))
