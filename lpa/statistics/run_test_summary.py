"""Table 1: how many classes are lower and higher, beside what luck alone may give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lpa.errors import InputError
from lpa.statistics.run_test import FAMILY, NO_DECISION

__all__ = ["COLUMNS", "run_test_summary"]

COLUMNS = (
    "run", "model", "axis", "reference", "value", "split", "significance", "lower", "higher",
    "not_testable", "nominal_bound", "lower_bh", "lower_holm", "higher_bh", "higher_holm",
    "claim", "lower_welch", "higher_welch", "classes", "tested", "runs_reference", "runs", "test",
    "looks", "level",
)  # fmt: skip


def run_test_summary(
    tests: pd.DataFrame, significance: Sequence[float] = (0.10, 0.05, 0.01), looks: int = 1
) -> pd.DataFrame:
    """Return the rows of Table 1 from the classes' tests.

    Estimand: the share of classes whose expected accuracy over trainings, on these images, is lower
    (higher) than with the reference; level ``run``. ``lower`` and ``higher`` are the uncorrected
    shares of the paper. They are no estimates of that share: of unaffected classes up to
    ``nominal_bound`` are expected among them (an upper bound, since the tests are one-sided and
    classes that truly move the other way are rejected more rarely). ``lower_bh`` and so on count
    the classes that stay after correction; with confidence 1 - significance, at least
    ``lower_holm`` classes are truly lower (``claim``). All denominators are all classes, the not
    testable included.

    Parameters
    ----------
    tests : DataFrame
        From :func:`~lpa.statistics.run_test.run_test`, its corrections included.
    significance : sequence of float
        Levels of significance, each in (0, 1).
    looks : int
        How often the same seeds were tested while seeds or values were being added because of the
        results; each look takes its share of the significance.

    Returns
    -------
    DataFrame
        :data:`COLUMNS`. Shares are in [0, 1], the corrected ones counts; NaN where there is no
        decision. ``lower_welch`` and ``higher_welch`` are Welch's uncorrected shares whichever test
        decides.

    Raises
    ------
    InputError
        For a significance outside (0, 1) and for less than one look.

    References
    ----------
    arXiv 2204.03632, Table 1, has ``lower`` alone. That looks add up: simulated, testing after each
    added seed errs 12-18 % of the time at 5 %.
    """
    for level in significance:
        if not 0.0 < level < 1.0:
            raise InputError(f"significance {level:g} is out of range; expected between 0 and 1")
    if looks < 1:
        raise InputError(f"{looks} looks; expected at least 1")
    keys = [name for name in FAMILY if name != "direction"]
    rows: list[dict[str, Any]] = []
    for key, part in tests.groupby(keys, sort=False, dropna=False):
        place = dict(zip(keys, key, strict=True))
        rows += [{**place, **_row(part, level, looks)} for level in significance]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(part: pd.DataFrame, significance: float, looks: int) -> dict[str, Any]:
    level = significance / looks
    first = part.iloc[0]
    lower = part[part["direction"] == "lower"]
    decided = first["status"] != NO_DECISION
    row: dict[str, Any] = {
        "significance": significance, "nominal_bound": level, "looks": looks, "level": "run",
        "classes": len(lower), "tested": int(lower["p"].notna().sum()),
        "not_testable": float(lower["p_welch"].isna().mean()),
        "runs_reference": first["runs_reference"], "runs": first["runs"], "test": first["test"],
        "claim": NO_DECISION,
    }  # fmt: skip
    for direction in ("lower", "higher"):
        mine = part[part["direction"] == direction]
        row[direction] = float((mine["p"] <= level).mean()) if decided else np.nan
        row[f"{direction}_welch"] = float((mine["p_welch"] <= level).mean())
        for method in ("bh", "holm"):
            count = int((mine[f"p_{method}"] <= level).sum())
            row[f"{direction}_{method}"] = count if decided else np.nan
    if decided:
        count = int(row["lower_holm"])
        noun = "class is" if count == 1 else "classes are"
        row["claim"] = (
            f"at least {count} {noun} truly lower, with {100 * (1 - significance):g} % confidence"
        )
    return row
