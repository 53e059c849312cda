"""Which images are held out, by class and key."""

from __future__ import annotations

import numpy as np
import probed

from lpa.datasets.held_out import held_out


def test_the_lowest_keys_of_each_class_are_held_out_and_never_all() -> None:
    labels = np.array([0] * 20 + [1] * 5 + [2] * 2 + [3])
    keys = probed.keys(28)
    out = held_out(labels, keys, 0.3)
    for label, count in enumerate([6, 2, 1, 0]):
        own = np.flatnonzero(labels == label)
        lowest = sorted(own, key=lambda row: int(keys[row]))[:count]
        assert set(own[out[own]]) == set(lowest)
    most = held_out(labels, keys, 0.99)
    assert [int((most & (labels == label)).sum()) for label in range(4)] == [19, 4, 1, 0]
    assert not held_out(labels, keys, 0.0).any()


def test_the_order_of_the_images_does_not_matter() -> None:
    labels, keys = np.arange(60) % 4, probed.keys(60)
    mixed = np.random.default_rng(0).permutation(60)
    assert np.array_equal(
        held_out(labels, keys, 0.2)[mixed], held_out(labels[mixed], keys[mixed], 0.2)
    )


def test_copies_stand_on_one_side() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1])
    keys = np.array([5, 5, 7, 9, 5, 8], dtype=np.uint64)
    # Of class 1, 5 is the lowest, as of class 0: all three images with it are held out.
    assert held_out(labels, keys, 0.2).tolist() == [True, True, False, False, True, False]
    alike = np.array([4, 4, 4], dtype=np.uint64)
    assert not held_out(np.zeros(3, dtype=np.int64), alike, 0.5).any()


def test_a_class_of_copies_of_anothers_images_is_trained_on_all_the_same() -> None:
    labels = np.array([0, 0, 0, 1])
    keys = np.array([1, 2, 3, 1], dtype=np.uint64)
    assert held_out(labels, keys, 0.2).tolist() == [True, False, False, False]
