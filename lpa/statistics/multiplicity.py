"""Correction of families of p-values for their number (STATISTICS 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from lpa.axes import format_value
from lpa.errors import InputError

__all__ = ["CORRECTED", "corrected"]

CORRECTED = ("p", "p_bh", "p_holm", "family", "m")
"""The columns that every table of tests carries."""

Floats = npt.NDArray[np.float64]


def corrected(
    frame: pd.DataFrame,
    p: str = "p",
    by: Sequence[str] = ("model", "axis", "value", "direction"),
    method_fdr: Literal["fdr_bh", "fdr_by"] = "fdr_bh",
) -> pd.DataFrame:
    """Return the table with its p-values corrected within each family.

    A family is what is claimed together: by default the testable classes of one model, axis, value
    and direction; ``by`` with fewer columns joins families (``--family all``: the direction
    alone). A p-value of NaN is a class that could not be tested: it is dropped *before* correcting
    and counted apart, since it would make all of Benjamini-Hochberg's values NaN and count as a
    test in Holm's. A claim in two directions takes both one-sided families at half the level.

    Benjamini-Hochberg bounds the expected share of false claims among all claims if the tests are
    independent or positively dependent; ``"fdr_by"`` does under any dependence and is about
    ``log(m)`` times stricter. Holm bounds the probability of a single false claim under any
    dependence: with confidence 1 - level, at least as many null hypotheses are false as it rejects.

    Parameters
    ----------
    frame : DataFrame
        One row per test.
    p : str
        The column of p-values, in [0, 1] or NaN.
    by : sequence of str
        Columns that tell families apart; those that the table lacks do not count. None: one family.
    method_fdr : {"fdr_bh", "fdr_by"}
        Which false discovery rate is in ``p_bh``.

    Returns
    -------
    DataFrame
        A copy with ``p_bh`` and ``p_holm`` (NaN where p is), ``family`` (its columns written out),
        ``m`` (tests in the family) and ``untestable`` (rows of the family without a p-value).

    Raises
    ------
    InputError
        For another correction.

    References
    ----------
    Holm 1979, Scand. J. Statist. 6:65. Benjamini and Hochberg 1995, JRSS B 57:289. Benjamini and
    Yekutieli 2001, Ann. Statist. 29:1165. Equal to statsmodels' ``multipletests``.
    """
    if method_fdr not in ("fdr_bh", "fdr_by"):
        raise InputError(f"correction {method_fdr!r} is unknown; expected fdr_bh or fdr_by")
    values = frame[p].to_numpy(dtype=np.float64)
    columns = [name for name in by if name in frame.columns]
    bh, holm = np.full(len(frame), np.nan), np.full(len(frame), np.nan)
    tests, missing = np.zeros(len(frame), np.int64), np.zeros(len(frame), np.int64)
    family = np.full(len(frame), "all", dtype=object)
    for rows in _families(frame, columns):
        here = values[rows]
        testable = ~np.isnan(here)
        tests[rows], missing[rows] = testable.sum(), (~testable).sum()
        if columns:
            family[rows] = _written({name: frame[name].iloc[rows[0]] for name in columns})
        if testable.any():
            chosen = rows[testable]
            bh[chosen] = stats.false_discovery_control(here[testable], method=method_fdr[-2:])
            holm[chosen] = _holm(here[testable])
    return frame.assign(p_bh=bh, p_holm=holm, family=family, m=tests, untestable=missing)


def _holm(values: Floats) -> Floats:
    # statsmodels' own collects garbage at every call: a minute for the families of a large run.
    order = np.argsort(values)
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def _families(frame: pd.DataFrame, columns: list[str]) -> list[npt.NDArray[np.intp]]:
    if frame.empty:
        return []
    if not columns:
        return [np.arange(len(frame))]
    groups = frame.groupby(columns, sort=False, dropna=False).indices
    return [np.asarray(rows) for rows in groups.values()]


def _written(place: dict[str, Any]) -> str:
    """Write a family's columns out; what it does not have (an axis, a split) is left out."""
    return ", ".join(
        f"{name}={format_value(value) if isinstance(value, float) else value}"
        for name, value in place.items()
        if not pd.isna(value)
    )
