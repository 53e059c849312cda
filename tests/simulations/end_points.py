"""Size and coverage of the end points by which sweeps and policies are compared.

Run as ``python -m tests.simulations.end_points --repetitions 4000 --out FILE.csv``.

Images are hard or easy, in shares that differ by class; a run has a deviation of its own in every
class (standard deviation 3 points). Both arms follow the same law, so every claim is false;
or the policy gains 5 points in every class, which intervals are to cover; where images gain
differently, only those at level ``both`` can, since ``run`` speaks of these images. (The worst
tenth is chosen where images are hard, and gains the same 5 points.)
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lpa.statistics.arms import AlignedArms
from lpa.statistics.end_points import _scores, summed_difference


@dataclass(frozen=True)
class Scenario:
    name: str
    runs_baseline: int
    runs: int
    classes: int
    images: int
    gain: float = 0.0
    interaction: float = 0.0


SCENARIOS = (
    Scenario("no gain", 5, 5, 20, 20),
    Scenario("no gain", 3, 10, 20, 20),
    Scenario("no gain", 20, 20, 20, 10),
    Scenario("gain of 5 points", 5, 5, 20, 20, 0.05),
    Scenario("images gain 25 or lose 15 points", 5, 5, 20, 20, 0.05, 0.2),
)


def made_up(generator: np.random.Generator, scenario: Scenario) -> AlignedArms:
    labels = np.repeat(np.arange(scenario.classes), scenario.images)
    accuracy = np.linspace(0.4, 0.8, scenario.classes)
    # Shares stay within 0.05 to 0.95, so that nothing is clipped.
    easy = generator.random(len(labels)) < accuracy[labels]
    difficulty = np.where(easy, 0.6, 0.3)
    own = scenario.interaction * generator.choice([-1.0, 1.0], len(labels))
    arms = []
    for runs, gain in ((scenario.runs_baseline, 0.0), (scenario.runs, scenario.gain)):
        luck = 0.03 * generator.uniform(-np.sqrt(3), np.sqrt(3), (runs, scenario.classes))
        share = difficulty + (gain + own if gain else 0.0) + luck[:, labels]
        arms.append(generator.random((runs, len(labels))) < share)
    return AlignedArms("val", arms, labels)


def simulate(
    scenario: Scenario, repetitions: int, halvings: int = 10, seed: int = 0
) -> list[dict[str, object]]:
    generator = np.random.default_rng([seed, scenario.runs_baseline, scenario.images])
    found: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    targeted = np.array([0, 1, 2])
    for repetition in range(repetitions):
        arms = made_up(generator, scenario)
        for scores in _scores(arms, targeted, halvings, repetition, []):
            parts = [
                (float(x.var(ddof=1)) / len(x), len(x) - 1.0)
                for x in (scores.reference, scores.other)
            ]
            plain = scores.other.mean() - scores.reference.mean()
            image = (scores.image_variance, scores.image_freedom)
            for level, center, terms in (
                ("run", plain, parts), ("both", scores.center, [*parts, image]),
            ):  # fmt: skip
                difference = summed_difference(center, terms)
                low, high = difference.interval(0.95)
                found.setdefault((scores.name, level), []).append((
                    difference.lower[0] <= 0.05, difference.higher[0] <= 0.05,
                    low[0] <= scenario.gain <= high[0], high[0] - low[0], plain,
                ))  # fmt: skip
    names = ("lower", "higher", "coverage", "width", "estimate")
    return [
        {
            "scenario": scenario.name, "runs_baseline": scenario.runs_baseline,
            "runs": scenario.runs, "classes": scenario.classes, "images": scenario.images,
            "end_point": end_point, "level": level, "repetitions": repetitions,
            **dict(zip(names, np.mean(rows, axis=0).tolist(), strict=True)),
        }
        for (end_point, level), rows in found.items()
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=4000)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    rows = [row for scenario in SCENARIOS for row in simulate(scenario, arguments.repetitions)]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).round(5).to_csv(arguments.out, index=False)


if __name__ == "__main__":
    main()
