"""Gate: does a class lose more than is allowed? (STATISTICS 3.14)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.axes import format_value
from lpa.errors import InputError, unknown
from lpa.outcomes import Outcomes
from lpa.statistics.both_levels import level_of_losses
from lpa.statistics.crossings import ROUNDING
from lpa.statistics.gate_losses import Checked, checked_losses, losses_against
from lpa.statistics.multiplicity import corrected
from lpa.statistics.policy import images_needed, safety, single_run_note

__all__ = ["COLUMNS", "Gate", "gate"]

COLUMNS = (
    "model", "axis", "value", "split", "class", "label", "title", "allowed", "loss", "low", "high",
    "direction", "p", "p_bh", "p_holm", "family", "m", "untestable", "state", "n", "level",
)  # fmt: skip
VERDICTS = (
    "model", "axis", "split", "class", "label", "title", "allowed", "verdict", "values", "n",
    "needed", "level",
)  # fmt: skip

Floats = npt.NDArray[np.float64]


class Gate(NamedTuple):
    """The answer of a gate.

    Attributes
    ----------
    passed : bool
        Whether no class is shown to lose more than is allowed and, with ``require="safe"``, every
        class is shown to lose less.
    table : DataFrame
        Every class at every value that was checked.
    classes : DataFrame
        One row a class and curve with its ``verdict``: ``fails`` (at some value), ``safe`` (at
        all), ``undecided``, ``undefined``; ``values`` are those at which it fails.
    counts : dict of str to int
        Rows of ``classes`` by verdict.
    reasons : list of str
        Why it did not pass, one line each; empty if it did.
    """

    passed: bool
    table: pd.DataFrame
    classes: pd.DataFrame
    counts: dict[str, int]
    reasons: list[str]


def gate(
    outcomes: Outcomes,
    max_drop: float = 0.10,
    against: Outcomes | None = None,
    require: Literal["not hurt", "safe"] = "not hurt",
    budget: Mapping[str, float] | None = None,
    confidence: float = 0.95,
    split: str | None = None,
    level: str | None = None,
    axis: str | None = None,
    value: float | None = None,
) -> Gate:
    """Check that no class is shown to lose more than is allowed.

    Estimand: the loss of every class at every value, beside the reference, or beside the older run
    at the same value (``against``: accuracy of the old minus accuracy of the new run, the reference
    value included, paired by image). Level: ``image`` for fixed models, ``both`` for sweeps and
    probes. Test: H0 "loses at most what is allowed", one-sided E2 (or E2 plus runs) with delta.
    Family: all classes x values x curves that were checked, one family; a class fails where
    ``p_holm <= 1 - confidence``, so a gate whose classes all lose at most what is allowed fails
    with probability of at most 5 %. ``require="safe"`` fails, too, unless every class is ``safe``:
    upper limit at ``confidence`` below what is allowed at every value checked, each class by itself
    as in ``policy``. Undecided classes are counted: they pass, but for ``require="safe"``.

    Edge cases: a class whose accuracy to lose from is at most what is allowed at every value, or
    with n < 2, is ``undefined``: not tested, and never safe. Nothing to check is an error.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    max_drop : float
        What each class may lose, in (0, 1): .1 is 10 accuracy points.
    against : Outcomes, optional
        An older run on the same images.
    require : {"not hurt", "safe"}
        See above.
    budget : mapping of str to float, optional
        Class -> what it may lose, in place of ``max_drop``; see
        :func:`~lpa.statistics.budget.read_budget`.
    confidence : float
        One-sided, in (0, 1).
    split, axis, value : optional
        Only these; by default everything.
    level : {"image", "both"}, optional
        See above.

    Returns
    -------
    Gate
        ``table``: ``model, axis, value, split, class, label, title, allowed, loss, low, high``
        (one-sided limits, fractions), ``direction, p, p_bh, p_holm, family, m, untestable, state``
        (``fails, safe, undecided, undefined``), ``n, level``. ``classes``: ``model, axis, split,
        class, label, title, allowed, verdict, values, n, needed`` (images without which a class
        cannot be safe), ``level``. ``table.attrs["notes"]`` says what was left out.

    Raises
    ------
    InputError
        For bounds out of range, unknown classes, and where nothing can be checked.
    """
    if require not in ("not hurt", "safe"):
        raise InputError(f"require {require!r} is unknown; expected 'not hurt' or 'safe'")
    allowed = _allowed(outcomes, max_drop, budget or {})
    chosen = level_of_losses(outcomes, level)
    notes: list[str] = []
    if against is None:
        curves = checked_losses(outcomes, split, notes)
    else:
        curves = losses_against(outcomes, against, split, notes)
    pieces = []
    grids: dict[str, list[float]] = {}
    for checked in curves:
        if axis not in (None, checked.each.axis.name):
            continue
        grids.setdefault(checked.each.axis.name, []).extend(checked.values.tolist())
        wanted = checked if value is None else checked.at(value)
        if len(wanted.values):
            pieces.append(_checked(outcomes, wanted, allowed, confidence, chosen))
            notes += single_run_note(checked.each, chosen)
    if not pieces:
        raise InputError("; ".join([_nothing_checked(value, grids), *notes]))
    table = corrected(pd.concat(pieces, ignore_index=True), by=["direction"])
    fails = (table["p_holm"] <= 1.0 - confidence).to_numpy()
    table["state"] = table["state"].mask(fails, "fails")
    table = table[list(COLUMNS)]
    table.attrs["notes"] = notes
    classes = _verdicts(table, confidence)
    counts = {
        verdict: int((classes["verdict"] == verdict).sum())
        for verdict in ("fails", "safe", "undecided", "undefined")
    }
    reasons = _reasons(classes, counts, require)
    return Gate(not reasons, table, classes, counts, reasons)


def _nothing_checked(value: float | None, grids: Mapping[str, list[float]]) -> str:
    """Say that no value was checked and, where one was asked for, which there are."""
    there = "; ".join(
        f"{axis}={','.join(format_value(each) for each in dict.fromkeys(values))}"
        for axis, values in grids.items()
    )
    if value is None or not there:
        return "nothing can be checked"
    return f"nothing can be checked at value {format_value(value)}; the values there are {there}"


def _allowed(outcomes: Outcomes, max_drop: float, budget: Mapping[str, float]) -> Floats:
    """Return what each of the run's classes may lose."""
    allowed = np.full(len(outcomes.classes), float(max_drop))
    found = outcomes.classes.find(list(budget), by_index=False)
    for index, (name, drop) in zip(found, budget.items(), strict=True):
        if index < 0:
            raise unknown("class in the budget", name, outcomes.classes.names)
        allowed[index] = drop
    for drop in (max_drop, *budget.values()):
        if not 0.0 < drop < 1.0:
            raise InputError(
                f"an allowed drop of {format_value(drop)} is out of range; expected a fraction "
                "between 0 and 1, such as 0.1 for 10 accuracy points"
            )
    return allowed


