"""Policy: for each class the range of strengths shown to be safe (STATISTICS 3.14)."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.axes import format_value
from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.statistics.both_levels import level_of_losses
from lpa.statistics.crossings import ROUNDING
from lpa.statistics.losses import Losses, losses
from lpa.statistics.means import mean_limit
from lpa.statistics.policy_error import range_error
from lpa.statistics.threshold import check_drop, loss_limits

__all__ = [
    "RANGES",
    "STATES",
    "class_states",
    "images_needed",
    "policy",
    "safety",
    "single_run_note",
]

STATES = ("safe", "undecided", "unsafe", "undefined")
"""``undefined``: the class cannot lose that much, or has fewer than 2 images; never "safe"."""

VALUES = (
    "model", "axis", "value", "split", "class", "label", "title", "drop", "loss", "low", "high",
    "state", "confidence", "family", "n", "level",
)  # fmt: skip
RANGES = (
    "model", "axis", "split", "class", "label", "title", "drop", "reference", "safe_to", "steps",
    "unsafe_from", "state", "confidence", "family", "n", "needed", "level",
)  # fmt: skip

MOST = 1_000_000

MOST_ENUMERATED = 300
"""With more images a range's error is not computed; it falls slowly to what is aimed at."""

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class _Judged(NamedTuple):
    """States and limits, [values - 1, classes], the confidence of each limit, and the level."""

    states: npt.NDArray[Any]
    low: Floats
    high: Floats
    confidence: float
    level: str


def policy(
    outcomes: Outcomes,
    drop: float = 0.10,
    confidence: float = 0.95,
    split: str | None = None,
    level: str | None = None,
    family: Literal["one", "all"] = "one",
    axis: str | None = None,
) -> pd.DataFrame:
    """Return for every class the range of values, from the reference on, that is shown to be safe.

    Estimand: whether the loss L_c(v) exceeds ``drop``. Level: ``image`` for fixed models, ``both``
    for sweeps and probes. Rule: a value is ``safe`` if the one-sided upper limit of the loss is
    below ``drop`` there *and at all weaker values*; ``unsafe`` if the lower limit is above;
    ``undecided`` otherwise; ``undefined`` if the reference accuracy is at most ``drop`` or n < 2.
    The range ends at the last safe value. Interval: E2 (or E2 plus runs). The values are tested in
    a fixed order, each only after all weaker ones, so strengths are not corrected for. Promise: for
    each class, the range holds a value whose true loss exceeds ``drop`` with probability of at most
    ``1 - confidence``; with ``family="all"`` for all classes of the curve at once (level / C).
    "Not significantly hurt" is *not* safe: it is up to 86 % wrong at 20 to 50 images.

    How far the promise holds at 95 %: simulated with 20 or 50 images, and with 8 draws a value also
    with 23 and 100, wrong ranges are 5 % at most within simulation error
    (``reports/statistics/policy.csv``). The limit is an approximation, though. With one draw a
    value (or draws that agree) a class that truly loses just ``drop`` and gains nothing has a wrong
    range with a probability, which depends on n, of up to 10 %
    (:func:`~lpa.statistics.policy_error.range_error`; 9 % with just 23 images, where "no loss seen"
    is called safe and happens in .9^23); at ``confidence`` .98 it is at most 5.6 %, at .99 at most
    3.8 %. ``attrs["notes"]`` states the worst of the run's own sizes.

    Edge cases: however good the model, ``safe`` takes :func:`images_needed` images (23 for .10, 46
    for .05); no safe value gives a range of the reference alone; one run at level ``both`` leaves
    every value undecided. Curves without reference or with one value are left out and noted.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    drop : float
        delta, above 0 and below 1: a fraction, .1 is 10 accuracy points.
    confidence : float
        One-sided, in (0, 1).
    split : str, optional
        Only this split; splits are never pooled.
    level : {"image", "both"}, optional
        See above.
    family : {"one", "all"}
        Whether the promise is per class or for all classes of a curve.
    axis : str, optional
        Only this axis.

    Returns
    -------
    DataFrame
        One row a class and curve: ``model, axis, split, class, label, title, drop, reference,
        safe_to`` (the last safe value; the reference if there is none, NaN if undefined),
        ``steps`` (safe values beside the reference), ``unsafe_from`` (the weakest unsafe value or
        NaN), ``state`` (of the strongest value), ``confidence, family, n, needed`` (images
        without which nothing can be safe), ``level``.

    Raises
    ------
    InputError
        For a drop out of range, an axis or a split that there is not.

    References
    ----------
    Fixed order: Maurer, Hothorn and Lehmacher 1995; Westfall and Krishen 2001, JSPI 99:25.
    """
    notes: list[str] = []
    pieces = []
    for each, judged in _judged(outcomes, drop, confidence, split, level, family, axis, notes):
        pieces.append(_ranges(outcomes, each, judged, drop, family))
        notes += single_run_note(each, judged.level) + _error_note(each, judged, drop)
    return _joined(pieces, RANGES, notes)


