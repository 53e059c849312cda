"""Run by test_job_arrays: the parts of a job array at once, some of them killed and run again.

    python job_array.py scan|sweep OUT PARTS KILLED [DATA]

Each part is a fork of this process, so that the imports are paid for once. The killed ones die in
their second unit. Prints one JSON object: the statuses of the first and of the second round.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from typing import Any

import pyarrow.parquet  # noqa: F401
import safetensors.torch  # noqa: F401
import timm  # noqa: F401
import tiny
import torch._dynamo  # noqa: F401
import torchvision  # noqa: F401

import lpa.experiments.preparation
import lpa.outcomes.units
from lpa.experiments.scan import scan as scan_models
from lpa.experiments.train_sweep import train_sweep
from lpa.models import untrained  # noqa: F401


def scan(out: str, shard: tuple[int, int], data: str) -> None:
    """Scan a part of thirty-two shards of five images."""
    lpa.experiments.preparation.shard_size_of = lambda devices: 5
    scan_models(
        models={"a": tiny.first()}, data=data, aug={"crop": [1, 0.5], "cutout": [0, 0.3]}, out=out,
        shard=shard, progress=False, device="cpu", workers=1, draws=2,
    )  # fmt: skip


def sweep(out: str, shard: tuple[int, int], data: str) -> None:
    """Train a part of sixteen models one by one."""
    train_sweep(
        data="digits", values=[1, 0.5, 0.25, 0.1], seeds=4, limit=100, recipe={"epochs": 1},
        stack=1, out=out, shard=shard, progress=False, device="cpu", workers=1,
    )  # fmt: skip


def part(kind: str, out: str, shard: tuple[int, int], data: str, killed: bool) -> int:
    """Fork a process that does a part; return its number."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        if killed:
            _die_at_the_second_unit()
        {"scan": scan, "sweep": sweep}[kind](out, shard, data)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _die_at_the_second_unit() -> None:
    """Be killed after the second unit is computed and before it is stored."""
    begun: list[str] = []
    real = lpa.outcomes.units.unit_name

    def unit_name(*arguments: Any) -> str:
        begun.append("")
        if len(begun) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments)

    lpa.outcomes.units.unit_name = unit_name


def main() -> None:
    """Run all parts at once, then the killed ones again."""
    kind, out, parts, dead = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    data = sys.argv[5] if len(sys.argv) > 5 else ""
    children = [
        part(kind, out, (number, parts), data, number <= dead) for number in range(1, parts + 1)
    ]
    first = [os.waitpid(child, 0)[1] for child in children]
    children = [part(kind, out, (number, parts), data, False) for number in range(1, dead + 1)]
    second = [os.waitpid(child, 0)[1] for child in children]
    print(json.dumps({"first": first, "second": second}))


if __name__ == "__main__":
    main()
