"""Peak memory of a scan of few images against one of many.

::

    python benchmarks/scan_memory.py --few 200 --many 5000
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from photographs import photograph_folder

CHILD = """
import resource, sys
import lpa
lpa.scan(models="efficientnet_lite0", data=sys.argv[1], aug={"crop": [1, .5]}, out=sys.argv[2],
         progress=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_megabytes(data: Path, out: Path) -> float:
    """Run a scan in a process of its own and return its peak resident memory."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(data), str(out)],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout.split()[-1]) / 1024


def main() -> None:
    """Print both peaks and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=200)
    parser.add_argument("--many", type=int, default=5000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        peaks = []
        for count in (options.few, options.many):
            data = photograph_folder(Path(work) / f"data{count}", count)
            peaks.append(peak_megabytes(data, Path(work) / f"run{count}"))
            print(f"{count} images: peak {peaks[-1]:.0f} MB", flush=True)
        print(f"ratio {peaks[1] / peaks[0]:.3f}")


if __name__ == "__main__":
    main()
