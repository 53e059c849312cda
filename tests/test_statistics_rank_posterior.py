"""The posterior of ranks against slow loops, exact cases and its own promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from simulations.ranking import simulate, simulate_joint

from lpa.statistics.rank_posterior import joint_ranks, rank_posterior


def slow_posterior(score: np.ndarray, error: np.ndarray, steps: int) -> np.ndarray:
    """Weights of the points for each class, one class and one point at a time."""
    points = np.linspace(min(score), max(score), 100)
    weights = [0.01] * 100
    for _ in range(steps + 1):
        posterior = []
        for x, s in zip(score, error, strict=True):
            row = [w * stats.norm.pdf(x, t, s) for w, t in zip(weights, points, strict=True)]
            posterior.append([value / sum(row) for value in row])
        weights = [sum(row[p] for row in posterior) / len(score) for p in range(100)]
    return np.array(posterior)


def test_the_posterior_of_ranks_equals_a_slow_em_and_free_draws() -> None:
    generator = np.random.default_rng(0)
    score, error = generator.normal(0.2, 0.1, 6), generator.uniform(0.03, 0.08, 6)
    posterior = slow_posterior(score, error, 20)
    drawn = np.stack([generator.choice(100, 40_000, p=row) for row in posterior], axis=1)
    ranks = stats.rankdata(-drawn, axis=1)
    found = rank_posterior(score, error, (2,), draws=4000)
    np.testing.assert_allclose(found.mean, ranks.mean(axis=0), atol=0.03)
    low, high = np.quantile(ranks, [0.025, 0.975], axis=0, method="inverted_cdf")
    # Both quantiles are drawn, and ranks are half or whole.
    assert np.abs(found.low - low).max() <= 0.5 and np.abs(found.high - high).max() <= 0.5
    # Ties across a place are rare on 100 points, so a strict count is near.
    order = (drawn + generator.uniform(0, 0.5, drawn.shape)).argsort(axis=1)[:, ::-1]
    among = [(order[:, :2] == c).any(axis=1).mean() for c in range(6)]
    np.testing.assert_allclose(found.among[2], among, atol=0.03)


def test_classes_far_apart_stand_at_their_ranks_for_sure() -> None:
    found = rank_posterior([0.1, 0.9, 0.5], [0.001] * 3, (1, 2))
    for ranks in (found.mean, found.low, found.high):
        assert ranks.tolist() == pytest.approx([3, 1, 2])
    assert found.among[1].tolist() == pytest.approx([0, 1, 0])
    assert found.among[2].tolist() == pytest.approx([0, 1, 1])


def test_the_probabilities_of_being_among_k_sum_to_k_and_ranks_to_their_own_sum() -> None:
    generator = np.random.default_rng(1)
    found = rank_posterior(generator.beta(1, 4, 150), np.full(150, 0.05), (10, 100))
    assert found.among[10].sum() == pytest.approx(10)
    assert found.among[100].sum() == pytest.approx(100)
    assert found.mean.sum() == pytest.approx(150 * 151 / 2)


def test_equal_scores_leave_all_ranks_open() -> None:
    found = rank_posterior([0.2] * 5, [0.05] * 5, (1, 9))
    np.testing.assert_allclose(found.mean, 3.0)
    assert (found.low <= 1.5).all() and (found.high >= 4.5).all()
    np.testing.assert_allclose(found.among[1], 0.2, atol=0.05)
    np.testing.assert_allclose(found.among[9], 1.0)


def test_one_class_is_first_and_no_class_gives_nothing() -> None:
    one = rank_posterior([0.3], [0.1], (10,))
    assert (one.mean[0], one.low[0], one.high[0], one.among[10][0]) == (1, 1, 1, 1)
    none = rank_posterior([], [], (10,))
    assert len(none.mean) == len(none.low) == len(none.among[10]) == 0


def test_the_same_seed_gives_the_same_ranks_and_order_does_not_move_the_mean() -> None:
    generator = np.random.default_rng(2)
    score, error = generator.normal(size=30), np.full(30, 0.4)
    first, again = (rank_posterior(score, error, (5,), seed=3) for _ in range(2))
    assert np.array_equal(first.low, again.low) and np.array_equal(first.among[5], again.among[5])
    np.testing.assert_allclose(rank_posterior(score[::-1], error).mean[::-1], first.mean)


def test_joint_ranks_count_the_classes_that_are_surely_before_and_behind() -> None:
    generator = np.random.default_rng(4)
    low = generator.integers(0, 12, 40) / 10
    high = low + generator.integers(0, 6, 40) / 10
    first, last = joint_ranks(low, high)
    for c in range(40):
        assert first[c] == 1 + sum(low[j] > high[c] for j in range(40))
        assert last[c] == 40 - sum(high[j] < low[c] for j in range(40))


def test_joint_ranks_hold_for_all_classes_at_once() -> None:
    assert simulate_joint(300) >= 0.95


def test_intervals_cover_the_true_rank_of_nineteen_in_twenty_classes_on_average() -> None:
    table = simulate(40, sizes=((20, 50, 1), (100, 50, 8), (100, 1000, 1)), steps=(20,))
    assert len(table) == 9
    # Twenty sets a scenario: two points of Monte-Carlo error in the worst of them.
    assert table["coverage"].mean() >= 0.945
    assert table["coverage"].min() >= 0.93 - 0.02


def test_two_hundred_steps_claim_too_much_where_classes_have_many_images() -> None:
    table = simulate(100, sizes=((100, 1000, 1),), shapes=("beta",)).set_index("steps")
    assert table.loc[200, "coverage"] < 0.935 < table.loc[20, "coverage"]
