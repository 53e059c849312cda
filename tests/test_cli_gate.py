from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import scipy.stats
from click.testing import CliRunner, Result
from lpa_cli.gate import command
from synthetic import CROP, made_up_cells, made_up_samples, write_run

from lpa.errors import InputError

TITLES = ("barn spider", "<i>|*", "a\x0bb", "paddle")
VALUES = (1.0, 0.5)


def write_gated(path: Path, wrong: Mapping[str, Mapping[int, int]], per_class: int = 60) -> Path:
    """Write a run in which ``wrong[model][label]`` images of a class are lost at crop .5."""
    samples = made_up_samples(4, per_class)
    cells = made_up_cells(list(wrong), {CROP: VALUES}, 1)
    prediction = np.tile(samples.label, (len(cells), 1)).astype(np.int32)
    for row, cell in enumerate(cells):
        for label, number in wrong[cell.model].items() if cell.axis else ():
            lost = np.flatnonzero(samples.label == label)[:number]
            prediction[row, lost] = (label + 1) % 4
    return write_run(path, titles=TITLES, per_class=per_class, models=list(wrong), draws=1,
                     axes={CROP: VALUES}, columns={"prediction": prediction},
                     pictures=False)  # fmt: skip


@pytest.fixture(scope="module")
def hurt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gated(tmp_path_factory.mktemp("runs") / "hurt", {"m": {0: 1, 1: 40, 2: 6, 3: 0}})


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gated(tmp_path_factory.mktemp("runs") / "sound", {"m": {}})


