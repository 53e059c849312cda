"""How numbers and their intervals share a column in tables for reading."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["in_its_direction", "pairs", "with_intervals", "with_states"]


def with_intervals(
    table: pd.DataFrame, ends: Mapping[str, tuple[str, str]], name: str = "interval"
) -> pd.DataFrame:
    """Add a column ``[low, high]`` for each estimate.

    Parameters
    ----------
    table : DataFrame
        With the columns of ``ends``.
    ends : mapping of str to (str, str)
        Estimate -> its limits. For several, the estimate's name stands before ``name``.
    name : str
        Of the new column.
    """
    table = table.copy()
    for estimate, (low, high) in ends.items():
        column = name if len(ends) == 1 else f"{estimate} {name}"
        table[column] = pairs(table[low], table[high], "[{:.3f}, {:.3f}]")
    return table


def pairs(low: pd.Series[Any], high: pd.Series[Any], pattern: str) -> list[str]:
    """Write two columns as one; empty where an end is missing."""
    return [
        "" if first != first or second != second else pattern.format(first, second)
        for first, second in zip(low, high, strict=True)
    ]


def in_its_direction(table: pd.DataFrame, estimate: str, falls: str, rises: str) -> pd.DataFrame:
    """Give each class one row: the test of the direction in which its estimate went.

    Parameters
    ----------
    table : DataFrame
        With ``direction`` and the estimate.
    estimate : str
        The column whose sign decides.
    falls, rises : str
        The direction of estimates of at most 0, and of those above.
    """
    went = table["direction"].where(table["direction"].isna(), falls)
    went = went.mask(table[estimate] > 0, rises)
    return table[table["direction"] == went]


def with_states(table: pd.DataFrame, number: str, state: str) -> list[str]:
    """Return the numbers as text, and the state where there is no number."""
    return [
        str(each) if value != value else f"{value:.3g}"
        for value, each in zip(table[number], table[state], strict=True)
    ]
