from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lpa.classes import imagenet
from lpa.datasets import from_parquet, open_data
from lpa.errors import InputError

STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def shard(
    path: Path,
    labels: list[Any],
    names: list[str] | None = None,
    *,
    stored: bool = True,
    start: int = 0,
    image: str = "image",
    label: str = "label",
) -> None:
    """Write rows whose bytes are "row N", with the schema's record where names are declared."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            image: {"bytes": f"row {row}".encode(), "path": f"x/{row}.JPEG" if stored else None},
            label: value,
        }
        for row, value in enumerate(labels, start)
    ]
    kind = pa.string() if isinstance(labels[0], str) else pa.int64()
    features = {image: {"_type": "Image"}, label: {"_type": "ClassLabel", "names": names}}
    record = {"huggingface": json.dumps({"info": {"features": features}})} if names else None
    schema = pa.schema([(image, STRUCT), (label, kind)], metadata=record)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path, row_group_size=3)


def message(spec: object, split: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        open_data(spec, split)
    return str(caught.value)


def test_shards_follow_each_other_in_the_order_of_rows(tmp_path: Path) -> None:
    shard(tmp_path / "data/validation-00000-of-00002.parquet", [1, 0, 1, 1, 0], ["cat", "dog"])
    shard(tmp_path / "data/validation-00001-of-00002.parquet", [0, 0], ["cat", "dog"], start=5)
    source = open_data(tmp_path)
    assert [source.read(index) for index in range(7)] == [f"row {r}".encode() for r in range(7)]
    assert source.names[6] == "00000006/6.JPEG"
    assert source.names == sorted(source.names)
    assert source.labels.tolist() == [1, 0, 1, 1, 0, 0, 0]
    assert source.classes.names == ("cat", "dog")
    assert source.splits == ["validation"] * 7


def test_splits_are_told_by_file_or_by_folder(tmp_path: Path) -> None:
    for split in ("train", "test"):
        shard(tmp_path / f"one/data/{split}-00000-of-00001.parquet", [0], ["a"], stored=False)
        shard(tmp_path / f"two/default/{split}/0000.parquet", [0], ["a"], stored=False)
        shard(tmp_path / f"three/{split}.parquet", [0], ["a"], stored=False)
    for layout in ("one", "two", "three"):
        assert open_data(tmp_path / layout).splits == ["test"]
        both = open_data(tmp_path / layout, "train,test")
        assert both.names == ["test/00000000", "train/00000000"]
        assert message(tmp_path / layout, "val") == (
            f"{layout} has no split 'val'; it has: test, train"
        )


def test_one_file_is_a_data_set(tmp_path: Path) -> None:
    shard(tmp_path / "photos.parquet", [0, 1], ["cat", "dog"])
    assert open_data(tmp_path / "photos.parquet").splits == ["all", "all"]


def test_a_folder_of_images_is_not_taken_for_parquet(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    assert not from_parquet.recognises(tmp_path)


def test_the_hubs_imagenet_names_are_recognised_as_imagenets_classes(tmp_path: Path) -> None:
    lemmas = [aliases[0] for aliases in imagenet().aliases]
    # Names must differ in a ClassLabel; the hub calls the second crane "crane2".
    names = [f"{name}2" if name in lemmas[:index] else name for index, name in enumerate(lemmas)]
    shard(tmp_path / "imagenet.parquet", [0, 517, 999], names)
    source = open_data(tmp_path / "imagenet.parquet")
    assert source.classes == imagenet()
    assert source.labels.tolist() == [0, 517, 999]


def test_a_thousand_names_in_another_order_are_not_imagenets_order(tmp_path: Path) -> None:
    names = [aliases[0] for aliases in imagenet().aliases]
    names[134], names[639] = "crane bird", "maillot2"
    names[0], names[1] = names[1], names[0]
    shard(tmp_path / "shuffled.parquet", [0, 1], names)
    source = open_data(tmp_path / "shuffled.parquet")
    assert source.classes.names[:2] == (names[0], names[1])
    assert imagenet().find(source.classes.names[:2]).tolist() == [1, 0]


def test_labels_without_names_name_themselves(tmp_path: Path) -> None:
    shard(tmp_path / "numbers.parquet", [10, 2, 10])
    source = open_data(tmp_path / "numbers.parquet")
    assert source.classes.names == ("2", "10")
    assert source.labels.tolist() == [1, 0, 1]
    shard(tmp_path / "texts.parquet", ["dog", "cat"])
    assert open_data(tmp_path / "texts.parquet").classes.names == ("cat", "dog")


def test_other_column_names_are_found(tmp_path: Path) -> None:
    shard(tmp_path / "cifar.parquet", [0], ["apple"], image="img", label="fine_label")
    assert open_data(tmp_path / "cifar.parquet").read(0) == b"row 0"


def test_rows_without_a_label_are_left_out_and_others_keep_their_number(tmp_path: Path) -> None:
    shard(tmp_path / "some.parquet", [0, -1, 1, None], ["cat", "dog"])
    source = open_data(tmp_path / "some.parquet")
    assert source.names == ["00000000/0.JPEG", "00000002/2.JPEG"]
    assert source.read(1) == b"row 2"
    shard(tmp_path / "hidden.parquet", [-1, -1], ["cat", "dog"])
    assert message(tmp_path / "hidden.parquet") == (
        f"{tmp_path / 'hidden.parquet'} holds no labelled images (hidden test labels?); choose "
        "another --split"
    )


def test_images_beside_the_table_and_missing_ones(tmp_path: Path) -> None:
    rows = [{"image": {"bytes": None, "path": "a.png"}}, {"image": {"bytes": None, "path": None}}]
    table = pa.Table.from_pylist(rows, schema=pa.schema([("image", STRUCT)]))
    table = table.append_column("label", pa.array([0, 0]))
    pq.write_table(table, tmp_path / "t.parquet")
    (tmp_path / "a.png").write_bytes(b"beside")
    source = open_data(tmp_path / "t.parquet")
    assert [source.read(0), source.read(1)] == [b"beside", b""]


def test_a_binary_column_is_read(tmp_path: Path) -> None:
    table = pa.table({"image": pa.array([b"one", b"two"]), "label": [0, 1]})
    pq.write_table(table, tmp_path / "t.parquet")
    assert open_data(tmp_path / "t.parquet").read(1) == b"two"


def test_only_a_few_row_groups_stay_in_memory(tmp_path: Path) -> None:
    shard(tmp_path / "t.parquet", [0] * 60, ["cat"])
    source = open_data(tmp_path / "t.parquet")
    order = np.random.default_rng(0).permutation(60)
    assert [source.read(int(i)) for i in order] == [f"row {i}".encode() for i in order]
    reader = source.reader
    assert isinstance(reader, from_parquet.ParquetReader)
    assert len(reader._groups) == from_parquet.KEPT < 20


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (
            {"text": ["a"], "label": [0]},
            "has no image column; its columns: text, label; expected one of image, img, jpg, jpeg, "
            "png, webp",
        ),
        (
            {"image": [b"a"], "caption": ["b"]},
            "has no label column; its columns: image, caption; expected one of label, labels, "
            "fine_label, class, cls, target",
        ),
    ],
)
def test_a_table_without_images_or_labels_is_refused(
    columns: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    assert message(tmp_path / "t.parquet") == f"{tmp_path / 't.parquet'} {expected}"


def test_a_label_beyond_the_names_is_refused(tmp_path: Path) -> None:
    shard(tmp_path / "t.parquet", [0, 2], ["cat", "dog"])
    assert message(tmp_path / "t.parquet") == (
        f"{tmp_path / 't.parquet'}: label 2 is out of range; 2 names are declared"
    )


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and no more")
    text = message(tmp_path / "t.parquet")
    assert text.startswith(f"{tmp_path / 't.parquet'} cannot be read as Parquet (")
    assert text.endswith("); fetch it again") and "\n" not in text


@pytest.mark.parametrize("way", ["up", "absolute", "device"])
def test_a_table_names_images_of_its_own_folder_alone(tmp_path: Path, way: str) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "data").mkdir()
    path = {"up": "../secret.png", "absolute": str(tmp_path / "secret.png"), "device": "/dev/zero"}
    file = tmp_path / "data" / "x.parquet"
    rows = pa.array([{"bytes": None, "path": path[way]}],
                    pa.struct([("bytes", pa.binary()), ("path", pa.string())]))  # fmt: skip
    pq.write_table(pa.table({"image": rows, "label": [0]}), file)
    with pytest.raises(OSError) as caught:
        open_data(str(file)).read(0)
    assert str(caught.value) == (
        f"{file} names the image {path[way]!r}, which is no file in {tmp_path}/data"
    )


@pytest.mark.parametrize(
    ("image", "label", "text"),
    [
        (pa.array([10**12]), pa.array([0]), "column 'image' holds int64; expected encoded images: "
         "binary, or struct<bytes: binary, path: string>"),
        (pa.array([b"x"]), pa.array([[0]]), "column 'label' holds list<element: int64>; expected "
         "one class per image, as a number or a name"),
    ],
)  # fmt: skip
def test_columns_of_another_type_are_named(
    tmp_path: Path, image: pa.Array, label: pa.Array, text: str
) -> None:
    file = tmp_path / "x.parquet"
    pq.write_table(pa.table({"image": image, "label": label}), file)
    assert message(file) == f"{file}: {text}"


@pytest.mark.parametrize("names", [[1, 2], "ab", {"a": 0}])
def test_names_that_are_no_list_of_texts_are_refused(tmp_path: Path, names: object) -> None:
    file = tmp_path / "x.parquet"
    features = {"label": {"_type": "ClassLabel", "names": names}}
    table = pa.table({"image": [b"x"], "label": [0]}).replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )
    pq.write_table(table, file)
    assert message(file) == (
        f"{file}: the names of column 'label' are no list of texts; expected the record that "
        "datasets writes: fetch it again"
    )


def test_a_group_that_lost_rows_of_its_images_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x.parquet"
    pq.write_table(pa.table({"image": [b"a", b"b"], "label": [0, 1]}), file)
    source = open_data(str(file))
    read = pq.ParquetFile.read_row_group
    monkeypatch.setattr(
        pq.ParquetFile, "read_row_group", lambda *args, **named: read(*args, **named).slice(0, 1)
    )
    assert source.read(0) == b"a"
    with pytest.raises(OSError) as caught:
        source.read(1)
    assert str(caught.value) == f"{file} is damaged (index out of bounds): fetch it again"
