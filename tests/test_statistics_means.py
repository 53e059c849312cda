"""Engine E2 against statsmodels, a slow loop, and its stated coverage."""

from __future__ import annotations

import numpy as np
import pytest
from simulations.means import simulate
from statsmodels.stats.weightstats import DescrStatsW

from lpa.statistics.means import mean_interval, mean_limit, mean_test, standard_error


def with_pseudo_images(values: np.ndarray) -> DescrStatsW:
    return DescrStatsW(np.append(values, [1.0, -1.0]), ddof=0)


def test_center_and_error_are_those_of_the_values_with_plus_and_minus_one() -> None:
    generator = np.random.default_rng(0)
    for n in (2, 3, 10, 50):
        values = generator.integers(-8, 9, n) / 8
        center, error = standard_error(values.sum(), (values**2).sum(), n)
        expected = with_pseudo_images(values)
        assert float(center) == pytest.approx(expected.mean)
        assert float(error) == pytest.approx(expected.std / np.sqrt(n + 2))


# Two-sided 95 % and one-sided 95 % points of Student's t with 9 degrees of freedom, from tables.
@pytest.mark.parametrize(("confidence", "quantile"), [(0.95, 2.262157), (0.90, 1.833113)])
def test_the_interval_reaches_a_tabled_quantile_of_standard_errors(
    confidence: float, quantile: float
) -> None:
    values = np.array([1, 1, 0, 0, 0, 0, -1, 0.5, 0, 0])
    center, error = standard_error(values.sum(), (values**2).sum(), 10)
    low, high = mean_interval(values.sum(), (values**2).sum(), 10, confidence)
    assert float(low) == pytest.approx(center - quantile * error, abs=1e-6)
    assert float(high) == pytest.approx(center + quantile * error, abs=1e-6)


def test_a_one_sided_limit_is_the_end_of_the_two_sided_interval() -> None:
    low, high = mean_interval(2.0, 3.0, 12, 0.9)
    assert float(mean_limit(2.0, 3.0, 12, 0.95, "lower")) == pytest.approx(float(low))
    assert float(mean_limit(2.0, 3.0, 12, 0.95, "upper")) == pytest.approx(float(high))


@pytest.mark.parametrize("delta", [0.0, 0.1, -0.2])
def test_the_test_and_the_limit_agree_away_from_the_edges(delta: float) -> None:
    generator = np.random.default_rng(1)
    for _ in range(50):
        n = int(generator.integers(5, 60))
        values = generator.choice([-1.0, 0.0, 0.0, 1.0], n)
        sums = (values.sum(), (values**2).sum(), n)
        lower = float(mean_limit(*sums, 0.95, "lower"))
        upper = float(mean_limit(*sums, 0.95, "upper"))
        assert (float(mean_test(*sums, delta)) < 0.05) == (lower > delta)
        assert (float(mean_test(*sums, delta, "less")) < 0.05) == (upper < delta)


def test_the_two_alternatives_add_to_one_and_no_difference_gives_one_half() -> None:
    greater, less = mean_test(3, 5, 20, 0.1), mean_test(3, 5, 20, 0.1, "less")
    assert float(greater) + float(less) == pytest.approx(1.0)
    assert float(mean_test(0, 0, 20)) == pytest.approx(0.5)


def test_turning_the_sign_of_all_values_mirrors_the_interval() -> None:
    low, high = mean_interval([4.0, -4.0], [6.0, 6.0], 15)
    assert low[0] == pytest.approx(-high[1]) and high[0] == pytest.approx(-low[1])


def test_fewer_than_two_images_give_nan_beside_classes_that_have_more() -> None:
    low, high = mean_interval([0, 1, 1], [0, 1, 1], [0, 1, 2])
    p = mean_test([0, 1, 1], [0, 1, 1], [0, 1, 2])
    assert np.isnan([low[:2], high[:2], p[:2]]).all()
    assert not np.isnan([low[2], high[2], p[2]]).any()


def test_the_width_is_never_zero_and_limits_stay_between_minus_one_and_one() -> None:
    n = np.array([2, 5, 50, 5000])
    for value in (-1.0, 0.0, 1.0):
        low, high = mean_interval(value * n, value**2 * n, n)
        assert (high > low).all() and (low >= -1).all() and (high <= 1).all()


def test_the_shape_is_that_of_all_arguments_together() -> None:
    low, high = mean_interval(np.zeros((3, 1, 4)), np.zeros((3, 2, 4)), np.array([5, 6, 7, 1]))
    assert low.shape == high.shape == (3, 2, 4)
    assert np.isnan(low[..., 3]).all() and not np.isnan(low[..., :3]).any()


def test_coverage_of_losses_and_ratios_is_as_stated() -> None:
    table = simulate(repetitions=1500)
    # Three standard errors of a coverage of .90 from 1,500 repetitions.
    slack = 3 * np.sqrt(0.9 * 0.1 / 1500)
    by_interval = table.groupby("interval")
    assert (by_interval["coverage"].mean() >= by_interval["nominal"].first() - 0.01).all()
    assert (table["coverage"] >= table["nominal"] - 0.05 - slack).all()
    assert set(table["n"]) == {10, 20, 50} and set(table["draws"]) == {1, 8}
    # Wide enough to cover, yet informative: at 50 images at most 40 points from end to end.
    widths = table[(table["interval"] == "E2 two-sided") & (table["n"] == 50)]["width"]
    assert widths.max() < 0.4