def class_states(
    outcomes: Outcomes,
    drop: float = 0.10,
    confidence: float = 0.95,
    split: str | None = None,
    level: str | None = None,
    family: Literal["one", "all"] = "one",
    axis: str | None = None,
) -> pd.DataFrame:
    """Return the state of every class at every value: what :func:`policy` rests on.

    Estimand, level, rule, promise and edge cases are those of :func:`policy`.

    Parameters
    ----------
    outcomes, drop, confidence, split, level, family, axis
        As in :func:`policy`.

    Returns
    -------
    DataFrame
        ``model, axis, value`` (from weak to strong, without the reference), ``split, class, label,
        title, drop, loss, low, high`` (one-sided limits, fractions), ``state, confidence`` (of each
        limit), ``family, n, level``.
    """
    notes: list[str] = []
    pieces = []
    for each, (states, low, high, used, chosen) in _judged(
        outcomes, drop, confidence, split, level, family, axis, notes
    ):
        columns = each.identify(outcomes, len(states))
        columns |= {
            "value": np.repeat(each.curve.values[1:], len(each.n)),
            "loss": (each.total(each.loss) / each.n).reshape(-1),
            "low": low.reshape(-1),
            "high": high.reshape(-1),
            "state": states.reshape(-1),
        }
        constants = {"drop": drop, "confidence": used, "family": family, "level": chosen}
        pieces.append(pd.DataFrame(columns).assign(**constants))
    return _joined(pieces, VALUES, notes)


def safety(low: Floats, high: Floats, drop: npt.ArrayLike, undefined: Flags) -> npt.NDArray[Any]:
    """Return the states of classes along an axis from one-sided limits of their losses.

    Parameters
    ----------
    low, high : arrays, shape [values, classes]
        Limits from the weakest value on; NaN leaves a value, and all stronger ones, not safe.
    drop : array_like, scalar or shape [classes]
        The loss that is not to be exceeded.
    undefined : array of bool, shape [classes]
        Classes that cannot be judged.

    Returns
    -------
    array of object, shape [values, classes]
        Of :data:`STATES`.
    """
    bound = np.asarray(drop, np.float64)
    with np.errstate(invalid="ignore"):
        safe = np.logical_and.accumulate(high < bound, axis=0)
        unsafe = low > bound
    states = np.where(safe, "safe", np.where(unsafe, "unsafe", "undecided")).astype(object)
    states[:, undefined] = "undefined"
    return states


@functools.cache
def images_needed(drop: float, confidence: float = 0.95) -> int:
    """Return how many images a class must have to be safe even if it loses nothing.

    The smallest n at which the upper limit of E2, with no loss in any image, is below ``drop``: 23
    for .10 and 46 for .05 at 95 %.

    Parameters
    ----------
    drop : float
        In (0, 1).
    confidence : float
        One-sided, in (0, 1).

    Raises
    ------
    InputError
        For a drop out of range or so small that a million images do not suffice.
    """
    _check(drop)
    few, many = 1, 2
    while not _suffices(many, drop, confidence):
        few, many = many, 2 * many
        if many > MOST:
            raise InputError(
                f"drop {format_value(drop)} cannot be shown with a million images; "
                "give a larger one"
            )
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if _suffices(middle, drop, confidence) else (middle, many)
    return many


