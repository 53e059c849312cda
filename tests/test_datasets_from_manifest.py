from __future__ import annotations

from pathlib import Path

import pytest

from lpa.datasets import open_data
from lpa.errors import InputError


def manifest(root: Path, text: str, encoding: str = "utf-8") -> Path:
    for name in ("a.png", "b.png", "deep/c.png"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(name.encode())
    (root / "list.csv").write_text(text, encoding=encoding)
    return root / "list.csv"


def message(path: Path, split: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        open_data(path, split)
    return str(caught.value)


def test_paths_are_relative_to_the_manifest_and_other_columns_ignored(tmp_path: Path) -> None:
    path = manifest(tmp_path, "label,note,path\ndog,x,./deep/c.png\ncat,y,a.png\n")
    source = open_data(str(path))
    assert source.names == ["a.png", "deep/c.png"]
    assert source.classes.names == ("cat", "dog")
    assert source.labels.tolist() == [0, 1]
    assert source.splits == ["all", "all"]
    assert source.read(1) == b"deep/c.png"


def test_a_column_gives_splits(tmp_path: Path) -> None:
    text = "path,label,split\na.png,cat,train\nb.png,dog,val\ndeep/c.png,cat,val\n"
    path = manifest(tmp_path, text)
    assert open_data(path).names == ["b.png", "deep/c.png"]
    assert open_data(path, "train").names == ["a.png"]
    both = open_data(path, "train,val")
    assert both.names == ["train/a.png", "val/b.png", "val/deep/c.png"]
    assert message(path, "test") == "list.csv has no split 'test'; it has: train, val"


def test_synsets_and_absolute_paths_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = manifest(tmp_path, f"path,label\n{tmp_path / 'a.png'},n01440764\n", "utf-8-sig")
    source = open_data(path)
    assert source.classes.labels == ("tench",)
    assert source.read(0) == b"a.png"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "file,label\na.png,cat\n",
            ", line 1: no column 'path' among file, label; expected path,label or path,label,split",
        ),
        ("", ", line 1: no column 'path' among none; expected path,label or path,label,split"),
        (
            "path,label\na.png,cat\nb.png,\n",
            ", line 3, column 'label': the cell is empty; expected a name",
        ),
        (
            "path,label\n,cat\n",
            ", line 2, column 'path': the cell is empty; expected a path",
        ),
        (
            "path,label\na.png\n",
            ", line 2, column 'label': the cell is empty; expected a name",
        ),
        (
            "path,label,split\na.png,cat,\n",
            ", line 2, column 'split': the cell is empty; expected a name",
        ),
        (
            "path,label\na.png,cat\nnone.png,dog\n",
            ", line 3, column 'path': 'none.png' is no file; expected a path relative to the "
            "manifest",
        ),
        (
            "path,label\na.png,cat\nb.png,cat\n./a.png,dog\n",
            ", line 4, column 'path': './a.png' stands already in line 2; list each image once",
        ),
    ],
)
def test_an_error_names_line_and_column(text: str, expected: str, tmp_path: Path) -> None:
    path = manifest(tmp_path, text)
    assert message(path) == str(path) + expected


def test_a_manifest_without_rows_is_refused(tmp_path: Path) -> None:
    path = manifest(tmp_path, "path,label\n")
    assert message(path) == f"no images in {path}; expected one line per image below path,label"


def test_a_manifest_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = manifest(tmp_path, "path,label\na.png,Löwe\n", "latin-1")
    assert message(path).startswith(f"{path} cannot be read as CSV (")
