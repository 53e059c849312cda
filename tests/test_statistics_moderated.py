from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from scipy import stats
from simulations.run_tests import Scenario, simulate

from lpa.statistics.moderated import moderated_difference
from lpa.statistics.welch import welch_difference


def slow(reference: np.ndarray, other: np.ndarray, n: np.ndarray) -> list[tuple[float, float]]:
    """The definition, class by class in plain Python: (t, p of "lower")."""
    r0, r1 = len(reference), len(other)
    d0 = r0 + r1 - 2
    base, s2, diff = [], [], []
    for c in range(len(n)):
        one = [x / n[c] for x in reference[:, c]]
        two = [x / n[c] for x in other[:, c]]
        pbar = (sum(one) + sum(two)) / (r0 + r1)
        base.append(max(pbar * (1 - pbar), (1 - 1 / n[c]) / n[c]) / n[c])
        s2.append(((r0 - 1) * statistics.variance(one) + (r1 - 1) * statistics.variance(two)) / d0)
        diff.append(sum(two) / r1 - sum(one) / r0)
    phi = statistics.mean(s2) / statistics.mean(base)
    edge = np.quantile(base, 0.1)
    q = [s / (phi * b) for s, b in zip(s2, base, strict=True) if b > edge]
    x = (statistics.pvariance(q) / statistics.mean(q) ** 2 - 2 / d0) / (1 + 2 / d0)
    dp = min(4 + 2 / x, 2000) if x > 0 else 2000
    out = []
    for b, s, d in zip(base, s2, diff, strict=True):
        moderated = (phi * b * (dp - 2) + d0 * s) / (dp + d0)
        t = d / math.sqrt(moderated * (1 / r0 + 1 / r1))
        out.append((t, float(stats.t.cdf(t, dp + d0))))
    return out


@pytest.mark.parametrize("runs", [(2, 2), (3, 2), (4, 20)])
@pytest.mark.parametrize("concentration", [3.0, 1e6])
def test_it_equals_the_definition_written_as_a_loop(
    runs: tuple[int, int], concentration: float
) -> None:
    generator = np.random.default_rng(3)
    n = generator.integers(20, 60, 150)
    mean = generator.beta(5, 2, 150)
    groups = [
        generator.binomial(
            n, generator.beta(mean * concentration, (1 - mean) * concentration, (r, 150))
        )
        for r in runs
    ]
    ours = moderated_difference(*groups, n)
    expected = slow(*groups, n)
    testable = ~np.isnan(ours.error)
    assert testable.sum() > 130
    t, p = np.array(expected).T
    np.testing.assert_allclose(
        (ours.mean / ours.error)[testable], t[testable], rtol=1e-9, atol=1e-12
    )
    np.testing.assert_allclose(ours.lower[testable], p[testable], rtol=1e-9)
    np.testing.assert_allclose(ours.higher[testable], 1 - p[testable], rtol=1e-6, atol=1e-12)


def test_classes_that_never_vary_are_not_testable_and_runs_that_never_do_leave_none() -> None:
    generator = np.random.default_rng(0)
    reference, other = generator.binomial(50, 0.8, (2, 2, 120))
    reference[:, 0], other[:, 0] = 40, 10
    n = np.full(120, 50)
    ours = moderated_difference(reference, other, n)
    never = (reference[0] == reference[1]) & (other[0] == other[1])
    assert never[0] and not never.all()
    np.testing.assert_array_equal(np.isnan(ours.lower), never)
    same = np.full((2, 120), 30)
    assert np.isnan(moderated_difference(same, same, n).lower).all()


def test_classes_of_equal_accuracy_still_have_a_prior() -> None:
    reference = np.array([[30, 28], [20, 22]])
    ours = moderated_difference(reference, reference[::-1], np.array([50, 50]))
    assert np.isfinite(ours.lower).all()


@pytest.mark.parametrize("runs", [2, 3])
def test_few_seeds_find_classes_that_welch_cannot_and_err_no_more(runs: int) -> None:
    welch, moderated = simulate(Scenario("short", runs, runs), 60)
    assert moderated["size"] <= 0.06 and welch["size"] <= 0.06
    assert welch["bh_power"] < 0.05 < 0.4 < moderated["bh_power"]
    assert moderated["bh_false_share"] <= 0.07


@pytest.mark.parametrize(
    "scenario",
    [
        Scenario("short", 5, 5),
        Scenario("short", 5, 5, 300.0, 20.0),
        Scenario("short", 20, 20, 300.0, 20.0),
        Scenario("short", 20, 20, 20.0, 20.0, high=True),
        Scenario("short", 3, 3, 20.0, 20.0, high=True),
    ],
    ids=lambda s: f"{s.runs}-{s.spread:g}-{s.high}",
)
def test_sizes_stay_within_a_point_of_the_level(scenario: Scenario) -> None:
    for row in simulate(scenario, 40):
        assert row["size"] <= 0.06, row


def test_two_seeds_that_agree_make_no_class_significant_by_accident() -> None:
    # scipy gives p = 0 to a class whose two seeds agree in both groups but differ between them.
    generator = np.random.default_rng(1)
    reference, other = generator.binomial(50, 0.97, (2, 2, 5000))
    welch = welch_difference(reference, other, np.full(5000, 50))
    assert np.nanmin(welch.lower) > 1e-9
    assert np.isnan(welch.lower).mean() > 0.03
