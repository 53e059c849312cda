from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from trained_runs import write_sweep

from lpa.outcomes import Outcomes
from lpa.outcomes.part import Part
from lpa.statistics.arms import Arm
from lpa.statistics.end_points import end_points
from lpa.statistics.group_differences import group_differences

GROUPS = {"first two": [0, 1], "nothing": [], "last": [2]}
ACCURACIES = {1.0: [0.9, 0.8, 0.7], 0.5: [0.5, 0.6, 1.0]}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    return Outcomes(write_sweep(tmp_path_factory.mktemp("runs") / "sweep", ACCURACIES, runs=5))


def scores(outcomes: Outcomes, value: float, names: list[str]) -> pd.Series:
    """Mean over classes of every run's accuracy, by replicate."""
    counts = outcomes.counts
    mine = counts[(counts["value"] == value) & counts["class"].isin(names)]
    return (mine["correct"] / mine["n"]).groupby(mine["replicate"]).mean()


def test_a_groups_interval_over_runs_is_scipys_welch_interval(sweep: Outcomes) -> None:
    table = group_differences(sweep, GROUPS, "rn50", "random_crop", (1.0, 0.5), 0.9)
    assert table["group"].tolist() == ["first two", "first two", "last", "last"]
    row = table[(table["group"] == "first two") & (table["level"] == "run")].iloc[0]
    first, second = (scores(sweep, v, ["c000", "c001"]) for v in (1.0, 0.5))
    interval = stats.ttest_ind(second, first, equal_var=False).confidence_interval(0.9)
    assert row["difference"] == pytest.approx(second.mean() - first.mean())
    assert (row["low"], row["high"]) == pytest.approx(tuple(interval))
    assert row["n"] == 40


def test_new_images_widen_the_interval_and_it_is_that_of_the_end_point(sweep: Outcomes) -> None:
    table = group_differences(sweep, GROUPS, "rn50", "random_crop", (1.0, 0.5))
    by_level = table[table["group"] == "first two"].set_index("level")
    width = by_level["high"] - by_level["low"]
    assert width["both"] > width["run"]
    part = Part(sweep, [0, 1])
    arms = [Arm(name, part, value) for name, value in (("a", 1.0), ("b", 0.5))]
    point = end_points(arms[0], arms[1:], halvings=1)
    mine = point[(point["end_point"] == "mean of classes") & (point["level"] == "both")].iloc[0]
    assert by_level.loc["both", ["low", "high"]].tolist() == mine[["low", "high"]].tolist()


def test_shared_seeds_are_paired_and_said(sweep: Outcomes) -> None:
    table = group_differences(
        sweep, GROUPS, "rn50", "random_crop", (1.0, 0.5), paired=True
    ).set_index("group")
    assert set(table["level"]) == {"run"}
    assert table.attrs["notes"] == [
        "training seeds are shared: groups have intervals over runs alone"
    ]
    first, second = (scores(sweep, v, ["c000", "c001"]) for v in (1.0, 0.5))
    interval = stats.ttest_rel(second, first).confidence_interval(0.95)
    assert tuple(table.loc["first two", ["low", "high"]]) == pytest.approx(tuple(interval))


def test_a_group_whose_runs_are_all_equal_has_no_interval(tmp_path: Path) -> None:
    outcomes = Outcomes(write_sweep(tmp_path / "run", {1.0: [1.0, 0.9], 0.5: [0.0, 0.5]}, runs=4))
    table = group_differences(outcomes, {"sure": [0]}, "rn50", "random_crop", (1.0, 0.5))
    by_level = table.set_index("level")
    assert by_level["difference"].tolist() == [-1.0, -1.0]
    assert np.isnan(by_level.loc["run", "low"]) and by_level.loc["both", "low"] == -1.0


def test_classes_of_one_image_are_left_out_of_the_images_and_counted(tmp_path: Path) -> None:
    accuracies = {1.0: [0.9, 0.8], 0.5: [0.5, 0.6]}
    path = write_sweep(tmp_path / "run", accuracies, runs=4, per_class=[20, 1])
    table = group_differences(
        Outcomes(path), {"all": [0, 1]}, "rn50", "random_crop", (1.0, 0.5)
    )  # fmt: skip
    assert table["n"].tolist() == [20, 20]
    assert table.attrs["notes"] == ["val: 1 classes with fewer than 2 images are left out"]
