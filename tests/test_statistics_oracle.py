from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from simulations.oracle import SCENARIOS, Scenario, made_up, simulate
from synthetic import CROP, write_run

from lpa.outcomes import Outcomes
from lpa.statistics.curve_data import CurveData
from lpa.statistics.halves import image_halves, run_halves
from lpa.statistics.oracle import COLUMNS, oracle_gain, split_gains


def ragged(seed: int = 0) -> CurveData:
    """Three values with 3, 2 and 5 runs; classes of 6, 4 and 9 images, in no order."""
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.repeat([0, 1, 3], [6, 4, 9]))
    correct = generator.random((10, 19)) < 0.6
    return CurveData(
        "m", "a", "val", np.array([0.0, 1.0, 2.0]), np.array([0, 3, 5]), correct, labels
    )


@pytest.mark.parametrize("over_runs", [True, False])
@pytest.mark.parametrize("over_images", [True, False])
def test_every_split_equals_a_slow_loop(over_runs: bool, over_images: bool) -> None:
    curve, splits = ragged(), 7
    halves = image_halves(curve.labels, splits, 3)
    ours = split_gains(curve, halves, over_runs, over_images, splits, 3)
    choosing, scoring = run_halves(curve.draws, splits, 3)
    blocks = [(0, 3), (3, 5), (5, 10)]
    for s in range(splits):
        first, second, kept = [], [], []
        for places, chosen in zip(halves.images, halves.chosen, strict=True):
            a = places[chosen[s]] if over_images else places
            b = places[~chosen[s]] if over_images else places
            kept.append(b)
            for scores, images, weights in ((first, a, choosing[s]), (second, b, scoring[s])):
                row = []
                for low, high in blocks:
                    runs = [r for r in range(low, high) if weights[r] > 0 or not over_runs]
                    row.append(np.mean([curve.correct[r, i] for r in runs for i in images]))
                scores.append(row)
        single = int(np.argmax(np.mean(first, axis=0)))
        each = [int(np.argmax(row)) for row in first]
        assert ours.single_choice[s] == single
        assert ours.class_choice[s].tolist() == each
        gain = np.mean([row[v] - row[single] for row, v in zip(second, each, strict=True)])
        assert ours.gain[s] == pytest.approx(gain, abs=1e-6)
        middle, variance = 0.0, 0.0
        for images, v in zip(kept, each, strict=True):
            d = []
            for i in images:
                shares = []
                for value in (v, single):
                    low, high = blocks[value]
                    runs = [r for r in range(low, high) if scoring[s][r] > 0 or not over_runs]
                    shares.append(np.mean(curve.correct[runs, i]))
                d.append(shares[0] - shares[1])
            n = len(d)
            m = sum(d) / (n + 2)
            middle += m / 3
            variance += ((sum(x * x for x in d) + 2) / (n + 2) - m * m) / (n + 2) / 9
        assert ours.center[s] == pytest.approx(middle)
        assert ours.error[s] == pytest.approx(np.sqrt(variance))
    assert ours.freedom == (sum(n - n // 2 - 1 for n in (6, 4, 9)) if over_images else 16)
    low, high = ours.interval(0.9)
    reach = stats.t.ppf(0.95, ours.freedom) * np.mean(ours.error)
    assert (low, high) == pytest.approx(
        (np.mean(ours.center) - reach, np.mean(ours.center) + reach)
    )


def test_a_sweep_has_the_naive_gain_the_split_one_and_one_for_these_images(tmp_path: Path) -> None:
    outcomes = Outcomes(write_run(
        tmp_path / "run", kind="sweep", draws=4, models=["m"], axes={CROP: (0.8, 0.5, 0.2)},
        pictures=False,
    ))  # fmt: skip
    table = oracle_gain(outcomes)
    # The identity has a single run, so the runs of this curve cannot be halved.
    assert table["halves"].tolist() == ["none", "images"]
    counts = outcomes.counts
    by_value = (counts["correct"] / counts["n"]).groupby(
        [counts["class"], counts["value"]]).mean().unstack()  # fmt: skip
    naive = table.iloc[0]
    assert tuple(table.columns) == COLUMNS
    assert naive["single"] == pytest.approx(by_value.mean().max())
    assert naive["oracle"] == pytest.approx(by_value.max(axis=1).mean())
    assert naive["gain"] == pytest.approx(naive["oracle"] - naive["single"])
    assert naive["single_value"] == by_value.mean().idxmax()
    assert np.isnan(naive["low"]) and (naive["n"], naive["classes"]) == (48, 4)


def test_runs_and_images_are_both_halved_where_every_value_has_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    curve = ragged()
    monkeypatch.setattr("lpa.statistics.oracle.curve_data", lambda outcomes, split: iter([curve]))
    outcomes = Outcomes(write_run(tmp_path / "run", kind="sweep", pictures=False))
    table = oracle_gain(outcomes, splits=20)
    assert table["halves"].tolist() == ["none", "runs and images", "runs, these images"]
    assert table["level"].tolist() == ["image", "image", "run"]
    both = split_gains(curve, image_halves(curve.labels, 20, 0, 4), True, True, 20, 0)
    assert table["gain"].iloc[1] == pytest.approx(both.gain.mean())
    assert (table["low"].iloc[1], table["high"].iloc[1]) == pytest.approx(both.interval(0.95))
    assert np.isnan(table["low"].iloc[2]) and (table["runs"] == 2).all()


def test_the_draws_of_a_scan_are_no_runs(tmp_path: Path) -> None:
    outcomes = Outcomes(write_run(tmp_path / "run", draws=3, pictures=False))
    table = oracle_gain(outcomes, splits=10)
    assert set(table["halves"]) == {"none", "images"}
    assert len(table) == 2 * 2 * 2


def test_classes_too_small_to_halve_and_curves_of_one_value_are_left_out(tmp_path: Path) -> None:
    outcomes = Outcomes(write_run(
        tmp_path / "run", per_class=[12, 3, 1, 8], models=["m"], axes={CROP: (1.0, 0.5)},
        pictures=False,
    ))  # fmt: skip
    table = oracle_gain(outcomes, splits=5)
    assert (table["classes"] == 2).all() and (table["n"] == 20).all()
    assert table.attrs["notes"] == ["m on crop: 2 classes with fewer than 4 images are left out"]
    alone = Outcomes(
        write_run(tmp_path / "alone", axes={CROP: (1.0,)}, models=["m"], pictures=False)
    )
    table = oracle_gain(alone)
    assert len(table) == 0 and tuple(table.columns) == COLUMNS
    assert table.attrs["notes"] == ["m on None: one value leaves nothing to choose"]
    tiny = Outcomes(write_run(
        tmp_path / "tiny", per_class=1, models=["m"], axes={CROP: (1.0, 0.5)}, pictures=False,
    ))  # fmt: skip
    table = oracle_gain(tiny)
    assert table.attrs["notes"] == ["m on crop: no class has 4 images, so halves cannot be scored"]


def test_values_without_any_difference_gain_nothing_and_the_weakest_is_chosen() -> None:
    curve = ragged()
    same = CurveData("m", "a", "val", curve.values, curve.starts,
                     np.tile(curve.correct[0], (10, 1)), curve.labels)  # fmt: skip
    gains = split_gains(same, image_halves(same.labels, 9, 0), True, True, 9, 0)
    assert (gains.gain == 0).all() and (gains.class_choice == 0).all()
    low, high = gains.interval(0.95)
    assert low < 0 < high


@pytest.mark.parametrize("scenario", SCENARIOS[:3], ids=lambda s: s.name)
def test_naive_lies_above_the_truth_and_split_at_what_its_choices_truly_gain(
    scenario: Scenario,
) -> None:
    row = simulate(scenario, 4000)
    error = 3 * row["split_error"]
    assert row["naive"] > row["truth"] + 0.015
    assert row["split"] <= row["truth"] + error
    assert abs(row["split"] - row["gain_of_choices"]) <= 0.002 + error
    if scenario.luck:
        # Halving the runs alone leaves the luck of these images in.
        assert row["split_runs_only"] > row["truth"] + 0.01


def test_a_thousand_classes_at_twenty_values_take_seconds() -> None:
    curve, _ = made_up(np.random.default_rng(0), Scenario("large", 20, 1, 1000, 50, 100, 0.1, 0.03))
    start = time.perf_counter()
    split_gains(curve, image_halves(curve.labels, 100, 0), False, True, 100, 0)
    assert time.perf_counter() - start < 6
