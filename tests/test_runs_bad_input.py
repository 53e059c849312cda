"""Runs that lack something: a clear line or a stated omission, never a wrong number."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from lpa_cli.gate import command as gate
from lpa_cli.rank import command as rank
from lpa_cli.test import command as lpa_test
from synthetic import CROP, made_up_cells, write_run

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
        f"{tmp_path} is no run: there is no run.json in it; expected the folder that `lpa scan` "
        "named at its end"
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
