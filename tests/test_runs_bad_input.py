"""Runs that lack something: a clear line or a stated omission, never a wrong number."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from lpa_cli.curves import command as curves
from lpa_cli.gate import command as gate
from lpa_cli.rank import command as rank
from lpa_cli.test import command as lpa_test
from synthetic import CROP, made_up_cells, write_run
from trained_runs import write_sweep

from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.outcomes.part import Part
from lpa.runs import Run, open_run
from lpa.statistics.ranking import ranking

ANSWERS: dict[str, Callable[[Run], object]] = {
    "rank": lambda run: run.rank(),
    "rank by threshold": lambda run: run.rank("threshold"),
    "test": lambda run: run.test(),
    "policy": lambda run: run.policy(),
    "gate": lambda run: run.gate(),
}


def refusals(run: Run) -> dict[str, str]:
    found = {}
    for name, answer in ANSWERS.items():
        with pytest.raises(InputError) as caught:
            answer(run)
        found[name] = str(caught.value)
    return found


def test_one_value_only(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run", axes={CROP: (1.0,)}, models=["m"], pictures=False))
    reason = "m on no axis: measured at the identity only; no losses are given"
    assert refusals(run) == {
        "rank": f"nothing can be ranked: {reason}",
        "rank by threshold": f"nothing can be ranked: {reason}",
        "test": f"nothing can be tested: {reason}",
        "policy": f"no range can be given: {reason}",
        "gate": f"nothing can be checked; {reason}",
    }


def test_no_reference_value(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", axes={CROP: (1.0, 0.5, 0.3)}, models=["m"], shard_size=48,
                       missing=[(0, 0)], pictures=False)  # fmt: skip
    reason = "m on crop: nothing measured at the reference 1; no losses are given"
    assert set(refusals(open_run(folder)).values()) == {
        f"nothing can be ranked: {reason}",
        f"nothing can be tested: {reason}",
        f"no range can be given: {reason}",
        f"nothing can be checked; {reason}",
    }
    # Two values beside the reference can still be compared.
    found = open_run(folder).compare(values="crop=.5,.3")
    assert found.overall["old_value"].tolist() == [0.5, 0.5]


def test_one_class_only(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", names=["n0"], titles=["canoe"], per_class=30,
                       pictures=False)  # fmt: skip
    table = open_run(folder).rank()
    assert table["rank"].tolist() == [1] * 4
    assert "where one class is ranked, there is nothing to rank it against" in table.attrs["notes"]
    assert (table["rank_high"] == 1).all()
    assert open_run(folder).test()["m"].tolist() == [1] * 8


def test_classes_with_one_image_and_with_none(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", per_class=[30, 1, 0, 12], models=["m"],
                       axes={CROP: (1.0, 0.5, 0.08)}, pictures=False)  # fmt: skip
    run = open_run(folder)
    table = run.rank().set_index("label")
    assert list(table.index) == [0, 3, 1] or list(table.index) == [3, 0, 1]
    single = table.loc[1]
    assert pd.isna(single[["rank", "rank_low", "low", "high", "threshold"]]).all()
    assert single["state"] == "undefined"
    tests = run.test().set_index(["label", "direction"])
    assert np.isnan(tests.loc[(1, "hurt"), "p"]) and tests.loc[(0, "hurt"), "m"] == 2
    assert tests.loc[(0, "hurt"), "untestable"] == 1
    policy = run.policy().set_index("label")
    assert policy.loc[1, "state"] == "undefined" and np.isnan(policy.loc[1, "safe_to"])
    verdicts = run.gate().classes.set_index("label")["verdict"]
    assert verdicts[1] == "undefined" and 2 not in verdicts.index
    compared = run.compare(values="crop=1,.08").classes
    one = compared[compared["label"] == 1]
    assert one[["low", "high", "p"]].isna().all(axis=None)


def test_one_photograph_a_class_is_listed_and_nothing_is_claimed(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", per_class=1, models=["m"], axes={CROP: (1.0, 0.5)},
                       pictures=False)  # fmt: skip
    result = CliRunner().invoke(rank, [str(folder)])
    assert result.exit_code == 0 and len(result.stdout.splitlines()) == 6
    assert result.stderr == (
        "note: m on crop: 4 of 4 classes have fewer than 10 images and are not ranked\n"
    )
    run = open_run(folder)
    assert run.rank()["rank"].isna().all()
    assert run.test()["p"].isna().all()
    assert set(run.policy()["state"]) == {"undefined"}
    assert run.gate().counts == {"fails": 0, "safe": 0, "undecided": 0, "undefined": 4}
    assert not run.gate(require="safe").passed


def test_unequal_replicates_average_within_the_image_first(tmp_path: Path) -> None:
    whole = write_run(tmp_path / "whole", per_class=20, models=["m"], draws=4,
                      axes={CROP: (1.0, 0.5, 0.08)}, pictures=False)  # fmt: skip
    # Rows are the identity, four draws at .5, four at .08: three draws of .5 are not there.
    ragged = write_run(tmp_path / "ragged", per_class=20, models=["m"], draws=4, shard_size=1000,
                       axes={CROP: (1.0, 0.5, 0.08)}, missing=[(0, row) for row in (2, 3, 4)],
                       pictures=False)  # fmt: skip
    outcomes = Outcomes(whole)
    cells, correct = outcomes.cells, outcomes.correct()
    shares = {
        value: correct[(cells["value"] == value) & (cells["replicate"] <= most)].mean(axis=0)
        for value, most in ((1.0, 0), (0.5, 0), (0.08, 3))
    }
    loss = 0.5 * (0.92 * (shares[1.0] - shares[0.5]) + 0.42 * (shares[1.0] - shares[0.08])) / 0.92
    label = outcomes.samples.label
    expected = np.bincount(label, weights=loss) / np.bincount(label)
    found = open_run(ragged).rank().sort_values("label")
    np.testing.assert_allclose(found["loss"], expected)


def test_ragged_models_are_stated_and_ranked_each_on_its_own_values(tmp_path: Path) -> None:
    rows = len(made_up_cells(["first"], {CROP: CROP.grid}, 1))
    folder = write_run(tmp_path / "run", axes={CROP: CROP.grid}, draws=1, shard_size=1000,
                       missing=[(0, row) for row in range(2, rows - 1)], per_class=20,
                       pictures=False)  # fmt: skip
    run = open_run(folder)
    table = run.rank()
    assert any(note.startswith("crop: models have different values (first: 3; second: 7)")
               for note in table.attrs["notes"])  # fmt: skip
    alone = ranking(Part(run.outcomes, models=["first"]))
    mine = table[table["model"] == "first"]
    np.testing.assert_array_equal(mine["loss"], alone["loss"])
    with pytest.raises(InputError) as caught:
        run.compare("first,second", at="crop=.4")
    assert str(caught.value) == "first was not measured at crop=0.4; it has crop=1,0.8,0.08"


def test_an_unfinished_run_says_so_and_goes_on_with_the_rest(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", per_class=20, missing=[(0, 2)], pictures=False)
    result = CliRunner().invoke(gate, [str(folder), "--max-drop", ".9"])
    assert result.exit_code == 0
    assert result.stderr.splitlines()[0] == (
        "note: 1 of 42 cells are unfinished and left out; the first is first at crop=0.8 with "
        "64 of 80 images"
    )


def test_an_empty_run_is_one_line(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", axes={CROP: (1.0, 0.5)}, draws=1, models=["m"],
                       shard_size=1000, missing=[(0, 0), (0, 1)], pictures=False)  # fmt: skip
    text = f"{folder} has no complete cell yet; run the same command as before to go on"
    assert set(refusals(open_run(folder)).values()) == {text}
    with pytest.raises(InputError) as caught:
        open_run(folder).compare("m,m")
    assert str(caught.value) == text


def test_a_folder_that_is_no_run_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(lpa_test, [str(tmp_path)])
    assert str(result.exception) == (
        f"{tmp_path} is no run: there is no run.json in it; expected the folder that `lpa scan`, "
        "`train-sweep`, `probe` or `import` named at its end"
    )


def test_runs_without_a_common_image_or_model_cannot_gate_each_other(tmp_path: Path) -> None:
    new = write_run(tmp_path / "new", models=["a", "b"], pictures=False)
    other = write_run(tmp_path / "other", models=["c", "d"], pictures=False)
    with pytest.raises(InputError) as caught:
        open_run(new).gate(against=other)
    assert str(caught.value) == (f"the runs share no model: {new} has a, b, {other} has c, d")


def test_an_axis_that_no_plan_names_has_no_reference(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run", axes={CROP: (1.0, 0.5)}, pictures=False))
    with pytest.raises(InputError) as caught:
        run.rank(axes="blur")
    assert str(caught.value) == "unknown axis 'blur': known: crop (of this run)"


LACKING: dict[str, Callable[[Run, str], pd.DataFrame]] = {
    "curves": lambda run, names: run.curves(names),
    "rank": lambda run, names: run.rank(classes=names),
    "test": lambda run, names: run.test(classes=names),
    "compare": lambda run, names: run.compare(values="crop=1,.5", classes=names).classes,
    "policy": lambda run, names: run.policy(classes=names),
    "gate": lambda run, names: run.gate(classes=names).classes,
}


@pytest.fixture(scope="module")
def lacking(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs") / "run"
    return open_run(write_run(folder, per_class=[30, 12, 0, 0], models=["m"],
                              axes={CROP: (1.0, 0.5, 0.08)}, pictures=False))  # fmt: skip


@pytest.mark.parametrize("answer", LACKING)
def test_chosen_classes_without_images_are_named(lacking: Run, answer: str) -> None:
    with pytest.raises(InputError) as caught:
        LACKING[answer](lacking, "paddle,n2")
    assert str(caught.value) == (
        f"none of the chosen classes has images in {lacking.path}: 'n3', 'n2'; 2 of its 4 classes "
        "have some, such as 'n0'"
    )
    table = LACKING[answer](lacking, "paddle,n0,n2")
    assert set(table["label"]) == {0}


def test_some_chosen_classes_without_images_are_a_note(lacking: Run) -> None:
    note = (
        f"classes: 2 of 3 chosen classes have no images in {lacking.path} and are left out: "
        "'n3', 'n2'"
    )
    result = CliRunner().invoke(curves, [str(lacking.path), "--classes", "paddle,n0,n2"])
    assert result.exit_code == 0 and result.stderr == f"note: {note}\n"
    for table in (
        lacking.rank(classes="paddle,n0,n2"),
        lacking.test(classes="paddle,n0,n2"),
        lacking.compare(values="crop=1,.5", classes="paddle,n0,n2").overall,
        lacking.policy(classes="paddle,n0,n2"),
        lacking.gate(classes="paddle,n0,n2").table,
    ):
        assert table.attrs["notes"][0] == note


def test_groups_without_images_are_noted_or_refused(lacking: Run) -> None:
    groups = {"barn spider": "here", "garden spider": "here", "canoe": "gone"}
    table = lacking.curves(groups=groups)
    assert set(table["group"]) == {"here"} and set(table["n"]) == {42}
    assert table.attrs["notes"] == [
        "groups: 1 of 2 groups have no images and are left out; the first is 'gone'"
    ]
    for answer in (lacking.curves, lacking.rank, lacking.policy, lacking.test):
        with pytest.raises(InputError) as caught:
            answer(groups={"canoe": "gone", "paddle": "gone"})
        assert str(caught.value) == (
            f"none of the 2 classes in the groups has images in {lacking.path}; those that have "
            "are such as 'n0'"
        )


def test_a_class_in_two_groups_counts_in_both(lacking: Run) -> None:
    groups = {"spiders": ["n0", "n1"], "barn": ["n0"]}
    counted = lacking.policy(groups=groups).set_index("group")["classes"]
    assert counted.to_dict() == {"spiders": 2, "barn": 1}
    assert lacking.test(groups=groups).set_index("group")["classes"].to_dict() == {
        "spiders": 2, "barn": 1,
    }  # fmt: skip


def test_curves_say_what_is_unfinished_and_refuse_what_is_empty(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", per_class=20, missing=[(0, 2)], pictures=False)
    result = CliRunner().invoke(curves, [str(folder), "--mean"])
    assert result.exit_code == 0
    assert result.stderr == (
        "note: 1 of 42 cells are unfinished and left out; the first is first at crop=0.8 with "
        "64 of 80 images\n"
    )
    empty = write_run(tmp_path / "empty", axes={CROP: (1.0, 0.5)}, draws=1, models=["m"],
                      shard_size=1000, missing=[(0, 0), (0, 1)], pictures=False)  # fmt: skip
    result = CliRunner().invoke(curves, [str(empty), "--format", "json"])
    assert str(result.exception) == (
        f"{empty} has no complete cell yet; run the same command as before to go on"
    )
    assert result.stdout == ""


def test_runs_side_by_side_match_a_watch_list_and_groups_by_name(tmp_path: Path) -> None:
    options = {"models": ["m"], "axes": {CROP: (1.0, 0.5)}, "pictures": False, "per_class": 20}
    first = open_run(write_run(tmp_path / "first", **options))
    second = open_run(write_run(tmp_path / "second", names=("n3", "x", "n0"),
                                titles=("paddle", "oar", "barn spider"), **options))  # fmt: skip
    table = first.test(beside=[second], classes="paddle")
    assert table[["run", "class", "label"]].drop_duplicates().values.tolist() == [
        ["first", "n3", 3], ["second", "n3", 0],
    ]  # fmt: skip
    grouped = first.test(beside=[second], groups={"n0": "a", "n3": "b"}).set_index(["run", "group"])
    for run in (first, second):
        alone = run.test(groups={"n0": "a", "n3": "b"}).set_index("group")["loss"]
        assert grouped.loc[run.path.name]["loss"].to_dict() == alone.to_dict()
    stranger = open_run(write_run(tmp_path / "third", names=("x",), titles=("oar",), **options))
    with pytest.raises(InputError) as caught:
        first.test(beside=[stranger], groups={"n0": "a", "n3": "b"})
    assert str(caught.value).startswith(
        "none of the 2 classes in the groups is a class of the run, such as 'x'; expected"
    )


def test_classes_too_small_to_be_tested_are_noted(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", per_class=[30, 1, 0, 12], models=["m"],
                       axes={CROP: (1.0, 0.5)}, pictures=False)  # fmt: skip
    note = "m on crop: 1 of 3 classes have fewer than 2 images and are not tested"
    assert open_run(folder).test().attrs["notes"] == [note]
    assert open_run(folder).test(by_class=False).attrs["notes"] == [note]


def test_one_training_at_a_value_is_why_nothing_is_decided(tmp_path: Path) -> None:
    run = open_run(write_sweep(tmp_path / "run", {1.0: [0.9, 0.8], 0.5: [0.5, 0.6]}, runs=1))
    note = (
        "rn50 on random_crop: one run at 1, 0.5 has no error at level both, so nothing is decided "
        "there; train more seeds"
    )
    table = run.policy()
    assert set(table["state"]) == {"undecided"} and note in table.attrs["notes"]
    assert note in run.gate().table.attrs["notes"]
    assert note not in run.policy(level="image").attrs["notes"]


def test_a_value_is_missed_where_the_identity_alone_was_measured(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", axes={CROP: (1.0,)}, models=["m"], pictures=False)
    with pytest.raises(InputError) as caught:
        open_run(folder).test(value=0.5)
    assert str(caught.value) == (
        f"value 0.5 was not measured beside the reference; {folder} has the identity only"
    )