def _suffices(n: int, drop: float, confidence: float) -> bool:
    return bool(mean_limit(0.0, 0.0, n, confidence, "upper") < drop)


def _check(drop: float) -> None:
    check_drop(drop)
    if drop == 0:
        raise InputError("drop 0 cannot be shown not to be exceeded; give more, such as 0.1")


def _judged(
    outcomes: Outcomes,
    drop: float,
    confidence: float,
    split: str | None,
    level: str | None,
    family: str,
    axis: str | None,
    notes: list[str],
) -> Iterator[tuple[Losses, _Judged]]:
    _check(drop)
    chosen = level_of_losses(outcomes, level)
    for each in losses(outcomes, split, notes, axis):
        classes = len(each.n) if family == "all" else 1
        used = 1.0 - (1.0 - confidence) / classes
        low, high = loss_limits(each, used, chosen)
        undefined = (each.total(each.shares[0]) / each.n <= drop + ROUNDING) | (each.n < 2)
        yield each, _Judged(safety(low, high, drop, undefined), low, high, used, chosen)


def _ranges(
    outcomes: Outcomes, each: Losses, judged: _Judged, drop: float, family: str
) -> pd.DataFrame:
    states, used = judged.states, judged.confidence
    values = each.curve.values
    steps = (states == "safe").sum(axis=0)
    unsafe = states == "unsafe"
    undefined = states[0] == "undefined"
    first = np.where(unsafe.any(axis=0), unsafe.argmax(axis=0) + 1, 0)
    columns: dict[str, Any] = each.identify(outcomes) | {
        "safe_to": np.where(undefined, np.nan, values[steps]),
        "steps": steps,
        "unsafe_from": np.where(first > 0, values[first], np.nan),
        "state": states[-1],
    }
    return pd.DataFrame(columns).assign(
        drop=drop, reference=each.axis.reference, confidence=used, family=family,
        needed=images_needed(drop, used), level=judged.level,
    )  # fmt: skip


def single_run_note(each: Losses, level: str) -> list[str]:
    """State where one training run leaves everything undecided.

    Parameters
    ----------
    each : Losses
        A curve.
    level : {"image", "both"}
        Of the limits.
    """
    single = each.curve.values[each.curve.draws < 2].tolist()
    if level == "image" or not single:
        return []
    return [
        f"{each.curve.model} on {each.axis.name}: one run at "
        f"{', '.join(map(format_value, single))} has no error at level both, so nothing is decided "
        "there; train more seeds"
    ]


def _error_note(each: Losses, judged: _Judged, drop: float) -> list[str]:
    """State the worst error of one draw a value, where it is above what is aimed at."""
    aim = 1.0 - judged.confidence
    sizes = np.unique(each.n)
    sizes = sizes[(sizes >= 2) & (sizes <= MOST_ENUMERATED)]
    if judged.level != "image" or each.curve.draws.max() > 1 or not len(sizes):
        return []
    errors = [range_error(int(n), drop, judged.confidence) for n in sizes]
    worst = int(np.argmax(errors))
    # A tenth more is not worth a line.
    if errors[worst] <= 1.1 * aim:
        return []
    return [
        f"{each.curve.model} on {each.axis.name} ({each.curve.split}): with one draw a value, a "
        f"class of {sizes[worst]} images that loses just {format_value(100 * drop)} points and "
        f"gains nothing is called safe in {100 * errors[worst]:.2g} % ({100 * aim:.2g} % is aimed "
        "at); more draws or a higher --confidence lower it"
    ]


def _joined(pieces: list[pd.DataFrame], columns: tuple[str, ...], notes: list[str]) -> pd.DataFrame:
    frame = pd.concat(pieces, ignore_index=True) if pieces else pd.DataFrame(columns=list(columns))
    frame = frame[list(columns)]
    frame.attrs["notes"] = notes
    return frame
