"""Job arrays: the parts of ``--shard`` write into one run at once, and two of them are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import job_array
import pytest
import tiny
from object_stores import serving

import lpa
import lpa.experiments.preparation

TESTS = Path(__file__).parent

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


def exported(location: str, folder: Path) -> bytes:
    return lpa.open(location).export(folder / "outcomes.parquet").read_bytes()


def run_parts(*words: object) -> dict[str, list[int]]:
    done = subprocess.run(
        [sys.executable, str(TESTS / "job_array.py"), *map(str, words)],
        env=os.environ | {"PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, list[int]] = json.loads(done.stdout)
    assert set(found["first"]) <= {0, signal.SIGKILL}, done.stderr
    return found


def check_each_cell_once(location: str, shards: Sequence[int], cells: int) -> None:
    """Nothing is lost and nothing was computed by two parts."""
    units = lpa.open(location).outcomes.units
    there = [(unit.shard, cell.id) for unit in units for cell in unit.cells]
    assert len(there) == len(set(there)) == len(shards) * cells
    assert {shard for shard, _ in there} == set(shards)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny.folder(tmp_path_factory.mktemp("data") / "digits", 16))


def scanned_alone(data: str, out: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(
        lpa.experiments.preparation,
        "shard_size_of",
        lpa.experiments.preparation.shard_size_of,
    )
    job_array.scan(str(out), (1, 1), data)
    return out


def test_eight_parts_of_a_scan_two_of_them_killed_are_the_scan_of_one_process(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "array"
    found = run_parts("scan", out, 8, 2, data)
    assert found == {"first": [signal.SIGKILL] * 2 + [0] * 6, "second": [0, 0]}
    whole = scanned_alone(data, tmp_path / "whole", monkeypatch)
    assert exported(str(out), tmp_path) == exported(str(whole), tmp_path)
    check_each_cell_once(str(out), range(32), 5)
    assert list(out.rglob(".put-*")) == []


def test_eight_parts_of_a_sweep_two_of_them_killed_are_the_sweep_of_one_process(
    tmp_path: Path,
) -> None:
    out, whole = tmp_path / "array", tmp_path / "whole"
    found = run_parts("sweep", out, 8, 2)
    assert found == {"first": [signal.SIGKILL] * 2 + [0] * 6, "second": [0, 0]}
    job_array.sweep(str(whole), (1, 1), "")
    assert exported(str(out), tmp_path) == exported(str(whole), tmp_path)
    check_each_cell_once(str(out), [0], 16)
    ours, theirs = (
        {file.name: file.read_bytes() for file in folder.glob("weights/*.safetensors")}
        for folder in (out, whole)
    )
    assert ours == theirs
    assert len(ours) == 16


def test_three_parts_into_an_object_store_one_of_them_killed_are_the_scan_of_one_process(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving():
        out = "s3://bucket/array"
        found = run_parts("scan", out, 3, 1, data)
        assert found == {"first": [signal.SIGKILL, 0, 0], "second": [0]}
        whole = scanned_alone(data, tmp_path / "whole", monkeypatch)
        assert exported(out, tmp_path) == exported(str(whole), tmp_path)
        check_each_cell_once(out, range(32), 5)
