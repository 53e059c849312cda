from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from simulations.policy import AXIS
from simulations.policy_exact import enumerate_errors
from simulations.repetitions import run_of_repetitions

from lpa.statistics.policy import policy
from lpa.statistics.policy_error import range_error

REPORTS = Path(__file__).parent.parent / "reports" / "statistics"


def slow(n: int, drop: float, share: float) -> float:
    """Add up the chances of all numbers lost and gained that are called safe."""
    total = 0.0
    for lost in range(n + 1):
        for gained in range(n + 1 - lost):
            center = (lost - gained) / (n + 2)
            error = np.sqrt(((lost + gained + 2) / (n + 2) - center**2) / (n + 2))
            if center + stats.t.ppf(0.95, n - 1) * error < drop:
                chances = [drop + share, share, 1 - drop - 2 * share]
                numbers = [lost, gained, n - lost - gained]
                total += stats.multinomial.pmf(numbers, n, chances)
    return float(total)


@pytest.mark.parametrize(("n", "drop"), [(10, 0.2), (23, 0.1), (30, 0.1)])
def test_the_worst_error_is_the_largest_over_what_may_be_gained(n: int, drop: float) -> None:
    shares = [0.0, 0.005, 0.02, 0.1, 0.3, 0.4, (1 - drop) / 2]
    worst = max(slow(n, drop, share) for share in shares)
    assert range_error(n, drop) == pytest.approx(worst, abs=2e-3)
    assert range_error(n, drop) >= worst - 1e-9


def test_twenty_three_images_without_loss_are_called_safe() -> None:
    assert range_error(23, 0.1) == pytest.approx(0.9**23)


def test_the_published_errors_are_those_of_the_rule() -> None:
    published = pd.read_csv(REPORTS / "policy_exact.csv")
    some = enumerate_errors(sizes=(20, 23, 65, 100))
    same = published.merge(some, on=["drop", "confidence", "n"], suffixes=("", "_now"))
    assert len(same) == len(some) == 3 * 4 * 4
    np.testing.assert_allclose(same["error"], same["error_now"], rtol=1e-4)
    worst = published.groupby("confidence")["error"].max()
    assert 0.095 < worst[0.95] < 0.105
    assert worst[0.98] <= 0.056 and worst[0.99] <= 0.038


def test_a_policy_of_one_draw_states_the_worst_of_its_sizes() -> None:
    generator = np.random.default_rng(0)
    right = [generator.uniform(size=(3, 65, 1)) < 0.9 for _ in AXIS.grid]
    (note,) = policy(run_of_repetitions(AXIS, right)).attrs["notes"]
    assert note == (
        "model on crop (val): with one draw a value, a class of 65 images that loses just 10 "
        "points and gains nothing is called safe in 10 % (5 % is aimed at); more draws or a "
        "higher --confidence lower it"
    )
    (stricter,) = policy(run_of_repetitions(AXIS, right), confidence=0.99).attrs["notes"]
    assert "called safe in 1.3 % (1 % is aimed at)" in stricter
    two = [right[0], *(generator.uniform(size=(3, 65, 2)) < 0.9 for _ in AXIS.grid[1:])]
    assert policy(run_of_repetitions(AXIS, two)).attrs["notes"] == []
    assert policy(run_of_repetitions(AXIS, [x[:, :50] for x in right])).attrs["notes"] == []
