"""Killed, stopped and run again: a sweep is the uninterrupted one."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny  # noqa: F401 - one thread
from click.testing import CliRunner
from lpa_cli import main

import lpa

TESTS = Path(__file__).parent
LPA = Path(sys.executable).with_name("lpa")
SURROUNDINGS = os.environ | {"PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"}


def exported(out: Path) -> bytes:
    return lpa.open(out).export(out.with_suffix(".parquet")).read_bytes()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_killed_ten_times_at_random_moments_the_export_is_the_same_byte_for_byte(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, str(TESTS / "killed_while_training.py"), tmp_path, "10", "3"],
        env=SURROUNDINGS, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["killed"] == [signal.SIGKILL] * 10  # None had come to its end.
    assert (found["end"], found["whole"]) == (0, 0)
    # Work went on from kill to kill, and was not done at the last of them.
    assert found["units"] == sorted(found["units"])
    assert 3 <= found["units"][-1] < 12
    # Some kills fell between a checkpoint and the end of its training.
    assert sum(found["checkpoints"]) >= 3
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    assert exported(killed) == exported(whole)
    assert len(lpa.open(whole).outcomes.cells) == 12
    # Kept weights are the same too, and no checkpoint stays.
    ours, theirs = (
        {file.name: file.read_bytes() for file in out.glob("weights/*.safetensors")}
        for out in (killed, whole)
    )
    assert ours == theirs
    assert len(ours) == 12
    assert list(killed.glob("checkpoints/*.pt")) == []


def words(out: str) -> list[str]:
    return [
        "train-sweep", "--values", "1,.3", "--seeds", "2", "--limit", "300", "--epochs", "80",
        "--device", "cpu", "--no-report", "-j", "1", "--set", "cutout=.123456789", "-o", out,
    ]  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_leaves_a_checkpoint_and_a_status_to_requeue_on(
    tmp_path: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "run"
    process = subprocess.Popen(
        [str(LPA), *words("run")], env=SURROUNDINGS, cwd=tmp_path, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not list(out.glob("units/*.parquet")) and process.poll() is None:
        time.sleep(0.01)
    time.sleep(0.05)
    process.send_signal(number)
    output, errors = process.communicate()
    assert process.returncode == 75, errors
    assert output == ""
    stored = len(list(out.glob("units/*.parquet")))
    assert 1 <= stored < 4
    assert errors.splitlines()[-1] == (
        f"stopped after {stored} of 4 trainings, which are stored in run, with the state of those "
        "under way; the same command goes on from there"
    )
    assert "stopping: what is finished is being stored" in errors.splitlines()
    assert "Traceback" not in errors
    before = {unit: unit.read_bytes() for unit in out.glob("units/*.parquet")}
    assert len(list(out.glob("checkpoints/*.pt"))) == 1
    if number == signal.SIGUSR1:  # Once is enough: both ways lead to the same store.
        return
    # The command that the run records is the same, to the last digit of what is held fixed.
    (plan,) = lpa.open(out).outcomes.plans
    again = CliRunner().invoke(
        main, [*shlex.split(plan["command"])[1:], "--no-report", "--device", "cpu"]
    )
    assert again.exit_code == 0, again.output
    assert {unit: unit.read_bytes() for unit in before} == before
    assert list(out.glob("checkpoints/*.pt")) == []
    assert len(lpa.open(out).outcomes.plans) == 1
    whole = CliRunner().invoke(main, words("whole"))
    assert whole.exit_code == 0, whole.output
    assert exported(out) == exported(tmp_path / "whole")
