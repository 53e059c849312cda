from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from synthetic import CROP, made_up_samples, write_run

from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.statistics.halves import image_halves
from lpa.statistics.worst_classes import COLUMNS, split_worst, worst_classes


def test_naive_is_the_mean_of_the_smallest_accuracies(tmp_path: Path) -> None:
    names = [f"c{k}" for k in range(9)]
    outcomes = Outcomes(write_run(
        tmp_path / "run", names=names, titles=names, per_class=[5, 9, 4, 8, 3, 12, 1, 6, 2],
        models=["m"], axes={CROP: (1.0, 0.5, 0.2)}, draws=3, pictures=False,
    ))  # fmt: skip
    table = worst_classes(outcomes, ks=(1, 3, 100), halvings=20)
    assert tuple(table.columns) == COLUMNS
    counts = outcomes.counts
    for row in table.itertuples():
        mine = counts[(counts["value"] == row.value) & (counts["n"] > 1)]
        sums = mine.groupby("class")[["correct", "n"]].sum()
        each = sorted(sums["correct"] / sums["n"])
        assert row.naive == pytest.approx(sum(each[: row.k]) / row.k)
        assert (row.classes, row.n, row.level) == (8, 49, "image")
        assert row.draws == (1 if row.value == 1.0 else 3)
    assert len(table) == 3 * 2
    assert table.attrs["notes"] == [
        "m on crop: 1 classes with fewer than 2 images are left out",
        "m on crop: worst 100 left out, not fewer than half of 8",
    ]


def test_halved_equals_a_slow_loop_over_the_same_halves() -> None:
    generator = np.random.default_rng(0)
    labels = generator.permutation(np.repeat(np.arange(7), [5, 2, 9, 4, 4, 6, 3]))
    shares = generator.integers(0, 5, (3, len(labels))) / 4 + 1e-6 * generator.random(len(labels))
    halves = image_halves(labels, 11, 0)
    ours = split_worst(shares, halves, (1, 2, 3))
    for v in range(3):
        for j, k in enumerate((1, 2, 3)):
            means = []
            for h in range(11):
                pairs = [
                    (shares[v, places[chosen[h]]].mean(), shares[v, places[~chosen[h]]].mean())
                    for places, chosen in zip(halves.images, halves.chosen, strict=True)
                ]
                means.append(np.mean([score for _, score in sorted(pairs)[:k]]))
            assert ours[j, v] == pytest.approx(np.mean(means))


@pytest.mark.parametrize("spread", [0.0, 0.1])
def test_the_truth_lies_between_the_two(spread: float) -> None:
    generator = np.random.default_rng(1)
    naive, halved = [], []
    truth = np.sort(np.clip(0.75 + spread * generator.standard_normal(60), 0.05, 0.98))
    labels = np.repeat(np.arange(60), 25)
    halves = image_halves(labels, 20, 0)
    for _ in range(300):
        shares = (generator.random((1, len(labels))) < truth[labels]).astype(float)
        naive.append(np.sort(shares.reshape(60, 25).mean(axis=1))[:6].mean())
        halved.append(split_worst(shares, halves, (6,))[0, 0])
    error = 3 * np.std(halved) / np.sqrt(300)
    worst = truth[:6].mean()
    assert np.mean(naive) < worst - 0.02
    assert np.mean(halved) >= worst - error
    if not spread:
        assert abs(np.mean(halved) - worst) < error


def test_a_number_of_classes_below_one_is_refused(tmp_path: Path) -> None:
    outcomes = Outcomes(write_run(tmp_path / "run", pictures=False))
    with pytest.raises(InputError) as caught:
        worst_classes(outcomes, ks=(0,))
    assert str(caught.value) == "the worst 0 classes: expected at least 1"


def test_a_run_of_one_class_has_no_worst(tmp_path: Path) -> None:
    outcomes = Outcomes(write_run(
        tmp_path / "run", names=["a"], titles=["a"], models=["m"], axes={CROP: (1.0, 0.5)},
        samples=made_up_samples(1, 6), pictures=False,
    ))  # fmt: skip
    table = worst_classes(outcomes)
    assert len(table) == 0 and tuple(table.columns) == COLUMNS


def test_a_thousand_classes_at_twenty_values_take_a_moment() -> None:
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(1000), 50)
    shares = generator.integers(0, 9, (20, 50_000)) / 8
    start = time.perf_counter()
    split_worst(shares, image_halves(labels, 200, 0), (1, 10, 100))
    assert time.perf_counter() - start < 5
