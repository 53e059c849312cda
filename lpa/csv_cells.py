"""Text cells of a CSV that spreadsheets do not run as formulas."""

from __future__ import annotations

import csv
from typing import Literal

import pandas as pd

__all__ = ["csv_text", "neutralised"]


def csv_text(table: pd.DataFrame) -> str:
    """Return a table as CSV whose text cells no spreadsheet takes for formulas.

    Python 3.11 and 3.12 write a carriage return inside of a cell without quotes, where many readers
    begin a row: then every text is quoted.
    """
    plain = neutralised(table)
    texts = (text for name in plain for text in plain[name] if isinstance(text, str))
    quoting: Literal[0, 2] = 0
    if any("\r" in text for text in texts):
        quoting = csv.QUOTE_NONNUMERIC
    return plain.to_csv(index=False, lineterminator="\n", quoting=quoting)


def neutralised(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose text cells no spreadsheet takes for formulas.

    A text that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return gets an
    apostrophe before it (OWASP, "CSV injection"). Numbers are left alone.
    """
    result = table.copy(deep=False)
    for name in result.columns:
        if pd.api.types.is_numeric_dtype(result[name]):
            continue
        # Many rows, few texts: each is looked at once.
        plain = {text: _plain(text) for text in result[name].unique() if isinstance(text, str)}
        if any(before != after for before, after in plain.items()):
            result[name] = result[name].map(plain)
    return result


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