def _checked(
    outcomes: Outcomes,
    checked: Checked,
    allowed: Floats,
    confidence: float,
    level: str,
) -> pd.DataFrame:
    each, bound = checked.each, allowed[checked.each.present]
    low, high = checked.limits(confidence, level)
    undefined = np.asarray((checked.reference <= bound + ROUNDING) | (each.n < 2))
    p = np.where(undefined, np.nan, checked.test(np.broadcast_to(bound, low.shape), level))
    states = safety(low, high, bound, np.asarray(undefined.all(axis=0)))
    # A gate has three answers; what is beyond a limit by itself is no failure before Holm.
    states[states == "unsafe"] = "undecided"
    times = len(checked.values)
    columns: dict[str, Any] = each.identify(outcomes, times) | {
        "value": np.repeat(checked.values, len(each.n)),
        "allowed": np.tile(bound, times),
        "loss": (each.total(checked.loss) / each.n).reshape(-1),
        "low": low.reshape(-1),
        "high": high.reshape(-1),
        "p": p.reshape(-1),
        "state": states.reshape(-1),
    }
    return pd.DataFrame(columns).assign(direction="hurt", level=level)


def _verdicts(table: pd.DataFrame, confidence: float) -> pd.DataFrame:
    keys = ["model", "axis", "split", "label"]
    group = table.groupby(keys, sort=False).ngroup().to_numpy()
    first = np.unique(group, return_index=True)[1]
    classes = table.iloc[first].reset_index(drop=True)
    state = table["state"].to_numpy()
    fails = np.bincount(group[state == "fails"], minlength=len(first))
    undefined = np.bincount(group[state == "undefined"], minlength=len(first))
    unsafe = np.bincount(group[state != "safe"], minlength=len(first))
    classes["verdict"] = np.select(
        [fails > 0, unsafe == 0, undefined > 0], ["fails", "safe", "undefined"], "undecided"
    ).astype(object)
    rows = np.flatnonzero(state == "fails")
    failing: dict[int, list[float]] = {}
    for code, value in zip(group[rows].tolist(), table["value"].iloc[rows].tolist(), strict=True):
        failing.setdefault(code, []).append(value)
    classes["values"] = [tuple(failing.get(code, ())) for code in range(len(first))]
    needed = {drop: images_needed(drop, confidence) for drop in classes["allowed"].unique()}
    classes["needed"] = classes["allowed"].map(needed)
    return classes[list(VERDICTS)]


def _reasons(classes: pd.DataFrame, counts: dict[str, int], require: str) -> list[str]:
    reasons = []
    for row in classes[classes["verdict"] == "fails"].to_dict("records"):
        values = ",".join(format_value(value) for value in row["values"])
        reasons.append(
            f"{row['title']} loses more than {format_value(100 * row['allowed'])} points "
            f"({row['model']}, {row['axis']}={values})"
        )
    open_ones = counts["undecided"] + counts["undefined"]
    if require == "safe" and open_ones:
        small = int((classes["n"] < classes["needed"]).sum())
        needed = int(classes["needed"].max())
        reasons.append(
            f"{open_ones} of {len(classes)} classes are not shown to be safe "
            f"({counts['undecided']} undecided, {counts['undefined']} undefined); "
            f"{small} have fewer images than safety takes (up to {needed})"
        )
    return reasons
