"""``lpa test --policies``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from lpa_cli.test import command
from trained_runs import write_policies

import lpa

PLAIN = {1.0: [0.9] * 12, 0.08: [0.9] * 6 + [0.4] * 6}
BETTER = {1.0: [0.9] * 12, 0.08: [0.9] * 6 + [0.8] * 6}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    policy = {"name": "adaptive_strength", "source": "", "record": {}, "selected_on": []}
    return write_policies(
        tmp_path_factory.mktemp("runs") / "run",
        {"net": PLAIN, "net+adaptive_strength": BETTER},
        {"net+adaptive_strength": policy},
    )


def run(*arguments: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "250"}).invoke(command, [str(each) for each in arguments])


def test_json_is_the_table_of_the_opened_run(folder: Path) -> None:
    rows = json.loads(run(folder, "--policies", "--format", "json").stdout)
    expected = lpa.open(folder).policies()
    assert len(rows) == len(expected) == 2 * 2 * 2
    assert [row["p_holm"] for row in rows] == pytest.approx(expected["p_holm"].tolist())
    assert {row["level"] for row in rows} == {"run", "both"} and "family" in rows[0]


def test_the_table_shows_each_end_point_in_the_direction_in_which_it_went(folder: Path) -> None:
    done = run(folder, "--policies", "--value", ".08", "--classes", "c006,c007")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].startswith("baseline net, policy adaptive_strength, axis random_crop")
    assert "direction higher" in lines[0]
    assert [line.split("  ")[0] for line in lines[2:]] == [
        "mean of classes", "mean of classes", "mean of targeted classes",
        "mean of targeted classes", "worst 10 %, split", "worst 10 %, split",
    ]  # fmt: skip


def test_by_class_shows_every_class_at_both_levels(folder: Path) -> None:
    done = run(folder, "--policies", "--by-class", "--format", "markdown")
    assert done.exit_code == 0, done.output
    assert len(done.stdout.splitlines()) == 2 + 12 * 2


def test_options_of_other_tests_are_refused(folder: Path) -> None:
    done = run(folder, "--policies", "--paired")
    assert done.exit_code == 1 and str(done.exception) == (
        "--policies compares trainings at the same value; leave --values, --groups, --paired, "
        "--looks and --significance out"
    )