def run(*arguments: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(command, [str(each) for each in arguments])


def test_a_class_that_loses_too_much_ends_with_status_3_and_its_name(hurt: Path) -> None:
    result = run(hurt, "--max-drop", ".1")
    assert result.exit_code == 3
    lines = result.stdout.splitlines()
    assert lines[:2] == [
        "gate not passed: 1 fails, 2 safe, 1 undecided, 0 undefined",
        "<i>|* loses more than 10 points (m, crop=0.5)",
    ]
    assert len(lines) == 5 and lines[4].split()[0] == "m"


def test_status_3_leaves_the_installed_command(hurt: Path, sound: Path) -> None:
    for folder, status in ((hurt, 3), (sound, 0)):
        done = subprocess.run(
            [sys.executable, "-c", "from lpa_cli import main; main()", "gate", str(folder)],
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (status, "")


def test_a_sound_run_passes(sound: Path) -> None:
    result = run(sound)
    assert result.exit_code == 0
    assert result.stdout == "gate passed: 0 fails, 4 safe, 0 undecided, 0 undefined\n"


def test_require_safe_fails_what_is_undecided(hurt: Path, tmp_path: Path) -> None:
    assert run(hurt, "--classes", "n0,n2,n3").exit_code == 0
    result = run(hurt, "--classes", "n0,n2,n3", "--require", "safe")
    assert result.exit_code == 3
    assert result.stdout.splitlines()[1] == (
        "1 of 3 classes are not shown to be safe (1 undecided, 0 undefined); "
        "0 have fewer images than safety takes (up to 23)"
    )
    few = write_gated(tmp_path / "few", {"m": {}}, per_class=12)
    result = run(few, "--require", "safe")
    assert result.exit_code == 3
    assert result.stderr == (
        "note: m on crop (val): 4 of 4 classes have fewer than the 23 images without which no "
        "value can be shown to lose less than 10 points\n"
    )


def test_watched_classes_alone_are_checked_and_corrected_for(hurt: Path) -> None:
    record = json.loads(run(hurt, "--classes", "n1", "--format", "json").stdout)
    assert {row["m"] for row in record["values"]} == {1}
    assert record["counts"] == {"fails": 1, "safe": 0, "undecided": 0, "undefined": 0}


def test_against_an_older_run(hurt: Path, sound: Path) -> None:
    assert run(sound, "--against", hurt).exit_code == 0
    result = run(hurt, "--against", sound, "--format", "json")
    assert result.exit_code == 3
    record = json.loads(result.stdout)
    assert [row["class"] for row in record["classes"] if row["verdict"] == "fails"] == ["n1"]
    assert {row["value"] for row in record["values"]} == {1.0, 0.5}
    watched = run(hurt, "--against", sound, "--classes", "n0,n3")
    assert (watched.exit_code, watched.stderr) == (0, "")


def test_a_budget_by_class(hurt: Path, tmp_path: Path) -> None:
    budget = tmp_path / "budget.csv"
    budget.write_text("class,max_drop\nn1,.8\n")
    assert run(hurt, "--budget", budget).exit_code == 0
    budget.write_text(json.dumps({"n0": 0.01}))
    record = json.loads(run(hurt, "--budget", budget, "--format", "json").stdout)
    assert [row["allowed"] for row in record["classes"]] == [0.01, 0.1, 0.1, 0.1]


def test_a_budget_that_is_none_is_refused(hurt: Path, tmp_path: Path) -> None:
    budget = tmp_path / "budget.csv"
    for text, reason in (
        ("a,b\nn1,.8\n", "its first line is 'a,b'"),
        ("[1", "Expecting ',' delimiter: line 1 column 3 (char 2)"),
    ):
        budget.write_text(text)
        result = run(hurt, "--budget", budget)
        assert result.exit_code == 1 and isinstance(result.exception, InputError)
        assert str(result.exception) == (
            f"{budget} is no budget ({reason}); expected "
            '{"class": 0.05, ...}, or CSV lines "class,max_drop" with that first line'
        )


def test_images_that_safety_takes_are_counted_for_each_budget(sound: Path, tmp_path: Path) -> None:
    """Without a loss E2's limit is t(.95, n-1) sqrt(2) / (n+2): below .05 from n = 46 on."""
    for n, drop in ((232, 0.01), (46, 0.05)):
        limits = [scipy.stats.t.ppf(0.95, k - 1) * 2**0.5 / (k + 2) for k in (n - 1, n)]
        assert limits[1] < drop <= limits[0]
    budget = tmp_path / "budget.csv"
    budget.write_text("class,max_drop\nn1,.05\nn2,.01\n")
    result = run(sound, "--budget", budget)
    assert result.stderr == (
        "note: m on crop (val): classes with fewer images than those without which no value can "
        "be shown safe: 1 of 1 that may lose 1 points (232 images)\n"
    )
    few = write_gated(tmp_path / "few", {"m": {}}, per_class=30)
    assert run(few, "--budget", budget).stderr == (
        "note: m on crop (val): classes with fewer images than those without which no value can "
        "be shown safe: 1 of 1 that may lose 1 points (232 images), 1 of 1 that may lose 5 points "
        "(46 images)\n"
    )


def test_junit_has_a_case_for_every_class(hurt: Path) -> None:
    result = run(hurt, "--format", "junit")
    assert result.exit_code == 3
    suites = ElementTree.fromstring(result.stdout)
    (suite,) = suites.findall("testsuite")
    assert suite.attrib == {"name": "m crop val", "tests": "4", "failures": "1", "skipped": "1"}
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == ["barn spider", "<i>|*", "a�b", "paddle"]
    assert [[child.tag for child in case] for case in cases] == [[], ["failure"], ["skipped"], []]
    assert cases[1][0].get("message") == "fails at 0.5: 10 points are allowed"
    strict = ElementTree.fromstring(run(hurt, "--require", "safe", "--format", "junit").stdout)
    assert strict[0].get("failures") == "2" and strict[0].get("skipped") == "0"


def test_markdown_is_escaped(hurt: Path) -> None:
    lines = run(hurt, "--format", "markdown").stdout.splitlines()
    assert lines[0] == "**gate not passed**: 1 fails, 2 safe, 1 undecided, 0 undefined"
    assert lines[2] == r"- \<i\>\|\* loses more than 10 points (m, crop=0.5)"
    assert "| m | crop |" in lines[6]


def test_groups_count_verdicts(hurt: Path, sound: Path, tmp_path: Path) -> None:
    groups = tmp_path / "groups.json"
    groups.write_text(json.dumps({"n0": "animals", "n1": "animals", "n3": "things"}))
    record = json.loads(run(hurt, "--groups", groups, "--format", "json").stdout)
    by_group = {row["group"]: row for row in record["groups"]}
    assert (by_group["animals"]["fails"], by_group["animals"]["safe"]) == (1, 1)
    assert by_group["animals"]["loss"] == pytest.approx((1 + 40) / 120 / 2)
    against = json.loads(
        run(hurt, "--against", sound, "--groups", groups, "--format", "json").stdout
    )
    assert "loss" not in against["groups"][0] and against["groups"][0]["classes"] == 2
    assert "mean loss" in run(hurt, "--groups", groups).stdout


def test_only_the_chosen_model_decides(tmp_path: Path) -> None:
    folder = write_gated(tmp_path / "run", {"bad": {0: 30}, "good": {}})
    assert run(folder).exit_code == 3
    assert run(folder, "--models", "good").exit_code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--max-drop", "10"], "an allowed drop of 10 is out of range; expected a fraction "
                               "between 0 and 1, such as 0.1 for 10 accuracy points"),
        (["--value", ".3"], "nothing can be checked at value 0.3; the values there are crop=0.5"),
        (["--value", "1"], "nothing can be checked at value 1; the values there are crop=0.5"),
    ],
)  # fmt: skip
def test_bad_options_are_one_line(hurt: Path, options: list[str], message: str) -> None:
    exception = run(hurt, *options).exception
    assert isinstance(exception, InputError) and str(exception) == message
