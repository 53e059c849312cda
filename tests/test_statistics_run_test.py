from __future__ import annotations

import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from synthetic import CROP, made_up_samples, write_run

from lpa.axes import Axis
from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.statistics.run_test import COLUMNS, run_test
from lpa.statistics.run_test_summary import COLUMNS as SUMMARY
from lpa.statistics.run_test_summary import run_test_summary

DECAY = Axis("weight_decay", "weight decay", 0.0, "up", "log", monotone=False)


def counts_of(groups: dict[float, np.ndarray], n: int, model: str = "m") -> pd.DataFrame:
    """A table of counts from arrays [runs, classes] by value."""
    rows = [
        (model, "weight_decay", value, run, f"c{c}", int(correct), n)
        for value, hits in groups.items()
        for run, row in enumerate(hits)
        for c, correct in enumerate(row)
    ]
    return pd.DataFrame(
        rows, columns=["model", "axis", "value", "replicate", "class", "correct", "n"]
    )


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    folder = tmp_path_factory.mktemp("runs") / "run"
    axes = {DECAY: (0.0, 1e-4, 1e-3)}
    # The identity has one replicate, so the reference of the comparison is another value.
    return Outcomes(write_run(
        folder, kind="sweep", axes=axes, draws=6, per_class=[12, 7, 30, 3], models=["m"],
        pictures=False,
    ))  # fmt: skip


def test_p_values_are_scipys_on_the_runs_accuracies(sweep: Outcomes) -> None:
    table = run_test(sweep, reference=1e-4, values=[1e-3])
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 2 * 4
    long = sweep.counts
    tested = 0
    for row in table.itertuples():
        mine = long[long["class"] == row[COLUMNS.index("class") + 1]]
        reference, other = (
            (part["correct"] / part["n"]).to_numpy()
            for value in (1e-4, 1e-3)
            for part in [mine[mine["value"] == value]]
        )
        assert row.accuracy == pytest.approx(other.mean())
        assert row.accuracy_reference == pytest.approx(reference.mean())
        assert row.difference == pytest.approx(other.mean() - reference.mean())
        assert (row.runs_reference, row.runs, row.level) == (6, 6, "run")
        if row.status == "tested":
            tested += 1
            alternative = {"lower": "less", "higher": "greater"}[row.direction]
            with warnings.catch_warnings():
                # scipy warns where the runs of one group are all equal, which is no error here.
                warnings.simplefilter("ignore")
                welch = stats.ttest_ind(other, reference, equal_var=False)
                one = stats.ttest_ind(other, reference, equal_var=False, alternative=alternative)
            assert row.p == pytest.approx(one.pvalue)
            interval = welch.confidence_interval()
            assert (row.low, row.high) == pytest.approx(np.clip(interval, -1, 1))
        assert row.p == row.p_welch or np.isnan(row.p)
    assert tested >= 4


def test_a_table_of_counts_gives_what_the_outcomes_give(sweep: Outcomes) -> None:
    from_outcomes = run_test(sweep, 1e-4, [1e-3]).drop(columns=["run", "family", "split", "title"])
    from_counts = run_test(sweep.counts, 1e-4, [1e-3], axes={DECAY.name: DECAY})
    pd.testing.assert_frame_equal(
        from_outcomes, from_counts.drop(columns=["run", "family", "split", "title"])
    )


def test_the_reference_of_the_axis_stands_against_each_other_value_by_default() -> None:
    generator = np.random.default_rng(0)
    counts = counts_of({v: generator.binomial(20, 0.7, (5, 3)) for v in (1e-3, 0.0, 1e-4)}, 20)
    table = run_test(counts, axes={DECAY.name: DECAY})
    pairs = table[["reference", "value"]].drop_duplicates().to_numpy().tolist()
    assert pairs == [[0.0, 1e-4], [0.0, 1e-3]]
    families = table["family"].unique()
    assert len(families) == 4 and (table["m"] == 3).all()
    assert families[0] == (
        "run=counts, model=m, axis=weight_decay, reference=0, value=0.0001, direction=lower"
    )


