from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from trained_runs import write_sweep

from lpa.errors import InputError
from lpa.outcomes import Outcomes, Store, create_or_check, put_counts, put_plan
from lpa.outcomes.part import Part
from lpa.runs import open_run
from lpa.statistics.accuracy import class_accuracy
from lpa.statistics.aggregates import mean_accuracy
from lpa.statistics.counted_accuracy import (
    counted_class_accuracy,
    counted_group_accuracy,
    counted_mean_accuracy,
)
from lpa.statistics.group_means import group_accuracy

GROUPS = {"first two": [0, 1], "last": [2]}


def counts_of(sweep: Path, path: Path) -> Outcomes:
    """Write the counts of a sweep as an import that holds nothing else."""
    outcomes = Outcomes(sweep)
    store = Store(path)
    create_or_check(
        store,
        replace(outcomes.record, kind="import", reference={"holds": "counts"}),
        outcomes.samples,
    )
    put_plan(store, outcomes.plans[0])
    put_counts(store, outcomes.counts)
    return Outcomes(path)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    accuracies = {1.0: [0.9, 0.8, 0.7], 0.5: [0.5, 0.6, 1.0]}
    return write_sweep(tmp_path_factory.mktemp("runs") / "sweep", accuracies, runs=5)


@pytest.fixture(scope="module")
def counts(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    return counts_of(sweep, tmp_path_factory.mktemp("counts") / "run")


def test_counts_give_the_run_level_intervals_of_the_outcomes_they_count(
    sweep: Path, counts: Outcomes
) -> None:
    outcomes = Outcomes(sweep)
    for found, expected in (
        (counted_class_accuracy(counts), class_accuracy(outcomes, level="run")),
        (counted_mean_accuracy(counts), mean_accuracy(outcomes, level="run")),
        (counted_group_accuracy(counts, GROUPS), group_accuracy(outcomes, GROUPS, level="run")),
    ):
        assert set(expected["split"]) == {"val"}
        if "method" in expected:
            assert set(found.pop("method")) == {"E3, t over runs"}
            expected = expected.drop(columns="method")
        pd.testing.assert_frame_equal(found, expected, check_dtype=False)


def test_a_groups_interval_is_scipys_over_its_runs_means(counts: Outcomes) -> None:
    table = counted_group_accuracy(counts, GROUPS, confidence=0.9)
    rows = counts.counts[counts.counts["class"].isin(["c000", "c001"])]
    for row in table[table["group"] == "first two"].itertuples():
        mine = rows[rows["value"] == row.value]
        shares = (mine["correct"] / mine["n"]).groupby(mine["replicate"]).mean()
        limits = stats.t.interval(0.9, 4, shares.mean(), stats.sem(shares))
        assert (row.accuracy, row.low, row.high) == pytest.approx((shares.mean(), *limits))
        assert (row.n, row.classes, row.draws, row.level) == (40, 2, 5, "run")


def test_a_part_of_counts_is_a_part_of_the_table(counts: Outcomes) -> None:
    table = counted_class_accuracy(Part(counts, [0, 2]))
    assert table["class"].unique().tolist() == ["c000", "c002"]
    everything = counted_class_accuracy(counts)
    np.testing.assert_array_equal(table["low"], everything[everything["label"] != 1]["low"])
    assert counted_class_accuracy(Part(counts, models=[])).empty


def test_images_and_other_splits_are_not_in_counts(counts: Outcomes) -> None:
    with pytest.raises(InputError) as caught:
        counted_mean_accuracy(counts, level="image")
    assert str(caught.value) == (
        "level 'image' needs the prediction for every sample, and "
        f"{counts.store} holds counts only: use level 'run'"
    )
    with pytest.raises(InputError) as caught:
        counted_mean_accuracy(counts, split="test")
    assert str(caught.value) == f"split 'test' is not in {counts.store}; it has val"


def test_classes_of_which_runs_saw_different_images_are_left_out_and_noted(
    sweep: Path, tmp_path: Path
) -> None:
    outcomes = Outcomes(sweep)
    table = outcomes.counts
    odd = (table["class"] == "c001") & (table["replicate"] == 2) & (table["value"] == 0.5)
    table.loc[odd, "n"] = 30
    store = Store(tmp_path / "run")
    record = replace(outcomes.record, kind="import", reference={"holds": "counts"})
    create_or_check(store, record, outcomes.samples)
    put_plan(store, outcomes.plans[0])
    put_counts(store, table)
    found = counted_class_accuracy(Outcomes(tmp_path / "run"))
    assert set(found["class"]) == {"c000", "c002"}
    assert found.attrs["notes"] == [
        "rn50 on random_crop: 1 classes have no images, or not the same number in every training "
        "run, and are left out"
    ]


def test_counts_without_a_split_are_drawn_under_the_default_one(
    counts: Outcomes, tmp_path: Path
) -> None:
    store = Store(tmp_path / "run")
    create_or_check(store, replace(counts.record, split=None), counts.samples)
    put_plan(store, counts.plans[0])
    put_counts(store, counts.counts)
    run = open_run(tmp_path / "run")
    assert set(run.curves(aggregate=None)["split"]) == {"default"}
    for name, options in (
        ("mean_curve", {}), ("class_curves", {"top": 2}), ("class_heatmap", {}),
        ("small_multiples", {}), ("class_curves", {"groups": {"c000": "a", "c001": "a"}}),
    ):  # fmt: skip
        assert len(run.figure(name, **options).data) > 0
    lines = run.figure("class_curves", top=2).data
    # The two classes that fall the most, the one that gains left out.
    assert {trace.name for trace in lines if trace.mode == "lines+markers"} == {"c000", "c001"}


def test_models_axes_and_splits_of_counts_are_chosen_and_checked(counts: Outcomes) -> None:
    run = open_run(counts.store.root)
    for answer in (run.curves, run.test):
        for options, text in (
            ({"models": "vit"}, "unknown model 'vit': known: rn50 (of this run)"),
            ({"axes": "dropout"}, "unknown axis 'dropout': known: random_crop (of this run)"),
            ({"split": "test"}, f"split 'test' is not in {counts.store}; it has val"),
        ):
            with pytest.raises(InputError) as caught:
                answer(**options)
            assert str(caught.value) == text
    assert len(run.test(models="rn50", axes="random_crop", split="val")) == len(run.test())
