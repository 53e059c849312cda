"""Faults on purpose, one of each kind that this machine can do; the long form is by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from faults.kinds import KINDS, kind_named

SLOW = {"process of two killed", "Ray worker killed", "Ray worker hangs", "Ray node lost"}
"""Kinds whose processes take long to begin."""

EXPERIMENTS = ["scan", "train-sweep", "train-sweep --from", "probe", "import"]

CAMPAIGN = Path(__file__).parent / "faults" / "campaign.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def records(folder: Path) -> list[Mapping[str, Any]]:
    if not hasattr(os, "fork") or not sys.platform.startswith("linux"):
        pytest.skip("forks, and limits other processes")
    done = subprocess.run(
        [sys.executable, CAMPAIGN, "--one-of-each", "--seed", "0", "--real", "0.04", "--folder",
         folder, "--protocol", folder / "cases", "--kinds", *(KINDS.keys() - SLOW),
         "--experiments", *EXPERIMENTS],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (folder / "cases").exists(), done.stderr
    return [json.loads(line) for line in (folder / "cases").read_text().splitlines()]


def test_every_kind_of_fault_was_tried_that_this_machine_can_do(
    records: list[Mapping[str, Any]], folder: Path
) -> None:
    possible = {
        name for name in KINDS if name not in SLOW and not kind_named(name).lacks(folder)
    }  # fmt: skip
    assert {record["kind"] for record in records} == possible
    assert {record["experiment"] for record in records} == set(EXPERIMENTS)
    # A few come when their command has already ended.
    assert sum(record["struck"] for record in records) >= len(possible) - 5


def test_after_each_fault_the_same_command_goes_on_to_the_undisturbed_export(
    records: list[Mapping[str, Any]],
) -> None:
    for record in records:
        assert record["continued"] and not record["complaints"], record
        assert (record["lost"], record["doubled"]) == (0, 0), record
