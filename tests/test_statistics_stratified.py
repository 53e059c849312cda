from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from lpa.statistics.means import mean_interval
from lpa.statistics.stratified import stratified_mean

GENERATOR = np.random.default_rng(0)
VALUES = GENERATOR.choice([-1.0, 0.0, 0.5, 1.0], 60)
LABELS = np.repeat([3, 5, 9], [10, 20, 30])


def slowly(runs: list[tuple[float, int]]) -> tuple[float, float, float]:
    means, terms = [], []
    for label in (3, 5, 9):
        own = VALUES[label == LABELS]
        means.append(own.mean())
        terms.append((stats.sem(own) ** 2 / 9.0, len(own) - 1.0))
    terms += [(square / number, number - 1.0) for square, number in runs]
    variance = sum(part for part, _ in terms)
    freedom = variance**2 / sum(part**2 / each for part, each in terms)
    low, high = stats.t.interval(0.9, freedom, np.mean(means), np.sqrt(variance))
    return float(np.mean(means)), float(low), float(high)


@pytest.mark.parametrize("runs", [None, [(0.01, 4), (0.02, 3)]])
def test_it_is_the_slow_sum_over_classes(runs: list[tuple[float, int]] | None) -> None:
    found = stratified_mean(VALUES, LABELS, 0.9, runs)
    assert found[:3] == pytest.approx(slowly(runs or []))
    assert found.method == ("stratified t" if runs is None else "stratified t plus runs")


def test_the_order_of_images_does_not_matter() -> None:
    order = GENERATOR.permutation(60)
    assert stratified_mean(VALUES[order], LABELS[order]) == pytest.approx(
        stratified_mean(VALUES, LABELS)
    )


def test_a_single_class_has_its_own_interval() -> None:
    own = VALUES[LABELS == 5]
    found = stratified_mean(own, np.full(20, 5))
    np.testing.assert_allclose(found[1:3], mean_interval(own.sum(), (own**2).sum(), 20))
    assert found.method == "E2"


def test_classes_of_one_image_are_one_sample() -> None:
    values = np.array([0.0, 0.5, 1.0, 0.25])
    found = stratified_mean(values, np.arange(4))
    np.testing.assert_allclose(found[1:3], mean_interval(values.sum(), (values**2).sum(), 4))
    assert found.method == "E2, all images as one sample"


def test_where_nothing_varies_the_interval_has_a_width() -> None:
    found = stratified_mean(np.zeros(30), np.repeat([0, 1, 2], 10))
    assert found.low < 0 < found.high and found.mean == 0


def test_one_image_and_one_run_have_no_interval() -> None:
    assert np.isnan(stratified_mean(np.array([1.0]), np.array([0]))[1:3]).all()
    assert np.isnan(stratified_mean(VALUES, LABELS, runs=[(0.1, 1)])[1:3]).all()
    labels = np.append(LABELS[:-1], 10)
    assert np.isnan(stratified_mean(VALUES, labels, runs=[(0.1, 5)])[1:3]).all()


def test_the_interval_covers_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    labels = np.repeat(np.arange(5), 10)
    rate = np.linspace(0.1, 0.7, 5)[labels]
    hits = 0
    for _ in range(1000):
        found = stratified_mean((generator.uniform(size=50) < rate).astype(float), labels)
        hits += found.low <= rate.mean() <= found.high
    assert 0.93 <= hits / 1000 <= 0.975
