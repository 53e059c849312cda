"""Run by test_scan_resume: scan, be killed at a random moment, and scan again.

    python killed_again_and_again.py DATA FOLDER KILLS SEED

Each scan is a fork of this process, so that the imports are paid for once. Two thirds of the kills
fall after something has happened (a first pass, a stored unit), the others at any time from the
start; a random delay comes on top. Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import tiny

import lpa.measurement
from lpa.experiments.scan import scan


def begin(data: Path, out: Path) -> int:
    """Fork a process that scans; return its number."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        # Finished cells are stored after every condition, so that there is something to lose.
        lpa.measurement.FLUSH_SECONDS = -1.0
        scan(
            models={"a": tiny.slow(), "b": tiny.slow_second()},
            data=data, out=out, aug={"crop": [1, 0.5, 0.2], "cutout": [0, 0.3]}, draws=3,
            ensemble=True, progress=False, device="cpu", workers=2,
        )  # fmt: skip
        status = 0
    finally:
        os._exit(status)


def count(folder: Path) -> int:
    """Return how many stored units there are."""
    return len(list(folder.glob("*.parquet")))


def wait_until(happened: Callable[[], bool], child: int) -> None:
    """Wait for something, or for the end of the process."""
    while (
        not happened() and os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    ):
        time.sleep(0.002)


def kill(child: int, out: Path, number: int, generator: random.Random) -> int:
    """Kill a scan at a moment of one of three kinds; return its status."""
    passes = Path(os.environ["TINY_PASSES"])
    units, size = count(out / "units"), passes.stat().st_size
    if number % 3 == 1:
        wait_until(lambda: passes.stat().st_size > size, child)
    elif number % 3 == 2:
        wait_until(lambda: count(out / "units") > units, child)
    time.sleep(generator.uniform(0, 0.12))
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def main() -> None:
    """Scan with kills, then to the end."""
    data, folder, kills, seed = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
    out, generator = folder / "killed", random.Random(int(seed))
    Path(os.environ["TINY_PASSES"]).touch()
    statuses, units = [], []
    for number in range(int(kills)):
        statuses.append(kill(begin(data, out), out, number, generator))
        units.append(count(out / "units"))
    end = os.waitpid(begin(data, out), 0)[1]
    whole = os.waitpid(begin(data, folder / "whole"), 0)[1]
    print(json.dumps({"killed": statuses, "units": units, "end": end, "whole": whole}))


if __name__ == "__main__":
    main()