def test_several_runs_stand_side_by_side_and_may_be_one_family() -> None:
    generator = np.random.default_rng(0)
    sources = {
        name: counts_of({v: generator.binomial(20, 0.7, (r, 3)) for v in (0.0, 1e-4)}, 20)
        for name, r in (("one", 5), ("two", 9))
    }
    table = run_test(sources, axes={DECAY.name: DECAY})
    assert table.groupby("run")["runs"].first().to_dict() == {"one": 5, "two": 9}
    joined = run_test(sources, axes={DECAY.name: DECAY}, family=("direction",))
    assert set(joined["family"]) == {"direction=lower", "direction=higher"}
    assert (joined["m"] == 6).all()


def test_runs_that_never_vary_are_not_testable_and_stay_in_every_denominator() -> None:
    generator = np.random.default_rng(4)
    reference, other = generator.binomial(20, 0.6, (2, 8, 10))
    other[:, 1] = np.maximum(0, reference[:, 1] - 12)
    reference[:, 0], other[:, 0] = 20, 20
    table = run_test(counts_of({0.0: reference, 1.0: other}, 20), reference=0.0)
    none = table[table["class"] == "c0"]
    assert none["status"].tolist() == ["not testable"] * 2 and none["p"].isna().all()
    assert none[["p_bh", "p_holm"]].isna().all(axis=None)
    assert (table["m"] == 9).all() and (table["untestable"] == 1).all()
    summary = run_test_summary(table)
    assert tuple(summary.columns) == SUMMARY
    assert summary["significance"].tolist() == [0.10, 0.05, 0.01]
    for row in summary.itertuples():
        lower = table[(table["direction"] == "lower")]
        assert row.lower == pytest.approx((lower["p"] <= row.significance).sum() / 10)
        assert row.lower_holm == (lower["p_holm"] <= row.significance).sum()
        assert row.lower_bh == (lower["p_bh"] <= row.significance).sum()
        assert (row.not_testable, row.classes, row.tested) == (0.1, 10, 9)
        assert row.nominal_bound == row.significance
    assert summary["lower_holm"].iloc[1] == 1
    assert summary["claim"].iloc[1] == "at least 1 class is truly lower, with 95 % confidence"


def test_each_look_at_the_same_seeds_takes_its_share_of_the_level() -> None:
    generator = np.random.default_rng(4)
    groups = {v: generator.binomial(50, 0.6, (6, 200)) for v in (0.0, 1.0)}
    table = run_test(counts_of(groups, 50), reference=0.0)
    row = run_test_summary(table, [0.10], looks=5).iloc[0]
    assert row["lower"] == run_test_summary(table, [0.02]).iloc[0]["lower"]
    assert (row["nominal_bound"], row["significance"], row["looks"]) == (0.02, 0.10, 5)


def test_few_seeds_are_decided_by_the_moderated_t_and_show_welchs() -> None:
    generator = np.random.default_rng(1)
    groups = {v: generator.binomial(50, 0.6, (2, 150)) for v in (0.0, 1.0)}
    table = run_test(counts_of(groups, 50), reference=0.0)
    assert (table["test"] == "moderated t").all()
    both = table[table["status"] == "tested"]
    moved = both["difference"] != 0
    assert moved.sum() > 200 and (both["p"] != both["p_welch"])[moved].all()
    summary = run_test_summary(table).iloc[1]
    lower = table[table["direction"] == "lower"]
    assert summary["lower_welch"] == (lower["p_welch"] <= 0.05).mean()
    assert summary["lower"] == (lower["p"] <= 0.05).mean()


def test_few_seeds_and_few_classes_are_no_decision() -> None:
    generator = np.random.default_rng(1)
    groups = {v: generator.binomial(50, 0.6, (3, 99)) for v in (0.0, 1.0)}
    table = run_test(counts_of(groups, 50), reference=0.0)
    assert (table["status"] == "too few seeds, no decision").all()
    assert table["p"].isna().all() and table["p_welch"].notna().sum() > 150
    assert (table["m"] == 0).all()
    row = run_test_summary(table).iloc[0]
    assert np.isnan(row["lower"]) and np.isnan(row["lower_holm"])
    assert row["claim"] == "too few seeds, no decision"
    assert 0 < row["lower_welch"] < 0.4


