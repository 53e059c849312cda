"""How many classes are hurt and how many helped: counts of rejections, never of signs (3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from lpa.errors import InputError

__all__ = ["COLUMNS", "hurt_and_helped"]

COLUMNS = ("hurt_bh", "hurt_holm", "helped_bh", "helped_holm", "classes", "untestable",
           "significance", "level")  # fmt: skip

HURT, HELPED = ("hurt", "lower"), ("helped", "higher")


def hurt_and_helped(
    tests: pd.DataFrame,
    significance: float = 0.05,
    by: Sequence[str] = ("run", "model", "axis", "reference", "value", "split", "measure"),
) -> pd.DataFrame:
    """Count the classes that are shown to be hurt and those that are shown to be helped.

    A claim in two directions takes both one-sided families at half the level. Holm: with confidence
    1 - significance at least ``hurt_holm`` classes are truly hurt and at least ``helped_holm``
    truly helped. Benjamini-Hochberg: of the classes counted in either column at most
    ``significance / 2`` are expected to be wrong. Signs of estimates would count half of the
    unaffected classes on each side.

    Parameters
    ----------
    tests : DataFrame
        Drop tests (:mod:`lpa.statistics.drop_test`) or run tests
        (:func:`~lpa.statistics.run_test.run_test`) in both directions, with ``direction`` "hurt"
        or "lower" and "helped" or "higher", ``p_bh``, ``p_holm`` and ``level``.
    significance : float
        Of both directions together, in (0, 1).
    by : sequence of str
        Columns that tell what is counted apart; those that the table lacks do not count.

    Returns
    -------
    DataFrame
        The columns of ``by`` and :data:`COLUMNS`: four counts, ``classes`` in the table,
        ``untestable`` among them, ``significance``, ``level`` (of the tests).

    Raises
    ------
    InputError
        For a table of one direction only.
    """
    directions = set(tests["direction"])
    if len(tests) and not (directions & set(HURT) and directions & set(HELPED)):
        raise InputError(
            f"tests of direction {', '.join(sorted(directions))}; expected both directions, "
            "hurt and helped: test both"
        )
    columns = [name for name in by if name in tests.columns]
    rows: list[dict[str, Any]] = []
    groups = tests.groupby(columns, sort=False, dropna=False) if columns else [((), tests)]
    for key, part in groups:
        row: dict[str, Any] = dict(zip(columns, key, strict=True))
        for name, words in (("hurt", HURT), ("helped", HELPED)):
            mine = part[part["direction"].isin(words)]
            for method in ("bh", "holm"):
                row[f"{name}_{method}"] = int((mine[f"p_{method}"] <= significance / 2).sum())
            row["classes"], row["untestable"] = len(mine), int(mine["p"].isna().sum())
        rows.append({**row, "significance": significance, "level": part["level"].iloc[0]})
    return pd.DataFrame(rows, columns=[*columns, *COLUMNS])
