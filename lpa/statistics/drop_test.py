"""Drop test per class, and what it can detect (STATISTICS 3.6)."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from lpa.axes import format_value
from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.statistics.detectable import critical_loss, detectable_loss
from lpa.statistics.losses import Losses, losses
from lpa.statistics.mean_loss import image_mean_loss
from lpa.statistics.means import mean_test, standard_error
from lpa.statistics.multiplicity import corrected
from lpa.statistics.positions import trapezoid_weights

__all__ = ["COLUMNS", "drop_test", "exact_mcnemar"]

COLUMNS = (
    "model", "axis", "value", "split", "class", "label", "title", "measure", "direction", "loss",
    "lost", "gained", "p", "p_bh", "p_holm", "family", "m", "untestable", "method", "n", "level",
    "critical_loss", "critical_loss_holm", "detectable_loss", "detectable_loss_holm",
)  # fmt: skip

LARGE = 50
"""Up to so many images E2 keeps its level of 5 % in every scenario simulated."""

MCNEMAR = "exact McNemar"
E2 = "E2"
DIRECTIONS: dict[str, tuple[str, ...]] = {
    "hurt": ("hurt",),
    "helped": ("helped",),
    "both": ("hurt", "helped"),
}

Floats = npt.NDArray[np.float64]


class _Tested(NamedTuple):
    """Per-image values to be tested and the sizes of a whole image's loss."""

    values: Floats
    value: float
    measure: str
    # What one image loses at most: 1 at a value, the sum of the weights along the axis.
    most: float
    # Whether every image has just lost, kept or gained.
    exact: bool


def exact_mcnemar(lost: npt.ArrayLike, gained: npt.ArrayLike) -> Floats:
    """Return the p-value of H0 "no more is lost than gained", one-sided.

    It is ``scipy.stats.binomtest(lost, lost + gained, .5, alternative="greater")``.

    Parameters
    ----------
    lost, gained : array_like of int
        Images that were right and became wrong, and the reverse.

    Returns
    -------
    array of float64
        1 where nothing changed.
    """
    lost = np.asarray(lost)
    changed = lost + np.asarray(gained)
    return np.asarray(np.minimum(stats.binom.sf(lost - 1, changed, 0.5), 1.0))


def drop_test(
    outcomes: Outcomes,
    value: float | None = None,
    axis: str | None = None,
    direction: Literal["hurt", "helped", "both"] = "hurt",
    significance: float = 0.05,
    split: str | None = None,
    family: Literal["one", "all"] = "one",
    method_fdr: Literal["fdr_bh", "fdr_by"] = "fdr_bh",
) -> pd.DataFrame:
    """Test for every class whether it loses accuracy: one test per class.

    Estimand: the mean loss J_c along the axis, or the loss L_c(v) at one value. Level: ``image``.
    Estimator: the plain mean over images. H0: at most 0, one-sided (``hurt``); at least 0 for
    ``helped``. Test: exact McNemar (:func:`exact_mcnemar`) where value and reference have one draw
    each; E2 with delta = 0 (:func:`~lpa.statistics.means.mean_test`) otherwise and for J_c, unless
    the grid has one value. Never sign flips: the reference has one deterministic outcome, so
    differences are skewed under H0. E2's size is at most 5 % up to 50 images, Holm's too; with 200
    images the most skewed differences (right images lose few of their draws, wrong ones all become
    right) take it to 6.4 %, and Holm over 1,000 such classes from 5 to 48 %, which a note says: see
    ``reports/statistics/drop_test.csv``. Interval: see ``mean_loss`` and ``threshold``. Family: the
    testable classes of one (model, axis, split, value or J, direction), or of one direction
    (``all``). A class with fewer than 2 images is not testable: p is NaN, it is dropped before
    correcting and counted in ``untestable``. Paper: arXiv 2204.03632 tests runs only (Table 1).

    Parameters
    ----------
    outcomes : Outcomes
        The run. Where models were trained they are averaged within images and fixed; tests of
        trainings are ``run_test``.
    value : float, optional
        Test the loss at this value, fixed beforehand; by default J_c. Axes without it are noted.
    axis : str, optional
        Only this axis.
    direction : {"hurt", "helped", "both"}
        ``both``: two one-sided families; claims in both directions take half the level, and the
        detectable losses are given at half the level.
    significance : float
        Level at which the detectable losses are given, in (0, 1).
    split : str, optional
        Only this split; splits are never pooled.
    family : {"one", "all"}
        Whether each (model, axis, value) is a family of its own.
    method_fdr : {"fdr_bh", "fdr_by"}
        See :func:`~lpa.statistics.multiplicity.corrected`.

    Returns
    -------
    DataFrame
        ``model, axis, value`` (NaN for J), ``split, class, label, title, measure`` (``mean_loss``
        or ``loss``), ``direction, loss`` (in [-1, 1], accuracy points when times 100), ``lost,
        gained`` (images, for McNemar; else NaN), ``p, p_bh, p_holm, family, m, untestable, method,
        n, level``; ``critical_loss`` (smallest loss without gains that is significant),
        ``detectable_loss`` (true loss found with power .8, from n, the level and the family's
        median standard error), both also at Holm's first step (``_holm``); for ``helped`` they are
        gains. ``attrs["notes"]`` lists what was left out.

    Raises
    ------
    InputError
        For an axis, a value or a direction that there is not.
    """
    if direction not in DIRECTIONS:
        raise InputError(f"direction {direction!r} is unknown; expected hurt, helped or both")
    notes: list[str] = []
    # One curve at a time: the per-image losses of all of them need not be held at once.
    pieces = [
        _curve(outcomes, each, tested, name)
        for each in losses(outcomes, split, notes, axis)
        if value is None or _holds(each, value, notes)
        for tested in (_tested(each, value),)
        for name in DIRECTIONS[direction]
    ]
    if value is not None and not pieces and len(outcomes.cells):
        measured = sorted({*outcomes.cells["value"].dropna().tolist()})
        known = ", ".join(format_value(each) for each in measured) or "the identity only"
        raise InputError(
            f"value {format_value(value)} was not measured beside the reference; {outcomes.store} "
            f"has {known}"
        )
    what = "measure" if value is None else "value"
    by = ["model", "axis", "split", what, "direction"] if family == "one" else ["direction"]
    if not pieces:
        frame = pd.DataFrame(columns=list(COLUMNS))
    else:
        frame = corrected(pd.concat(pieces, ignore_index=True), by=by, method_fdr=method_fdr)
        notes += _untested(frame) + _approximate(frame)
        level = significance / (2 if direction == "both" else 1)
        frame = _with_detectable(frame, level)[list(COLUMNS)]
    frame.attrs["notes"] = list(dict.fromkeys(notes))
    return frame


