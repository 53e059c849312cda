"""Thresholds against isotonic regression of scikit-learn, hand-made curves and a slow walk."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from simulations.repetitions import run_of_repetitions
from simulations.threshold import AXIS as NINE
from simulations.threshold import simulate
from sklearn.isotonic import IsotonicRegression
from synthetic import CROP, write_run

from lpa.axes import Axis
from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.statistics.both_levels import both_limit
from lpa.statistics.crossings import crossing, rising_fit
from lpa.statistics.means import mean_limit
from lpa.statistics.threshold import COLUMNS, threshold
from lpa.statistics.threshold_order import STATES, strength_order, threshold_quantile

FIVE = Axis("crop", "fraction of the view kept", 1.0, "down", grid=(1.0, 0.8, 0.6, 0.4, 0.2))


def images(*losing: int, n: int = 20, axis: Axis = FIVE) -> list[np.ndarray]:
    """One class: every image right at the reference, so many of n wrong at each other value."""
    return [np.arange(n)[None, :, None] >= wrong for wrong in (0, *losing)]


def walk(curve: list[float], values: list[float], drop: float) -> tuple[str, float]:
    """Go back from the strongest value as long as the curve is above the drop."""
    if curve[-1] <= drop:
        return "never", math.nan
    k = len(curve) - 1
    while k > 0 and curve[k - 1] > drop:
        k -= 1
    if k == 0:
        return "at once", math.nan
    share = (drop - curve[k - 1]) / (curve[k] - curve[k - 1])
    return "number", values[k] + share * (values[k + 1] - values[k])


@pytest.mark.parametrize(
    ("losing", "state", "expected"),
    [
        ((0, 1, 3, 8), "number", 0.5),  # .05 to .15 around .10: half way from .6 to .4
        ((0, 2, 4, 8), "number", 0.6),  # a loss of exactly .10 does not exceed it
        ((3, 4, 5, 6), "at once", math.nan),
        ((0, 0, 1, 2), "never", math.nan),
        ((0, 0, 0, 0), "never", math.nan),
    ],
)
def test_thresholds_of_curves_made_by_hand(
    losing: tuple[int, ...], state: str, expected: float
) -> None:
    row = threshold(run_of_repetitions(FIVE, images(*losing))).iloc[0]
    assert row["state"] == state and row["drop"] == 0.1 and row["method"] == "isotonic"
    assert row["threshold"] == pytest.approx(expected, nan_ok=True)
    assert (row["level"], row["n"], row["recovers"]) == ("image", 20, False)


def test_random_curves_equal_a_fit_of_scikit_learn_and_a_slow_walk() -> None:
    generator = np.random.default_rng(0)
    accuracy = 0.9 - np.linspace(0, 0.25, 5) * generator.uniform(0, 1, (300, 1))
    right = [
        generator.uniform(size=(300, 11, 1 if v == 0 else 3)) < accuracy[:, v, None, None]
        for v in range(5)
    ]
    table = threshold(run_of_repetitions(FIVE, right))
    assert tuple(table.columns) == COLUMNS
    shares = np.stack([each.mean(axis=2) for each in right])
    for row in table.itertuples():
        raw = (shares[0] - shares[1:])[:, row.label].mean(axis=1)
        fit = IsotonicRegression(y_min=0).fit_transform(np.arange(4), raw)
        curve = raw if row.recovers else fit
        # Means of thirds that should be equal differ in the last bit.
        state, value = walk(np.round(curve, 12).tolist(), list(FIVE.grid), 0.1)
        if shares[0, row.label].mean() <= 0.1:
            state, value = "undefined", math.nan
        assert row.state == state
        assert row.threshold == pytest.approx(value, nan_ok=True)
    assert set(table["state"]) >= {"at once", "number", "never"}


def test_the_interval_rests_on_the_first_crossing_above_and_the_last_below() -> None:
    generator = np.random.default_rng(1)
    accuracy = 0.95 - np.array([0, 0.02, 0.1, 0.3, 0.6])
    right = [generator.uniform(size=(40, 30, 1 if v == 0 else 2)) < accuracy[v] for v in range(5)]
    table = threshold(run_of_repetitions(FIVE, right))
    shares = np.stack([each.mean(axis=2) for each in right])
    for row in table.itertuples():
        loss = (shares[0] - shares[1:])[:, row.label]
        sums = (loss.sum(axis=1), (loss**2).sum(axis=1), 30)
        upper = mean_limit(*sums, 0.975, "upper").tolist()
        lower = mean_limit(*sums, 0.975, "lower").tolist()
        first = next(k for k in range(4) if upper[k] > 0.1)
        before = upper[first - 1] if first else 0.0
        share = (0.1 - before) / (upper[first] - before)
        assert row.low == pytest.approx(FIVE.grid[first] - 0.2 * share)
        assert row.low_state == ("at once" if first == 0 else "number")
        state, value = walk(lower, list(FIVE.grid), 0.1)
        assert row.high_state == state
        if state == "number":
            assert row.high == pytest.approx(value)
        assert row.low >= row.high or state == "never"


def test_a_smaller_class_a_wider_interval() -> None:
    few = threshold(run_of_repetitions(FIVE, images(0, 1, 3, 8))).iloc[0]
    many = threshold(run_of_repetitions(FIVE, images(0, 10, 30, 80, n=200))).iloc[0]
    assert few["threshold"] == pytest.approx(many["threshold"])
    assert few["low"] > many["low"] > many["threshold"] > many["high"] > few["high"]


def test_a_class_that_comes_back_is_flagged_and_not_fitted() -> None:
    row = threshold(run_of_repetitions(FIVE, images(0, 60, 0, 50, n=100))).iloc[0]
    assert row["recovers"] and row["method"] == "raw"
    # First from .8 (no loss) to .6 (loss .60), for good from .4 (no loss) to .2 (loss .50).
    assert row["first"] == pytest.approx(0.8 - 0.2 * 0.1 / 0.6)
    assert row["threshold"] == pytest.approx(0.4 - 0.2 * 0.1 / 0.5)
    gone = threshold(run_of_repetitions(FIVE, images(0, 60, 0, 0, n=100))).iloc[0]
    assert gone["state"] == "never" and gone["first_state"] == "number"


def test_a_wobble_within_chance_is_no_recovery() -> None:
    row = threshold(run_of_repetitions(FIVE, images(0, 4, 2, 8))).iloc[0]
    assert not row["recovers"] and row["method"] == "isotonic"
    assert row["first"] == row["threshold"]


def test_an_axis_that_is_not_monotone_and_every_sweep_is_never_fitted() -> None:
    wobble = images(0, 4, 2, 8)
    free = Axis("tau", "", 1.0, "down", monotone=False, grid=FIVE.grid)
    # The raw loss is .2, .1, .4: for good only after the third value.
    for run in (run_of_repetitions(free, wobble), run_of_repetitions(FIVE, wobble, "sweep")):
        row = threshold(run).iloc[0]
        assert row["method"] == "raw" and row["threshold"] == pytest.approx(0.4)
        assert row["first"] == pytest.approx(0.7)


def test_gains_stay_gains_in_a_sweep() -> None:
    generator = np.random.default_rng(2)
    right = [generator.uniform(size=(50, 30, 6)) < 0.6 + 0.05 * v for v in range(5)]
    table = threshold(run_of_repetitions(FIVE, right, "sweep"), drop=0.1)
    assert (table["state"] == "never").all()


def test_sweeps_have_limits_of_both_levels() -> None:
    generator = np.random.default_rng(3)
    right = [generator.uniform(size=(6, 25, 5)) < 0.95 - 0.2 * v for v in range(5)]
    run = run_of_repetitions(FIVE, right, "sweep")
    table = threshold(run)
    assert set(table["level"]) == {"both"}
    for c in range(6):
        per_run = [each[c].mean(axis=0).var(ddof=1) for each in right]
        lower = []
        for v in range(1, 5):
            loss = right[0][c].mean(axis=1) - right[v][c].mean(axis=1)
            runs = [(per_run[v], 5), (per_run[0], 5)]
            lower.append(float(both_limit(
                loss.sum(), (loss**2).sum(), 25, runs, 0.975, "lower"
            )))  # fmt: skip
        state, value = walk(lower, list(FIVE.grid), 0.1)
        assert table["high_state"][c] == state
        if state == "number":
            assert table["high"][c] == pytest.approx(value)
    assert set(threshold(run, level="image")["level"]) == {"image"}


def test_one_training_at_a_value_leaves_the_estimate_without_an_interval() -> None:
    row = threshold(run_of_repetitions(FIVE, images(0, 1, 3, 8), "sweep")).iloc[0]
    assert row["state"] == "number" and row["threshold"] == pytest.approx(0.5)
    assert (row["low_state"], row["high_state"]) == ("undefined", "undefined")
    assert np.isnan(row["low"]) and np.isnan(row["high"])


def test_a_class_that_cannot_lose_that_much_or_has_one_image_is_undefined() -> None:
    hardly = [np.arange(20)[None, :, None] < right for right in (2, 0, 0, 0, 0)]
    one = images(1, 1, 1, 1, n=1)
    for right in (hardly, one):
        row = threshold(run_of_repetitions(FIVE, right)).iloc[0]
        assert {row["state"], row["low_state"], row["high_state"], row["first_state"]} == {
            "undefined"
        }
        assert np.isnan([row["threshold"], row["low"], row["high"], row["first"]]).all()
    enough = [np.arange(20)[None, :, None] < right for right in (3, 0, 0, 0, 0)]
    assert threshold(run_of_repetitions(FIVE, enough)).iloc[0]["state"] == "at once"


def test_interpolation_follows_the_scale_of_the_axis() -> None:
    axis = Axis("jpeg", "quality", 100.0, "down", "log", grid=(100.0, 50.0, 16.0, 4.0, 1.0))
    row = threshold(run_of_repetitions(axis, images(0, 1, 3, 8))).iloc[0]
    assert row["threshold"] == pytest.approx(8.0)  # the geometric mean of 16 and 4


def test_copies_of_one_draw_change_nothing() -> None:
    right = images(0, 2, 5, 9)
    copied = [right[0], *(np.repeat(each, 4, axis=2) for each in right[1:])]
    once, again = (threshold(run_of_repetitions(FIVE, each)) for each in (right, copied))
    assert once.equals(again)


def test_a_real_run_has_one_row_a_class_and_curve(tmp_path: Path) -> None:
    run = Outcomes(write_run(tmp_path / "run", per_class=[12, 7, 1, 3], pictures=False))
    table = threshold(run, drop=0.2)
    assert len(table) == 2 * 2 * 4 and table["drop"].eq(0.2).all()
    assert set(table["state"]) <= set(STATES) and table.attrs["notes"] == []
    assert (table[table["n"] == 1]["state"] == "undefined").all()
    assert table["title"][0] == "barn spider" and table["class"][0] == "n0"


@pytest.mark.parametrize("drop", [-0.1, 1.0, 10.0])
def test_a_drop_in_points_is_refused(tmp_path: Path, drop: float) -> None:
    run = Outcomes(write_run(tmp_path / "run", axes={CROP: (1.0, 0.5)}, pictures=False))
    with pytest.raises(InputError) as caught:
        threshold(run, drop)
    assert str(caught.value) == (
        f"drop {drop:g} is out of range; expected a fraction from 0 to below 1, "
        "such as 0.1 for 10 accuracy points"
    )


def test_states_stand_in_order_around_the_numbers() -> None:
    states = ["never", "number", "at once", "number", "undefined"]
    keys = strength_order(CROP, states, [np.nan, 0.2, np.nan, 0.7, np.nan])
    assert np.argsort(keys).tolist() == [2, 3, 1, 0, 4]


def test_quantiles_are_one_of_the_thresholds() -> None:
    states = ["never", "number", "at once", "number", "undefined"]
    values = [np.nan, 0.2, np.nan, 0.7, np.nan]
    assert threshold_quantile(CROP, states, values, 0.5) == ("number", 0.7)
    assert threshold_quantile(CROP, states, values, 0.75) == ("number", 0.2)
    state, value = threshold_quantile(CROP, states, values, 0.9)
    assert state == "never" and np.isnan(value)
    assert threshold_quantile(CROP, states, values, 0.0)[0] == "at once"
    assert threshold_quantile(CROP, ["undefined"], [np.nan], 0.5)[0] == "undefined"


def test_crossings_first_and_for_good() -> None:
    curves = np.array([[0.0, 0.2, 0.0, 0.2], [0.2, 0.0, 0.0, 0.0], [0.2, 0.3, 0.4, 0.5]])
    positions = np.arange(5.0)
    first = crossing(curves, positions, 0.1, "first")
    last = crossing(curves, positions, 0.1, "last")
    assert first.by.tolist() == [2, 1, 1] and last.by.tolist() == [4, 0, 1]
    np.testing.assert_allclose(first.position, [1.5, 0.5, 0.5])
    np.testing.assert_allclose(last.position, [3.5, np.nan, 0.5])


def test_the_rising_fit_pools_what_falls_and_has_no_gains() -> None:
    fit = rising_fit(np.array([[-0.2, 0.3, 0.1, 0.4], [0.1, 0.0, -0.4, -0.5]]))
    np.testing.assert_allclose(fit, [[0, 0.2, 0.2, 0.4], [0, 0, 0, 0]])
    assert rising_fit(np.empty((0, 4))).shape == (0, 4)


def test_coverage_is_as_stated() -> None:
    table = simulate(repetitions=200, sizes=(10, 20, 50))
    assert table["coverage"].mean() >= 0.94
    assert table["coverage"].min() >= 0.90 - 3 * np.sqrt(0.9 * 0.1 / 200)
    # Rising curves are not flagged by chance in more than 5 % of classes.
    rising = table[~table["curve"].isin(["comes back", "gains first"])]
    assert rising["recovers"].max() <= 0.05
    assert table[table["curve"] == "comes back"]["recovers"].max() > 0.9
    assert len(NINE.grid) == 9
