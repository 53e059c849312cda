"""Which images are trained on, held out and evaluated."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny

from lpa.datasets import open_data
from lpa.datasets.selection import sample_key
from lpa.errors import InputError
from lpa.outcomes import Samples
from lpa.training.splits import choose_parts, held_out


def digest(name: str) -> bytes:
    return hashlib.blake2b(f"evaluated:{name}".encode(), digest_size=16).digest()


def both(path: Path, train: int = 6, val: int = 2, **options: object) -> Path:
    """Folders train and val; the pictures of val are further digits than those of train."""
    tiny.folder(path / "all", train + val, **options)
    for label in sorted((path / "all").iterdir()):
        for number, file in enumerate(sorted(label.iterdir())):
            target = path / "data" / ("train" if number < train else "val") / label.name
            target.mkdir(parents=True, exist_ok=True)
            file.rename(target / file.name)
    return path / "data"


def message(*arguments: object, **options: object) -> str:
    with pytest.raises(InputError) as caught:
        choose_parts(*arguments, **options).read()
    return str(caught.value)


def test_a_quarter_of_each_digit_is_evaluated_and_the_rest_trains() -> None:
    chosen = choose_parts("digits")
    parts = chosen.read()
    _, labels = tiny.digits()
    for label in range(10):
        count = int((labels == label).sum())
        names = [f"{row:05d}" for row in np.flatnonzero(labels == label)]
        evaluated = {parts.test.samples.name[i] for i in np.flatnonzero(
            parts.test.samples.label == label)}  # fmt: skip
        assert evaluated == set(sorted(names, key=digest)[: (count + 2) // 4])
    together = np.concatenate([parts.train.samples.sample, parts.test.samples.sample])
    assert sorted(together) == list(range(1797))
    assert chosen.divided
    assert parts.duplicates == 0
    assert parts.classes.names == tuple("0123456789")


def test_the_division_depends_on_no_seed_and_the_share_is_nested() -> None:
    first, other = (choose_parts("digits", seed=seed).test_indices for seed in (0, 1))
    assert np.array_equal(first, other)
    more = choose_parts("digits", test_share=0.5).test_indices
    assert set(first) < set(more)
    assert len(more) == pytest.approx(1797 / 2, abs=10)


def test_a_selection_takes_images_from_the_training_alone() -> None:
    whole = choose_parts("digits")
    some = choose_parts("digits", per_class=7)
    assert np.array_equal(some.test_indices, whole.test_indices)
    assert np.bincount(some.train.labels[some.train_indices]).tolist() == [7] * 10
    assert set(some.train_indices) < set(whole.train_indices)
    assert some.total == 70 + len(whole.test_indices)
    limited = choose_parts("digits", limit=300, seed=5)
    assert len(limited.train_indices) == 300
    assert not set(limited.train_indices) & set(limited.test_indices)


def test_the_evaluated_split_is_the_one_that_a_scan_measures(tmp_path: Path) -> None:
    data = both(tmp_path)
    parts = choose_parts(data).read()
    scanned = open_data(data)
    assert parts.test.samples.name == tuple(scanned.names)
    assert parts.test.samples.sample.tolist() == list(range(20))
    assert set(parts.train.samples.split) == {"train"}
    assert len(parts.train) == 60
    read = parts.train.source.read(int(parts.train.samples.sample[7]))
    assert read == (data / "train" / parts.train.samples.name[7]).read_bytes()
    shutil.copytree(data / "val", data / "test")
    assert set(choose_parts(data, split="test").read().test.samples.split) == {"test"}


def test_a_source_that_is_open_is_parted_by_its_splits(tmp_path: Path) -> None:
    data = both(tmp_path)
    parts = choose_parts(open_data(data, "train,val")).read()
    assert set(parts.train.samples.split) == {"train"}
    assert set(parts.test.samples.split) == {"val"}
    assert len(parts.train) == 60
    assert len(parts.test) == 20


def test_images_in_memory_are_divided() -> None:
    images, labels = tiny.digits()
    parts = choose_parts((images[:100], labels[:100])).read()
    assert len(parts.train) + len(parts.test) == 100


def test_a_folder_with_a_single_split_is_divided_whatever_its_name(tmp_path: Path) -> None:
    data = tiny.folder(tmp_path / "val", 8)
    chosen = choose_parts(data)
    assert chosen.divided
    assert len(chosen.test_indices) == 20
    tiny.folder(tmp_path / "only" / "train", 8)
    assert choose_parts(tmp_path / "only").divided


def test_an_image_that_is_evaluated_is_never_trained_on(tmp_path: Path) -> None:
    data = both(tmp_path)
    # The same bytes under another name and in another class.
    shutil.copy(data / "val" / "two" / "006.png", data / "train" / "two" / "copy.png")
    shutil.copy(data / "val" / "two" / "007.png", data / "train" / "nine" / "again.png")
    parts = choose_parts(data).read()
    assert parts.duplicates == 2
    assert len(parts.train) == 60
    assert not {"two/copy.png", "nine/again.png"} & set(parts.train.samples.name)
    assert len(parts.test) == 20
    keys = {sample_key(file.read_bytes()) for file in (data / "val").rglob("*.png")}
    assert not keys & set(parts.train.samples.key.tolist())


def test_a_class_whose_training_images_are_all_evaluated_ones_is_named(tmp_path: Path) -> None:
    data = both(tmp_path, 2, 2)
    for file in (data / "train" / "two").iterdir():
        shutil.copy(data / "val" / "two" / "003.png", file)
    assert message(data) == (
        "all images of class 'two' to train on are among the evaluated ones of data too; expected "
        "other images: give another --train-split"
    )


class Counting:
    """A reader that counts."""

    def __init__(self, reader: object) -> None:
        self.reader = reader
        self.read: list[int] = []

    def __call__(self, index: int) -> object:
        self.read.append(index)
        return self.reader(index)


def test_what_an_earlier_table_knows_is_not_read_again(tmp_path: Path) -> None:
    data = both(tmp_path)
    shutil.copy(data / "val" / "two" / "006.png", data / "train" / "two" / "copy.png")
    before = choose_parts(data).read()
    chosen = choose_parts(data)
    counting = Counting(chosen.train.reader)
    object.__setattr__(chosen.train, "reader", counting)
    ticks: list[int] = []
    again = chosen.read(
        2, ticks.append, known_train=before.train.samples, known_test=before.test.samples
    )
    # Only the copy, which the earlier table had left out.
    assert [chosen.train.names[index] for index in counting.read] == ["two/copy.png"]
    assert again.train.samples.fingerprint == before.train.samples.fingerprint
    assert again.test.samples.fingerprint == before.test.samples.fingerprint
    assert again.duplicates == 1
    assert sum(ticks) == chosen.total == 81


def test_a_table_of_other_images_is_not_believed(tmp_path: Path) -> None:
    data = both(tmp_path)
    known = choose_parts(data).read().train.samples
    (data / "train" / "two" / "000.png").rename(data / "train" / "two" / "zzz.png")
    again = choose_parts(data).read(known_train=known).train.samples
    expected = choose_parts(data).read().train.samples
    assert again.fingerprint == expected.fingerprint


def table(labels: list[int], keys: list[int]) -> Samples:
    count = len(labels)
    return Samples(
        sample=np.arange(count),
        key=np.array(keys, dtype=np.uint64),
        name=tuple(f"{row:03d}" for row in range(count)),
        label=np.array(labels),
        split=np.full(count, "train"),
        size=np.ones(count),
    )


def test_the_lowest_keys_of_each_class_are_held_out() -> None:
    samples = table([0, 0, 0, 0, 1, 1, 1, 1, 2], [9, 3, 7, 5, 10, 40, 30, 20, 1])
    assert held_out(samples, 0.5).tolist() == [0, 1, 0, 1, 1, 0, 0, 1, 0]
    # One of each class that has two, however small the share; never all.
    assert np.flatnonzero(held_out(samples, 0.01)).tolist() == [1, 4]
    assert np.flatnonzero(~held_out(samples, 0.99)).tolist() == [0, 5, 8]
    assert not held_out(samples, 0.0).any()


def test_copies_of_an_image_are_held_out_together() -> None:
    samples = table([0, 0, 0, 1, 1, 1], [4, 4, 8, 9, 4, 7])
    assert held_out(samples, 0.4).tolist() == [1, 1, 0, 0, 1, 0]
    # A class of one image in many copies is trained on.
    assert not held_out(table([0, 0, 0], [4, 4, 4]), 0.5).any()


def test_a_class_of_copies_of_what_another_holds_out_is_trained_on() -> None:
    """Class 1 has nothing but copies of image 3, the lowest of class 0."""
    samples = table([0, 0, 0, 1, 1, 2, 2], [3, 8, 9, 3, 3, 5, 6])
    assert held_out(samples, 0.3).tolist() == [1, 0, 0, 0, 0, 1, 0]
    generator = np.random.default_rng(0)
    for _ in range(50):
        labels = generator.integers(0, 4, 12).tolist()
        samples = table(labels, generator.integers(1, 5, 12).tolist())
        out = held_out(samples, 0.5)
        assert set(samples.label[~out]) == set(labels)


def test_data_with_one_class_are_refused(tmp_path: Path) -> None:
    assert message(tiny.folder(tmp_path / "data", 4, classes=[3])) == (
        "data has one class, 'three'; expected at least two to tell apart"
    )


def test_a_class_that_one_part_lacks_is_named(tmp_path: Path) -> None:
    data = both(tmp_path)
    shutil.rmtree(data / "train" / "two")
    tail = (
        "expected the same classes in both parts: mend the data, choose another --train-split, or "
        "raise --limit"
    )
    assert message(data) == (
        f"class 'two' of split 'val' has no images in split 'train' of data; {tail}"
    )
    shutil.rmtree(data / "val" / "two")
    shutil.rmtree(data / "val" / "nine")
    shutil.rmtree(data / "val" / "one")
    assert message(data) == (
        "class 'nine' of split 'train' has no images in split 'val' of data (2 such classes); "
        + tail
    )
    assert message("digits", limit=1).startswith("class '")
    assert message("digits", limit=1).endswith(
        f"' of digits has no images to train on (9 such classes); {tail}"
    )


def test_a_missing_training_split_is_answered_with_those_there_are(tmp_path: Path) -> None:
    data = both(tmp_path)
    (data / "train").rename(data / "test")
    assert message(data) == (
        "data has no split 'train' to train on; it has: test, val: choose one with --train-split"
    )
    assert len(choose_parts(data, train_split="test").read().train) == 60
    assert message(data, train_split="training") == (
        "data has no split 'training' to train on; it has: test, val: choose one with --train-split"
    )
    assert message("digits", train_split="train") == (
        "digits has no split 'train' to train on; it has: all: choose one with --train-split"
    )


def test_the_same_split_for_both_is_refused(tmp_path: Path) -> None:
    data = both(tmp_path)
    for options, split in (({"train_split": "val"}, "val"), ({"split": "train"}, "train")):
        assert message(data, **options) == (
            f"split {split!r} of data would be both trained on and evaluated; expected two "
            "different ones: choose them with --train-split and --split"
        )


def test_a_class_of_one_image_cannot_be_divided(tmp_path: Path) -> None:
    data = tiny.folder(tmp_path / "data", 3)
    for file in sorted((data / "two").iterdir())[1:]:
        file.unlink()
    assert message(data) == (
        "class 'two' of data has one image, and the data have one split; expected at least 2 "
        "images a class, one to train on and one to evaluate: give data with splits, or more images"
    )


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    assert message("digits", test_share=share) == (
        f"--test-share {share:g} is out of range; expected more than 0, less than 1"
    )


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    data = both(tmp_path)
    chosen = choose_parts(data)
    (data / "train" / "two" / "000.png").unlink()
    with pytest.raises(InputError) as caught:
        chosen.read()
    assert str(caught.value).startswith(f"{data} cannot be read ([Errno 2] No such file")
