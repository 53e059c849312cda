"""Strengths for classes from names, from a finished sweep and from the JSON of ``lpa policy``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from policy_context import CLASSES, context, made, refusal
from synthetic import CROP, CUTOUT, made_up_samples, write_run
from trained_runs import write_policies, write_sweep

from lpa.outcomes import Outcomes
from lpa.runs import open_run
from lpa.statistics.policy_record import read_policy
from lpa.statistics.policy_targets import targeted_classes
from lpa.statistics.selected_images import choosing_half, scoring_keys
from lpa.training.policies.policy import Policy

EACH = np.arange(4)
AXIS = context().axis
UNITS = {1.0: [0.6] * 4, 0.5: [0.5, 0.7, 0.6, 0.8], 0.08: [0.2, 0.9, 0.3, 0.7]}


def targeted(record: dict[str, Any], value: float) -> list[str]:
    return targeted_classes(record, CLASSES.names, AXIS, value)


def strengths(policy: Policy, value: float) -> list[float]:
    return policy.values(EACH, value, AXIS).tolist()


@pytest.mark.parametrize("text", ["c001\n c003 \n\n", '["c001", "c003"]', "canoe\nOar\n"])
def test_named_classes_get_the_value_and_the_others_the_reference(
    text: str, tmp_path: Path
) -> None:
    (tmp_path / "some.txt").write_text(text)
    policy = made(f"class_dependent={tmp_path / 'some.txt'}")
    assert strengths(policy, 0.08) == [1.0, 0.08, 1.0, 0.08]
    assert strengths(policy, 0.5) == [1.0, 0.5, 1.0, 0.5]
    assert policy.values(np.array([3, 0, 3]), 0.5, AXIS).tolist() == [0.5, 1.0, 0.5]
    record = policy.record()
    assert record == {"chosen": ["c001", "c003"]}
    assert targeted(record, 0.08) == targeted(record, 0.5) == ["c000", "c002"]
    assert targeted(record, 1.0) == []
    assert policy.selected_on == () and scoring_keys(record, made_up_samples(2, 2).key).all()


def test_names_with_commas_between_need_no_file() -> None:
    assert strengths(made("class_dependent=c000,paddle"), 0.5) == [0.5, 1.0, 0.5, 1.0]
    assert strengths(made("class_dependent=canoe"), 0.5) == [1.0, 0.5, 1.0, 1.0]


def test_lists_that_name_no_class_are_refused(tmp_path: Path) -> None:
    for name, text in (("wrong", "c001\nc0O3\n"), ("empty", "\n\n"), ("none", "[]")):
        (tmp_path / f"{name}.txt").write_text(text)
    for source, message in (
        (tmp_path / "wrong.txt", "unknown class 'c0O3': did you mean 'c003' or 'c002' or 'c001'? "
                                 "(of this run)"),
        (tmp_path / "empty.txt", f"'{tmp_path}/empty.txt' names no class; expected a file with one "
                                 "name a line, or names with commas between"),
        (tmp_path / "none.txt", f"'{tmp_path}/none.txt' names no class; expected a file with one "
                                "name a line, or names with commas between"),
        ("canoo,c001", "unknown class 'canoo': did you mean 'canoe'? (of this run)"),
        ("gone.txt", "policy class_dependent: 'gone.txt' is no file, no run and no class; expected "
                     "classes, a finished sweep, or the JSON of `lpa policy`"),
    ):  # fmt: skip
        assert refusal(f"class_dependent={source}") == message


def test_recipes_have_no_strength_for_a_class() -> None:
    for name in ("weight_decay", "dropout"):
        assert refusal("class_dependent=c001", regularizer=name) == (
            f"policy class_dependent gives classes strengths of their own, and {name} acts on all "
            "of them at once; sweep an augmentation"
        )


def test_a_sweep_gives_the_value_to_the_classes_it_helps_on_one_half_of_the_images(
    tmp_path: Path,
) -> None:
    folder = write_sweep(tmp_path / "sweep", UNITS, runs=3, per_class=40)
    policy, outcomes = made(f"class_dependent={folder}"), Outcomes(folder)
    long = outcomes.table()
    keys = outcomes.samples.key[long["sample"].to_numpy()]
    half = long[choosing_half(keys)]
    for value in (0.5, 0.08):
        expected = []
        for name in CLASSES.names:
            mine = half[half["class"] == name]
            at, before = (
                (mine["prediction"] == mine["label"])[mine["value"] == v].mean()
                for v in (value, 1.0)
            )
            expected.append(value if at > before else 1.0)
        assert strengths(policy, value) == expected
        assert 1.0 in expected and value in expected
    assert strengths(policy, 1.0) == [1.0] * 4
    record = policy.record()
    assert policy.selected_on == (outcomes.samples.fingerprint,)
    assert record["cells"] == sorted(entry.cell.id for entry in outcomes.coverage)
    scoring = scoring_keys(record, outcomes.samples.key)
    np.testing.assert_array_equal(scoring, ~choosing_half(outcomes.samples.key))
    pairs = zip(CLASSES.names, strengths(policy, 0.08), strict=True)
    assert targeted(record, 0.08) == [name for name, strength in pairs if strength == 1.0]
    json.dumps(record, allow_nan=False)


def test_what_is_recorded_does_not_depend_on_which_values_are_trained(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "sweep", UNITS, runs=2)
    scan = write_run(tmp_path / "scan", names=CLASSES.names, titles=CLASSES.labels, models=["m"],
                     axes={CROP: (1.0, 0.5)}, pictures=False)  # fmt: skip
    policy = open_run(scan).write_policy(tmp_path / "policy.json")
    for source in (sweep, policy, "c001"):
        few, many = (made(f"class_dependent={source}", values=values).record()
                     for values in ((1.0, 0.5), (1.0, 0.5, 0.08)))  # fmt: skip
        assert few == many


def test_a_value_that_helps_no_class_and_equal_accuracy_leave_the_reference(
    tmp_path: Path,
) -> None:
    same = {1.0: [1.0, 1.0, 0.0, 0.0], 0.5: [1.0, 1.0, 0.0, 1.0], 0.08: [0.0, 1.0, 0.0, 0.0]}
    folder = write_sweep(tmp_path / "sweep", same, runs=2)
    policy = made(f"class_dependent={folder}")
    assert strengths(policy, 0.5) == [1.0, 1.0, 1.0, 0.5]
    assert strengths(policy, 0.08) == [1.0] * 4
    assert policy.notes == (
        f"class_dependent: random_crop=0.08 helps no class in {folder}; there every class gets the "
        "reference",
    )


def test_classes_that_the_sweep_lacks_stay_at_the_reference(tmp_path: Path) -> None:
    three = {value: accuracies[:3] for value, accuracies in UNITS.items()}
    folder = write_sweep(tmp_path / "sweep", three, runs=2)
    policy = made(f"class_dependent={folder}")
    assert strengths(policy, 0.08)[3] == 1.0
    assert policy.notes == (
        f"class_dependent: 1 of 4 classes have no images in the half of {folder} to choose on, and "
        "stay at the reference: 'c003'",
    )


def test_sweeps_that_cannot_choose_are_refused(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "sweep", UNITS, runs=2)
    scan = write_run(tmp_path / "scan", axes={CROP: (1.0, 0.5)}, pictures=False)
    other = write_policies(tmp_path / "other", {"a": UNITS, "b": UNITS, "a+x": UNITS},
                           {"a+x": {"name": "x"}}, runs=2)  # fmt: skip
    strangers = write_run(
        tmp_path / "strangers", kind="sweep", axes={AXIS: (1.0, 0.5, 0.08)}, models=["m"],
        pictures=False,
    )  # fmt: skip
    one = "class_dependent="
    assert refusal(f"{one}{folder}", values=(1.0, 0.3)) == (
        f"policy class_dependent: {folder} has no random_crop=0.3; expected one of 1, 0.5, 0.08: "
        "train it there first"
    )
    assert refusal(f"{one}{folder}", regularizer="cutout", values=(0.0, 0.3)) == (
        f"policy class_dependent: rn50 in {folder} was measured on random_crop; expected cutout"
    )
    assert refusal(f"{one}{scan}") == (
        f"policy class_dependent: {scan} is a run of fixed models; expected a run of training runs"
    )
    assert refusal(f"{one}{other}") == (
        f"policy class_dependent: {other} has 2 models (a, b); say which: class_dependent={other}#a"
    )
    assert refusal(f"{one}{other}#a") == ""
    assert refusal(f"{one}{other}#c") == f"unknown model 'c': known: a, a+x, b (of {other})"
    assert refusal(f"{one}{strangers}") == (
        f"policy class_dependent: none of the 4 classes of {strangers} is a class of the run, such "
        "as 'c000'; expected the same classes"
    )


def test_the_policy_of_a_scan_limits_each_class_to_its_last_safe_value(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "scan", names=CLASSES.names, titles=CLASSES.labels,
                       per_class=30, models=["m"], axes={CROP: (1.0, 0.5, 0.08)},
                       pictures=False)  # fmt: skip
    path = open_run(folder).write_policy(tmp_path / "policy.json")
    record = read_policy(path)
    ranges = ([1.0, 0.08], [1.0, 0.5], [1.0, 1.0], None)
    for name, limits in zip(CLASSES.names, ranges, strict=True):
        record["classes"][name]["range"] = limits
    path.write_text(json.dumps(record))
    policy = made(f"class_dependent={path}")
    assert strengths(policy, 0.08) == [0.08, 0.5, 1.0, 1.0]
    assert strengths(policy, 0.5) == [0.5, 0.5, 1.0, 1.0]
    assert strengths(made(f"class_dependent={path}", values=(1.0, 0.7)), 0.7) == [0.7, 0.7, 1, 1]
    facts = policy.record()
    assert facts["limits"] == {"c000": 0.08, "c001": 0.5, "c002": 1.0, "c003": 1.0}
    assert targeted(facts, 0.5) == ["c002", "c003"] and targeted(facts, 1.0) == []
    assert targeted(facts, 0.08) == ["c001", "c002", "c003"]
    assert policy.selected_on == (Outcomes(folder).samples.fingerprint,)
    assert not scoring_keys(facts, Outcomes(folder).samples.key).any()
    del record["classes"]["c001"]
    path.write_text(json.dumps(record))
    policy = made(f"class_dependent={path}")
    assert strengths(policy, 0.5) == [0.5, 1.0, 1.0, 1.0]
    assert policy.notes == (
        f"class_dependent: 1 of 4 classes are not in {path} and stay at the reference: 'c001'",
    )


def test_policies_of_other_axes_and_other_json_are_refused(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "scan", names=CLASSES.names, titles=CLASSES.labels,
                       models=["m"], axes={CUTOUT: (0.0, 0.5)}, pictures=False)  # fmt: skip
    path = open_run(folder).write_policy(tmp_path / "policy.json")
    assert refusal(f"class_dependent={path}") == (
        f"policy class_dependent: {path} is of cutout; expected the policy of random_crop or crop"
    )
    cutout = {"regularizer": "cutout", "values": (0.0, 0.5)}
    assert refusal(f"class_dependent={path}", **cutout) == ""
    path.write_text('{"kind": "budget"}')
    assert refusal(f"class_dependent={path}") == (
        f"{path} is no policy; expected the JSON that `lpa policy` wrote"
    )


def test_classes_at_the_reference_are_shown_their_whole_view() -> None:
    regularizer, keys = context().regularizer, made_up_samples(4, 30).key
    labels = np.repeat(EACH, 30)
    values = made("class_dependent=c001,c003").values(labels, 0.08, AXIS)
    params = regularizer.draw(keys, values, seed=3, epoch=2)
    views = np.tile([2.0, 4.0, 30.0, 28.0], (120, 1))
    boxes = regularizer.boxes(params, views, np.full((120, 2), 32))
    whole = (boxes == views).all(axis=1)
    assert whole[np.isin(labels, [0, 2])].all() and not whole[np.isin(labels, [1, 3])].any()
    assert (regularizer.realised(params, values)[np.isin(labels, [0, 2])] == 1.0).all()
