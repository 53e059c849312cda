from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from synthetic import CROP, write_run
from trained_runs import write_sweep

from lpa.outcomes import Outcomes
from lpa.statistics.accuracy import class_accuracy
from lpa.statistics.group_means import group_accuracy, group_loss, group_thresholds
from lpa.statistics.mean_loss import mean_loss
from lpa.statistics.threshold import threshold

GROUPS = {"spiders": [0, 1], "boats": [2], "nothing": []}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    folder = tmp_path_factory.mktemp("runs") / "run"
    return Outcomes(write_run(folder, per_class=[12, 20, 9, 5], pictures=False))


def test_a_groups_loss_is_the_mean_of_its_classes_losses(outcomes: Outcomes) -> None:
    table, classes = group_loss(outcomes, GROUPS), mean_loss(outcomes)
    assert set(table["group"]) == {"spiders", "boats"}
    for row in table.itertuples():
        mine = classes[(classes["model"] == row.model) & (classes["axis"] == row.axis)
                       & classes["label"].isin(GROUPS[row.group])]  # fmt: skip
        assert row.loss == pytest.approx(mine["mean_loss"].mean())
        assert (row.classes, row.n) == (len(mine), mine["n"].sum())
        if row.group == "boats":
            limits = mine.iloc[0][["low", "high"]].to_list()
            assert [row.low, row.high] == pytest.approx(limits)
        assert row.low < row.loss < row.high
    by_curve = table.groupby(["model", "axis"])["loss"]
    assert by_curve.apply(lambda losses: losses.is_monotonic_decreasing).all()


def test_a_groups_accuracy_is_the_mean_of_its_classes(outcomes: Outcomes) -> None:
    table, classes = group_accuracy(outcomes, GROUPS), class_accuracy(outcomes)
    keys = ["model", "axis", "value"]
    for group in ("spiders", "boats"):
        mine = classes[classes["label"].isin(GROUPS[group])]
        expected = mine.groupby(keys, sort=False)[["accuracy", "low", "high"]].mean()
        found = table[table["group"] == group].set_index(keys)
        np.testing.assert_allclose(found["accuracy"], expected["accuracy"])
        if group == "boats":
            np.testing.assert_allclose(found[["low", "high"]], expected[["low", "high"]])
            assert set(found["method"]) == {"E1"}


def test_the_median_threshold_is_that_of_a_class(outcomes: Outcomes) -> None:
    thresholds = threshold(outcomes)
    medians = group_thresholds(outcomes, {"all": [0, 1, 2]}, thresholds)
    assert len(medians) == 4
    for row in medians.itertuples():
        mine = thresholds[(thresholds["model"] == row.model) & (thresholds["axis"] == row.axis)
                          & (thresholds["label"] < 3)]  # fmt: skip
        numbers = mine.sort_values("threshold", ascending=row.axis != "crop")
        if (mine["state"] == "number").all():
            assert row.median_threshold == numbers["threshold"].iloc[1]
        assert row.median_state in set(mine["state"])


def test_a_sweeps_groups_know_new_trainings(tmp_path: Path) -> None:
    path = write_sweep(tmp_path / "run", {1.0: [0.9, 0.8, 0.7], 0.5: [0.5, 0.6, 0.7]})
    outcomes = Outcomes(path)
    both = group_loss(outcomes, {"all": [0, 1, 2]}).iloc[0]
    image = group_loss(outcomes, {"all": [0, 1, 2]}, level="image").iloc[0]
    assert (both["level"], image["level"]) == ("both", "image")
    assert both["loss"] == pytest.approx(image["loss"])
    assert both["high"] - both["low"] > image["high"] - image["low"]


def test_a_groups_loss_at_a_value_is_the_mean_of_its_classes(outcomes: Outcomes) -> None:
    table = group_loss(outcomes, GROUPS, value=0.4)
    accuracy = class_accuracy(outcomes).set_index(["model", "axis", "value", "label"])["accuracy"]
    assert len(table) == 2 * 2 * 2
    for row in table.itertuples():
        reference = 1.0 if row.axis == "crop" else 0.0
        lost = [
            accuracy[row.model, row.axis, reference, label]
            - accuracy[row.model, row.axis, 0.4, label]
            for label in GROUPS[row.group]
        ]
        assert row.loss == pytest.approx(np.mean(lost)) and row.low < row.loss < row.high


def test_curves_without_the_value_are_noted(outcomes: Outcomes) -> None:
    table = group_loss(outcomes, GROUPS, value=0.08)
    assert set(table["axis"]) == {"crop"}
    assert table.attrs["notes"] == [
        "first on cutout: nothing measured at 0.08; no loss is given",
        "second on cutout: nothing measured at 0.08; no loss is given",
    ]


def test_a_sweeps_loss_at_a_value_has_the_runs_of_that_value_and_of_the_reference(
    tmp_path: Path,
) -> None:
    accuracies = {1.0: [0.9, 0.8, 0.7], 0.7: [0.1, 0.9, 0.5], 0.5: [0.5, 0.6, 0.7]}
    outcomes = Outcomes(write_sweep(tmp_path / "run", accuracies))
    row = group_loss(outcomes, {"all": [0, 1, 2]}, value=0.5).iloc[0]
    counts = outcomes.counts
    scores = (counts["correct"] / counts["n"]).groupby([counts["value"], counts["replicate"]])
    scores = scores.mean().unstack()
    variances = scores.var(axis=1) / 6
    label, correct = outcomes.samples.label, outcomes.correct()
    means = {v: correct[(outcomes.cells["value"] == v).to_numpy()].mean(axis=0) for v in (1.0, 0.5)}
    loss = means[1.0] - means[0.5]
    images = [np.var(loss[label == c], ddof=1) / 20 / 9 for c in range(3)]
    terms = [*((v, 19) for v in images), (variances[1.0], 5), (variances[0.5], 5)]
    total = sum(v for v, _ in terms)
    freedom = total**2 / sum(v**2 / d for v, d in terms)
    assert row["level"] == "both"
    assert row["high"] - row["loss"] == pytest.approx(stats.t.ppf(0.975, freedom) * total**0.5)


def test_curves_without_losses_are_noted(tmp_path: Path) -> None:
    outcomes = Outcomes(write_run(tmp_path / "run", axes={CROP: (1.0,)}, pictures=False))
    table = group_loss(outcomes, GROUPS)
    assert table.empty
    assert table.attrs["notes"] == [
        "first on no axis: measured at the identity only; no losses are given",
        "second on no axis: measured at the identity only; no losses are given",
    ]
