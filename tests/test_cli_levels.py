"""``--level`` of rank, policy and gate: what is fixed, and what a claim is about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from lpa_cli.gate import command as gate
from lpa_cli.policy import command as policy
from lpa_cli.rank import command as rank
from scipy import stats
from synthetic import write_run
from trained_runs import write_sweep

from lpa.outcomes import Outcomes

VALUE = 0.08


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    accuracies = {1.0: [0.9, 0.8, 0.95, 0.7], VALUE: [0.7, 0.75, 0.9, 0.65]}
    return write_sweep(tmp_path_factory.mktemp("runs") / "sweep", accuracies, per_class=30)


def run(command: click.Command, *arguments: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(command, [str(each) for each in arguments])


def per_image_losses(folder: Path) -> np.ndarray:
    """Losses [classes, images], each image averaged over its six trainings."""
    outcomes = Outcomes(folder)
    right = outcomes.column("prediction") == outcomes.samples.label
    value = outcomes.cells["value"].to_numpy()
    loss = right[value == 1.0].mean(axis=0) - right[value == VALUE].mean(axis=0)
    return np.stack([loss[outcomes.samples.label == label] for label in range(4)])


def e2(losses: np.ndarray, quantile: float) -> tuple[np.ndarray, np.ndarray]:
    """Limits by E2 as it is defined: with one pseudo-image at +1 and one at -1."""
    n = losses.shape[1]
    padded = np.concatenate([losses, np.tile([1.0, -1.0], (len(losses), 1))], axis=1)
    width = stats.t.ppf(quantile, n - 1) * padded.std(axis=1) / np.sqrt(n + 2)
    return padded.mean(axis=1) - width, padded.mean(axis=1) + width


def test_ranks_have_the_level_that_is_asked_for(sweep: Path) -> None:
    def rows(*options: str) -> list[dict[str, Any]]:
        found = json.loads(run(rank, sweep, "--format", "json", *options).stdout)
        return sorted(found, key=lambda row: row["label"])

    # The mean loss of one value is half its loss: trapezoids between it and the reference's 0.
    low, high = e2(per_image_losses(sweep) / 2, 0.975)
    image = rows("--level", "image")
    n = 30
    for row, losses in zip(image, per_image_losses(sweep) / 2, strict=True):
        assert row["level"] == "image" and row["n"] == n
        assert row["loss"] == pytest.approx(losses.mean())
    assert [row["low"] for row in image] == pytest.approx(low)
    assert [row["high"] for row in image] == pytest.approx(high)
    assert rows() == rows("--level", "both")
    for row, wider in zip(image, rows(), strict=True):
        assert wider["level"] == "both" and wider["low"] < row["low"] < row["high"] < wider["high"]


def test_gates_and_policies_have_the_level_that_is_asked_for(sweep: Path, tmp_path: Path) -> None:
    low, high = e2(per_image_losses(sweep), 0.95)
    checked = json.loads(run(gate, sweep, "--level", "image", "--format", "json").stdout)["values"]
    assert [row["low"] for row in checked] == pytest.approx(low)
    assert [row["high"] for row in checked] == pytest.approx(high)
    assert {row["level"] for row in checked} == {"image"}
    both = json.loads(run(gate, sweep, "--format", "json").stdout)["values"]
    assert {row["level"] for row in both} == {"both"}
    assert all(row["high"] < wider["high"] for row, wider in zip(checked, both, strict=True))

    # A class whose limit lies below the drop at one level and above it at the other.
    drop = next((row["high"] + wider["high"]) / 2 for row, wider in zip(checked, both, strict=True))
    first = {}
    for level in ("image", "both"):
        options = ("--level", level, "--drop", f"{drop}")
        first[level] = json.loads(run(policy, sweep, *options, "--format", "json").stdout)[0]
        out = tmp_path / f"{level}.json"
        run(policy, sweep, *options, "-o", out)
        assert json.loads(out.read_text())["level"] == first[level]["level"] == level
    assert (first["image"]["safe_to"], first["both"]["safe_to"]) == (VALUE, 1.0)


@pytest.mark.parametrize("command", [rank, policy, gate])
def test_levels_that_a_command_does_not_have_are_refused(
    command: click.Command, sweep: Path, tmp_path: Path
) -> None:
    assert str(run(command, sweep, "--level", "run").exception) == (
        "level 'run' is defined for accuracies and for tests of training runs; losses, thresholds, "
        "ranks and policies have level image or both"
    )
    scan = write_run(tmp_path / "scan", pictures=False)
    assert str(run(command, scan, "--level", "both").exception) == (
        f"level 'both' needs training runs, and {scan} is a scan of fixed models: use level 'image'"
    )
