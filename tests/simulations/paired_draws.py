"""Images with one outcome at the reference and K draws at another value, as a table of chances.

An image is right at the reference with probability ``reference``, by its one deterministic
outcome. Its draws at the value are right with a chance of its own, beta distributed around
``kept`` if it was right at the reference and around ``found`` if not; the concentration says how
much draws of an image agree: .5 nearly always, 5 partly, infinite not at all. So the joint
distribution of (outcome, number of right draws) is a table of 2 (K + 1) chances, samples of images
are multinomial counts, and expected values are exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Scenario:
    name: str
    reference: float
    kept: float
    found: float
    concentration: float = 2.0

    @property
    def accuracy(self) -> float:
        return self.reference * self.kept + (1 - self.reference) * self.found

    @property
    def loss(self) -> float:
        return self.reference - self.accuracy


def without_loss(name: str, reference: float, lost: float, concentration: float) -> Scenario:
    """As many gains as losses are expected; ``lost`` is the share of images, not a rate."""
    return Scenario(name, reference, 1 - lost / reference, lost / (1 - reference), concentration)


def table(scenario: Scenario, draws: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the chances, and the reference outcome and share of right draws of each entry."""
    right = np.arange(draws + 1)
    parts = []
    # The beta distribution has no mean of exactly 0 or 1.
    for mean in np.clip([scenario.kept, scenario.found], 1e-12, 1 - 1e-12):
        if np.isinf(scenario.concentration):
            parts.append(stats.binom.pmf(right, draws, mean))
        else:
            k = scenario.concentration
            parts.append(stats.betabinom.pmf(right, draws, k * mean, k * (1 - mean)))
    chances = np.concatenate([scenario.reference * parts[0], (1 - scenario.reference) * parts[1]])
    outcome = np.repeat([1.0, 0.0], draws + 1)
    return chances / chances.sum(), outcome, np.tile(right / draws, 2)


def counts(
    generator: np.random.Generator, scenario: Scenario, draws: int, n: int, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return counts [size, entries] of n images, and each entry's outcome and share."""
    chances, outcome, share = table(scenario, draws)
    return generator.multinomial(n, chances, size=size), outcome, share


COVERAGE_SCENARIOS = tuple(
    scenario
    for k in (0.5, 5.0, np.inf)
    for scenario in (
        without_loss("no change of a hard class", 0.5, 0.10, k),
        without_loss("no change of a usual class", 0.8, 0.05, k),
        without_loss("no change at .98", 0.98, 0.01, k),
        without_loss("no change at .99", 0.99, 0.005, k),
        Scenario("loss of .05", 0.9, 0.93, 0.13, k),
        Scenario("loss of .1", 0.9, 0.87, 0.17, k),
        Scenario("loss of .4", 0.9, 0.53, 0.23, k),
        Scenario("nearly all is lost", 0.96, 0.04, 0.04, k),
        Scenario("a class hardly known", 0.1, 0.4, 0.0, k),
        Scenario("a class gains", 0.6, 0.95, 0.3, k),
    )
)
