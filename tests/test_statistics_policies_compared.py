"""Policies beside the plain training: pairs, families, images that did not choose, marks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trained_runs import TAU, write_policies

import lpa
from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.outcomes.part import Part
from lpa.statistics.arms import Arm
from lpa.statistics.end_points import MEAN, TARGETED, WORST, end_points
from lpa.statistics.multiplicity import corrected
from lpa.statistics.policies_compared import has_policies, policies_compared
from lpa.statistics.selected_images import choosing_half, images_record
from lpa.statistics.sweeps_compared import sweeps_compared

HIGH, LOW = [0.9] * 12, [0.9] * 6 + [0.4] * 6
MID = [0.9] * 6 + [0.6] * 6
NAMES = [f"c{k:03d}" for k in range(12)]
VALUES = {1.0: HIGH, 0.5: MID, 0.08: LOW}
BETTER = {1.0: HIGH, 0.5: HIGH, 0.08: MID}


def facts(name: str, **record: object) -> dict[str, object]:
    return {"name": name, "source": "", "record": record, "selected_on": []}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_policies(
        tmp_path_factory.mktemp("runs") / "run",
        {"net": VALUES, "net+adaptive_strength": BETTER, "net+label_distillation": VALUES},
        {
            "net": facts("plain"),
            "net+adaptive_strength": facts(
                "adaptive_strength",
                chosen={"0.08": [n for n in NAMES if n not in ("c006", "c007")] + ["nowhere"]},
            ),
            "net+label_distillation": facts("label_distillation"),
        },
    )


def test_each_policy_is_compared_with_its_plain_model_at_each_value(run: Path) -> None:
    outcomes = Outcomes(run)
    found = policies_compared({"run": outcomes}, halvings=20)
    points, classes = found.end_points, found.classes
    assert set(points["value"]) == {0.5, 0.08} and set(points["axis"]) == {TAU.name}
    assert set(points["policy"]) == {"net+adaptive_strength", "net+label_distillation"}
    assert set(points["baseline"]) == {"net"} and set(points["level"]) == {"run", "both"}
    mine = points[(points["value"] == 0.08) & (points["policy"] == "net+adaptive_strength")]
    assert set(mine["end_point"]) == {MEAN, WORST, TARGETED}
    rest = points[points["policy"] == "net+label_distillation"]
    assert set(rest["end_point"]) == {MEAN, WORST}
    arms = [Arm(name, Part(outcomes, models=[name]), 0.08)
            for name in ("net", "net+adaptive_strength")]  # fmt: skip
    expected = end_points(arms[0], arms[1:], ["c006", "c007"], halvings=20)
    for column in ("score_baseline", "score", "difference", "low", "high", "p"):
        np.testing.assert_array_equal(mine[column], expected[column])
    by_class = sweeps_compared(arms[0], arms[1:])
    own = classes[(classes["value"] == 0.08) & (classes["policy"] == "net+adaptive_strength")]
    for column in ("difference", "p", "p_holm", "m"):
        np.testing.assert_array_equal(own[column], by_class[column])


def test_holm_is_over_end_points_and_policies_of_a_value_or_over_everything(run: Path) -> None:
    points = policies_compared({"run": Outcomes(run)}, halvings=5).end_points
    # At .08 three end points of one policy and two of the other; at .5 two and two.
    assert set(points.loc[points["value"] == 0.08, "m"]) == {5}
    assert set(points.loc[points["value"] == 0.5, "m"]) == {4}
    lower = points[(points["value"] == 0.08) & (points["level"] == "run")
                   & (points["direction"] == "higher")]  # fmt: skip
    ranked = np.sort(lower["p"])
    steps = np.minimum(1, np.maximum.accumulate(ranked * (5 - np.arange(5))))
    np.testing.assert_allclose(np.sort(lower["p_holm"]), steps)
    together = policies_compared({"run": Outcomes(run)}, halvings=5, family="all").end_points
    assert set(together["m"]) == {9}
    assert set(together["family"]) == {
        f"level={level}, direction={direction}"
        for level in ("run", "both") for direction in ("lower", "higher")
    }  # fmt: skip
    again = corrected(points, by=("level", "direction"))
    np.testing.assert_allclose(together["p_holm"], again["p_holm"])


def chosen_run(folder: Path, half: bool) -> Path:
    draft = write_policies(folder / "draft", {"net": VALUES})
    record: dict[str, Any] = {"images": images_record(Outcomes(draft).samples, half=half)}
    return write_policies(
        folder / "run", {"net": VALUES, "net+class_dependent": BETTER},
        {"net+class_dependent": facts("class_dependent", **record)
         | {"selected_on": [record["images"]["fingerprint"]]}},
    )  # fmt: skip


def test_a_policy_chosen_on_half_of_the_images_is_scored_on_the_other_half(tmp_path: Path) -> None:
    outcomes = Outcomes(chosen_run(tmp_path, half=True))
    found = policies_compared({"run": outcomes}, [0.08], halvings=5)
    scored = ~choosing_half(outcomes.samples.key)
    assert found.end_points.attrs["notes"] == [
        f"net+class_dependent was chosen on images of {outcomes.store}: it is scored on "
        f"{scored.sum()} of 240, which did not choose it",
    ]
    assert (found.end_points["mark"] == "").all() and found.end_points["p"].notna().all()
    correct, labels = outcomes.correct(), np.asarray(outcomes.samples.label)
    for row in found.classes.itertuples():
        mine = scored & (labels == row.label)
        assert row.n == mine.sum()
        for column, model in (("accuracy_baseline", "net"), ("accuracy", "net+class_dependent")):
            rows = (outcomes.cells["model"] == model) & (outcomes.cells["value"] == 0.08)
            expected = correct[rows.to_numpy()][:, mine].mean()
            assert getattr(row, column) == pytest.approx(expected)


def test_a_policy_chosen_on_all_of_the_images_is_marked_and_has_no_p_value(tmp_path: Path) -> None:
    found = policies_compared({"run": Outcomes(chosen_run(tmp_path, half=False))}, halvings=5)
    for table in found:
        assert (table["mark"] == "selected on these images").all()
        assert table["p"].isna().all() and table["difference"].notna().all()


def chosen_by(folder: Path, replicates: int) -> Path:
    """A policy that was chosen by the first plain trainings at .08, on other images."""
    draft = Outcomes(write_policies(folder / "draft", {"net": VALUES}))
    cells = [
        entry.cell.id for entry in draft.coverage
        if entry.cell.value == 0.08 and entry.cell.replicate < replicates
    ]  # fmt: skip
    return write_policies(
        folder / f"run{replicates}", {"net": VALUES, "net+class_dependent": BETTER},
        {"net+class_dependent": facts("class_dependent", cells=cells)},
    )  # fmt: skip


def test_plain_trainings_that_chose_a_policy_are_left_out_while_two_others_are_left(
    tmp_path: Path,
) -> None:
    outcomes = Outcomes(chosen_by(tmp_path, 3))
    points = policies_compared({"run": outcomes}, halvings=5).end_points
    assert set(points.loc[points["value"] == 0.5, "runs_baseline"]) == {6}
    at = points[points["value"] == 0.08]
    assert set(at["runs_baseline"]) == {3} and set(at["runs"]) == {6} and set(at["mark"]) == {""}
    rows = (outcomes.cells["model"] == "net") & (outcomes.cells["value"] == 0.08)
    rows &= outcomes.cells["replicate"] >= 3
    mean = outcomes.correct()[rows.to_numpy()].mean()
    assert at[at["end_point"] == MEAN]["score_baseline"].iloc[0] == pytest.approx(mean)
    assert points.attrs["notes"][0] == (
        "random_crop=0.08: 3 of 6 trainings of net chose net+class_dependent and are left out"
    )


def test_a_policy_beside_the_very_trainings_that_chose_it_is_marked(tmp_path: Path) -> None:
    found = policies_compared({"run": Outcomes(chosen_by(tmp_path, 5))}, halvings=5)
    for table in found:
        at = table[table["value"] == 0.08]
        assert set(at["mark"]) == {"selected on these runs"} and at["p"].isna().all()
        assert set(at["runs_baseline"]) == {6}
        assert set(table.loc[table["value"] == 0.5, "mark"]) == {""}
    assert found.classes.attrs["notes"][0] == (
        "random_crop=0.08: 5 of 6 trainings of net chose net+class_dependent, which has no "
        "p-value; train others with --policy plain and another --seed"
    )


def test_images_are_named_where_images_and_trainings_both_chose(tmp_path: Path) -> None:
    draft = Outcomes(write_policies(tmp_path / "draft", {"net": VALUES}))
    record = {"images": images_record(draft.samples), "cells": [e.cell.id for e in draft.coverage]}
    run = write_policies(
        tmp_path / "run", {"net": VALUES, "net+x": BETTER}, {"net+x": facts("x", **record)}
    )
    found = policies_compared({"run": Outcomes(run)}, halvings=5)
    assert set(found.end_points["mark"]) == {"selected on these images"}


def test_where_every_class_is_targeted_their_mean_is_no_end_point_of_its_own(
    tmp_path: Path,
) -> None:
    run = write_policies(tmp_path / "run", {"net": VALUES, "net+x": BETTER},
                         {"net+x": facts("x", chosen={"0.5": []})})  # fmt: skip
    points = policies_compared({"run": Outcomes(run)}, halvings=5).end_points
    assert set(points["end_point"]) == {MEAN, WORST}


def test_fingerprints_alone_mark_where_no_keys_are_recorded(tmp_path: Path) -> None:
    draft = write_policies(tmp_path / "draft", {"net": VALUES})
    print_of = Outcomes(draft).record.fingerprint
    run = write_policies(
        tmp_path / "run", {"net": VALUES, "net+other": BETTER},
        {"net+other": facts("other") | {"selected_on": [print_of]}},
    )  # fmt: skip
    found = policies_compared({"run": Outcomes(run)}, halvings=5)
    assert (found.end_points["mark"] == "selected on these images").all()


def test_the_plain_model_may_be_in_another_run(tmp_path: Path) -> None:
    plain = write_policies(tmp_path / "plain", {"net": VALUES, "net+x": VALUES}, runs=5, seed=3)
    policy = write_policies(
        tmp_path / "policy", {"net+adaptive_strength": BETTER},
        {"net+adaptive_strength": facts("adaptive_strength")},
    )  # fmt: skip
    runs = {"policy": Outcomes(policy), "plain": Outcomes(plain)}
    points = policies_compared(runs, [0.5], halvings=5).end_points
    assert set(points["baseline"]) == {"plain: net"}
    assert set(points["policy"]) == {"policy: net+adaptive_strength"}
    assert set(points["runs_baseline"]) == {5} and set(points["runs"]) == {6}
    table = lpa.open(policy).policies(0.5, beside=[lpa.open(plain)], by_class=True)
    assert len(table) == 12 * 4 and set(table["baseline"]) == {"plain: net"}


def test_targeted_classes_can_be_given_and_classes_shown_alone(run: Path) -> None:
    opened = lpa.open(run)
    points = opened.policies("0.5", classes="c001,c002")
    targeted = points[points["end_point"] == TARGETED]
    assert set(targeted["policy"]) == {"net+adaptive_strength", "net+label_distillation"}
    assert set(targeted["classes"]) == {2}
    shown = opened.policies(0.5, classes="c001,c002", by_class=True)
    assert set(shown["class"]) == {"c001", "c002"} and set(shown["m"]) == {12}
    only = opened.policies(0.5, models="net+adaptive_strength")
    assert set(only["policy"]) == {"net+adaptive_strength"}
    assert len(set(opened.policies(0.5, models=["net"])["policy"])) == 2


def test_what_cannot_be_compared_is_refused_or_noted(run: Path, tmp_path: Path) -> None:
    alone = write_policies(tmp_path / "alone", {"net": VALUES})
    assert has_policies(Outcomes(run)) and not has_policies(Outcomes(alone))
    orphan = write_policies(
        tmp_path / "orphan", {"net+x": VALUES, "other": VALUES}, {"net+x": facts("x")}
    )
    single = write_policies(
        tmp_path / "single", {"net": VALUES, "net+x": VALUES}, {"net+x": facts("x")}, runs=1
    )
    one = (
        "random_crop={}: net has 1 trainings and net+x 1; expected at least 2 of each: train more "
        "seeds"
    )
    for call, message in (
        (lambda: policies_compared({"a": Outcomes(alone)}),
         "no model in a was trained with a policy; expected a sweep with --policy, such as "
         "--policy plain,adaptive_strength"),
        (lambda: policies_compared({"a": Outcomes(orphan)}),
         "net+x in a has no plain training to be compared with; train it with --policy plain, or "
         "give its run, too"),
        (lambda: policies_compared({"a": Outcomes(single)}),
         "; ".join(one.format(value) for value in ("0.5", "0.08"))),
        (lambda: policies_compared({"run": Outcomes(run)}, [0.3]),
         "; ".join(f"random_crop=0.3: net has 0 trainings and {policy} 0; expected at least 2 of "
                   "each: train more seeds"
                   for policy in ("net+adaptive_strength", "net+label_distillation"))),
        (lambda: lpa.open(run).policies(models="nett"),
         "unknown model 'nett': did you mean 'net'? (of these runs)"),
        (lambda: lpa.open(run).policies(fdr="no"),  # type: ignore[arg-type]
         "correction 'fdr_no' is unknown; expected fdr_bh or fdr_by"),
    ):  # fmt: skip
        with pytest.raises(InputError) as caught:
            call()
        assert str(caught.value) == message
