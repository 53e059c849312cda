"""Run by test_train_sweep_resume: train a sweep, be killed at a random moment, and go on.

    python killed_while_training.py FOLDER KILLS SEED

Each sweep is a fork of this process, so that the imports are paid for once. Two thirds of the kills
fall after something has happened (a checkpoint, a stored unit), the others at any time from the
start; a random delay comes on top. Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import tiny  # noqa: F401 - one thread
from killed_again_and_again import count, wait_until

import lpa
from lpa.training import loop
from lpa.training.learner import SingleLearner

EPOCHS = 4


def begin(out: Path) -> int:
    """Fork a process that trains; return its number."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        loop.CHECKPOINT_SECONDS = -1.0  # After every epoch, so that kills fall between them.
        inner = SingleLearner.step

        def slowly(self: SingleLearner, *args: Any) -> Any:
            time.sleep(0.006)
            return inner(self, *args)

        SingleLearner.step = slowly  # type: ignore[method-assign]
        lpa.train_sweep(
            values=[1, 0.3], seeds=3, policies=["plain", "adaptive_strength"], limit=300,
            recipe={"epochs": EPOCHS, "ema": 0.9, "dropout": 0.1, "hold_out": 0.1, "flip": 0.2},
            keep="best", out=out, progress=False, device="cpu", workers=1,
        )  # fmt: skip
        status = 0
    finally:
        os._exit(status)


def written(out: Path) -> frozenset[tuple[str, int]]:
    """Tell checkpoints apart by when they were written."""
    found = set()
    for file in out.glob("checkpoints/*.pt"):
        try:
            found.add((file.name, file.stat().st_mtime_ns))
        except FileNotFoundError:
            continue
    return frozenset(found)


def kill(child: int, out: Path, number: int, generator: random.Random) -> int:
    """Kill a sweep at a moment of one of three kinds; return its status."""
    units, before = count(out / "units"), written(out)
    if number % 3 == 1:
        wait_until(lambda: bool(written(out) - before), child)
    elif number % 3 == 2:
        wait_until(lambda: count(out / "units") > units, child)
    time.sleep(generator.uniform(0, 0.12))
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def main() -> None:
    """Train with kills, then to the end."""
    folder, kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    out, generator = folder / "killed", random.Random(seed)
    statuses, units, checkpoints = [], [], []
    for number in range(kills):
        statuses.append(kill(begin(out), out, number, generator))
        units.append(count(out / "units"))
        checkpoints.append(len(written(out)))
    end = os.waitpid(begin(out), 0)[1]
    whole = os.waitpid(begin(folder / "whole"), 0)[1]
    print(
        json.dumps(
            {"killed": statuses, "units": units, "checkpoints": checkpoints, "end": end,
             "whole": whole}
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
