"""Units of a sweep on a Ray cluster of this machine against the same units in this process.

    python benchmarks/ray_overhead.py [--seconds 12] [--units 4] [--rounds 3]

One worker with one processor each, so that both compute alike; the units are trainings of the small
network on digits, as long as asked for. Rounds alternate between the two. Counted is the time from
one finished unit to the next, so what is done once (starting the cluster and the worker's process,
loading) is not in the ratio but printed by itself. Processor time is that of this process and all
that it started, Ray's own processes included: on a machine that others use it is what can be
compared.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import statistics
import tempfile
import threading
import time
from pathlib import Path

import psutil
import ray
import torch

from lpa.engines import Engine, engine_named
from lpa.experiments.cell_task import CellTask
from lpa.experiments.crews import CellCrew
from lpa.experiments.progress import Progress
from lpa.experiments.sweep_preparation import prepare_sweep


def prepared(out: Path, units: int, epochs: int) -> CellTask:
    """Return a sweep of so many trainings, an even number, each a unit."""
    return prepare_sweep(
        regularizer="label_smoothing",  # Costs nothing.
        values=(0.0, 0.1),
        seeds=units // 2,
        recipe={"epochs": epochs},
        stack=1,
        keep="none",
        device="cpu",
        out=out,
        progress=False,
    )


def processor_seconds() -> float:
    """Return the processor time of this process and of all that it started and that is there."""
    total = 0.0
    own = psutil.Process()
    for process in (own, *own.children(recursive=True)):
        try:
            used = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += used.user + used.system
    return total


def timed(engine: Engine, task: CellTask) -> tuple[float, list[float], list[float]]:
    """Return seconds up to the first unit's end, and wall and processor seconds of the others."""
    stop = threading.Event()
    crew = CellCrew(task, stop, Progress(0, "images", "", enabled=False))
    began = time.perf_counter()
    ends: list[tuple[float, float]] = []
    for summary in engine.run(task.units, crew, stop):
        assert not summary.failures, summary.failures
        ends.append((time.perf_counter(), processor_seconds()))
    pairs = list(itertools.pairwise(ends))
    walls = [later[0] - earlier[0] for earlier, later in pairs]
    return ends[0][0] - began, walls, [later[1] - earlier[1] for earlier, later in pairs]


def main() -> None:
    """Print the seconds of each unit, and the ratios of the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=12.0, help="of a unit")
    parser.add_argument("--units", type=int, default=4, help="in each round of each engine")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    walls: dict[str, list[float]] = {"local": [], "ray": []}
    processors: dict[str, list[float]] = {"local": [], "ray": []}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        trial = 20
        with engine_named("local") as engine:
            _, (second,), _ = timed(engine, prepared(root / "trial", 2, trial))
        epochs = max(1, round(trial * asked.seconds / second))
        print(f"{epochs} epochs a unit")
        began = time.perf_counter()
        # With one processor there is one worker; the engine uses the connection that is there.
        ray.init(
            num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR
        )
        print(f"a cluster starts in {time.perf_counter() - began:.1f} s")
        with engine_named("local") as local, engine_named("ray") as started:
            for number in range(asked.rounds):
                for name, engine in (("local", local), ("ray", started)):
                    engine.device("cpu")
                    task = prepared(root / f"{name}-{number}", asked.units, epochs)
                    first, wall, processor = timed(engine, task)
                    walls[name] += wall
                    processors[name] += processor
                    shown = " ".join(f"{seconds:.2f}" for seconds in wall)
                    used = " ".join(f"{seconds:.2f}" for seconds in processor)
                    print(
                        f"{name:5}: first after {first:.1f} s; then {shown} s; processor {used} s"
                        f"; load {psutil.getloadavg()[0]:.1f}",
                        flush=True,
                    )
    for title, found in (("wall", walls), ("processor", processors)):
        local_median, ray_median = (statistics.median(found[name]) for name in ("local", "ray"))
        print(f"{title}: {ray_median:.2f} / {local_median:.2f} s = {ray_median / local_median:.3f}")


if __name__ == "__main__":
    main()
