"""Time to find out what is missing in a store of many units.

    python benchmarks/store_listing.py [--units 10000] [--run FOLDER]

Two stores are made up: a training sweep (one training a unit, 1,000 evaluated images) and a scan
(one shard of 64 images a unit, 61 cells: a model, three axes of five values, four draws). Each is
listed without the copy of what units say of themselves, with cold files (dropped from the page
cache) and with warm ones; then with the copy, as the commands that compute leave it behind: with a
tenth of the units new since then, cold, warm, and with one damaged unit.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lpa.outcomes import Cell, Store, StoredUnits, content_hash, write_unit
from lpa.outcomes.stored_units import INDEX

IMAGES = 1_000
SHARD = 64
CELLS = 61
TIMINGS = {"seconds": 12.3, "device": "cuda:0", "batch_size": 256, "passes": 3904}


def key(*parts: object) -> str:
    """Make up a cell's id."""
    return content_hash([str(part) for part in parts])


def sweep_unit(store: Store, number: int) -> None:
    """Write one training: its cell, and what was recorded of it."""
    cell = Cell("rn50", "random_crop", 1 - number % 93 / 100, number // 93, key("sweep", number))
    facts = {"loss": 1.234, "accuracy": 0.76, "epochs": 90, "best_epoch": 88, "updates": 112_500}
    put(store, 0, [cell], np.arange(IMAGES), TIMINGS | {cell.id: facts})


def scan_cells() -> list[Cell]:
    """Return the cells that every shard of the scan has."""
    cells = [Cell("rn50", None, None, 0, key("identity"))]
    for axis in ("crop", "cutout", "color_jitter"):
        for value in (0.8, 0.6, 0.4, 0.2, 0.08):
            cells += [Cell("rn50", axis, value, draw, key(axis, value, draw)) for draw in range(4)]
    assert len(cells) == CELLS
    return cells


def scan_unit(store: Store, number: int) -> None:
    """Write one shard."""
    samples = np.arange(number * SHARD, (number + 1) * SHARD)
    put(store, number, scan_cells(), samples, TIMINGS)


def put(
    store: Store, shard: int, cells: Sequence[Cell], samples: np.ndarray, timings: dict[str, object]
) -> None:
    """Write a unit of made-up outcomes."""
    generator = np.random.default_rng([shard, len(cells)])
    shape = (len(cells), len(samples))
    columns = {
        "prediction": generator.integers(0, 1000, shape, dtype=np.int32),
        "prediction_probability": generator.uniform(size=shape).astype(np.float32),
        "label_rank": generator.geometric(0.5, shape).astype(np.int32),
        "label_probability": generator.uniform(size=shape).astype(np.float32),
    }
    write_unit(store, shard, cells, samples, columns, {}, timings)


def listed(what: str, store: Store, planned: dict[int, set[str]]) -> int:
    """Find out what is missing, print the seconds, and return how many cells are."""
    began, busy = time.perf_counter(), time.process_time()
    present = StoredUnits(store).present()
    missing = sum(len(cells - present.get(shard, set())) for shard, cells in planned.items())
    seconds = time.perf_counter() - began
    print(f"  {what:24} {seconds:6.2f} s ({time.process_time() - busy:.2f} s of a core)")
    return missing


def forget(folder: Path) -> None:
    """Drop the files' pages from the cache."""
    os.sync()
    for path in folder.rglob("*"):
        if path.is_file():
            handle = os.open(path, os.O_RDONLY)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)


def measure(kind: str, folder: Path, units: int) -> None:
    """Write a store where there is none, and list it in each state."""
    store = Store(folder)
    write = {"sweep": sweep_unit, "scan": scan_unit}[kind]
    if kind == "sweep":
        planned = {0: {key("sweep", number) for number in range(units)}}
    else:
        shard = {cell.id for cell in scan_cells()}
        planned = dict.fromkeys(range(units), shard)
    first = units - units // 10
    if not store.list("units"):
        began = time.perf_counter()
        for number in range(first):
            write(store, number)
        print(f"{first} units written in {time.perf_counter() - began:.0f} s")
    store.delete(INDEX)
    print(f"{kind}:")
    forget(folder)
    listed("cold, no copy", store, planned)
    listed("warm, no copy", store, planned)
    StoredUnits(store).put_index()
    for number in range(first, units):
        write(store, number)
    assert listed("a tenth is new", store, planned) == 0
    StoredUnits(store).put_index()
    forget(folder)
    assert listed("cold", store, planned) == 0
    assert listed("warm", store, planned) == 0
    name = store.list("units")[units // 2]
    whole = store.get(name)
    store.put(name, whole[:-20])
    assert listed("one is damaged", store, planned) == (1 if kind == "sweep" else CELLS)
    store.put(name, whole)


def main() -> None:
    """Measure both kinds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=10_000)
    parser.add_argument("--run", type=Path, help="where the stores are made and kept")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for kind in ("sweep", "scan"):
            measure(kind, (asked.run or Path(temporary)) / kind, asked.units)
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
