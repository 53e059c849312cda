"""Data sets with a name, the idx files, and what is said of names that are none."""

from __future__ import annotations

import gzip
import importlib.util
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lpa.classes import Classes, imagenet
from lpa.datasets import DATASETS, list_datasets, open_data
from lpa.datasets.decode import decode
from lpa.datasets.from_idx import FASHION_CLASSES
from lpa.datasets.source import Entry, assemble, choose_splits, classes_of_labels
from lpa.errors import InputError


def message(spec: object, split: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        open_data(spec, split)
    return str(caught.value)


class TestDigits:
    def test_grey_levels_0_to_16_become_0_to_255(self) -> None:
        from sklearn.datasets import load_digits

        source, digits = open_data("digits"), load_digits()
        assert len(source) == 1797 and len(source.classes) == 10
        assert source.labels.tolist() == digits.target.tolist()
        level = [0, 16, 32, 48, 64, 80, 96, 112, 128, 143, 159, 175, 191, 207, 223, 239, 255]
        for index in (0, 5, 1796):
            expected = [[level[int(value)] for value in row] for row in digits.images[index]]
            assert np.asarray(source.read(index)).tolist() == expected

    def test_there_is_no_split(self) -> None:
        assert message("digits", "val") == (
            "digits has no split 'val'; it has: all; leave --split away"
        )


class TestIdx:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        root = tmp_path / "FashionMNIST" / "raw"
        root.mkdir(parents=True)
        for prefix, count in (("train", 3), ("t10k", 2)):
            pixels = np.arange(count * 6, dtype=np.uint8)
            (root / f"{prefix}-images-idx3-ubyte").write_bytes(
                struct.pack(">4B3I", 0, 0, 8, 3, count, 2, 3) + pixels.tobytes()
            )
            with gzip.open(root / f"{prefix}-labels-idx1-ubyte.gz", "wb") as file:
                file.write(struct.pack(">4BI", 0, 0, 8, 1, count) + bytes([9, 0, 4][:count]))
        return tmp_path

    def test_torchvisions_folder_is_found_below_its_root(self, folder: Path) -> None:
        source = open_data(f"fashion-mnist={folder}")
        assert source.classes.names == FASHION_CLASSES
        assert [source.classes.labels[label] for label in source.labels] == [
            "Ankle boot",
            "T-shirt/top",
        ]
        assert source.splits == ["test", "test"]
        assert np.asarray(source.read(1)).tolist() == [[6, 7, 8], [9, 10, 11]]

    def test_torchvision_reads_the_same(self, folder: Path) -> None:
        from torchvision.datasets import FashionMNIST

        for prefix in ("train", "t10k"):
            labels = folder / "FashionMNIST" / "raw" / f"{prefix}-labels-idx1-ubyte.gz"
            labels.with_suffix("").write_bytes(gzip.decompress(labels.read_bytes()))
        theirs = FashionMNIST(str(folder), train=True)
        ours = open_data(f"fashion-mnist={folder}", "train")
        assert tuple(theirs.classes) == FASHION_CLASSES
        for index, (image, label) in enumerate(theirs):
            np.testing.assert_array_equal(ours.read(index), np.asarray(image))
            assert ours.labels[index] == label

    def test_both_splits(self, folder: Path) -> None:
        source = open_data(folder / "FashionMNIST" / "raw", "train,test")
        assert source.names == [
            "test/00000",
            "test/00001",
            "train/00000",
            "train/00001",
            "train/00002",
        ]

    def test_a_folder_without_the_files_tells_the_ways_out(self, tmp_path: Path) -> None:
        assert message(f"fashion-mnist={tmp_path}") == (
            f"fashion-mnist is not in {tmp_path}; apt-get install dataset-fashion-mnist, or give "
            "the folder of its idx files: --data fashion-mnist=PATH"
        )

    def test_a_file_that_is_cut_short_is_named(self, folder: Path) -> None:
        path = folder / "FashionMNIST" / "raw" / "t10k-images-idx3-ubyte"
        path.write_bytes(path.read_bytes()[:-1])
        assert message(f"fashion-mnist={folder}") == (
            f"{path} is no idx file of bytes, or is cut short; fetch it again"
        )

    def test_missing_labels_are_told(self, folder: Path) -> None:
        root = folder / "FashionMNIST" / "raw"
        (root / "t10k-labels-idx1-ubyte.gz").unlink()
        assert message(f"fashion-mnist={folder}") == (
            f"{root} has no labels of split 'test'; fetch the folder again"
        )


@pytest.mark.sample
class TestSample:
    def test_twenty_photographs_of_nineteen_classes(self) -> None:
        source = open_data("imagenet-sample")
        assert (len(source), len(source.classes)) == (20, 19)
        expected = [int(Path(name).stem.split("_")[-1]) for name in source.names]
        found = imagenet().find(source.classes.names)
        assert found[source.labels].tolist() == expected
        assert source.classes.labels[int(source.labels[0])] == "bull mastiff"
        sizes = sorted(decode(source.read(index)).size for index in range(20))
        assert sizes == [(512, 512)] * 19 + [(1024, 683)]
        assert "foolbox" not in sys.modules


def test_without_the_package_the_sample_tells_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert message("imagenet-sample") == (
        "data set 'imagenet-sample' comes with the package foolbox, which is not installed; pip "
        'install "lpa[sample]", or give your own images: --data PATH'
    )


def test_an_unknown_name_gets_the_nearest() -> None:
    assert message("imagenet-samples") == (
        "unknown data set 'imagenet-samples': did you mean 'imagenet-sample'? (a path that exists, "
        "or hub:OWNER/NAME[:CONFIGURATION], torchvision:NAME=PATH)"
    )


def test_an_empty_name_is_unknown() -> None:
    assert message("").startswith("unknown data set '': known: digits, digits-0-4, digits-5-9, ")


@pytest.mark.parametrize("form", ["{}", "imagenet={}", "fashion-mnist={}"])
def test_a_path_that_does_not_exist_says_so(form: str, tmp_path: Path) -> None:
    path = str(tmp_path / "none")
    assert message(form.format(path)) == (
        f"data path {path!r} does not exist; expected a folder of images, a CSV manifest or "
        "Parquet files, or one of imagenet-sample, digits, digits-0-4, digits-5-9, fashion-mnist, "
        "inat, inat2021, inat2019, inat2018, inat2017"
    )


def test_imagenet_without_a_path_shows_the_form() -> None:
    assert message("imagenet") == "imagenet needs the folder that holds it; write imagenet=PATH"


def test_a_file_of_no_format_lists_the_formats(tmp_path: Path) -> None:
    (tmp_path / "data.zip").write_bytes(b"")
    assert message(tmp_path / "data.zip").startswith(
        f"'{tmp_path / 'data.zip'}' is in no known format; expected a CSV file with the columns "
    )


def test_a_name_before_the_path_is_the_name_of_the_source(tmp_path: Path) -> None:
    (tmp_path / "photos=new" / "cat").mkdir(parents=True)
    (tmp_path / "photos=new" / "cat" / "a.png").write_bytes(b"x")
    assert open_data(f"mine={tmp_path / 'photos=new'}").name == "mine"
    assert open_data(tmp_path / "photos=new").name == "photos=new"


def test_every_data_set_is_listed_without_importing_torch() -> None:
    code = "import sys, lpa.datasets as d; print(len(d.list_datasets()), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(len(list_datasets())), "False"]
    assert set(DATASETS) <= {row["form"] for row in list_datasets()}


class TestSource:
    def made(self, labels: list[int], classes: Classes, split: str = "val") -> bool:
        entries = [Entry(f"{index:05d}", label, split, index) for index, label in enumerate(labels)]
        return assemble("made", classes, entries, "nowhere", lambda places: bytes).published

    def test_the_published_validation_set_is_told_by_its_counts(self) -> None:
        labels = [label for label in range(1000) for _ in range(50)]
        assert self.made(labels, imagenet())
        assert self.made(labels, imagenet().subset(range(999, -1, -1)), "all")
        assert not self.made(labels, imagenet(), "train")
        assert not self.made([*labels[:-1], 0], imagenet())
        assert not self.made(labels[:-1], imagenet())
        assert not self.made(labels, Classes(tuple(str(index) for index in range(1000))))

    def test_names_that_stand_twice_are_refused(self) -> None:
        entries = [Entry("a", 0, "all", 1), Entry("a", 0, "all", 2)]
        with pytest.raises(InputError) as caught:
            assemble("made", Classes(("x",)), entries, "there", lambda places: bytes)
        assert str(caught.value) == "there: 'a' stands twice; names must be unique"

    @pytest.mark.parametrize(
        ("present", "wanted", "expected"),
        [
            (["train", "val", "test"], None, ["val"]),
            (["train", "test"], None, ["test"]),
            (["train", "validation"], "val", ["validation"]),
            (["train", "valid"], "validation", ["valid"]),
            (["train", "training", "val"], "training,val", ["training", "val"]),
            (["a", "b"], None, ["a", "b"]),
        ],
    )
    def test_splits_are_chosen(
        self, present: list[str], wanted: str | None, expected: list[str]
    ) -> None:
        assert choose_splits(present, wanted, "made") == expected

    def test_classes_are_sorted_as_text_unless_all_are_numbers(self) -> None:
        assert classes_of_labels(["10", "9", "1"]).names == ("1", "9", "10")
        assert classes_of_labels(["10", "9", "a"]).names == ("10", "9", "a")
