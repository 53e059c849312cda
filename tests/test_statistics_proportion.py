"""Engine E1 against statsmodels, a slow loop, and its stated coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from simulations.proportion import simulate
from statsmodels.stats.proportion import proportion_confint

from lpa.statistics.proportion import proportion_interval


@pytest.mark.parametrize("n", [1, 2, 5, 10, 50, 100])
def test_with_one_draw_it_is_wilsons_interval_at_every_count(n: int) -> None:
    hits = np.arange(n + 1)
    low, high = proportion_interval(hits, hits, n, 1)
    for count in hits:
        expected = proportion_confint(int(count), n, method="wilson")
        assert (low[count], high[count]) == pytest.approx(expected, abs=1e-14)


def test_wilsons_interval_is_the_set_of_shares_whose_score_test_does_not_reject() -> None:
    low, high = proportion_interval(7, 7, 20, 1)
    z = stats.norm.ppf(0.975)
    for limit in (float(low), float(high)):
        assert abs(7 / 20 - limit) == pytest.approx(z * math.sqrt(limit * (1 - limit) / 20))


@pytest.mark.parametrize(("n", "least"), [(10, 0.89), (20, 0.92), (50, 0.93)])
def test_coverage_with_one_draw_by_enumeration(n: int, least: float) -> None:
    hits = np.arange(n + 1)
    low, high = proportion_interval(hits, hits, n, 1)

    def coverage(p: np.ndarray) -> np.ndarray:
        mass = stats.binom.pmf(hits[:, None], n, p)
        return (mass * ((low[:, None] <= p) & (p <= high[:, None]))).sum(axis=0)

    grid = (np.arange(20_000) + 0.5) / 20_000
    assert 0.945 <= coverage(grid).mean() <= 0.96
    assert coverage(np.linspace(0.05, 0.95, 18_001)).min() >= least - 0.005


@pytest.mark.parametrize("n", [10, 20, 50])
@pytest.mark.parametrize("accuracy", [0.3, 0.75, 0.93])
def test_coverage_with_eight_clustered_draws(n: int, accuracy: float) -> None:
    generator = np.random.default_rng(n)
    repetitions = 4000
    # Images differ in how often they are right: beta with an intraclass correlation of one third.
    chance = generator.beta(2 * accuracy, 2 * (1 - accuracy), (repetitions, n))
    share = generator.binomial(8, chance) / 8
    low, high = proportion_interval(share.sum(axis=1), (share**2).sum(axis=1), n, 8)
    assert ((low <= accuracy) & (accuracy <= high)).mean() >= 0.90


def slow_interval(shares: list[float], draws: int) -> tuple[float, float]:
    n = len(shares)
    with_pseudo = [*shares, 0.0, 1.0]
    center = sum(with_pseudo) / (n + 2)
    variance = sum((share - center) ** 2 for share in with_pseudo) / (n + 2)
    effective = min(max(n * center * (1 - center) / variance, n), n * draws)
    z = stats.norm.ppf(0.975)
    p = sum(shares) / n
    middle = (p + z * z / (2 * effective)) / (1 + z * z / effective)
    spread = math.sqrt(p * (1 - p) / effective + z * z / (4 * effective**2))
    half = z * spread / (1 + z * z / effective)
    return middle - half, middle + half


def test_with_draws_it_equals_a_slow_loop_written_from_the_formulas() -> None:
    generator = np.random.default_rng(1)
    for draws in (2, 4, 8):
        for n in (2, 5, 30):
            shares = generator.integers(0, draws + 1, n) / draws
            low, high = proportion_interval(shares.sum(), (shares**2).sum(), n, draws)
            assert (low, high) == pytest.approx(slow_interval(shares.tolist(), draws), abs=1e-12)


def test_copies_of_one_draw_leave_the_interval_unchanged() -> None:
    hits = np.arange(13.0)
    # An image that is always or never right has the same share in one draw and in eight copies.
    once = proportion_interval(hits, hits, 12, 1)
    copied = proportion_interval(hits, hits, 12, 8)
    np.testing.assert_allclose(copied, once, atol=1e-14)


def test_no_images_give_nan_beside_classes_that_have_some() -> None:
    low, high = proportion_interval([0, 3], [0, 3], [0, 4], 1)
    assert np.isnan([low[0], high[0]]).all()
    assert low[1] < 0.75 < high[1]


def test_the_width_is_never_zero() -> None:
    low, high = proportion_interval([0, 8], [0, 8], 8, [1, 5])
    assert (high - low > 0.2).all()


def test_more_confidence_is_a_wider_interval() -> None:
    narrow = proportion_interval(5, 5, 10, 1, 0.8)
    wide = proportion_interval(5, 5, 10, 1, 0.99)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_coverage_with_draws_in_the_published_scenarios() -> None:
    table = simulate(repetitions=1000)
    slack = 3 * np.sqrt(0.9 * 0.1 / 1000)
    assert (table.groupby("draws")["coverage"].mean() >= 0.94).all()
    assert table["coverage"].min() >= 0.90 - slack
