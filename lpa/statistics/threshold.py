"""Threshold by class: the weakest strength with a lasting loss (STATISTICS 3.5)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.statistics.both_levels import both_limit, level_of_losses
from lpa.statistics.crossings import ROUNDING, Crossing, crossing, rising_fit
from lpa.statistics.losses import Losses, losses
from lpa.statistics.means import mean_limit
from lpa.statistics.positions import axis_positions, values_at
from lpa.statistics.recovery import shown_to_recover

__all__ = [
    "COLUMNS",
    "check_drop",
    "loss_limits",
    "threshold",
]

COLUMNS = (
    "model", "axis", "split", "class", "label", "title", "drop",
    "threshold", "state", "low", "low_state", "high", "high_state",
    "recovers", "first", "first_state", "method", "n", "level",
)  # fmt: skip

Floats = npt.NDArray[np.float64]


def threshold(
    outcomes: Outcomes,
    drop: float = 0.10,
    confidence: float = 0.95,
    split: str | None = None,
    level: str | None = None,
) -> pd.DataFrame:
    """Return the threshold of every class on every axis.

    Estimand: alpha*, the weakest strength at which the loss L_c exceeds ``drop`` and stays above
    it up to the strongest value measured. Estimator: the crossing of the isotonic fit of the
    losses, at least 0, on axes recorded ``monotone`` of models that are fixed (method
    ``isotonic``); of the losses themselves elsewhere (``raw``); linear interpolation on the axis's
    scale. Interval: from the first up-crossing of the upper one-sided limits of L_c to the last
    up-crossing of the lower ones, each limit at (1 + confidence) / 2, E2 (level ``image``) or E2
    plus runs (level ``both``), 0 at the reference. Each end rests on one value, so strengths are
    not corrected for. No test; families do not apply. Paper: our own reading of arXiv 2204.03632,
    Figure 5, which shows curves only.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    drop : float
        delta, in [0, 1): a fraction, .1 is 10 accuracy points.
    confidence : float
        Two-sided confidence of each interval, in (0, 1).
    split : str, optional
        Only this split; splits are never pooled.
    level : {"image", "both"}, optional
        By default ``image`` for scans and imports, ``both`` for sweeps and probes.

    Returns
    -------
    DataFrame
        ``model, axis, split, class, label, title, drop, threshold`` (a value of the axis, NaN
        unless ``state`` is ``number``), ``state``, ``low``, ``high`` (values of the axis: the weak
        and the strong end, NaN where the limits do not cross), ``low_state``, ``high_state``,
        ``recovers``, ``first``, ``first_state`` (the first crossing beside the lasting one),
        ``method``, ``n`` (images), ``level``. ``attrs["notes"]`` lists curves left out.

        States in their order: ``at once`` (crossed by the weakest value beside the reference,
        never interpolated; an end of an interval keeps its interpolated value, for drawing),
        ``number``, ``never`` (not crossed for good by the strongest value: censored) and, outside
        the order, ``undefined``: the reference accuracy is at most ``drop``, or n < 2; for ends
        also where a value has one run only (level ``both``). No arithmetic on states:
        :func:`~lpa.statistics.threshold_order.threshold_quantile`.

        ``recovers``: at some stronger value the loss is shown to be smaller than at a weaker one
        (E2 on the difference, one-sided at 1 - confidence, Bonferroni over the pairs of values);
        then the raw curve is used.

    Raises
    ------
    InputError
        For a drop or a level that cannot be.

    References
    ----------
    Several strengths without correction: Hsu and Berger 1999, JASA 94:468. Isotonic regression:
    Barlow et al. 1972. Its bootstrap fails where curves are flat: Kosorok 2008; Sen, Banerjee and
    Woodroofe 2010, Annals of Statistics 38:1953.
    """
    check_drop(drop)
    chosen = level_of_losses(outcomes, level)
    fixed_models = not outcomes.record.trained
    notes: list[str] = []
    pieces = [
        _curve(outcomes, each, drop, confidence, chosen, fixed_models and each.axis.monotone)
        for each in losses(outcomes, split, notes)
    ]
    frame = pd.concat(pieces, ignore_index=True) if pieces else pd.DataFrame(columns=list(COLUMNS))
    frame.attrs["notes"] = notes
    return frame


def check_drop(drop: float) -> None:
    """Refuse a drop that is no fraction.

    Raises
    ------
    InputError
        Outside [0, 1).
    """
    if not 0.0 <= drop < 1.0:
        raise InputError(
            f"drop {drop:g} is out of range; expected a fraction from 0 to below 1, "
            "such as 0.1 for 10 accuracy points"
        )


def loss_limits(each: Losses, confidence: float, level: str) -> tuple[Floats, Floats]:
    """Return one-sided limits of the loss at every value beside the reference.

    Parameters
    ----------
    each : Losses
        A curve.
    confidence : float
        One-sided confidence of each limit, in (0, 1).
    level : {"image", "both"}
        E2, or E2 plus the runs of the value and of the reference.

    Returns
    -------
    low, high : arrays of float64, shape [values - 1, classes]
        NaN where n < 2, and at level ``both`` where the value or the reference has one run.
    """
    total, squares, n = each.total(each.loss), each.total(each.loss**2), each.n
    if level == "image":
        low = mean_limit(total, squares, n, confidence, "lower")
        return low, mean_limit(total, squares, n, confidence, "upper")
    draws = each.curve.draws
    runs = [
        (each.run_variances[1:], draws[1:, None]),
        (each.run_variances[:1], draws[0]),
    ]
    low = both_limit(total, squares, n, runs, confidence, "lower")
    return low, both_limit(total, squares, n, runs, confidence, "upper")


def _curve(
    outcomes: Outcomes, each: Losses, drop: float, confidence: float, level: str, isotonic: bool
) -> pd.DataFrame:
    positions = axis_positions(each.axis, each.curve.values)
    raw = (each.total(each.loss) / each.n).T
    recovers = shown_to_recover(each, 1.0 - confidence, level)
    fitted = ~recovers & isotonic
    used = raw.copy()
    used[fitted] = rising_fit(raw[fitted])
    lower, upper = loss_limits(each, 0.5 + confidence / 2.0, level)
    undefined = (each.total(each.shares[0]) / each.n <= drop + ROUNDING) | (each.n < 2)
    columns: dict[str, npt.NDArray[Any]] = each.identify(outcomes)
    rows = len(undefined)
    found = {
        "threshold": (crossing(used, positions, drop, "last"), undefined),
        "first": (crossing(used, positions, drop, "first"), undefined),
    }
    # A limit that is missing at one value could be the one on which an end rests.
    unlimited = undefined | np.isnan(lower).any(axis=0)
    found["low"] = (crossing(upper.T, positions, drop, "first"), unlimited)
    found["high"] = (crossing(lower.T, positions, drop, "last"), unlimited)
    for name, (place, without) in found.items():
        states = _states(place, without)
        kept = states == "number" if name in ("threshold", "first") else ~without
        columns[name] = np.where(kept, values_at(each.axis, place.position), np.nan)
        columns["state" if name == "threshold" else f"{name}_state"] = states
    columns |= {
        "drop": np.full(rows, drop),
        "recovers": recovers,
        "method": np.where(fitted, "isotonic", "raw").astype(object),
        "level": np.full(rows, level, dtype=object),
    }
    return pd.DataFrame(columns)[list(COLUMNS)]


def _states(place: Crossing, undefined: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    states = np.array(["never", "at once", "number"], dtype=object)[np.minimum(place.by, 2)]
    states[undefined] = "undefined"
    return states
