"""Data handed over in Python: torch data sets, arrays; and the class names they need."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lpa.datasets import Source, open_data
from lpa.datasets.files import FileReader
from lpa.errors import InputError


class Items(torch.utils.data.Dataset):
    def __init__(self, items: list[Any], **attributes: Any) -> None:
        self.items = items
        self.taken: list[int] = []
        self.__dict__.update(attributes)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        self.taken.append(index)
        return self.items[index]


GREY = np.full((4, 5), 7, np.uint8)


def message(spec: Any, split: str | None = None, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        open_data(spec, split, **options)
    return str(caught.value)


def test_floats_are_rounded_to_whole_grey_levels() -> None:
    values = torch.tensor([0.0, 0.4999 / 255, 0.5001 / 255, 1.0, 127 / 255, 1.0000001])
    image = values.repeat(3, 2, 1)
    pixels = open_data(Items([(image, 0)])).read(0)
    assert np.asarray(pixels)[0, :, 0].tolist() == [0, 0, 1, 255, 127, 255]


def test_every_grey_level_survives_the_way_through_floats() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    pixels = open_data(Items([(torch.from_numpy(levels)[None].float() / 255, 0)])).read(0)
    np.testing.assert_array_equal(pixels, levels)


def test_normalised_floats_are_refused_with_the_way_out() -> None:
    image = torch.zeros(3, 4, 4)
    image[0, 0, 0], image[1, 1, 1] = -2.118, 2.64
    assert message(Items([(image, 0)])) == (
        "item 0: float pixels from -2.12 to 2.64; expected 0 to 1 (take Normalize out of the data "
        "set's transform: each model normalises for itself)"
    )


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (np.full((2, 2), np.nan), "item 0: float pixels from nan to nan; expected 0 to 1"),
        (np.zeros((2, 2), np.int64), "item 0: pixels of type int64; expected uint8, or floats"),
        (
            torch.zeros(4, 3, 3),
            "item 0: Tensor of shape (4, 3, 3) is no image; expected a PIL image, an array [H, W] "
            "or [H, W, 3], or a tensor [3, H, W]",
        ),
        (np.zeros((0, 4)), "item 0: ndarray of shape (0, 4) is no image"),
    ],
)
def test_what_is_no_image_is_refused(image: Any, expected: str) -> None:
    assert message(Items([(image, 0)])).startswith(expected)


def test_labels_are_listed_without_decoding_where_the_data_set_lists_them() -> None:
    items = Items([(GREY, label) for label in (2, 0, 1)] * 5, targets=[2, 0, 1] * 5)
    source = open_data(items)
    assert source.labels.tolist() == [2, 0, 1] * 5
    assert set(items.taken) == {0}


def test_listed_labels_that_are_not_those_of_the_items_are_not_believed() -> None:
    items = Items([(GREY, label) for label in (1, 0)], targets=[0, 1])
    assert open_data(items).labels.tolist() == [1, 0]


def test_names_come_from_the_data_set_or_the_one_it_is_a_part_of() -> None:
    whole = Items([(GREY, label) for label in (2, 0, 1)], classes=["a", ("b", "bee"), "c"])
    part = torch.utils.data.Subset(whole, [2, 0])
    source = open_data(part)
    assert source.classes.names == ("a", "b, bee", "c")
    assert source.labels.tolist() == [1, 2]


def test_labels_may_be_names() -> None:
    source = open_data(Items([(GREY, "dog"), (GREY, "cat")]))
    assert source.classes.names == ("cat", "dog")
    assert source.labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (1.5, "image 0: label 1.5 of type float; expected one class per image, as a number"),
        ([0, 1], "image 0: label [0, 1] of type list; expected one class per image, as a number"),
        (-1, "image 0: label -1 of type int; expected one class per image, as a number"),
        (2, "image 0: label 2 is out of range; 2 classes are named"),
    ],
)
def test_what_is_no_class_is_refused(label: Any, expected: str) -> None:
    assert message(Items([(GREY, label)], classes=["a", "b"])).startswith(expected)


class Random(Items):
    def __getitem__(self, index: int) -> Any:
        return torch.rand(3, 8, 8), 0


def test_a_random_transform_is_refused() -> None:
    assert message(Random([0, 1])) == (
        "the Random given: item 0 differs when it is read twice; take random augmentation out of "
        "the data set's transform"
    )


def test_an_image_folder_is_read_as_files_unless_it_has_a_transform(tmp_path: Path) -> None:
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import Grayscale

    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (4, 4), (255, 0, 0)).save(tmp_path / name / "a.png")
    as_files = open_data(ImageFolder(str(tmp_path)))
    assert isinstance(as_files.reader, FileReader)
    assert as_files.read(0) == (tmp_path / "cat" / "a.png").read_bytes()
    changed = open_data(ImageFolder(str(tmp_path), transform=Grayscale()))
    assert np.asarray(changed.read(0)).tolist() == [[76] * 4] * 4
    assert changed.classes == as_files.classes


def test_other_objects_are_refused() -> None:
    assert message(5) == (
        "data of type int cannot be read; expected a path, a name, (images, labels), or a "
        "map-style torch Dataset that yields (image, label)"
    )
    assert message({"images": 1}) == (
        "data of type dict cannot be read; expected a path, a name, (images, labels), or a "
        "map-style torch Dataset that yields (image, label)"
    )
    assert message([1, 2]) == "item 0 of list is int; expected (image, label)"
    assert message(Items([])) == (
        "no images in the Items given; give a data set that holds at least one"
    )
    assert message(Items([GREY])) == "item 0 of Items is ndarray; expected (image, label)"


def test_arrays_need_as_many_labels() -> None:
    images = np.stack([GREY, GREY])
    assert message((images, [1])) == "2 images but 1 labels; give one label per image"
    assert open_data((images, ["b", "a"])).labels.tolist() == [1, 0]
    assert message((images, [0, 1]), "val") == (
        "data in memory has no split 'val'; it has: all; leave --split away"
    )


def test_an_open_source_is_taken_as_it_is() -> None:
    source = open_data((GREY[None], [0]))
    assert isinstance(source, Source) and open_data(source) is source
    assert message(source, "val") == ("arrays is open already; choose the split when it is opened")


class TestClassNames:
    @pytest.fixture
    def images(self) -> tuple[np.ndarray, list[int]]:
        return np.stack([GREY] * 3), [2, 0, 2]

    @pytest.mark.parametrize(
        "text",
        ["ape\nbee\ncat\n", json.dumps(["ape", "bee", "cat"]), '{"cat": 2, "ape": 0, "bee": 1}'],
    )
    def test_a_file_names_classes_that_are_numbers(
        self, text: str, images: Any, tmp_path: Path
    ) -> None:
        (tmp_path / "names").write_text(text)
        source = open_data(images, classes_file=tmp_path / "names")
        assert source.classes.names == ("ape", "cat")
        assert source.labels.tolist() == [1, 0, 1]

    def test_names_of_the_data_are_kept(self, tmp_path: Path) -> None:
        (tmp_path / "names").write_text("ape\nbee\n")
        source = open_data((GREY[None], ["dog"]), classes_file=str(tmp_path / "names"))
        assert source.classes.names == ("dog",)

    def test_too_few_names_are_told(self, images: Any, tmp_path: Path) -> None:
        (tmp_path / "names").write_text("ape\nbee\n")
        assert message(images, classes_file=tmp_path / "names") == (
            f"classes file '{tmp_path / 'names'}' names 2 classes, but arrays has class 2; give a "
            "name for each, in the order of their indices from 0"
        )

    def test_indices_with_gaps_are_told(self, images: Any, tmp_path: Path) -> None:
        (tmp_path / "names").write_text('{"ape": 0, "bee": 2}')
        assert message(images, classes_file=tmp_path / "names") == (
            f"classes file '{tmp_path / 'names'}' does not name each output once (the indices are "
            "not 0 to 1, each once); expected a JSON list of names, or name -> index with the "
            "indices 0, 1, 2, ..."
        )

    def test_a_file_that_is_not_there_is_told(self, images: Any, tmp_path: Path) -> None:
        text = message(images, classes_file=tmp_path / "names")
        assert text.startswith(f"classes file '{tmp_path / 'names'}' cannot be read (")
