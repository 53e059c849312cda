"""Coverage of engine E2 and of Fieller's interval: losses and preservations of one class.

Run as ``python -m tests.simulations.means --repetitions 4000 --out FILE.csv``.

Scenarios: see ``paired_draws``. One row for each interval: E2 two-sided at 95 %, E2 one-sided at
95 % on either side, Fieller two-sided at 95 % (``unbounded`` is the share of samples where it does
not close; those with no image right at the reference are undefined and not counted).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lpa.statistics.means import mean_interval, mean_limit
from lpa.statistics.preservation import fieller_interval

from .command import run
from .paired_draws import COVERAGE_SCENARIOS, Scenario, counts

COLUMNS = ("interval", "scenario", "reference", "accuracy", "concentration", "n", "draws",
           "nominal", "coverage", "width", "unbounded", "repetitions")  # fmt: skip


def simulate(
    repetitions: int = 4000, seed: int = 0, sizes: tuple[int, ...] = (10, 20, 50)
) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    rows: list[tuple[object, ...]] = []
    for scenario in COVERAGE_SCENARIOS:
        for n in sizes:
            # With one draw the concentration makes no difference.
            for draws in (1, 8) if np.isinf(scenario.concentration) else (8,):
                rows += _rows(generator, scenario, n, draws, repetitions)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(
    generator: np.random.Generator, scenario: Scenario, n: int, draws: int, repetitions: int
) -> list[tuple[object, ...]]:
    number, outcome, share = counts(generator, scenario, draws, n, repetitions)
    loss = outcome - share
    sums = (number @ loss, number @ loss**2, n)
    found = {
        "E2 two-sided": (*mean_interval(*sums), 0.95),
        "E2 lower": (mean_limit(*sums, 0.95, "lower"), np.ones(repetitions), 0.95),
        "E2 upper": (-np.ones(repetitions), mean_limit(*sums, 0.95, "upper"), 0.95),
    }
    place = (scenario.name, scenario.reference, scenario.accuracy, scenario.concentration, n, draws)
    rows: list[tuple[object, ...]] = []
    for name, (low, high, nominal) in found.items():
        covered = (low <= scenario.loss) & (scenario.loss <= high)
        width = (high - low).mean() if "two" in name else np.nan
        rows.append((name, *place, nominal, covered.mean(), width, np.nan, repetitions))
    defined = number @ outcome > 0
    number = number[defined]
    low, high = fieller_interval(
        number @ share, number @ outcome, number @ share**2, number @ outcome,
        number @ (share * outcome), n,
    )  # fmt: skip
    ratio = scenario.accuracy / scenario.reference
    covered = (low <= ratio) & (ratio <= high)
    closed = np.isfinite(high)
    width = (high - low)[closed].mean() if closed.any() else np.nan
    rows.append(("Fieller", *place, 0.95, covered.mean(), width, 1 - closed.mean(), len(number)))
    return rows


if __name__ == "__main__":
    run(simulate, __doc__)
