from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from lpa_cli.policy import command
from synthetic import CROP, write_run

from lpa.runs import open_run
from lpa.statistics.policy import policy
from lpa.statistics.policy_record import read_policy


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "run", per_class=[60, 60, 60, 15],
                     pictures=False)  # fmt: skip


def run(*arguments: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(command, [str(each) for each in arguments])


def test_every_class_has_its_range(folder: Path) -> None:
    result = run(folder, "--format", "json", "--axis", "crop", "--models", "first")
    rows = json.loads(result.stdout)
    expected = policy(open_run(folder).outcomes, axis="crop")
    expected = expected[expected["model"] == "first"]
    assert [row["safe_to"] for row in rows] == expected["safe_to"].tolist()
    assert len({row["safe_to"] for row in rows}) > 1
    assert result.stderr == (
        "note: first on crop (val): 1 of 4 classes have fewer than the 23 images without which no "
        "value can be shown to lose less than 10 points\n"
    )
    line = run(folder, "--axis", "crop", "--models", "first").stdout.splitlines()[1]
    assert line.split()[:3] == ["class", "title", "safe_to"]


def test_a_promise_for_all_classes_is_narrower(folder: Path) -> None:
    one = json.loads(run(folder, "--format", "json").stdout)
    every = json.loads(run(folder, "--format", "json", "--family", "all").stdout)
    assert {row["confidence"] for row in every} == {1 - 0.05 / 4}
    assert all(a["steps"] <= b["steps"] for a, b in zip(every, one, strict=True))
    assert any(a["steps"] < b["steps"] for a, b in zip(every, one, strict=True))


def test_the_file_is_what_training_sweeps_read(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "policy.json"
    result = run(folder, "-o", out, "--model", "second", "--axis", "crop", "--drop", ".2")
    assert result.stdout == f"{out}\n"
    assert result.stderr.splitlines()[-1].startswith("at the strongest value: ")
    record = read_policy(out)
    table = open_run(folder).policy(0.2, models="second", axes="crop")
    ranges = dict(zip(table["class"], table["safe_to"], strict=True))
    assert {name: each["range"][1] for name, each in record["classes"].items()} == ranges
    assert (record["model"], record["axis"]["name"], record["drop"]) == ("second", "crop", 0.2)
    assert record["images"]["fingerprint"] and record["runs"][0]["fingerprint"]


def test_a_higher_confidence_is_that_of_table_and_file(folder: Path, tmp_path: Path) -> None:
    stricter = json.loads(run(folder, "--confidence", ".99", "--format", "json").stdout)
    usual = json.loads(run(folder, "--format", "json").stdout)
    assert {row["confidence"] for row in stricter} == {0.99}
    assert all(a["needed"] > b["needed"] for a, b in zip(stricter, usual, strict=True))
    out = tmp_path / "policy.json"
    run(folder, "-o", out, "--model", "second", "--axis", "crop", "--confidence", ".99")
    assert read_policy(out)["confidence"] == 0.99
    result = run(folder, "--confidence", "99")
    assert str(result.exception) == "confidence 99 is out of range; expected e.g. 0.95"


def test_the_file_is_of_one_model_and_of_all_classes(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "policy.json"
    result = run(folder, "-o", out)
    assert str(result.exception) == (
        "a policy is of one model, and the run has 2 (first, second); give --model NAME"
    )
    result = run(folder, "-o", out, "--models", "first,second", "--axis", "crop")
    assert str(result.exception) == (
        "a policy is of one model, not of 2 (first, second); give --model NAME"
    )
    result = run(folder, "-o", out, "--model", "first", "--axis", "crop,cutout")
    assert str(result.exception) == (
        "a policy is of one axis, not of 2 (crop, cutout); give --axis NAME"
    )
    result = run(folder, "-o", out, "--model", "first", "--axis", "crop", "--classes", "canoe")
    assert str(result.exception) == (
        "a policy's file is of all classes; leave --classes and --groups out, or -o"
    )
    assert not out.exists()


def test_a_file_that_cannot_be_written_is_one_line(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "policy.json"
    result = run(folder, "-o", out, "--model", "first", "--axis", "crop")
    assert "cannot write" in str(result.exception) and "\n" not in str(result.exception)


def test_groups_count_states(folder: Path, tmp_path: Path) -> None:
    groups = tmp_path / "groups.json"
    groups.write_text(json.dumps({"spiders": ["n0", "n1"], "things": ["n2", "n3"]}))
    rows = json.loads(run(folder, "--groups", groups, "--format", "json", "--drop", ".3").stdout)
    classes = open_run(folder).policy(0.3)
    for row in rows:
        mine = classes[(classes["model"] == row["model"]) & (classes["axis"] == row["axis"])]
        mine = mine[mine["label"].isin([0, 1] if row["group"] == "spiders" else [2, 3])]
        for state in ("safe", "undecided", "unsafe", "undefined"):
            assert row[state] == (mine["state"] == state).sum()
        assert row["classes"] == 2 and row["low"] < row["loss"] < row["high"]
    assert len(rows) == 8


def test_watched_classes_are_the_same_rows(folder: Path) -> None:
    rows = json.loads(run(folder, "--classes", "canoe", "--format", "json").stdout)
    assert {row["label"] for row in rows} == {2} and len(rows) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--drop", "0"], "drop 0 cannot be shown not to be exceeded; give more, such as 0.1"),
        (["--drop", "10"], "drop 10 is out of range; expected a fraction from 0 to below 1, such "
                           "as 0.1 for 10 accuracy points"),
    ],
)  # fmt: skip
def test_a_drop_out_of_range_is_refused(folder: Path, options: list[str], message: str) -> None:
    assert str(run(folder, *options).exception) == message


def test_nothing_beside_the_reference_gives_no_range(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", axes={CROP: (1.0,)}, models=["m"], pictures=False)
    assert str(run(folder).exception) == (
        "no range can be given: m on no axis: measured at the identity only; no losses are given"
    )


def test_a_policy_into_a_directory_is_refused(folder: Path, tmp_path: Path) -> None:
    result = run(folder, "--models", "first", "--axis", "crop", "-o", tmp_path)
    assert str(result.exception) == (
        f"-o {tmp_path} is a directory; expected the policy's file, e.g. {tmp_path}/policy.json"
    )
