"""Exact errors of policies with one draw a value: how often a range is wrong at worst.

Run as ``python -m tests.simulations.policy_exact --out FILE.csv``; nothing is simulated. ``error``
is the largest probability, over the unknown share of gained images, that a value whose true loss
is the drop is called safe.
"""

from __future__ import annotations

import pandas as pd

from lpa.statistics.policy_error import range_error

from .command import run

DROPS = (0.05, 0.1, 0.2)
CONFIDENCES = (0.95, 0.975, 0.98, 0.99)
SIZES = (*range(20, 131), 150, 200, 300, 500)


def enumerate_errors(
    repetitions: int = 0, seed: int = 0, sizes: tuple[int, ...] = SIZES
) -> pd.DataFrame:
    """Return one row a drop, confidence and size; nothing depends on the first two."""
    rows = [
        (drop, confidence, n, range_error(n, drop, confidence))
        for drop in DROPS
        for confidence in CONFIDENCES
        for n in sizes
    ]
    return pd.DataFrame(rows, columns=["drop", "confidence", "n", "error"])


if __name__ == "__main__":
    run(enumerate_errors, __doc__)