def test_shared_training_seeds_are_compared_in_pairs_by_their_number() -> None:
    generator = np.random.default_rng(2)
    luck = generator.normal(0, 5, (7, 1))
    first, second = (
        (30 + luck + generator.normal(0, 1, (7, 4))).round().astype(int) for _ in range(2)
    )
    counts = counts_of({0.0: first, 1.0: second[:6]}, 50)
    # The pairs are found by the number of the run, not by its place.
    counts = counts.sample(frac=1.0, random_state=0)
    table = run_test(counts, reference=0.0, paired=True)
    lower = table[table["direction"] == "lower"].set_index("class")["p"]
    for c in range(4):
        expected = stats.ttest_rel(second[:6, c], first[:6, c], alternative="less").pvalue
        assert lower[f"c{c}"] == pytest.approx(expected)
    assert (table["test"] == "paired t, shared training seeds").all()
    assert (table["runs_reference"] == 6).all()
    few = run_test(counts[counts["replicate"] < 4], reference=0.0, paired=True)
    assert (few["status"] == "too few seeds, no decision").all()


def test_a_value_with_one_run_is_refused_and_left_out_where_others_remain() -> None:
    generator = np.random.default_rng(0)
    sizes = {0.0: 5, 1.0: 1, 2.0: 5}
    counts = counts_of({v: generator.binomial(9, 0.5, (r, 3)) for v, r in sizes.items()}, 9)
    with pytest.raises(InputError) as caught:
        run_test(counts, reference=0.0, values=[1.0])
    expected = (
        "m on weight_decay: value 1 has one training run; expected at least 2: train more seeds"
    )
    assert str(caught.value) == expected
    table = run_test(counts, reference=0.0)
    assert table["value"].unique().tolist() == [2.0]
    assert table.attrs["notes"] == [expected]


def test_a_value_that_is_not_there_and_an_unknown_reference_are_named() -> None:
    counts = counts_of({0.0: np.ones((2, 3), int), 1e-4: np.ones((2, 3), int)}, 3)
    with pytest.raises(InputError) as caught:
        run_test(counts, reference=0.0, values=[0.5])
    assert str(caught.value) == ("m on weight_decay: value 0.5 is not there; it has 0, 0.0001")
    with pytest.raises(InputError) as caught:
        run_test(counts)
    assert str(caught.value) == (
        "m on weight_decay: the reference value is not known; give it with --reference"
    )
    with pytest.raises(InputError) as caught:
        run_test(counts[counts["value"] == 0.0], reference=0.0)
    assert str(caught.value) == "m on weight_decay: no other value to compare with 0"


def test_a_scan_of_fixed_models_has_no_training_runs(tmp_path: Path) -> None:
    outcomes = Outcomes(write_run(tmp_path / "run", pictures=False))
    with pytest.raises(InputError) as caught:
        run_test(outcomes)
    assert str(caught.value) == (
        f"level 'run' needs training runs, and {tmp_path / 'run'} is a scan of fixed models: "
        "use level 'image'"
    )


def test_splits_of_a_sweep_are_tested_apart(tmp_path: Path) -> None:
    samples = made_up_samples(4, 12)
    samples.split[::3] = "old"
    outcomes = Outcomes(write_run(
        tmp_path / "run", kind="sweep", draws=5, samples=samples, models=["m"],
        axes={CROP: (1.0, 0.5, 0.2)}, pictures=False,
    ))  # fmt: skip
    table = run_test(outcomes, reference=0.5, values=[0.2])
    assert table.groupby("split")["n"].first().to_dict() == {"old": 4, "val": 8}
    only = run_test(outcomes, reference=0.5, values=[0.2], split="val")
    assert only["split"].unique().tolist() == ["val"]


