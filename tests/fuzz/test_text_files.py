"""Small files of text that commands take: class names, groups, budgets, policies, manifests."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from synthetic import CROP, write_run

import lpa
from fuzz.mutations import Raw, hostile_texts, json_values, mutated
from fuzz.test_run_folders import GONE, places, with_value
from fuzz.watch import FOLDER, cases, refused_or_read
from lpa.class_files import ordered_names, read_classes_file
from lpa.classes import Classes
from lpa.datasets import open_data
from lpa.statistics.new_labels import read_new_labels
from lpa.statistics.policy_record import read_policy, share_selected

RUN = write_run(
    FOLDER / "text-run", per_class=[12, 3, 1, 0], models=["m"], axes={CROP: (1.0, 0.5)},
    pictures=False,
)  # fmt: skip
OPENED = lpa.open(RUN)
POLICY = FOLDER / "policy.json"
OPENED.write_policy(POLICY, 0.1)
FILE = FOLDER / "file.txt"

READERS: dict[str, Callable[[], Any]] = {
    "classes": lambda: Classes(tuple(read_classes_file(FILE))),
    "groups": lambda: OPENED.curves(groups=str(FILE)),
    "names": lambda: OPENED.curves(classes=str(FILE)),
    "budget": lambda: OPENED.gate(budget=FILE).reasons,
    "policy": lambda: share_selected(read_policy(FILE), OPENED.outcomes),
    "labels": lambda: read_new_labels(FILE),
}
JSON = {
    "classes": [b'["a", "b"]', b'{"a": 0, "b": 1}', b'{"0": "a", "1": "b"}', b"a\nb\n"],
    "groups": [b'{"n0": "g", "n1": "g"}', b'{"g": ["n0", "n1"]}', b"class,group\nn0,g\nn1,h\n"],
    "names": [b"n0\nn1\n"],
    "budget": [b'{"n0": 0.1, "n1": 0.2}', b"class,max_drop\nn0,.1\nn1,.2\n"],
    "policy": [POLICY.read_bytes()],
    "labels": [b'{"0000/00000.jpg": [0, 1], "0001/00012.jpg": "n1"}'],
}
some_reader = st.sampled_from(sorted(READERS))


def read(kind: str, data: bytes) -> None:
    FILE.write_bytes(data)
    refused_or_read(READERS[kind])


@cases(150)
@given(some_reader, st.binary(max_size=60) | hostile_texts().map(str.encode))
def test_any_bytes_are_read_or_one_line(kind: str, data: bytes) -> None:
    read(kind, data)


@cases(250)
@given(some_reader.flatmap(lambda kind: st.tuples(st.just(kind), mutated(JSON[kind]))))
def test_a_mutated_file_is_read_or_one_line(chosen: tuple[str, bytes]) -> None:
    read(*chosen)


@cases(250)
@given(some_reader, st.data(), json_values() | st.just(GONE))
def test_any_value_at_any_place_is_read_or_one_line(
    kind: str, data: st.DataObject, value: Any
) -> None:
    valid = data.draw(
        st.sampled_from([each for each in JSON[kind] if each[:1] in b"{["] or [b"{}"])
    )
    place = data.draw(st.sampled_from(places(json.loads(valid))))
    read(kind, with_value(valid, place, value))


@cases(100)
@given(json_values(False))
def test_names_of_a_checkpoint_are_names_or_a_value_error(value: Any) -> None:
    refused_or_read(lambda: ordered_names(value), ValueError)


@cases(75)
@given(some_reader, st.lists(st.tuples(hostile_texts(), hostile_texts()), max_size=3))
def test_any_cells_are_read_or_one_line(kind: str, rows: list[tuple[str, str]]) -> None:
    head = {"groups": "class,group\n", "budget": "class,max_drop\n"}.get(kind, "")
    read(kind, (head + "".join(f'"{one}",{other}\n' for one, other in rows)).encode())


def test_a_hundred_thousand_classes_are_read() -> None:
    names = [f"class {number}" for number in range(100_000)]
    for data in (
        "\n".join(names),
        json.dumps(names),
        json.dumps({n: i for i, n in enumerate(names)}),
    ):
        FILE.write_text(data)
        assert refused_or_read(lambda: read_classes_file(FILE)) == names
    found = refused_or_read(lambda: Classes(tuple(names)).find([names[-1], "CLASS_7", "7"]))
    assert found is not None and found.tolist() == [99_999, 7, -1]


MANIFEST = b"path,label,split\nx.png,cat,val\nsub/y.png,dog,val\n"
PATHS = st.sampled_from(
    [
        "../x.png",
        "/etc/passwd",
        "/dev/zero",
        "/dev/stdin",
        "pipe.png",
        "x.png",
        "./x.png",
        "sub/../x.png",
        "loop/x.png",
        "~/x.png",
        "file:///etc/passwd",
        "\\\\host\\x.png",
        "http://localhost/x.png",
        "gone.png",
        "sub",
        "",
        ".",
        "x" * 5000,
    ]
)
DATA = FOLDER / "manifest"


def manifest(data: bytes) -> None:
    if not DATA.exists():
        (DATA / "sub").mkdir(parents=True)
        for name in ("x.png", "sub/y.png"):
            (DATA / name).write_bytes(b"no image")
        os.mkfifo(DATA / "pipe.png")
        (DATA / "loop").symlink_to(DATA)
    (DATA / "list.csv").write_bytes(data)
    source = refused_or_read(lambda: open_data(str(DATA / "list.csv")))
    if source is not None:
        for index in range(len(source)):
            refused_or_read(lambda index=index: source.read(index), OSError)


@cases(100)
@given(mutated([MANIFEST]) | st.binary(max_size=60))
def test_a_mutated_manifest_is_read_or_one_line(data: bytes) -> None:
    manifest(data)


@cases(75)
@given(st.lists(st.tuples(PATHS | hostile_texts(), hostile_texts()), min_size=1, max_size=3))
def test_a_manifest_of_any_paths_is_read_or_one_line(rows: list[tuple[str, str]]) -> None:
    lines = "".join(
        '"{}","{}"\n'.format(*(cell.replace('"', '""') for cell in row)) for row in rows
    )
    manifest(("path,label\n" + lines).encode())


def with_raw(value: Any) -> str:
    return str(value) if isinstance(value, Raw) else json.dumps(value)


INAT = FOLDER / "2018"


@cases(30)
@given(mutated([b'{"images": [{"file_name": "train_val2018/Aves/1/a.jpg"}]}'])
       | json_values().map(lambda v: with_raw(v).encode()))  # fmt: skip
def test_a_mutated_list_of_a_competition_is_read_or_one_line(data: bytes) -> None:
    if not INAT.exists():
        (INAT / "train_val2018/Aves/1").mkdir(parents=True)
        (INAT / "train_val2018/Aves/1/a.jpg").write_bytes(b"x")
    for part in ("train", "val"):
        (INAT / f"{part}2018.json").write_bytes(data)
    refused_or_read(lambda: open_data(f"inat2018={INAT}", "train"))


LISTS = ["LOC_val_solution.csv", "imagenet_2012_validation_synset_labels.txt", "val.txt",
         "ILSVRC2012_validation_ground_truth.txt"]  # fmt: skip


@cases(40)
@given(st.sampled_from(LISTS), mutated([
    b"ImageId,PredictionString\nILSVRC2012_val_00000001,n01440764 1 2\n", b"n01440764\n",
    b"ILSVRC2012_val_00000001.JPEG 65\n", b"1\n2\n",
]) | st.binary(max_size=40))  # fmt: skip
def test_a_mutated_list_of_labels_is_read_or_one_line(name: str, data: bytes) -> None:
    folder = FOLDER / "flat"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "ILSVRC2012_val_00000001.JPEG").write_bytes(b"x")
    (folder / name).write_bytes(data)
    (folder / "meta.mat").write_bytes(data)
    refused_or_read(lambda: open_data(str(folder)))
