"""The same properties with many more cases, by hand: ``python tests/fuzz/long.py --cases 100000``.

Each property gets its share of the cases by its weight in :data:`WEIGHTS` (seconds a case decide),
runs in a process of its own with other seeds than the tests' and no cases of earlier runs, and is
stopped where a case takes longer than half a minute. The table counts what was really run.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
FAMILIES = sorted(path.stem.removeprefix("test_") for path in HERE.glob("test_*.py"))
ROUND = 4_000
"""Cases of one search: hypothesis remembers them all, so a longer one grows slow."""

EXPENSIVE = {"run_folders": 0.25, "pages": 0.004, "checkpoints": 0.6}
"""Share of the cases beside the cheap families, where a case opens a run or draws a page."""


def properties(family: str) -> dict[str, Any]:
    """The hypothesis tests of a module by name."""
    module = importlib.import_module(f"fuzz.test_{family}")
    return {name: f for name, f in vars(module).items() if hasattr(f, "hypothesis")}


def _cut(line: str) -> str:
    return line if len(line) <= 300 else line[:297] + "..."


def run_family(family: str, cases: int, seed: int) -> dict[str, Any]:
    """Run the properties of one family; return what was counted and what failed."""
    import hypothesis
    from hypothesis import HealthCheck, Phase, settings

    found = properties(family)
    usual = {name: f._hypothesis_internal_use_settings.max_examples for name, f in found.items()}
    counted, failures = 0, []
    begun = time.monotonic()
    for name, test in found.items():
        wanted = max(1, round(cases * usual[name] / sum(usual.values())))
        inner, ran = test.hypothesis.inner_test, 0

        def counting(*arguments: Any, _inner: Any = inner, **named: Any) -> None:
            nonlocal ran
            ran += 1
            _inner(*arguments, **named)

        test.hypothesis.inner_test = counting
        for turn in range(-(-wanted // ROUND)):
            # Small spaces are used up before: then other seeds give nothing new.
            before = ran
            if ran >= wanted:
                break
            limited = settings(
                max_examples=min(ROUND, wanted - ran), deadline=None, database=None,
                derandomize=False, phases=[Phase.generate], report_multiple_bugs=True,
                suppress_health_check=list(HealthCheck), print_blob=True,
            )  # fmt: skip
            test._hypothesis_internal_use_settings = limited
            try:
                hypothesis.seed(seed + turn)(test)()
            except BaseException:
                failures.append("\n".join([name, *map(_cut, traceback.format_exc().splitlines())]))
                break
            if ran == before:
                break
        counted += ran
    return {
        "family": family, "properties": len(found), "cases": counted, "failures": failures,
        "seconds": round(time.monotonic() - begun),
    }  # fmt: skip


def start(family: str, cases: int, seed: int, folder: Path) -> dict[str, Any]:
    """Run a family in a process of its own; one that dies is a failure."""
    out = folder / f"{family}.json"
    out.unlink(missing_ok=True)
    words = [
        sys.executable,
        __file__,
        "--family",
        family,
        "--cases",
        str(cases),
        "--seed",
        str(seed),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if not out.exists():
        died = f"the process ended with status {done.returncode}\n{done.stderr[-2000:]}"
        return {"family": family, "properties": 0, "cases": 0, "failures": [died], "seconds": 0}
    return json.loads(out.read_text())


def shares(cases: int, families: list[str]) -> dict[str, int]:
    """Divide the cases among the families."""
    weights = {family: EXPENSIVE.get(family, 1.0) for family in families}
    return {f: round(cases * weight / sum(weights.values())) for f, weight in weights.items()}


def as_table(rows: list[dict[str, Any]]) -> str:
    """Write Markdown."""
    lines = [
        "| input | properties | cases | seconds | failures |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {row['family'].replace('_', ' ')} | {row['properties']} | {row['cases']:,} "
        f"| {row['seconds']:,} | {len(row['failures'])} |"
        for row in rows
    ]
    total = [sum(row[key] for row in rows) for key in ("properties", "cases", "seconds")]
    failed = sum(len(row["failures"]) for row in rows)
    lines.append(f"| **all** | {total[0]} | **{total[1]:,}** | {total[2]:,} | **{failed}** |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run all families, or one in this process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--family", choices=FAMILIES)
    parser.add_argument("--out", type=Path, help="where the table (or a family's JSON) goes")
    options = parser.parse_args()
    if options.family:
        sys.path.insert(0, str(HERE.parent))
        row = run_family(options.family, options.cases, options.seed)
        (options.out or Path(os.devnull)).write_text(json.dumps(row))
        print("\n".join(row["failures"]) or row)
        return
    folder = Path(os.environ.get("TMPDIR", "/tmp")) / f"lpa-fuzz-long-{os.getpid()}"
    folder.mkdir()
    planned = shares(options.cases, FAMILIES)
    with ThreadPoolExecutor(options.processes) as pool:
        rows = list(pool.map(lambda f: start(f, planned[f], options.seed, folder), FAMILIES))
    table = as_table(rows)
    print(table)
    for row in rows:
        for failure in row["failures"]:
            print(f"--- {row['family']}: {failure}")
    if options.out:
        options.out.write_text(table)
    sys.exit(any(row["failures"] for row in rows))


if __name__ == "__main__":
    main()
