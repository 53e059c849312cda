"""Wrong ranges of policies, and gates that fail although nothing loses more than is allowed.

Run as ``python -m tests.simulations.policy --repetitions 4000 --out FILE.csv``.

Four values beside the reference, whose outcome is one; K draws elsewhere share half of a normal
score's variance within the image. A range is wrong if it holds a value whose true loss exceeds
delta (losses of .1001 stand for the worst case). Beside the rule: ranges that end where the
estimate exceeds delta, or where a drop is significant (exact or E2, 5 %). ``safe``: ranges that
reach as far as they may. "gate" rows: 10 classes lose exactly what is allowed at every value.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from lpa.axes import Axis
from lpa.classes import Classes
from lpa.statistics.gate import gate
from lpa.statistics.means import mean_test
from lpa.statistics.policy import class_states, policy

from .command import run
from .repetitions import run_of_repetitions

AXIS = Axis("crop", "fraction of the view kept", 1.0, "down", grid=(1.0, 0.8, 0.6, 0.4, 0.2))
DROP = 0.10
CURVES: dict[str, tuple[float, tuple[float, ...]]] = {
    "just above everywhere": (0.9, (0.1001, 0.1001, 0.1001, 0.1001)),
    "just above at last": (0.9, (0.0, 0.02, 0.05, 0.1001)),
    "just above, accuracy .98": (0.98, (0.0, 0.1001, 0.1001, 0.1001)),
    "just above, accuracy .5": (0.5, (0.1001, 0.1001, 0.1001, 0.1001)),
    "above and back": (0.9, (0.1001, 0.0, 0.0, 0.0)),
    "far above": (0.9, (0.05, 0.2, 0.4, 0.6)),
}
CLASSES = 10


def outcomes(
    generator: np.random.Generator, curve: tuple[float, tuple[float, ...]], n: int, draws: int,
    size: int,
) -> list[np.ndarray]:  # fmt: skip
    reference, losses = curve
    image = generator.standard_normal((size, n, 1))
    rest = generator.standard_normal((size, n, draws))
    first = np.sqrt(0.5) * (image + generator.standard_normal((size, n, 1)))
    nested = np.sqrt(0.5) * (image + rest)
    return [first > -stats.norm.ppf(reference)] + [
        nested > -stats.norm.ppf(reference - loss) for loss in losses
    ]


def simulate(
    repetitions: int = 4000,
    seed: int = 0,
    sizes: tuple[int, ...] = (20, 23, 50, 100),
    gates: bool = True,
) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    rows: list[tuple[object, ...]] = []
    for name, curve in CURVES.items():
        for n in sizes:
            for draws in (1, 8):
                made = run_of_repetitions(AXIS, outcomes(generator, curve, n, draws, repetitions))
                rows.append((name, n, draws, *_wrong(made, curve[1], n), repetitions))
    if gates:
        for n, draws in ((50, 1), (50, 8)):
            failed = sum(gate_fails(generator, n, draws) for _ in range(repetitions))
            rows.append(("gate", n, draws, failed / repetitions, np.nan, np.nan, np.nan,
                         repetitions))  # fmt: skip
    columns = ["scenario", "n", "draws", "wrong", "wrong_point_estimate", "wrong_no_significant",
               "safe", "repetitions"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns).assign(nominal=0.05)


def _wrong(made: object, losses: tuple[float, ...], n: int) -> tuple[float, float, float, float]:
    """Shares of wrong ranges by the rule, by the estimate and by tests; shares of full ranges."""
    above = np.array(losses) > DROP
    allowed = int(above.argmax()) if above.any() else len(losses)
    steps = policy(made, DROP)["steps"].to_numpy()  # type: ignore[arg-type]
    table = class_states(made, DROP)  # type: ignore[arg-type]
    loss = table["loss"].to_numpy().reshape(len(losses), -1)
    by_estimate = np.logical_and.accumulate(loss <= DROP, axis=0).sum(axis=0)
    # d is 0 or +-1 at K = 1 and within it at K = 8; the limits give back each standard error.
    low = table["low"].to_numpy().reshape(len(losses), -1)
    center = loss * n / (n + 2)
    error = (center - low) / stats.t.ppf(0.95, n - 1)
    squares = (error**2 * (n + 2) + center**2) * (n + 2) - 2
    quiet = mean_test(loss * n, squares, n) > 0.05
    by_tests = np.logical_and.accumulate(quiet, axis=0).sum(axis=0)
    wrong = [float((reached > allowed).mean()) for reached in (steps, by_estimate, by_tests)]
    return wrong[0], wrong[1], wrong[2], float((steps >= allowed).mean())


def gate_fails(generator: np.random.Generator, n: int, draws: int) -> bool:
    """Whether a gate fails though ten classes lose exactly what is allowed."""
    curve = (0.9, (DROP,) * 4)
    made = run_of_repetitions(AXIS, outcomes(generator, curve, n, draws, CLASSES))
    made.classes = Classes(tuple(f"c{k}" for k in range(CLASSES)))
    return not gate(made, DROP).passed


if __name__ == "__main__":
    run(simulate, __doc__)
