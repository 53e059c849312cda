"""Time and memory of `lpa rank` and `lpa curves` on a large run.

    python benchmarks/rank_and_curves.py [--samples 50000] [--classes 1000] [--models 6]

Writes a run of made-up outcomes (3 axes of 20 values, one draw: 18 million rows) into a temporary
folder and runs each command in a process of its own. Both must stay below 10 s and 2 GB.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from synthetic import CROP, CUTOUT, write_run

from lpa.axes import Axis

JITTER = Axis("color_jitter", "half-width of the factors", 0.0, minimum=0.0, maximum=1.0)


def measured(arguments: list[str], out: Path) -> tuple[float, float, float, int]:
    """Run a command and return seconds, processor seconds, peak memory in GB, exit status."""
    start = time.perf_counter()
    with out.open("wb") as file:
        found = shutil.which(arguments[0]) or arguments[0]
        process = os.posix_spawn(
            found, arguments, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, file.fileno(), 1)]
        )
        _, status, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - start
    # Kilobytes, but bytes on macOS.
    unit = 1e9 if sys.platform == "darwin" else 1e6 / 1.024
    busy = usage.ru_utime + usage.ru_stime
    return seconds, busy, usage.ru_maxrss / unit, os.waitstatus_to_exitcode(status)


def main() -> None:
    """Write the run, run the commands, print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=50_000)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--values", type=int, default=20)
    parser.add_argument("--models", type=int, default=6)
    arguments = parser.parse_args()
    steps = np.linspace(0.0, 0.95, arguments.values).round(3)
    axes = {CROP: (1 - steps).round(3).tolist(), CUTOUT: steps.tolist(), JITTER: steps.tolist()}
    names = [f"class {index}" for index in range(arguments.classes)]
    with tempfile.TemporaryDirectory() as folder:
        run = write_run(
            Path(folder) / "run", names=names, titles=names, axes=axes, draws=1, shard_size=256,
            per_class=arguments.samples // arguments.classes, pictures=False,
            models=[f"model {index}" for index in range(arguments.models)],
        )  # fmt: skip
        for command in (
            ["rank"], ["rank", "--by", "threshold"], ["rank", "--format", "json"], ["curves"],
            ["curves", "--format", "csv"], ["curves", "--mean"],
        ):  # fmt: skip
            out = Path(folder) / "out"
            seconds, busy, memory, status = measured(
                ["lpa", command[0], str(run), *command[1:]], out
            )
            lines = out.read_bytes().count(b"\n")
            print(
                f"lpa {' '.join(command):22} {seconds:6.1f} s  {busy:6.1f} s busy  "
                f"{memory:5.2f} GB  "
                f"{lines} lines, exit status {status}"
            )


if __name__ == "__main__":
    main()
