"""One training on two processes is that of one process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from small_training import CPU, MEAN, STD, perceptron

import lpa
from lpa.errors import InputError
from lpa.experiments.sweep_worker import TrainingWorker
from lpa.plans import Recipe
from lpa.training.distributed import World
from lpa.training.dropout import KeyedDropout
from lpa.training.learner import SingleLearner

TESTS = Path(__file__).parent
SURROUNDINGS = os.environ | {
    "OMP_NUM_THREADS": "1", "PYTHONPATH": str(TESTS), "GLOO_SOCKET_IFNAME": "lo",
}  # fmt: skip
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def ran(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, cwd=folder, env=SURROUNDINGS, capture_output=True, text=True, check=False,
        timeout=300,
    )  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What each of two processes ended with, and one that was alone."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "two").mkdir()
    (folder / "one").mkdir()
    script = str(TESTS / "shares_a_training.py")
    for words in ([*TORCHRUN, script, "two"], [sys.executable, script, "one"]):
        done = ran(words, folder)
        assert done.returncode == 0, done.stderr
    files = {"alone": "one/rank0.pt", "first": "two/rank0.pt", "second": "two/rank1.pt"}
    return {name: torch.load(folder / file) for name, file in files.items()}


def test_two_processes_train_what_one_does(results: dict[str, dict[str, Any]]) -> None:
    alone, first, second = results["alone"], results["first"], results["second"]
    for name, values in alone["weights"].items():
        assert torch.allclose(first["weights"][name], values, atol=1e-5, rtol=0)
        assert torch.equal(first["weights"][name], second["weights"][name])
    # Losses are of the whole batch in each process, not of its own share.
    assert first["losses"] == second["losses"] == pytest.approx(alone["losses"], abs=1e-5)
    assert first["held_out"] == second["held_out"] == alone["held_out"]


def test_all_stop_after_the_same_update_when_one_wants_to(
    results: dict[str, dict[str, Any]],
) -> None:
    assert {name: found["where"] for name, found in results.items()} == dict.fromkeys(
        ("alone", "first", "second"), (1, 2)
    )


def test_values_are_averaged_and_taken_from_the_first(results: dict[str, dict[str, Any]]) -> None:
    assert [results[name]["mean"].item() for name in ("alone", "first", "second")] == [1, 1.5, 1.5]
    assert [results[name]["first"].item() for name in ("first", "second")] == [True, True]
    assert results["second"]["first"].dtype == torch.bool


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    World(0, 4).check(64)
    with pytest.raises(InputError) as caught:
        World(0, 4).check(66)
    assert str(caught.value) == (
        "--batch-size 66 cannot be shared by 4 processes; expected a multiple of 4"
    )


def test_a_training_that_fails_on_one_process_ends_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cramped(self: TrainingWorker, *args: Any) -> Any:
        self.world = World(1, 2)
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(TrainingWorker, "_trained", cramped)
    with pytest.raises(InputError) as caught:
        lpa.train_sweep(
            values=[0.3], seeds=1, limit=100, recipe={"epochs": 1}, out=tmp_path / "run",
            device="cpu", progress=False,
        )  # fmt: skip
    assert str(caught.value) == (
        "small_cnn random_crop=1 seed 0 failed on process 2 of 2 (OutOfMemoryError: CUDA out of "
        "memory); expected that all of them can train it: out of memory, give a smaller "
        "--batch-size; run the same command again"
    )


def test_each_process_drops_other_features(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(World, "wrapped", lambda self, module: module)
    monkeypatch.setattr(
        TrainingWorker, "_initialised", lambda self, training: perceptron(dropout=0.5)
    )
    learners = []
    for rank in (0, 1):
        worker = object.__new__(TrainingWorker)
        worker.model = SimpleNamespace(mean=MEAN, std=STD)  # type: ignore[assignment]
        worker.device, worker.precision, worker.compiled = CPU, "fp32", False
        worker.world = World(rank, 2)
        training = SimpleNamespace(recipe=Recipe(epochs=1), seed=7)
        learners.append(worker._learner([training]))  # type: ignore[list-item]
    alone = SingleLearner(perceptron(dropout=0.5), Recipe(epochs=1), MEAN, STD, CPU, seed=7)
    first, second, whole = (
        [layer.kept(torch.Size([64, 10]), CPU) for layer in learner.module.modules()
         if isinstance(layer, KeyedDropout)]
        for learner in (*learners, alone)
    )  # fmt: skip
    assert len(first) == 1
    assert torch.equal(first[0], whole[0])
    # Two independent masks of .5 agree in half of the 640 places.
    assert 250 < int((first[0] == second[0]).sum()) < 390


def test_a_sweep_under_torchrun_is_written_and_told_once(tmp_path: Path) -> None:
    words = [
        "train-sweep", "--model", "small_vit", "--values", "1,.3", "--seeds", "1", "--limit", "200",
        "--epochs", "2", "--device", "cpu", "--no-report", "--stack", "1",
    ]  # fmt: skip
    shared = ran([*TORCHRUN, "-m", "lpa_cli", *words, "-o", "shared"], tmp_path)
    assert shared.returncode == 0, shared.stderr
    assert shared.stdout.splitlines()[0] == "run: shared"
    assert shared.stdout.count("run: shared") == 1
    assert shared.stderr.count("training: ") == 1
    alone = ran([sys.executable, "-m", "lpa_cli", *words, "-o", "alone"], tmp_path)
    assert alone.returncode == 0, alone.stderr
    two, one = (lpa.open(tmp_path / name).outcomes for name in ("shared", "alone"))
    assert two.cells.equals(one.cells)
    # Sums in another order: the same numbers but for the last digits.
    ours, theirs = (each.column("label_probability") for each in (two, one))
    assert abs(ours - theirs).max() < 1e-3
    assert not list((tmp_path / "shared" / "checkpoints").glob("*"))
    assert len(list((tmp_path / "shared" / "units").glob("*"))) == 2
