"""``lpa curves``, ``lpa report`` and ``lpa export``, and how tables are printed."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from lpa_cli.curves import command as curves
from lpa_cli.export import command as export
from lpa_cli.report import command as report
from lpa_cli.tables import print_table
from synthetic import CROP, write_run

from lpa.errors import InputError
from lpa.runs import open_run

NAMES = ("=cmd()", "a_b|c", "canoe & paddle", "<i>")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "run"
    return write_run(path, names=NAMES, titles=NAMES, axes={CROP: (1.0, 0.5, 0.08)})


def printed(*arguments: str | Path) -> str:
    result = CliRunner(env={"COLUMNS": "80"}).invoke(
        curves, [str(argument) for argument in arguments], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.output


def test_csv_has_full_precision_and_no_formula(folder: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(printed(folder, "--format", "csv", "--by-class"))))
    table = open_run(folder).curves()
    assert [float(row["accuracy"]) for row in rows] == table["accuracy"].tolist()
    assert [float(row["high"]) for row in rows] == table["high"].tolist()
    assert rows[0]["class"] == "'=cmd()"


def test_json_is_a_list_of_objects_with_null_for_what_is_missing(folder: Path) -> None:
    rows = json.loads(printed(folder, "--format", "json"))
    table = open_run(folder).curves(aggregate=None)
    assert list(rows[0]) == list(table.columns)
    assert [row["low"] for row in rows] == table["low"].tolist()
    assert rows[0]["class"] is None and rows[0]["aggregate"] == "overall"
    assert rows[-1]["class"] == "<i>" and rows[-1]["label"] == 3


def test_one_photograph_a_class_has_null_limits(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", per_class=1, pictures=False)
    rows = json.loads(printed(folder, "--format", "json", "--by-class"))
    assert {row["low"] for row in rows} == {None}


def test_the_table_fits_the_terminal_and_states_once_what_is_constant(folder: Path) -> None:
    lines = printed(folder, "--classes", "canoe & paddle", "--models", "first").splitlines()
    assert lines[0] == (
        "model first, axis crop, split val, class canoe & paddle, label 2, title canoe & paddle, "
        "n 12, level image"
    )
    assert lines[1].split() == ["value", "accuracy", "low", "high", "draws"]
    table = open_run(folder).curves(["canoe & paddle"], models="first")
    for line, row in zip(lines[2:], table.itertuples(), strict=True):
        value, accuracy, low, high, draws = map(float, line.split())
        assert (value, draws) == (row.value, row.draws)
        assert (accuracy, low, high) == pytest.approx((row.accuracy, row.low, row.high), abs=6e-4)
    assert all(len(line) <= 80 for line in printed(folder, "--by-class").splitlines()[1:])


def test_means_and_classes_are_both_there_unless_one_is_chosen(folder: Path) -> None:
    def kinds(*options: str) -> set[str]:
        rows = json.loads(printed(folder, "--format", "json", *options))
        return {row.get("aggregate", "class") for row in rows}

    assert kinds() == {"overall", "mean of classes", "class"}
    assert kinds("--mean") == {"overall", "mean of classes"}
    assert kinds("--by-class") == kinds("--classes", "<i>") == {"class"}


def test_groups_stand_in_place_of_classes_and_means(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "groups.csv"
    file.write_text("class,group\n=cmd(),formula\na_b|c,rest\ncanoe & paddle,rest\nzebra,rest\n")
    result = CliRunner(env={"COLUMNS": "80"}).invoke(
        curves, [str(folder), "--groups", str(file), "--models", "first"]
    )
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        "note: groups: 1 of 4 names are no classes of the run and are ignored; the first is "
        "'zebra'",
        "note: groups: 1 of 4 classes are in no group and are left out; the first is '<i>'",
    ]
    table = open_run(folder).curves(
        groups={"=cmd()": "formula", "a_b|c": "rest", "canoe & paddle": "rest"}, models="first"
    )
    lines = result.stdout.splitlines()
    assert lines[0] == "model first, axis crop, split val, level image"
    assert lines[1].split() == [
        "value", "group", "accuracy", "low", "high", "n", "draws", "classes", "method",
    ]  # fmt: skip
    for line, row in zip(lines[2:], table.itertuples(), strict=True):
        value, group, *numbers = line.split(maxsplit=8)
        assert (float(value), group) == (row.value, row.group)
        assert row.method.startswith(numbers[-1].removesuffix("…"))
        found = tuple(map(float, numbers[:3]))
        assert found == pytest.approx((row.accuracy, row.low, row.high), abs=6e-4)


def test_latex_is_escaped_and_has_a_cell_for_each_column(folder: Path) -> None:
    lines = printed(folder, "--format", "latex", "--by-class").splitlines()
    assert lines[1] == r"\begin{tabular}{llrllrlrrrrrl}"
    body = lines[lines.index(r"\midrule") + 1 : lines.index(r"\bottomrule")]
    assert len(body) == 2 * 3 * 4
    assert all(line.replace(r"\&", "").count("&") == 12 for line in body)
    assert r"canoe \& paddle" in body[2] and r"a\_b|c" in body[1] and r"\textless{}i" in body[3]


def test_markdown_is_escaped(folder: Path) -> None:
    lines = printed(folder, "--format", "markdown", "--by-class").splitlines()
    assert lines[1].startswith("| --- | --- | ---: |")
    assert r"a\_b\|c" in lines[3] and "&lt;i&gt;" in lines[5]
    assert {line.replace(r"\|", "").count("|") for line in lines} == {14}


def test_control_characters_of_a_name_do_not_reach_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table(pd.DataFrame({"class": ["a\x1b[2Jb", "c"], "n": [1, 2]}), "table")
    assert "\x1b" not in capsys.readouterr().out


def test_an_empty_table_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    empty = pd.DataFrame({"class": [], "n": []})
    print_table(empty, "table", "nothing yet")
    print_table(empty, "json")
    print_table(empty, "csv")
    assert capsys.readouterr().out == "nothing yet\n[]\nclass,n\n"


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.0, "0.000"), (0.12345, "0.123"), (1.0, "1.000"), (1e-5, "1e-05"), (12.0, "12"),
     (123.456, "123.5")],
)  # fmt: skip
def test_numbers_for_reading_are_short(
    number: float, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_table(pd.DataFrame({"number": [number]}), "table")
    assert capsys.readouterr().out.split() == ["number", text]


def test_a_missing_number_is_an_empty_cell(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(pd.DataFrame({"a": ["x", "y"], "low": [0.5, np.nan]}), "markdown")
    assert capsys.readouterr().out.splitlines()[-1] == "| y |  |"


def run(command: object, *arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_the_report_is_written_and_named(folder: Path, tmp_path: Path) -> None:
    result = run(report, folder, "-o", tmp_path / "page.html")
    assert result.stdout == f"{tmp_path / 'page.html'}\n"
    assert (tmp_path / "page.html").read_text().startswith("<!DOCTYPE html>")
    assert run(report, folder).stdout == f"{folder / 'report.html'}\n"


def test_the_export_is_written_and_what_it_leaves_out_is_told(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", missing=[(0, 3)], pictures=False)
    result = run(export, folder, "--out", tmp_path / "out.csv")
    assert result.stdout == f"{tmp_path / 'out.csv'}\n"
    assert result.stderr == "1 incomplete cells are left out\n"
    refused = run(export, folder, "-o", tmp_path / "strict.csv", "--strict")
    assert isinstance(refused.exception, InputError)
    assert not (tmp_path / "strict.csv").exists()


def test_a_report_into_a_directory_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    result = run(report, tmp_path / "no-run", "-o", tmp_path)
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == (
        f"-o {tmp_path} is a directory; expected the page's file, e.g. {tmp_path}/report.html"
    )