def test_tables_of_counts_that_cannot_be_right_are_refused() -> None:
    good = counts_of({0.0: np.ones((2, 3), int), 1.0: np.ones((2, 3), int)}, 3)
    for change, message in (
        (good.drop(columns="n"), "a table of counts has no column 'n'; expected model, axis, "
         "value, replicate, class, correct, n"),
        (good.assign(correct=4), "counts of class 'c0': 4 right of 3; expected whole numbers "
         "from 0 to n"),
        (good.assign(correct=np.nan), "counts of class 'c0': nan right of 3; expected whole "
         "numbers from 0 to n"),
        (pd.concat([good, good[:1]]), "counts of m on weight_decay: a class stands twice in one "
         "value and replicate; give each training run its own replicate"),
    ):  # fmt: skip
        with pytest.raises(InputError) as caught:
            run_test(change, reference=0.0)
        assert str(caught.value) == message


def test_a_class_that_some_runs_lack_is_left_out_and_said_so() -> None:
    generator = np.random.default_rng(0)
    counts = counts_of({v: generator.binomial(9, 0.5, (5, 3)) for v in (0.0, 1.0)}, 9)
    table = run_test(counts.drop(index=1), reference=0.0)
    assert table["class"].unique().tolist() == ["c0", "c2"]
    assert table.attrs["notes"] == [
        "m on weight_decay: 1 classes have no images, or not the same number in every training "
        "run, and are left out"
    ]


def test_significances_and_looks_out_of_range_are_refused() -> None:
    generator = np.random.default_rng(0)
    counts = counts_of({v: generator.binomial(9, 0.5, (5, 3)) for v in (0.0, 1.0)}, 9)
    table = run_test(counts, reference=0.0)
    with pytest.raises(InputError) as caught:
        run_test_summary(table, [5])
    assert str(caught.value) == "significance 5 is out of range; expected between 0 and 1"
    with pytest.raises(InputError) as caught:
        run_test_summary(table, looks=0)
    assert str(caught.value) == "0 looks; expected at least 1"


def test_a_thousand_classes_at_many_values_take_a_moment() -> None:
    generator = np.random.default_rng(0)
    hits = generator.binomial(50, 0.7, (20 * 20, 1000))
    frame = pd.DataFrame({
        "model": "m", "axis": "weight_decay", "value": np.repeat(np.arange(20.0), 20 * 1000),
        "replicate": np.tile(np.repeat(np.arange(20), 1000), 20),
        "class": np.tile([f"c{c}" for c in range(1000)], 400), "correct": hits.reshape(-1), "n": 50,
    })  # fmt: skip
    start = time.perf_counter()
    table = run_test(frame, reference=0.0)
    run_test_summary(table)
    assert len(table) == 2 * 19 * 1000
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize(("runs", "noted"), [((5, 9), False), ((5, 10), True), ((20, 5), True)])
def test_very_unequal_numbers_of_runs_are_noted(runs: tuple[int, int], noted: bool) -> None:
    generator = np.random.default_rng(0)
    groups = {
        value: generator.integers(5, 20, (number, 3))
        for value, number in zip((0.0, 1e-4), runs, strict=True)
    }
    table = run_test(counts_of(groups, 40), axes={"weight_decay": DECAY})
    line = (
        f"m on weight_decay: {runs[0]} training runs at 0 and {runs[1]} at 0.0001: so unequal, "
        "Welch's t was simulated to err in up to 7 % at 5 %; compare equally many where there is "
        "a choice"
    )
    assert table.attrs["notes"] == ([line] if noted else [])


def test_few_seeds_are_not_noted_as_unequal_since_welch_does_not_decide() -> None:
    groups = {0.0: np.array([[5], [6]]), 1e-4: np.tile([[7], [8], [9]], (3, 1))}
    table = run_test(counts_of(groups, 40), axes={"weight_decay": DECAY})
    assert set(table["status"]) == {"too few seeds, no decision"}
    assert table.attrs["notes"] == []
