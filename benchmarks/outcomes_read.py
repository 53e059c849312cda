"""Time to read one column of a large run, beside reading the same data from a single file.

    python benchmarks/outcomes_read.py [--samples 50000] [--values 20] [--models 6]

Writes a run of made-up outcomes (3 axes, one draw) into a temporary folder: 196 units of 256
samples x about 350 stored cells. The single file holds the same rows in one Parquet table.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from synthetic import CROP, CUTOUT, write_run

from lpa.axes import Axis
from lpa.outcomes import Outcomes
from lpa.statistics.accuracy import class_accuracy
from lpa.statistics.aggregates import mean_accuracy

JITTER = Axis("color_jitter", "half-width of the factors", 0.0, minimum=0.0, maximum=1.0)


def best(call: Callable[[], object], times: int = 3) -> float:
    """Return the shortest of a few timings, in seconds."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> None:
    """Write the run, read it, print a line per measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=50_000)
    parser.add_argument("--values", type=int, default=20)
    parser.add_argument("--models", type=int, default=6)
    arguments = parser.parse_args()
    steps = np.linspace(0.0, 0.95, arguments.values).round(3)
    axes = {CROP: (1 - steps).tolist(), CUTOUT: steps.tolist(), JITTER: steps.tolist()}
    names = [f"class {index}" for index in range(1000)]
    with tempfile.TemporaryDirectory() as folder:
        run = write_run(
            Path(folder) / "run", names=names, titles=names, axes=axes, draws=1, shard_size=256,
            per_class=arguments.samples // 1000, pictures=False,
            models=[f"model {index}" for index in range(arguments.models)],
        )  # fmt: skip
        outcomes = Outcomes(run)
        whole = outcomes.column("prediction")
        single = Path(folder) / "single.parquet"
        pq.write_table(pa.table({"prediction": whole.reshape(-1)}), single, compression="zstd")
        cells, samples = whole.shape
        print(f"{len(outcomes.units)} units, {cells} cells x {samples} samples")
        del whole
        print(f"open the run            {best(lambda: Outcomes(run)):6.2f} s")
        print(f"one column of the run   {best(lambda: outcomes.column('prediction')):6.2f} s")
        alone = best(lambda: pq.read_table(single)["prediction"].to_numpy())
        print(f"the same, single file   {alone:6.2f} s")
        print(f"class accuracy, E1      {best(lambda: class_accuracy(outcomes), 1):6.2f} s")
        print(f"mean accuracy           {best(lambda: mean_accuracy(outcomes), 1):6.2f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory, writing included: {peak:.2f} GiB")


if __name__ == "__main__":
    main()
