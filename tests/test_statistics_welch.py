from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import stats

from lpa.statistics.welch import paired_difference, run_moments, welch_difference


def two_groups(runs: tuple[int, int], classes: int = 40) -> tuple[np.ndarray, ...]:
    generator = np.random.default_rng(sum(runs))
    n = generator.integers(5, 60, classes)
    share = generator.beta(4, 2, classes)
    return *(generator.binomial(n, share, (r, classes)) for r in runs), n


@pytest.mark.parametrize("runs", [(2, 2), (3, 7), (20, 5)])
def test_p_values_and_intervals_are_scipys_welch_test(runs: tuple[int, int]) -> None:
    reference, other, n = two_groups(runs)
    ours = welch_difference(reference, other, n)
    some = (reference.std(axis=0) > 0) & (other.std(axis=0) > 0)
    assert some.sum() > 20
    for alternative, p in (("less", ours.lower), ("greater", ours.higher)):
        expected = stats.ttest_ind(
            other[:, some] / n[some], reference[:, some] / n[some],
            equal_var=False, alternative=alternative,
        )  # fmt: skip
        np.testing.assert_allclose(p[some], expected.pvalue, rtol=1e-9)
    two_sided = stats.ttest_ind(other[:, some] / n[some], reference[:, some] / n[some],
                                equal_var=False).confidence_interval(0.9)  # fmt: skip
    low, high = ours.interval(0.9)
    np.testing.assert_allclose(low[some], np.clip(two_sided.low, -1, 1))
    np.testing.assert_allclose(high[some], np.clip(two_sided.high, -1, 1))


def test_one_group_without_variance_is_as_in_scipy_and_warns_of_nothing() -> None:
    reference, other = np.array([[7], [7], [7]]), np.array([[5], [4], [6]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = welch_difference(reference, other, np.array([10])).lower
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = stats.ttest_ind(other, reference, equal_var=False, alternative="less").pvalue
    np.testing.assert_allclose(ours, expected)


def test_two_groups_without_variance_are_not_testable_equal_or_not() -> None:
    reference = np.array([[7, 7, 10], [7, 7, 10]])
    other = np.array([[7, 2, 0], [7, 2, 0]])
    # In fractions seven of ten has rounding errors; scipy gives p = 0 for such classes.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = welch_difference(reference, other, np.array([10, 10, 10]))
    assert np.isnan(ours.lower).all() and np.isnan(ours.higher).all()
    np.testing.assert_allclose(ours.mean, [0, -0.5, -1])


def test_the_variance_of_equal_counts_is_exactly_none() -> None:
    mean, variance = run_moments(np.full((7, 3), 4_999_999, dtype=np.int64))
    assert mean.tolist() == [4_999_999] * 3
    assert variance.tolist() == [0.0] * 3
    hits = np.random.default_rng(0).integers(0, 50, (6, 9))
    np.testing.assert_allclose(run_moments(hits)[1], hits.var(axis=0, ddof=1))


def test_swapping_the_groups_swaps_the_directions() -> None:
    reference, other, n = two_groups((4, 6))
    here, there = welch_difference(reference, other, n), welch_difference(other, reference, n)
    np.testing.assert_allclose(here.lower, there.higher)
    np.testing.assert_allclose(here.mean, -there.mean)


def test_runs_that_share_seeds_get_scipys_paired_test() -> None:
    reference, other, n = two_groups((6, 6))
    ours = paired_difference(reference, other, n)
    expected = stats.ttest_rel(other / n, reference / n, alternative="less").pvalue
    some = (other - reference).std(axis=0) > 0
    np.testing.assert_allclose(ours.lower[some], expected[some])


def test_equal_differences_of_pairs_are_not_testable() -> None:
    reference = np.array([[3], [5], [8]])
    assert np.isnan(paired_difference(reference, reference - 2, np.array([10])).lower).all()
