from __future__ import annotations

import numpy as np

from lpa.statistics.halves import image_halves, run_halves


def test_every_class_is_halved_and_every_image_chosen_equally_often() -> None:
    labels = np.random.default_rng(0).permutation(np.repeat([0, 2, 5, 9], [7, 1, 4, 2]))
    halves = image_halves(labels, 3000, seed=1)
    assert halves.labels.tolist() == [0, 5, 9] and halves.left_out == 1
    assert halves.n.tolist() == [7, 4, 2]
    for label, places, chosen in zip(halves.labels, halves.images, halves.chosen, strict=True):
        assert (labels[places] == label).all()
        assert (chosen.sum(axis=1) == len(places) // 2).all()
        share = (len(places) // 2) / len(places)
        assert abs(chosen.mean(axis=0) - share).max() < 0.04


def test_the_seed_decides_the_halves() -> None:
    labels = np.repeat([0, 1], 10)
    one, again, other = (image_halves(labels, 5, seed).chosen[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_runs_are_halved_within_each_value_and_weigh_one_together() -> None:
    runs = np.array([2, 5, 3])
    choosing, scoring = run_halves(runs, 50, seed=0)
    for first, last in ((0, 2), (2, 7), (7, 10)):
        np.testing.assert_allclose(choosing[:, first:last].sum(axis=1), 1)
        np.testing.assert_allclose(scoring[:, first:last].sum(axis=1), 1)
        number = last - first
        assert ((choosing[:, first:last] > 0).sum(axis=1) == number // 2).all()
    np.testing.assert_array_equal(choosing > 0, scoring == 0)


def test_no_class_with_enough_images_is_no_half() -> None:
    halves = image_halves(np.array([0, 1, 2]), 5, seed=0)
    assert len(halves.labels) == 0 and halves.left_out == 3 and halves.images == []
    assert len(image_halves(np.array([], dtype=np.int64), 5, seed=0).labels) == 0
