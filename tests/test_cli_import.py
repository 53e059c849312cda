"""``lpa import``."""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pytest
from click.testing import CliRunner, Result
from synthetic import CROP, write_run

import lpa


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    main = entry_points(group="console_scripts")["lpa"].load()
    return CliRunner().invoke(main, ["import", *arguments])


def write_files() -> None:
    names = [f"{name}/{index}.jpg" for name in "ab" for index in range(3)]
    for name in names:
        Path("images", name).parent.mkdir(parents=True, exist_ok=True)
        Path("images", name).touch()
    Path("preds").mkdir()
    for value, right in (("1", 6), ("0.5", 4)):
        for seed in (0, 1)[: 1 if value == "1" else 2]:
            predicted = [n[0] if k < right else "b" for k, n in enumerate(names[::-1])][::-1]
            pd.DataFrame({"path": names, "pred": predicted}).to_csv(
                f"preds/crop{value}_s{seed}.csv", index=False
            )
    Path("classes.txt").write_text("a\nb\n")


COMMAND = [
    "preds/crop{value}_s{replicate}.csv", "--model", "rn50", "--axis", "crop",
    "--map", "sample=path,prediction=pred", "--labels", "images", "--classes", "classes.txt",
    "--out", "R",
]  # fmt: skip


def test_the_command_of_the_documentation_imports() -> None:
    write_files()
    result = run(*COMMAND)
    assert result.exit_code == 0 and result.stderr == ""
    lines = result.stdout.splitlines()
    assert "identity of rn50: accuracy 1.0000 (6 of 6)" in lines
    start = lines.index("joined rows of rn50 at the identity, replicate 0:")
    assert [line.split() for line in lines[start + 1 : start + 5]] == [
        ["sample", "label", "prediction"], ["a/0.jpg", "a", "a"], ["b/0.jpg", "b", "b"],
        ["b/2.jpg", "b", "b"],
    ]  # fmt: skip
    assert lines[-4:] == ["3 cells added", "run: R", "next:", "  lpa curves R"]
    outcomes = lpa.open("R").outcomes
    assert outcomes.cells["value"].tolist() == [1, 0.5, 0.5]
    assert outcomes.correct().sum(axis=1).tolist() == [6, 4, 4]
    recorded = " ".join(COMMAND).replace("preds/crop", "'preds/crop").replace(".csv", ".csv'")
    assert lpa.overview("R").commands == [f"lpa import {recorded}"]


def test_the_same_command_again_says_that_nothing_is_new() -> None:
    write_files()
    run(*COMMAND)
    again = run(*COMMAND)
    assert again.stdout.splitlines()[-4] == "0 cells added, 3 were there already"


def test_bad_input_is_one_line_and_status_1() -> None:
    result = run("none.csv", "--out", "R")
    assert result.exit_code == 1 and result.stdout == ""
    assert result.stderr == (
        "Error: no file fits 'none.csv'; expected files that exist, with {value} and {replicate} "
        "for the numbers in their names\n"
    )
    assert not Path("R").exists()


def test_wrong_usage_is_status_2() -> None:
    assert run("none.csv").exit_code == 2
    assert run("--out", "R").exit_code == 2


def test_axes_and_replicates_of_ones_own() -> None:
    write_files()
    options = ["--unit", "share", "--reference", "1", "--stronger", "down", "--paired-replicates"]
    command = ["zoom" if word == "crop" else word for word in COMMAND]
    assert run(*command, *options).exit_code == 0
    opened = lpa.open("R")
    assert opened.axes["zoom"].to_dict() | {"grid": None} == {
        "name": "zoom", "unit": "share", "reference": 1.0, "stronger": "down", "scale": "linear",
        "minimum": None, "maximum": 1.0, "monotone": False, "grid": None,
    }  # fmt: skip
    assert opened.outcomes.record.paired
    again = lpa.overview("R").commands[0]
    assert "--reference 1 --stronger down" in again and "--paired-replicates" in again


def test_control_characters_of_names_do_not_reach_the_terminal() -> None:
    table = pd.DataFrame({"sample": ["a\x1b[2Jb"], "label": ["x"], "prediction": ["x"]})
    table.to_csv("p.csv", index=False)
    result = run("p.csv", "--model", "m", "--out", "R")
    assert result.exit_code == 0 and "\x1b" not in result.stdout


def test_nothing_is_written_outside_the_runs_folder() -> None:
    folder = write_run(Path("scan"), axes={CROP: (1.0, 0.5)}, models=["../../escape"])
    lpa.open(folder).export("table.csv")
    before = {path for path in Path.cwd().parent.rglob("*") if "R" not in path.parts}
    assert run("table.csv", "--out", "R").exit_code == 0
    assert {path for path in Path.cwd().parent.rglob("*") if "R" not in path.parts} == before


def test_a_million_rows_take_seconds() -> None:
    images, cells = 20_000, 50
    generator = np.random.default_rng(0)
    truth = np.tile(generator.integers(0, 100, images), cells)
    wrong = generator.uniform(size=images * cells) < 0.3
    names = np.array([f"c{index:02d}" for index in range(100)])
    table = pa.table({
        "model": ["m"] * len(truth), "axis": ["crop"] * len(truth),
        "value": np.repeat(np.linspace(1, 0.02, cells), images),
        "sample": np.tile([f"{k:05d}.jpg" for k in range(images)], cells),
        "label": names[truth], "prediction": names[(truth + wrong) % 100],
    })  # fmt: skip
    arrow_csv.write_csv(table, "big.csv")
    started = os.times()
    assert run("big.csv", "--out", "R").exit_code == 0
    ended = os.times()
    # Measured 2.5 s of processor time; the bound is for machines that are slow or busy.
    assert ended.user + ended.system - started.user - started.system < 20
    outcomes = lpa.open("R").outcomes
    np.testing.assert_array_equal(outcomes.correct().ravel(), ~wrong)
