"""Killed, stopped and run again: nothing is lost and nothing differs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny

import lpa

TESTS = Path(__file__).parent
LPA = Path(sys.executable).with_name("lpa")


def surroundings(passes: Path) -> dict[str, str]:
    """The environment of a scan with slow models."""
    passes.touch()
    return os.environ | {"TINY_PASSES": str(passes), "PYTHONPATH": str(TESTS)}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.folder(tmp_path_factory.mktemp("data") / "digits", 8)  # 80 images: two shards


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_killed_ten_times_at_random_moments_the_export_is_the_same_byte_for_byte(
    data: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, str(TESTS / "killed_again_and_again.py"), data, tmp_path, "10", "7"],
        env=surroundings(tmp_path / "passes"), cwd=tmp_path, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["killed"] == [signal.SIGKILL] * 10  # None had come to its end.
    assert (found["end"], found["whole"]) == (0, 0)
    # Work went on from kill to kill, and was not done at the last of them.
    assert found["units"] == sorted(found["units"])
    assert 3 <= found["units"][-1] < 2 * 13
    exports = [
        lpa.open(tmp_path / name).export(tmp_path / f"{name}.parquet").read_bytes()
        for name in ("killed", "whole")
    ]
    assert exports[0] == exports[1]
    assert len(exports[0]) > 10_000


# ---- stopping cleanly --------------------------------------------------------------------------


def command(data: Path, out: Path) -> list[str]:
    return [
        str(LPA), "scan", "--models", "a=tiny:slow", "--data", str(data), "--out", str(out),
        "--aug", "crop=1,.5,.4,.3,.2", "--draws", "6", "--no-report", "--device", "cpu",
    ]  # fmt: skip


def assert_complete(data: Path, out: Path, tmp_path: Path) -> None:
    """The run equals that of the same model, not slow, in this process."""
    whole = lpa.scan(
        models={"a": tiny.first()}, data=data, out=tmp_path / "whole", draws=6, device="cpu",
        aug={"crop": [1, 0.5, 0.4, 0.3, 0.2]}, progress=False, images=False,
    )  # fmt: skip
    ours, theirs = (run.outcomes.table() for run in (lpa.open(out), whole))
    assert ours.equals(theirs)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_cleanly_and_the_same_command_goes_on(
    data: Path, tmp_path: Path, number: signal.Signals
) -> None:
    out, passes = tmp_path / "run", tmp_path / "passes"
    environment = surroundings(passes)
    process = subprocess.Popen(
        command(data, out), env=environment, cwd=tmp_path, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while passes.stat().st_size < 2 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(number)
    output, errors = process.communicate()
    assert process.returncode == 75, errors
    assert output == ""
    lines = errors.splitlines()
    assert lines[-1].startswith("stopped after ")  # Nothing failed, so it is no error.
    assert lines[-1].endswith(
        f" of 50 cells, which are stored in {out}; the same command goes on from there"
    )
    assert "stopping: what is finished is being stored" in lines
    assert "Traceback" not in errors
    stored = int(lines[-1].split()[2])
    assert stored == passes.stat().st_size >= 2  # Every pass that was made is kept.
    if number == signal.SIGTERM:  # Once is enough: both ways lead to the same store.
        again = subprocess.run(
            command(data, out), env=environment, cwd=tmp_path, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert again.returncode == 0, again.stderr
        assert again.stdout.splitlines()[0] == f"run: {out}"
        assert passes.stat().st_size == 50  # Nothing was computed twice.
        assert_complete(data, out, tmp_path)


def test_the_time_that_is_given_is_kept_and_the_same_call_goes_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINY_PASSES", str(tmp_path / "passes"))
    asked = {
        "models": {"a": tiny.slow()}, "data": data, "out": tmp_path / "run", "draws": 6,
        "aug": {"crop": [1, 0.5, 0.4, 0.3, 0.2]}, "progress": False, "images": False,
        "device": "cpu",
    }  # fmt: skip
    # Fifty passes take two seconds, since each sleeps.
    with pytest.raises(lpa.InputError, match=r"^stopped after \d+ of 50 cells, which are stored"):
        lpa.scan(max_time=0.5, **asked)
    lpa.scan(**asked)
    assert (tmp_path / "passes").stat().st_size == 50
    assert_complete(data, tmp_path / "run", tmp_path)
