from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from lpa_cli.rank import command
from synthetic import CROP, write_run

from lpa.errors import InputError
from lpa.runs import open_run
from lpa.statistics.ranking import ranking
from lpa.statistics.threshold import threshold

TITLES = ("barn spider", "garden spider", "=cmd()", "paddle", "gown")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "run"
    names = [f"n{index}" for index in range(5)]
    return write_run(path, names=names, titles=TITLES, per_class=[30, 30, 30, 30, 6],
                     pictures=False)  # fmt: skip


def run(*arguments: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "120"}).invoke(command, [str(each) for each in arguments])


def test_json_has_rank_loss_and_threshold_with_their_intervals(folder: Path) -> None:
    rows = json.loads(run(folder, "--format", "json", "--axis", "crop").stdout)
    outcomes = open_run(folder).outcomes
    ranks = ranking(outcomes)
    ranks = ranks[ranks["axis"] == "crop"]
    thresholds = threshold(outcomes).set_index(["model", "axis", "label"])
    assert len(rows) == len(ranks) == 10
    for row, expected in zip(rows, ranks.to_dict("records"), strict=True):
        for name in ("model", "axis", "class", "label", "loss", "low", "high"):
            assert row[name] == expected[name]
        own = thresholds.loc[(row["model"], "crop", row["label"])]
        assert (row["drop"], row["state"]) == (0.1, own["state"])
        for name, of in (("threshold", "threshold"), ("threshold_low", "low"),
                         ("threshold_high", "high")):  # fmt: skip
            assert row[name] == (None if pd.isna(own[of]) else own[of])
        assert row["threshold_high_state"] == own["high_state"]
        if row["n"] == 6:
            assert row["rank"] is row["rank_low"] is None
        else:
            assert row["rank_low"] <= row["rank"] and isinstance(row["rank"], int)


def test_the_table_shows_small_classes_last_without_a_rank(folder: Path) -> None:
    result = run(folder, "--models", "first", "--axis", "crop")
    lines = result.stdout.splitlines()
    assert lines[0] == "model first, axis crop, split val, drop 0.100, level image"
    assert lines[1].split() == [
        "rank", "ranks", "class", "title", "loss", "interval", "threshold", "between", "n",
    ]  # fmt: skip
    assert [line.split()[0] for line in lines[2:6]] == ["1", "2", "3", "4"]
    assert lines[6].split()[0] == "n4" and len(lines) == 7
    assert result.stderr == (
        "note: first on crop: 1 of 5 classes have fewer than 10 images and are not ranked\n"
    )


def test_by_threshold_orders_by_where_labels_stop_being_preserved(folder: Path) -> None:
    rows = json.loads(
        run(folder, "--by", "threshold", "--drop", ".2", "--format", "json", "--axis", "cutout",
            "--models", "second").stdout
    )  # fmt: skip
    numbers = [row["threshold"] for row in rows if row["rank"] and row["state"] == "number"]
    assert numbers == sorted(numbers) and len(numbers) >= 2
    assert {row["drop"] for row in rows} == {0.2}
    assert "mean_rank" not in rows[0]


def test_top_and_joint(folder: Path) -> None:
    rows = json.loads(run(folder, "--top", "2", "--joint", "--format", "json").stdout)
    assert [row["rank"] for row in rows] == [1, 2] * 4
    for row in rows:
        assert row["joint_low"] <= row["rank_low"] and row["rank_high"] <= row["joint_high"]
    assert "joint 1-4" in run(folder, "--top", "2", "--joint").stdout


def test_watched_classes_keep_their_ranks_among_all(folder: Path, tmp_path: Path) -> None:
    watch = tmp_path / "watch.txt"
    watch.write_text("paddle\ngown\n")
    rows = json.loads(run(folder, "--classes", watch, "--format", "json").stdout)
    ranks = open_run(folder).rank().set_index(["model", "axis", "label"])["rank"]
    assert {row["label"] for row in rows} == {3, 4} and len(rows) == 8
    for row in rows:
        expected = ranks[row["model"], row["axis"], row["label"]]
        assert row["rank"] == (None if pd.isna(expected) else expected)


def test_groups_roll_up(folder: Path, tmp_path: Path) -> None:
    groups = tmp_path / "groups.csv"
    groups.write_text("class,group\nbarn spider,spiders\ngarden spider,spiders\nzebra,animals\n"
                      "paddle,things\ngown,things\n")  # fmt: skip
    result = run(folder, "--groups", groups, "--format", "json", "--axis", "crop")
    rows = json.loads(result.stdout)
    classes = open_run(folder).rank()
    for row in rows:
        members = {"spiders": [0, 1], "things": [3, 4]}[row["group"]]
        mine = classes[(classes["model"] == row["model"]) & (classes["axis"] == "crop")
                       & classes["label"].isin(members)]  # fmt: skip
        assert row["loss"] == pytest.approx(mine["loss"].mean())
        assert row["low"] < row["loss"] < row["high"]
    assert result.stderr.splitlines()[:2] == [
        "note: groups: 1 of 5 names are no classes of the run and are ignored; the first is "
        "'zebra'",
        "note: groups: 1 of 5 classes are in no group and are left out; the first is 'n2'",
    ]
    assert "median threshold" in run(folder, "--groups", groups).stdout
    top = json.loads(
        run(folder, "--groups", groups, "--top", "1", "--format", "json", "--axis", "crop").stdout
    )
    assert top == [max(rows[:2], key=lambda row: row["loss"]),
                   max(rows[2:], key=lambda row: row["loss"])]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "named"), [(["--joint"], "--joint"), (["--by", "threshold"], "--by threshold")]
)
def test_what_groups_do_not_have_is_refused(
    folder: Path, tmp_path: Path, options: list[str], named: str
) -> None:
    groups = tmp_path / "groups.csv"
    groups.write_text("class,group\nbarn spider,spiders\npaddle,things\n")
    assert str(run(folder, "--groups", groups, *options).exception) == (
        "groups have no ranks and stand in the order of their mean losses; leave "
        f"{named} out, or --groups"
    )
    assert str(run(folder, "--groups", groups, "--top", "0").exception) == (
        "the top 0 groups: expected at least 1"
    )


def test_csv_has_no_formula_and_latex_and_markdown_are_tables(folder: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run(folder, "--format", "csv").stdout)))
    assert len(rows) == 20 and {row["title"] for row in rows} >= {"'=cmd()"}
    assert run(folder, "--format", "latex").stdout.splitlines()[1].startswith(r"\begin{tabular}{")
    assert run(folder, "--format", "markdown").stdout.startswith("| model | axis |")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--drop", "10"], "drop 10 is out of range; expected a fraction from 0 to below 1, such "
                           "as 0.1 for 10 accuracy points"),
        (["--top", "0"], "the top 0 classes: expected at least 1"),
        (["--models", "third"], "unknown model 'third': known: first, second (of this run)"),
        (["--by", "threshold", "--joint"],
         "joint ranks exist by loss only; leave joint out, or rank by loss"),
    ],
)  # fmt: skip
def test_bad_options_are_one_line(folder: Path, options: list[str], message: str) -> None:
    result = run(folder, *options)
    assert isinstance(result.exception, InputError) and str(result.exception) == message


def test_a_run_of_the_identity_alone_says_why_nothing_is_ranked(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", axes={CROP: (1.0,)}, models=["m"], pictures=False)
    assert str(run(folder).exception) == (
        "nothing can be ranked: m on no axis: measured at the identity only; no losses are given"
    )
