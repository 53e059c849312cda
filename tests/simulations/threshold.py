"""Coverage of the interval of the threshold, and errors of the flag ``recovers``.

Run as ``python -m tests.simulations.threshold --repetitions 4000 --out FILE.csv``.

Nine values from weak to strong, the reference first with one outcome of each image, K draws
elsewhere. A draw is right if a normal score exceeds a limit; half of the score's variance is the
image's, the rest is the draw's and the same at every value (draws are nested along the axis), so
the accuracy at every value is exact. The truth is the lasting crossing of .10 by the true losses,
interpolated as the estimate is, or a state. An interval covers if its ends, in the order of states,
enclose the truth; an end by the first value encloses ``at once``. Level ``image``: fixed model;
level ``both``: the same with the model trained ten times at every value, a run moving the score.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from lpa.axes import Axis
from lpa.statistics.crossings import crossing
from lpa.statistics.positions import axis_positions, values_at
from lpa.statistics.threshold import threshold
from lpa.statistics.threshold_order import strength_order

from .command import run
from .repetitions import run_of_repetitions

AXIS = Axis("crop", "fraction of the view kept", 1.0, "down",
            grid=(1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2))  # fmt: skip
DROP = 0.10
CURVES: dict[str, tuple[float, tuple[float, ...]]] = {
    "steady": (0.9, (0.02, 0.05, 0.09, 0.14, 0.20, 0.28, 0.40, 0.55)),
    "late and steep": (0.98, (0.0, 0.0, 0.0, 0.0, 0.0, 0.01, 0.15, 0.6)),
    "flat just below": (0.9, (0.08, 0.08, 0.08, 0.08, 0.08, 0.08, 0.08, 0.3)),
    "flat just above": (0.85, (0.04, 0.12, 0.12, 0.12, 0.12, 0.12, 0.12, 0.12)),
    "at once": (0.9, (0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)),
    "never": (0.95, (0.0, 0.01, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06)),
    "gains first": (0.6, (-0.05, -0.1, -0.05, 0.0, 0.05, 0.15, 0.3, 0.5)),
    "hardly known": (0.15, (0.0, 0.01, 0.02, 0.04, 0.06, 0.08, 0.11, 0.13)),
    "comes back": (0.8, (0.05, 0.3, 0.3, 0.05, 0.05, 0.15, 0.3, 0.4)),
}
IMAGE = 0.5
RUNS, SPREAD = 10, 0.1
BLOCK = 500


def simulate(
    repetitions: int = 4000, seed: int = 0, sizes: tuple[int, ...] = (10, 20, 50, 200)
) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    rows = []
    for name, (reference, losses) in CURVES.items():
        for n in sizes:
            for level, draws in (("image", 1), ("image", 8), ("both", RUNS)):
                if level == "both" and n > 50:
                    continue
                tables = [
                    _table(generator, reference, losses, n, draws, level, size)
                    for size in _blocks(repetitions)
                ]
                rows.append((name, reference, level, n, draws,
                             *_summary(pd.concat(tables), losses), repetitions))  # fmt: skip
    columns = ["curve", "reference", "level", "n", "draws", "truth", "coverage", "width",
               "at_once", "number", "never", "undefined", "recovers", "repetitions"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns).assign(nominal=0.95)


def truth(losses: tuple[float, ...]) -> tuple[str, float]:
    place = crossing(np.array([losses]), axis_positions(AXIS, AXIS.grid), DROP, "last")
    state = ("never", "at once", "number")[min(int(place.by[0]), 2)]
    return state, float(values_at(AXIS, place.position)[0])


def _blocks(repetitions: int) -> list[int]:
    whole, rest = divmod(repetitions, BLOCK)
    return [BLOCK] * whole + ([rest] if rest else [])


def _table(
    generator: np.random.Generator,
    reference: float,
    losses: tuple[float, ...],
    n: int,
    draws: int,
    level: str,
    size: int,
) -> pd.DataFrame:
    image = np.sqrt(IMAGE) * generator.standard_normal((size, n, 1), dtype=np.float32)
    trained = level == "both"

    def score(number: int) -> np.ndarray:
        rest = generator.standard_normal((size, n, number), dtype=np.float32)
        return np.asarray(image + np.float32(np.sqrt(1 - IMAGE)) * rest)

    def right(scores: np.ndarray, accuracy: float) -> np.ndarray:
        limit = -stats.norm.ppf(accuracy)
        if not trained:
            return np.asarray(scores > limit)
        run_part = SPREAD * generator.standard_normal((size, 1, draws), dtype=np.float32)
        return np.asarray(scores + run_part > limit * np.sqrt(1 + SPREAD**2))

    nested = score(draws)
    outcomes = [right(score(draws if trained else 1), reference)] + [
        right(score(draws) if trained else nested, reference - loss) for loss in losses
    ]
    run_ = run_of_repetitions(AXIS, outcomes, "sweep" if trained else "scan")
    return threshold(run_, DROP, level=level)


def _summary(table: pd.DataFrame, losses: tuple[float, ...]) -> tuple[object, ...]:
    defined = table[table["state"] != "undefined"]
    state, value = truth(losses)
    order = float(strength_order(AXIS, [state], [value])[0])
    low, high = (
        strength_order(AXIS, defined[f"{end}_state"], defined[end]) for end in ("low", "high")
    )
    covered = (low <= order) & (order <= high)
    strongest = AXIS.grid[-1]
    # Width in units of the axis; an end by the first value counts from the reference.
    ends = [
        np.where(defined[f"{end}_state"] == "at once", 1.0, defined[end].fillna(strongest))
        for end in ("low", "high")
    ]
    shares = [(table["state"] == each).mean() for each in ("at once", "number", "never",
                                                           "undefined")]  # fmt: skip
    written = f"{value:.4g}" if state == "number" else state
    return (written, covered.mean(), float(np.mean(ends[0] - ends[1])), *shares,
            table["recovers"].mean())  # fmt: skip


if __name__ == "__main__":
    run(simulate, __doc__)
