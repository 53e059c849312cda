"""Size of the drop tests: exact McNemar, E2 at delta = 0, and Holm over a thousand classes.

Run as ``python -m tests.simulations.drop_test --repetitions 4000 --out FILE.csv``.

Every class has an expected loss of exactly 0, in the scenarios of ``paired_draws``: skewed losses,
one deterministic outcome at the reference, accuracies of .5 to .99. Rows of one test give the share
of p-values at most ``level``; rows of a family the share of families of 1,000 such classes with a
Holm-adjusted p-value at most .05, that is, a smallest p-value at most .05 / 1,000. The
directions are one-sided tests of losses (hurt) and of gains (helped).

With more than 50 images E2 exceeds its level where differences are most skewed: the rows with 200
images are there to show it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lpa.statistics.drop_test import exact_mcnemar
from lpa.statistics.means import mean_test

from .command import run
from .paired_draws import Scenario, counts, without_loss

SCENARIOS = tuple(
    scenario
    for k in (0.5, 5.0, np.inf)
    for scenario in (
        without_loss("accuracy .5", 0.5, 0.15, k),
        without_loss("accuracy .8", 0.8, 0.10, k),
        without_loss("accuracy .95", 0.95, 0.03, k),
        without_loss("accuracy .98", 0.98, 0.015, k),
        without_loss("accuracy .99, little changes", 0.99, 0.004, k),
        # All are lost a little, and those that were wrong are always right.
        Scenario("accuracy .93, skewed", 0.93, 1 - 0.07 / 0.93, 1.0, k),
        Scenario("accuracy .98, skewed", 0.98, 1 - 0.02 / 0.98, 1.0, k),
    )
)
FAMILY = 1000
BLOCK = 50_000


def simulate(
    repetitions: int = 4000,
    seed: int = 0,
    sizes: tuple[int, ...] = (10, 20, 50, 200),
    family: int = FAMILY,
) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    rows: list[tuple[object, ...]] = []
    for scenario in SCENARIOS:
        for n in sizes:
            for draws in (1, 8, 16) if np.isinf(scenario.concentration) else (8, 16):
                # Repetitions of single tests are cheap, and small levels need many.
                found = _p_values(generator, scenario, n, draws, 10 * repetitions)
                for name, p in found.items():
                    for level in (0.05, 0.01):
                        rows.append((*_place(scenario, n, draws, name), "one test", level,
                                     (p <= level).mean(), len(p)))  # fmt: skip
    for scenario in SCENARIOS:
        for n in (n for n in sizes if n >= 50):
            for draws in (1, 8) if np.isinf(scenario.concentration) else (8,):
                smallest = _smallest(generator, scenario, n, draws, repetitions, family)
                for name, p in smallest.items():
                    rows.append((*_place(scenario, n, draws, name), f"Holm over {family}", 0.05,
                                 (p * family <= 0.05).mean(), len(p)))  # fmt: skip
    columns = ["scenario", "accuracy", "concentration", "n", "draws", "test", "direction", "family",
               "level", "size", "repetitions"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _place(scenario: Scenario, n: int, draws: int, name: str) -> tuple[object, ...]:
    test, direction = name.split(", ")
    return (scenario.name, scenario.reference, scenario.concentration, n, draws, test, direction)


def _p_values(
    generator: np.random.Generator, scenario: Scenario, n: int, draws: int, size: int
) -> dict[str, np.ndarray]:
    number, outcome, share = counts(generator, scenario, draws, n, size)
    loss = outcome - share
    total, squares = number @ loss, number @ loss**2
    if draws > 1:
        return {
            "E2, hurt": mean_test(total, squares, n),
            "E2, helped": mean_test(-total, squares, n),
        }
    lost, gained = number @ (loss > 0), number @ (loss < 0)
    return {
        "exact McNemar, hurt": exact_mcnemar(lost, gained),
        "exact McNemar, helped": exact_mcnemar(gained, lost),
    }


def _smallest(
    generator: np.random.Generator,
    scenario: Scenario,
    n: int,
    draws: int,
    repetitions: int,
    family: int,
) -> dict[str, np.ndarray]:
    """Return the smallest p-value of each family."""
    step = max(1, BLOCK // family)
    blocks = [
        {
            name: p.reshape(-1, family).min(axis=1)
            for name, p in _p_values(
                generator, scenario, n, draws, family * min(step, repetitions - start)
            ).items()
        }
        for start in range(0, repetitions, step)
    ]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


if __name__ == "__main__":
    run(simulate, __doc__)
