"""Time to make the report of a large run, its size, and time until a browser can be used.

    python benchmarks/report_build.py [--samples 50000] [--values 20] [--models 6] [--run RUN]

Writes a run of made-up outcomes (1,000 classes, 3 axes, one draw, with pictures) into a temporary
folder and makes its report in a process of its own. With --run an existing run is used instead.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from synthetic import CROP, CUTOUT, write_run

from lpa.axes import Axis

JITTER = Axis("color_jitter", "half-width of the factors", 0.0, minimum=0.0, maximum=1.0)
FLAGS = [
    "--no-sandbox", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip


def written(folder: Path, samples: int, values: int, models: int) -> Path:
    """Write the run and return its path."""
    steps = np.linspace(0.0, 0.95, values).round(3)
    axes = {CROP: (1 - steps).tolist(), CUTOUT: steps.tolist(), JITTER: steps.tolist()}
    names = [f"class {index}" for index in range(1000)]
    return write_run(
        folder / "run", names=names, titles=names, axes=axes, draws=1, shard_size=256,
        per_class=samples // 1000, models=[f"model {index}" for index in range(models)],
    )  # fmt: skip


def build(run: Path, page: Path) -> None:
    """Make the report and print how long it took, how large it is, and the memory's peak."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "from lpa_cli import main; main()", "report", str(run),
                    "-o", str(page)], check=True, stdout=subprocess.DEVNULL)  # fmt: skip
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    beside = list(page.with_name(f"{page.stem}_files").glob("*"))
    print(f"lpa report            {seconds:6.1f} s ({used:.1f} s of one core)")
    print(f"peak memory           {after.ru_maxrss / 2**20:6.2f} GiB")
    print(f"page                  {page.stat().st_size / 1e6:6.1f} MB, {len(beside)} files beside")


def visit(page: Path, times: int = 3) -> None:
    """Open the page in Chromium and print how long it takes until it answers."""
    from playwright.sync_api import sync_playwright

    answers, whole = [], []
    with sync_playwright() as playwright:
        for _ in range(times):
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=FLAGS
            )
            tab = browser.new_page()
            start = time.perf_counter()
            tab.goto(page.as_uri(), wait_until="commit")
            # The list and the ranking answer first, the figures follow.
            tab.wait_for_selector("#ranking-table tbody tr")
            tab.fill("#class-search", "1")
            answers.append(time.perf_counter() - start)
            tab.wait_for_selector("html[data-drawn]")
            whole.append(time.perf_counter() - start)
            browser.close()
    print(
        f"Chromium, answers     {min(answers):6.2f} s (best of {times}, worst {max(answers):.2f})"
    )
    print(f"every figure drawn    {min(whole):6.2f} s (best of {times}, worst {max(whole):.2f})")


def main() -> None:
    """Write a run or take one, make its report, open it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=50_000)
    parser.add_argument("--values", type=int, default=20)
    parser.add_argument("--models", type=int, default=6)
    parser.add_argument("--run", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = arguments.run or written(
            folder, arguments.samples, arguments.values, arguments.models
        )
        page = folder / "report.html"
        build(run, page)
        if shutil.which("chromium"):
            visit(page)


if __name__ == "__main__":
    main()
