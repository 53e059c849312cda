"""Level ``both`` against scipy's Welch interval, a slow loop, and its coverage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from simulations.both_levels import simulate
from synthetic import write_run

from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.statistics.both_levels import both_error, both_interval, both_test, level_of_losses
from lpa.statistics.means import mean_interval, mean_test, standard_error


def test_without_variance_between_runs_it_is_engine_e2() -> None:
    sums = (np.array([3.0, -2.0]), np.array([5.0, 4.0]), np.array([20, 9]))
    runs = [(np.zeros(2), 5), (np.zeros(2), 3)]
    np.testing.assert_allclose(both_interval(*sums, runs), mean_interval(*sums))
    np.testing.assert_allclose(both_test(*sums, runs, 0.05), mean_test(*sums, 0.05))


def test_with_many_images_it_is_welchs_interval_over_runs() -> None:
    generator = np.random.default_rng(0)
    reference, other = generator.normal(0.8, 0.03, 6), generator.normal(0.7, 0.05, 4)
    n = 10**10
    loss = reference.mean() - other.mean()
    runs = [(other.var(ddof=1), 4), (reference.var(ddof=1), 6)]
    found = both_interval(n * loss, n * loss**2, n, runs)
    expected = stats.ttest_ind(reference, other, equal_var=False).confidence_interval(0.95)
    assert [float(limit) for limit in found] == pytest.approx(list(expected), abs=1e-4)
    p = both_test(n * loss, n * loss**2, n, runs)
    assert float(p) == pytest.approx(
        stats.ttest_ind(reference, other, equal_var=False, alternative="greater").pvalue, abs=1e-4
    )


def test_error_and_freedom_equal_a_slow_loop() -> None:
    generator = np.random.default_rng(1)
    for n in (2, 10, 50):
        shares = generator.integers(0, 6, (2, n)) / 5
        loss = shares[0] - shares[1]
        variances, numbers = generator.uniform(0, 0.01, 3), [2, 5, 20]
        center, error, freedom = both_error(
            loss.sum(), (loss**2).sum(), n, zip(variances, numbers, strict=True)
        )
        expected_center, images = standard_error(loss.sum(), (loss**2).sum(), n)
        parts = [(images**2, n - 1)]
        for variance, number in zip(variances, numbers, strict=True):
            parts.append((variance / number, number - 1))
        whole = sum(part for part, _ in parts)
        assert float(center) == float(expected_center)
        assert float(error) == pytest.approx(whole**0.5)
        assert float(freedom) == pytest.approx(whole**2 / sum(p**2 / df for p, df in parts))


def test_one_run_or_one_image_says_nothing() -> None:
    assert np.isnan(both_interval(1.0, 1.0, 20, [(0.0, 1), (0.01, 5)])).all()
    assert np.isnan(both_interval(1.0, 1.0, 1, [(0.01, 5)])).all()
    assert np.isnan(both_test(1.0, 1.0, 20, [(np.nan, 1)]))


def test_more_variance_between_runs_is_a_wider_interval() -> None:
    narrow, wide = (both_interval(2.0, 3.0, 50, [(s, 5), (s, 5)]) for s in (0.001, 0.01))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_scans_are_at_level_image_and_sweeps_at_level_both(tmp_path: Path) -> None:
    scan = Outcomes(write_run(tmp_path / "scan", pictures=False))
    sweep = Outcomes(write_run(tmp_path / "sweep", kind="sweep", pictures=False))
    assert level_of_losses(scan, None) == "image" and level_of_losses(sweep, None) == "both"
    assert level_of_losses(sweep, "image") == "image"
    with pytest.raises(InputError) as caught:
        level_of_losses(scan, "both")
    assert str(caught.value) == (
        f"level 'both' needs training runs, and {scan.store} is a scan of fixed models: "
        "use level 'image'"
    )
    imported = Outcomes(write_run(tmp_path / "import", kind="import", pictures=False))
    with pytest.raises(InputError) as caught:
        level_of_losses(imported, "both")
    assert str(caught.value) == (
        f"level 'both' needs training runs, and {imported.store} is an import of fixed models: "
        "use level 'image'"
    )
    with pytest.raises(InputError, match=r"^level 'class' is unknown; expected image or both$"):
        level_of_losses(scan, "class")
    with pytest.raises(InputError) as caught:
        level_of_losses(sweep, "run")
    assert str(caught.value) == (
        "level 'run' is defined for accuracies and for tests of training runs; losses, thresholds, "
        "ranks and policies have level image or both"
    )


def test_it_covers_where_the_single_levels_do_not() -> None:
    table = simulate(repetitions=250)
    assert table["coverage"].mean() >= 0.94
    # The least at this number of repetitions: five points and three standard errors below.
    assert table["coverage"].min() >= 0.90 - 3 * np.sqrt(0.9 * 0.1 / 250)
    assert table["coverage_run"].min() < 0.8
    assert table["coverage_image"].min() < 0.9
