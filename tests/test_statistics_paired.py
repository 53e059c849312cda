"""Comparisons image by image against slow loops, statsmodels' McNemar and a stratified interval."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from synthetic import CROP, made_up_cells, made_up_outcomes, made_up_samples, write_run

from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.statistics.means import mean_interval, mean_test
from lpa.statistics.paired import compare_models, compare_values
from lpa.statistics.paired_tables import CLASSES, FLIPS, OVERALL


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    folder = tmp_path_factory.mktemp("runs") / "run"
    return Outcomes(write_run(folder, per_class=[40, 25, 1, 12], draws=3, pictures=False))


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    folder = tmp_path_factory.mktemp("runs") / "run"
    return Outcomes(write_run(folder, per_class=[40, 25, 3, 12], draws=1, pictures=False))


def shares(outcomes: Outcomes, model: str, axis: str, value: float) -> np.ndarray:
    long = outcomes.table()
    part = long[(long["model"] == model) & (long["axis"] == axis) & (long["value"] == value)]
    right = part["prediction"] == part["label"]
    return right.groupby(part["sample"]).mean().to_numpy()


def test_two_models_equal_a_slow_loop(outcomes: Outcomes) -> None:
    found = compare_models(outcomes, "first", "second", "crop", 0.2)
    table = found.classes
    assert tuple(table.columns) == CLASSES and len(table) == 2 * 4
    old, new = (shares(outcomes, model, "crop", 0.2) for model in ("first", "second"))
    for row in table.itertuples():
        mine = outcomes.samples.label == row.label
        d = (new - old)[mine]
        assert (row.accuracy, row.old_accuracy) == pytest.approx((new[mine].mean(),
                                                                  old[mine].mean()))  # fmt: skip
        assert row.difference == pytest.approx(d.mean())
        low, high = mean_interval(d.sum(), (d**2).sum(), len(d))
        assert (row.low, row.high) == pytest.approx((float(low), float(high)), nan_ok=True)
        assert (row.lost, row.gained, row.n) == ((d < 0).sum(), (d > 0).sum(), len(d))
        sign = 1 if row.direction == "helped" else -1
        p = float(mean_test(sign * d.sum(), (d**2).sum(), len(d)))
        assert row.p == pytest.approx(p, nan_ok=True)
        assert (row.method, row.level, row.old_model, row.model) == (
            "E2", "image", "first", "second"
        )  # fmt: skip


def test_one_draw_each_is_tested_by_mcnemar(single: Outcomes) -> None:
    table = compare_values(single, "crop", 1.0, 0.2, "second").classes
    assert (table["method"] == "exact McNemar").all()
    labels = single.samples.label
    old, new = (shares(single, "second", "crop", value) for value in (1.0, 0.2))
    for label in range(4):
        lost, gained = (
            int(((labels == label) & (a > b)).sum()) for a, b in ((old, new), (new, old))
        )
        hurt, helped = (
            table[(table["label"] == label) & (table["direction"] == side)].iloc[0]
            for side in ("hurt", "helped")
        )
        assert (hurt["lost"], hurt["gained"]) == (lost, gained)
        if lost + gained == 0:
            assert hurt["p"] == helped["p"] == 1
            continue
        expected = stats.binomtest(lost, lost + gained, 0.5, alternative="greater").pvalue
        assert hurt["p"] == pytest.approx(expected)
        # statsmodels has the two-sided test: twice the smaller side, at most 1.
        two_sided = mcnemar([[0, lost], [gained, 0]], exact=True).pvalue
        assert min(1.0, 2 * min(hurt["p"], helped["p"])) == pytest.approx(two_sided)


def test_each_direction_is_a_family_and_one_image_is_not_testable(outcomes: Outcomes) -> None:
    table = compare_models(outcomes, "first", "second", "crop", 0.2).classes
    hurt = table[table["direction"] == "hurt"]
    assert hurt["m"].eq(3).all() and hurt["untestable"].eq(1).all()
    assert np.isnan(hurt.set_index("label").loc[2, "p_bh"])
    expected = multipletests(hurt["p"].dropna(), method="fdr_bh")[1]
    np.testing.assert_allclose(hurt["p_bh"].dropna(), expected)
    one = compare_models(outcomes, "first", "second", direction="helped").classes
    assert one["direction"].unique().tolist() == ["helped"] and len(one) == 4


def test_the_overall_difference_has_the_stratified_interval(single: Outcomes) -> None:
    row = compare_values(single, "cutout", 0.0, 0.8, "first").overall
    assert tuple(row.columns) == OVERALL
    change = shares(single, "first", "cutout", 0.8) - shares(single, "first", "cutout", 0.0)
    labels = single.samples.label
    parts = [change[labels == c] for c in range(4)]
    for aggregate, weights in (
        ("overall", [len(part) / len(change) for part in parts]),
        ("mean of classes", [0.25] * 4),
    ):
        found = row[row["aggregate"] == aggregate].iloc[0]
        center = sum(w * part.mean() for w, part in zip(weights, parts, strict=True))
        variance = sum(
            w**2 * part.var(ddof=1) / len(part) for w, part in zip(weights, parts, strict=True)
        )
        reach = stats.norm.ppf(0.975) * np.sqrt(variance)
        assert found["difference"] == pytest.approx(center)
        assert (found["low"], found["high"]) == pytest.approx((center - reach, center + reach))
        assert (found["n"], found["classes"], found["method"]) == (80, 4, "stratified normal")


def test_a_class_of_one_image_makes_the_overall_difference_one_sample(outcomes: Outcomes) -> None:
    found = compare_values(outcomes, "crop", 1.0, 0.3, "first").overall
    change = shares(outcomes, "first", "crop", 0.3) - shares(outcomes, "first", "crop", 1.0)
    low, high = mean_interval(change.sum(), (change**2).sum(), len(change))
    row = found[found["aggregate"] == "overall"].iloc[0]
    assert row["method"] == "E2, all images as one sample"
    assert (row["low"], row["high"]) == pytest.approx((float(low), float(high)))


def test_flips_list_every_image_that_changed_with_both_predictions(outcomes: Outcomes) -> None:
    flips = compare_values(outcomes, "crop", 1.0, 0.2, "second").flips
    assert tuple(flips.columns) == FLIPS
    old, new = (shares(outcomes, "second", "crop", value) for value in (1.0, 0.2))
    changed = set(outcomes.samples.sample[old != new])
    assert set(flips["sample"]) == changed and len(flips) == len(changed)
    size = (flips["share"] - flips["old_share"]).abs()
    assert size.is_monotonic_decreasing
    assert (flips["flip"] == np.where(flips["share"] < flips["old_share"], "lost", "gained")).all()
    long = outcomes.table()
    for row in flips.itertuples():
        part = long[(long["model"] == "second") & (long["axis"] == "crop")
                    & (long["value"] == 0.2) & (long["sample"] == row.sample)]  # fmt: skip
        count = Counter(part["prediction"])
        best = min(c for c in count if count[c] == max(count.values()))
        assert row.prediction == outcomes.classes.names[best]
        assert row.name == outcomes.samples.name[row.sample] and row.n == 3


def test_the_identity_is_compared_when_no_place_is_given(outcomes: Outcomes) -> None:
    here = compare_models(outcomes, "first", "second").classes
    there = compare_models(outcomes, "first", "second", "cutout", 0.0).classes
    np.testing.assert_allclose(here["p"], there["p"])
    assert here["axis"].isna().all() and (here["method"] == "exact McNemar").all()


def test_every_model_is_compared_when_none_is_named(outcomes: Outcomes) -> None:
    table = compare_values(outcomes, "crop", 0.8, 0.2).classes
    assert table.groupby("model")["m"].unique().map(list).to_dict() == {
        "first": [3], "second": [3]
    }  # fmt: skip
    assert (table["old_value"] == 0.8).all() and (table["value"] == 0.2).all()


def test_models_that_predict_the_same_list_no_flips(tmp_path: Path) -> None:
    axes, per_class = {CROP: CROP.grid}, [40, 25, 1, 12]
    samples = made_up_samples(4, per_class)
    alone = made_up_outcomes(made_up_cells(["first"], axes, 3), samples, 4, axes)
    twice = {name: np.concatenate([values, values]) for name, values in alone.items()}
    folder = write_run(
        tmp_path / "run", per_class=per_class, axes=axes, draws=3, columns=twice, pictures=False
    )
    found = compare_models(Outcomes(folder), "first", "second")
    assert found.flips.empty and tuple(found.flips.columns) == FLIPS
    assert (found.classes["difference"] == 0).all() and (found.classes["p"].dropna() == 1).all()
    assert (found.overall["low"] < 0).all() and (found.overall["high"] > 0).all()


def test_what_cannot_be_compared_is_refused(outcomes: Outcomes) -> None:
    for call, message in (
        (lambda: compare_models(outcomes, "first", "third"),
         "unknown model 'third': known: first, second"),
        (lambda: compare_models(outcomes, "first", "second", "crop"),
         "a place needs an axis and a value, such as crop=.5; give both or neither"),
        (lambda: compare_models(outcomes, "first", "second", "crop", 0.5),
         "first was not measured at crop=0.5; it has crop=1,0.8,0.6,0.4,0.3,0.2,0.08"),
        (lambda: compare_values(outcomes, "crop", 1.0, 0.5),
         "first was not measured at crop=0.5; it has crop=1,0.8,0.6,0.4,0.3,0.2,0.08"),
        (lambda: compare_values(outcomes, "crop", 1.0, 1.0),
         "crop: both values are 1; give two different ones"),
        (lambda: compare_values(outcomes, "blur", 1.0, 2.0),
         "unknown axis 'blur': known: crop, cutout"),
        (lambda: compare_models(outcomes, "first", "second", direction="down"),
         "direction 'down' is unknown; expected hurt, helped or both"),
    ):  # fmt: skip
        with pytest.raises(InputError) as caught:
            call()
        assert str(caught.value) == message


def test_a_run_without_cells_has_nothing_to_compare(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", pictures=False)
    for unit in (folder / "units").iterdir():
        unit.unlink()
    empty = Outcomes(folder)
    with pytest.raises(InputError) as caught:
        compare_models(empty, "first", "second")
    assert str(caught.value) == f"{folder} holds no complete cell to compare"
    assert all(table.empty for table in compare_values(empty, "crop", 1.0, 0.5))
