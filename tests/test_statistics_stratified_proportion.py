from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from simulations.groups import simulate

from lpa.statistics.stratified_proportion import stratified_proportion


def slow(classes: list[list[float]], confidence: float) -> tuple[float, float, float]:
    """Image by image, and Wilson's limits as the roots of their equation."""
    weights = [1 / len(classes) / len(own) for own in classes for _ in own]
    values = [value for own in classes for value in own]
    mean = sum(w * x for w, x in zip(weights, values, strict=True))
    images = 1 / sum(w * w for w in weights)
    within = sum(np.var(own, ddof=1) / len(own) for own in classes) / len(classes) ** 2
    center = (images * mean + 1) / (images + 2)
    spread = images * images * within + images * (mean - center) ** 2
    spread = (spread + (0 - center) ** 2 + (1 - center) ** 2) / (images + 2)
    worth = images * center * (1 - center) / spread
    # |mean - p| = z sqrt(p (1 - p) / worth)
    z2 = stats.norm.ppf(0.5 + confidence / 2) ** 2
    a, b, c = 1 + z2 / worth, -(2 * mean + z2 / worth), mean**2
    root = math.sqrt(max(0.0, b * b - 4 * a * c))
    return mean, (-b - root) / (2 * a), (-b + root) / (2 * a)


@pytest.mark.parametrize("draws", [1, 8])
def test_it_equals_a_slow_loop_and_wilsons_equation(draws: int) -> None:
    generator = np.random.default_rng(draws)
    for sizes in ([5, 9], [2, 30, 4], [12] * 6):
        chance = generator.beta(4, 1, len(sizes))
        classes = [
            (generator.binomial(draws, p, n) / draws).tolist()
            for p, n in zip(chance, sizes, strict=True)
        ]
        strata = np.repeat(np.arange(len(sizes)), sizes)
        found = stratified_proportion(np.concatenate(classes), strata, 0.9)
        assert found == pytest.approx(slow(classes, 0.9))


def test_with_many_images_it_is_the_normal_interval() -> None:
    generator = np.random.default_rng(0)
    strata = np.repeat(np.arange(3), 20_000)
    shares = (generator.uniform(size=len(strata)) < np.array([0.9, 0.5, 0.7])[strata]) * 1.0
    mean, low, high = stratified_proportion(shares, strata)
    variances = [shares[strata == c].var(ddof=1) / 20_000 for c in range(3)]
    reach = 1.959964 * np.sqrt(sum(variances)) / 3
    assert (low, high) == pytest.approx((mean - reach, mean + reach), abs=2e-5)


def test_where_all_images_agree_it_is_not_of_zero_width() -> None:
    for share in (0.0, 1.0):
        mean, low, high = stratified_proportion(np.full(20, share), np.repeat([0, 1], 10))
        assert mean == share and high - low > 0.1


def test_small_groups_are_covered_where_the_normal_interval_does_not() -> None:
    table = simulate(600, sizes=((2, 10), (5, 10), (20, 10)))
    assert table["coverage"].mean() >= 0.94
    assert table["coverage"].min() >= 0.90
    assert table["coverage_normal"].min() < 0.5