def _untested(frame: pd.DataFrame) -> list[str]:
    """State how many classes of each curve have too few images to be tested."""
    return [
        f"{model} on {axis}: {int((part['n'] < 2).sum())} of {len(part)} classes have fewer than 2 "
        "images and are not tested"
        for (model, axis, _, _), part in frame.groupby(
            ["model", "axis", "split", "direction"], sort=False
        )
        if (part["n"] < 2).any()
    ]


def _approximate(frame: pd.DataFrame) -> list[str]:
    """State how far E2 may be off for classes larger than those it is bound for."""
    large = frame[(frame["method"] == E2) & (frame["n"] > LARGE)]
    if large.empty:
        return []
    return [
        f"classes of more than {LARGE} images are tested by an approximation: where differences "
        "are most skewed it was simulated, with 200 images, to err in 6.4 % at 5 %, and Holm over "
        "1,000 classes in 5 to 48 %"
    ]


def _holds(each: Losses, value: float, notes: list[str]) -> bool:
    if value in each.curve.values[1:]:
        return True
    notes.append(
        f"{each.curve.model} on {each.curve.axis}: nothing measured at {format_value(value)}; "
        "no test is given"
    )
    return False


def _tested(each: Losses, value: float | None) -> _Tested:
    draws = each.curve.draws
    if value is None:
        most = 1.0 - float(trapezoid_weights(each.axis, each.curve.values)[0])
        exact = len(draws) == 2 and bool((draws == 1).all())
        return _Tested(image_mean_loss(each.curve, each.axis), np.nan, "mean_loss", most, exact)
    index = int(np.flatnonzero(each.curve.values == value)[0])
    exact = bool(draws[0] == 1 and draws[index] == 1)
    return _Tested(each.loss[index - 1], value, "loss", 1.0, exact)


def _curve(outcomes: Outcomes, each: Losses, tested: _Tested, direction: str) -> pd.DataFrame:
    sign = 1.0 if direction == "hurt" else -1.0
    total, squares = each.total(tested.values), each.total(tested.values**2)
    lost, gained = (each.total((side * tested.values > 0).astype(float)) for side in (1, -1))
    if tested.exact:
        p = exact_mcnemar(*((lost, gained) if direction == "hurt" else (gained, lost)))
    else:
        p = mean_test(sign * total, squares, each.n)
        lost = gained = np.full(len(total), np.nan)
    constants: dict[str, Any] = {
        "value": tested.value,
        "measure": tested.measure,
        "direction": direction,
        "method": MCNEMAR if tested.exact else E2,
        "level": "image",
        "most": tested.most,
    }
    columns: dict[str, Any] = each.identify(outcomes)
    columns |= {
        "loss": total / each.n,
        "lost": lost,
        "gained": gained,
        "p": np.where(each.n < 2, np.nan, p),
        "error": standard_error(total, squares, each.n)[1],
    }
    return pd.DataFrame(columns).assign(**constants)


def _with_detectable(frame: pd.DataFrame, significance: float) -> pd.DataFrame:
    """Add what each family can find, from its sizes, its level and its median standard error."""
    typical = frame.groupby("family", sort=False)["error"].transform("median").to_numpy()
    n, tests = frame["n"].to_numpy(), np.maximum(frame["m"].to_numpy(), 1)
    exact = (frame["method"] == MCNEMAR).to_numpy()
    for suffix, levels in (("", np.full(len(n), significance)), ("_holm", significance / tests)):
        critical = np.full(len(n), np.nan)
        for most in np.unique(frame["most"]):
            for method in (True, False):
                rows = np.flatnonzero((frame["most"] == most) & (exact == method))
                critical[rows] = critical_loss(n[rows], levels[rows], method, float(most))
        frame[f"critical_loss{suffix}"] = critical
        frame[f"detectable_loss{suffix}"] = detectable_loss(n, levels, typical)
    return frame
