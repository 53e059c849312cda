from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.weightstats import DescrStatsW

from lpa.statistics.across_runs import run_interval


def test_the_interval_is_statsmodels_t_interval_of_the_mean() -> None:
    runs = np.random.default_rng(0).uniform(0.4, 0.6, (5, 3))
    mean, low, high = run_interval(runs, 0.9)
    expected_low, expected_high = DescrStatsW(runs).tconfint_mean(alpha=0.1)
    np.testing.assert_allclose(mean, DescrStatsW(runs).mean)
    np.testing.assert_allclose(low, expected_low)
    np.testing.assert_allclose(high, expected_high)


def test_limits_stay_between_none_and_all() -> None:
    _, low, high = run_interval([[0.0, 0.7], [0.3, 1.0]])
    assert low[0] == 0 and high[1] == 1


def test_a_single_run_has_a_mean_and_no_interval() -> None:
    mean, low, high = run_interval([[0.25, 0.5]])
    assert mean.tolist() == [0.25, 0.5]
    assert np.isnan([low, high]).all()


def test_a_plain_list_of_runs_gives_plain_numbers() -> None:
    mean, low, high = run_interval([0.4, 0.6])
    assert float(mean) == pytest.approx(0.5)
    assert 0 <= float(low) < 0.5 < float(high) <= 1


def test_no_run_has_no_mean() -> None:
    for part in run_interval(np.empty((0, 2))):
        assert part.shape == (2,) and np.isnan(part).all()
