"""Folders and Parquet files that claim to be data sets: opened and read, or one line."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import socket
import struct
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torchvision  # noqa: F401 - imported on use, it would load its libraries while watched
from hypothesis import given
from hypothesis import strategies as st

from fuzz.mutations import Raw, hostile_texts, json_values, mutated
from fuzz.test_images import VALID
from fuzz.watch import FOLDER, cases, refused_or_read
from lpa.datasets import open_data
from lpa.datasets.decode import Undecodable, decode
from lpa.datasets.selection import index_samples, select

TREE = FOLDER / "tree"
PNG = VALID[0]


def read_all(spec: str, split: str | None = None) -> None:
    """Open a data set, choose and index its images, decode each."""
    source = refused_or_read(lambda: open_data(spec, split))
    if source is None:
        return
    assert len(source) == len(set(source.names)) >= 1
    "".join(source.names).encode()
    keep = np.arange(len(source.classes))
    refused_or_read(lambda: index_samples(source, select(source, per_class=2), keep, 1), OSError)
    for index in range(len(source)):
        raw = refused_or_read(lambda index=index: source.read(index), OSError)
        if raw is not None:
            refused_or_read(lambda raw=raw: decode(raw), Undecodable)


PARTS = st.sampled_from(
    [
        b"cat",
        b"dog",
        b"train",
        b"val",
        b"test",
        b"n01440764",
        b"0",
        b"10",
        b".hidden",
        b"__MACOSX",
        b"a.png",
        b"b.JPEG",
        b"ILSVRC2012_val_00000001.JPEG",
        b"x.parquet",
        b"data",
        b"2021_valid",
        b"2018",
        b"\xff\xfe.png",
        b"\xff",
        "é.png".encode(),
        b"<script>.png",
        b"=1+1.png",
        b"new\nline.png",
        b" ",
        b"a" * 250 + b".png",
        b"-rf",
        b"train-images-idx3-ubyte",
        b"t10k-labels-idx1-ubyte.gz",
        b"\x1b[2J.png",
    ]
)
KINDS = st.sampled_from(
    [
        "image",
        "image",
        "text",
        "empty",
        "folder",
        "loop",
        "up",
        "fifo",
        "socket",
        "unreadable",
        "dangling",
        "self",
        "device",
    ]
)


def plant(path: bytes, kind: str) -> None:
    """Put something at a path; where there is something already, or it cannot be, nothing."""
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        if os.path.lexists(path):
            return
        if kind in ("image", "text", "empty", "unreadable"):
            with open(path, "wb") as file:  # noqa: PTH123
                file.write({"image": PNG, "empty": b""}.get(kind, b"text"))
            if kind == "unreadable":
                os.chmod(path, 0)  # noqa: PTH101
        elif kind == "folder":
            os.mkdir(path)  # noqa: PTH102
        elif kind == "fifo":
            os.mkfifo(path)
        elif kind == "socket":
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(path)
        else:
            target = {"loop": os.fsencode(TREE), "up": b"..", "dangling": b"gone", "self": path,
                      "device": b"/dev/zero"}[kind]  # fmt: skip
            os.symlink(target, path)  # noqa: PTH211
    except OSError:
        return


def cleared() -> None:
    shutil.rmtree(TREE, ignore_errors=True)
    TREE.mkdir()


@cases(99)
@given(
    st.lists(st.tuples(st.lists(PARTS, min_size=1, max_size=4), KINDS), max_size=8),
    st.none() | st.sampled_from(["val", "train", "train,val", "..", "cat", "/", ""]),
)
def test_any_tree_is_a_data_set_or_one_line(
    things: list[tuple[list[bytes], str]], split: str | None
) -> None:
    cleared()
    for parts, kind in things:
        plant(os.path.join(os.fsencode(TREE), *parts), kind)  # noqa: PTH118
    read_all(str(TREE), split)


def test_loops_of_links_are_walked_once(tmp_path: Any) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep" / "x.png").write_bytes(PNG)
        (tmp_path / name / "deep" / "up").symlink_to(tmp_path)
        (tmp_path / name / "again").symlink_to(tmp_path / name)
    found = refused_or_read(lambda: open_data(str(tmp_path)))
    assert found is not None and len(found) >= 2


IMAGE = {"bytes": PNG, "path": "a.png"}


def parquet(columns: dict[str, Any], metadata: Any = None, schema: Any = None) -> bytes:
    table = pa.table(columns, schema=schema)
    if metadata is not None:
        table = table.replace_schema_metadata({"huggingface": metadata})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


FEATURES = {"info": {"features": {
    "image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["cat", "dog"]},
}}}  # fmt: skip
WHOLE = parquet({"image": [IMAGE, IMAGE], "label": [0, 1]}, json.dumps(FEATURES))


def read_parquet(data: bytes) -> None:
    cleared()
    (TREE / "data").mkdir()
    (TREE / "data" / "val-00000-of-00001.parquet").write_bytes(data)
    read_all(str(TREE))


@cases(99)
@given(mutated([WHOLE, parquet({"image": [PNG, PNG], "label": ["cat", "dog"]})])
       | st.binary(max_size=80))  # fmt: skip
def test_a_mutated_parquet_is_a_data_set_or_one_line(data: bytes) -> None:
    read_parquet(data)


IMAGES = st.sampled_from([
    pa.array([PNG, PNG]), pa.array([None, PNG]), pa.array([b"", b"x"]), pa.array([5, 10**12]),
    pa.array(["a.png", "b.png"]), pa.array([[1, 2], [3]]), pa.array([IMAGE, None]), pa.nulls(2),
    pa.array([{"bytes": None, "path": "/etc/passwd"}, {"bytes": None, "path": "../../x"}]),
    pa.array([{"bytes": None, "path": "/dev/zero"}, {"bytes": None, "path": "pipe"}]),
    pa.array([{"bytes": 10**12, "path": "a"}, {"bytes": 1, "path": "b"}]),
    pa.array([{"bytes": PNG, "path": 3}, {"bytes": PNG, "path": 4}]),
    pa.array([{"path": "a.png"}, {"path": "x\0y"}]), pa.array([{"bytes": PNG}, {"bytes": b""}]),
    pa.array([{"bytes": PNG, "path": "=1\x1b[2J"}, {"bytes": PNG, "path": "<b>"}]),
])  # fmt: skip
LABELS = st.sampled_from([
    pa.array([0, 1]), pa.array([-1, None]), pa.array([7, -9]), pa.array(["cat", "dog"]),
    pa.array([[0], [1]]), pa.array([0.0, float("nan")]), pa.array([b"a", b"b"]), pa.nulls(2),
    pa.array([True, False]), pa.array([{"a": 1}, {"a": 2}]), pa.array([2**63, 0], pa.uint64()),
    pa.array(["=cmd()", "<script>"]), pa.array(["a", "a"]).dictionary_encode(),
])  # fmt: skip


@cases(82)
@given(IMAGES, LABELS, st.booleans())
def test_any_columns_are_a_data_set_or_one_line(images: Any, labels: Any, named: bool) -> None:
    cleared()
    os.mkfifo(TREE / "pipe")
    (TREE / "x.parquet").write_bytes(
        parquet({"image": images, "label": labels}, json.dumps(FEATURES) if named else None)
    )
    read_all(str(TREE / "x.parquet"))


def test_a_table_cannot_make_a_file_elsewhere_be_read(tmp_path: Any) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "data").mkdir()
    rows = [{"bytes": None, "path": each} for each in ("../secret", str(tmp_path / "secret"))]
    path = tmp_path / "data" / "x.parquet"
    path.write_bytes(parquet({"image": rows, "label": [0, 1]}))
    source = open_data(str(path))
    for index in range(2):
        with pytest.raises(OSError, match="which is no file in"):
            source.read(index)


@cases(66)
@given(json_values())
def test_any_record_of_features_is_read_or_one_line(value: Any) -> None:
    for record in (
        value,
        {"info": value},
        {"info": {"features": value}},
        {"info": {"features": {"label": value}}},
        {"info": {"features": {"label": {"_type": "ClassLabel", "names": value}}}},
    ):
        text = json.dumps(record) if not isinstance(value, Raw) else str(value)
        read_parquet(parquet({"image": [IMAGE, IMAGE], "label": [0, 1]}, text.encode()))


def idx(kind: int, shape: tuple[int, ...], body: bytes) -> bytes:
    return struct.pack(">xxBB", kind, len(shape)) + struct.pack(f">{len(shape)}I", *shape) + body


IDX = [idx(8, (2, 3, 3), bytes(18)), idx(8, (2,), bytes(2))]


@cases(50)
@given(mutated([IDX[0], gzip.compress(IDX[0])]) | st.just(gzip.compress(bytes(10**7))),
       mutated([IDX[1]]) | st.just(IDX[1]), st.booleans())  # fmt: skip
def test_mutated_idx_files_are_a_data_set_or_one_line(
    images: bytes, labels: bytes, zipped: bool
) -> None:
    cleared()
    (TREE / f"t10k-images-idx3-ubyte{'.gz' * zipped}").write_bytes(images)
    (TREE / "t10k-labels-idx1-ubyte").write_bytes(labels)
    read_all(str(TREE))
    read_all(f"fashion-mnist={TREE}")


@cases(50)
@given(
    hostile_texts(),
    st.sampled_from(
        ["", "hub:", "torchvision:", "torchvision:CIFAR10=", "inat=", "digits", "x=", "imagenet"]
    ),
)
def test_any_text_after_data_is_a_data_set_or_one_line(text: str, before: str) -> None:
    if "\0" in text or not (before or text).strip("~/. *?["):
        return  # no argument of a command holds a zero byte; folders of this machine are not ours
    refused_or_read(lambda: open_data(before + text))
