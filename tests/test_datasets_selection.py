from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from lpa.datasets import Source, index_samples, select
from lpa.datasets.selection import sample_key
from lpa.datasets.source import Entry, assemble, classes_of_labels
from lpa.errors import InputError


def source(count: int = 300, classes: int = 7, step: int = 1) -> Source:
    """Return a source whose bytes are its names; `step` changes the order of making."""
    entries = [
        Entry(f"{index:04d}.png", index % classes, "all", f"{index:04d}.png".encode())
        for index in range(count)
    ][::step]
    names = classes_of_labels(str(label) for label in range(classes))
    return assemble("made", names, entries, "nowhere", Reader)


class Reader:
    def __init__(self, contents: list[bytes]) -> None:
        self.contents = contents

    def __call__(self, index: int) -> bytes:
        return self.contents[index]


def test_everything_is_selected_without_options() -> None:
    np.testing.assert_array_equal(select(source()), np.arange(300))


def test_each_class_gets_its_number_and_smaller_classes_all_they_have() -> None:
    made = source(30, 7)
    chosen = select(made, per_class=5)
    counts = Counter(made.labels[chosen].tolist())
    assert counts == {0: 5, 1: 5, 2: 4, 3: 4, 4: 4, 5: 4, 6: 4}
    assert chosen.tolist() == sorted(set(chosen.tolist()))


def test_the_selected_of_a_class_have_the_lowest_digests() -> None:
    made = source()

    def digest(index: int) -> str:
        return hashlib.blake2b(f"4:{made.names[index]}".encode(), digest_size=16).hexdigest()

    for label in range(7):
        members = [index for index in range(300) if index % 7 == label]
        expected = sorted(sorted(members, key=digest)[:3])
        chosen = select(made, per_class=3, seed=4)
        assert [i for i in chosen.tolist() if i % 7 == label] == expected


@pytest.mark.parametrize("option", ["per_class", "limit"])
def test_a_larger_selection_contains_the_smaller(option: str) -> None:
    chosen = [set(select(source(), **{option: number}).tolist()) for number in (1, 2, 5, 11, 40)]
    assert all(small < large for small, large in itertools.pairwise(chosen))


def test_the_limit_chooses_among_what_is_left_of_each_class() -> None:
    both = select(source(), per_class=4, limit=10)
    assert len(both) == 10
    assert set(both.tolist()) < set(select(source(), per_class=4).tolist())


def test_a_selection_does_not_depend_on_the_order_of_files() -> None:
    np.testing.assert_array_equal(
        select(source(step=1), per_class=3), select(source(step=-1), per_class=3)
    )


def test_another_seed_selects_other_samples() -> None:
    assert select(source(), limit=50).tolist() != select(source(), limit=50, seed=1).tolist()


def test_a_selection_is_spread_over_the_data_set() -> None:
    mean = select(source(2000, 1), limit=500).mean()
    # Uniform without replacement: standard error 2000 / sqrt(12 * 500) * sqrt(.75) = 22.
    assert abs(mean - 999.5) < 5 * 22


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("per_class", "--per-class 0 selects nothing; expected at least 1"),
        ("limit", "--limit 0 selects nothing; expected at least 1"),
    ],
)
def test_a_selection_of_nothing_is_refused(option: str, text: str) -> None:
    with pytest.raises(InputError) as caught:
        select(source(), **{option: 0})
    assert str(caught.value) == text


def test_the_table_of_samples_holds_what_was_read() -> None:
    made = source(200)
    chosen = select(made, limit=150)
    counted: list[int] = []
    samples = index_samples(made, chosen, np.arange(7)[::-1], workers=3, progress=counted.append)
    assert len(samples) == 150 == sum(counted)
    assert len(counted) > 1
    np.testing.assert_array_equal(samples.sample, chosen)
    assert samples.name == tuple(f"{index:04d}.png" for index in chosen)
    assert samples.label.tolist() == [6 - index % 7 for index in chosen]
    assert set(samples.split.tolist()) == {"all"}
    assert set(samples.size.tolist()) == {8}
    digests = [hashlib.blake2b(name.encode(), digest_size=8).digest() for name in samples.name]
    assert samples.key.tolist() == [int.from_bytes(digest, "little") for digest in digests]


def test_samples_of_a_class_outside_the_run_are_left_out_unread() -> None:
    made = source(70)
    labels = np.array([0, -1, 1, -1, -1, -1, -1])

    def only_wanted(index: int) -> bytes:
        assert index % 7 in (0, 2)
        return b"x"

    samples = index_samples(replace(made, reader=only_wanted), np.arange(70), labels)
    assert samples.sample.tolist() == [i for i in range(70) if i % 7 in (0, 2)]
    assert samples.label.tolist() == [0 if i % 7 == 0 else 1 for i in samples.sample]


def failing(index: int) -> bytes:
    raise OSError("stale file handle")


def test_a_file_that_cannot_be_read_is_no_sample_but_an_error() -> None:
    with pytest.raises(OSError, match="stale file handle"):
        index_samples(replace(source(), reader=failing), np.arange(300), np.arange(7))


def test_pixels_have_keys_that_know_their_shape() -> None:
    array = np.arange(12, dtype=np.uint8)
    keys = {sample_key(array.reshape(shape)) for shape in ((3, 4), (4, 3), (2, 2, 3))}
    assert len(keys) == 3
    turned = np.ascontiguousarray(array.reshape(3, 4).T).T
    assert sample_key(turned) == sample_key(array.reshape(3, 4))


def test_the_size_of_pixels_is_their_number_of_bytes() -> None:
    reader: Callable[[int], np.ndarray] = lambda index: np.zeros((4, 5, 3), np.uint8)  # noqa: E731
    samples = index_samples(replace(source(3), reader=reader), np.arange(3), np.arange(7))
    assert samples.size.tolist() == [60, 60, 60]
