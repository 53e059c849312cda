"""The one place that prints a table to standard output, in the five formats of ``--format``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FORMATS", "READING", "STRENGTHS", "echo_notes", "format_option", "print_table"]

FORMATS = ("table", "csv", "json", "latex", "markdown")

READING = ("table", "latex", "markdown")
"""Formats for reading; the others carry every column at full precision."""

STRENGTHS = ("value", "old_value", "reference", "safe_to", "unsafe_from")
"""Columns of values of an axis, which are written as they were typed."""

format_option = click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="table",
    show_default=True,
    help="csv and json carry full precision, the others are for reading.",
)


def print_table(table: pd.DataFrame, form: str, empty: str = "nothing to show") -> None:
    """Print a table to standard output.

    Parameters
    ----------
    table : DataFrame
        Any columns; missing values are empty cells, null in JSON.
    form : str
        One of :data:`FORMATS`. ``table`` fits the terminal's width and states columns that hold
        one value once, above.
    empty : str
        What ``table`` says when there are no rows.
    """
    if form == "csv":
        from lpa.csv_cells import csv_text

        click.echo(csv_text(table), nl=False)
    elif form == "json":
        click.echo(_json(table))
    elif form == "table" and table.empty:
        click.echo(empty)
    else:
        writer = {"table": _for_terminal, "latex": _latex, "markdown": _markdown}[form]
        click.echo("\n".join(writer(table)))


def echo_notes(notes: Iterable[str]) -> None:
    """Say on standard error what the numbers do not cover."""
    for note in notes:
        click.echo(f"note: {_visible(note)}", err=True)


def _json(table: pd.DataFrame) -> str:
    """Return a list of objects, one a line. Every text is encoded once: rows may be many."""
    columns = []
    for name in table.columns:
        known: dict[Any, str] = {}
        key = json.dumps(str(name))
        texts = []
        for value in _plain(table[name]):
            if value not in known:
                known[value] = f"{key}: {json.dumps(value, ensure_ascii=False, allow_nan=False)}"
            texts.append(known[value])
        columns.append(texts)
    rows = ["{" + ", ".join(row) + "}" for row in zip(*columns, strict=True)]
    return "[\n" + ",\n".join(rows) + "\n]" if rows else "[]"


def _plain(column: pd.Series[Any]) -> list[Any]:
    """Return plain Python values, None where a value is missing."""
    return list(column.astype(object).where(column.notna(), None))


def _texts(column: pd.Series[Any]) -> list[str]:
    """Write a column for reading: numbers to 4 significant digits or 3 decimals."""
    known: dict[Any, str] = {None: ""}
    texts = []
    for value in _plain(column):
        if value not in known:
            known[value] = _number(value) if isinstance(value, float) else str(value)
        texts.append(known[value])
    return texts


def _number(value: float) -> str:
    if value == int(value) and abs(value) >= 10:
        return str(int(value))
    return f"{value:.3f}" if 0.001 <= abs(value) <= 10 or value == 0 else f"{value:.4g}"


def _strength(value: float | None) -> str:
    """Write a value of an axis as it was typed."""
    return "" if value is None else f"{value:.12g}"


def _columns(table: pd.DataFrame) -> dict[str, list[str]]:
    return {
        name: [_strength(v) for v in _plain(table[name])]
        if name in STRENGTHS
        else _texts(table[name])
        for name in map(str, table.columns)
    }


def _for_terminal(table: pd.DataFrame) -> list[str]:
    columns = {name: [_visible(t) for t in texts] for name, texts in _columns(table).items()}
    constant: dict[str, str] = {}
    if len(table) > 1:
        constant = {name: texts[0] for name, texts in columns.items() if len(set(texts)) == 1}
        columns = {name: texts for name, texts in columns.items() if name not in constant}
        # A name that people read and its twin say the same: one of them is enough.
        if columns.get("title") == columns.get("class") and "title" in columns:
            del columns["title"]
    widths = _fitted(columns, shutil.get_terminal_size((100, 24)).columns)
    numeric = {name for name in columns if _is_number(table, name)}

    def line(cells: dict[str, str]) -> str:
        parts = []
        for name, width in widths.items():
            text = cells[name]
            text = text if len(text) <= width else text[: max(0, width - 1)] + "…"
            parts.append(text.rjust(width) if name in numeric else text.ljust(width))
        return "  ".join(parts).rstrip()

    stated = ", ".join(f"{name} {text}" for name, text in constant.items() if text)
    lines = [stated] if stated else []
    lines.append(line({name: name for name in columns}))
    names = list(columns)
    lines += [
        line(dict(zip(names, row, strict=True))) for row in zip(*columns.values(), strict=True)
    ]
    return lines


def _visible(text: str) -> str:
    """Keep control characters of a name from moving the terminal's cursor."""
    return "".join(c if c.isprintable() else "�" for c in text) if not text.isprintable() else text


def _is_number(table: pd.DataFrame, name: str) -> bool:
    return table[name].dtype.kind in "iufb"


def _fitted(columns: dict[str, list[str]], available: int) -> dict[str, int]:
    """Return widths; while the line is too long the widest column gives way, down to 8."""
    widths = {name: max([len(name), *map(len, set(texts))]) for name, texts in columns.items()}
    while sum(widths.values()) + 2 * (len(widths) - 1) > available:
        widest = max(widths, key=lambda name: widths[name])
        if widths[widest] <= 8:
            break
        widths[widest] -= 1
    return widths


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "\n": " ", "\r": " ",
}  # fmt: skip

_MARKDOWN = {
    "\\": "\\\\", "|": "\\|", "<": "&lt;", ">": "&gt;", "&": "&amp;", "*": "\\*", "_": "\\_",
    "`": "\\`", "[": "\\[", "]": "\\]", "\n": " ", "\r": " ",
}  # fmt: skip


def _escaped(signs: dict[str, str]) -> Callable[[str], str]:
    table = str.maketrans(signs)
    return lambda text: _visible(text.translate(table))


def _latex(table: pd.DataFrame) -> list[str]:
    escape = _escaped(_LATEX)
    columns = _columns(table)
    layout = "".join("r" if _is_number(table, name) else "l" for name in columns)
    rows = [" & ".join(map(escape, row)) + r" \\" for row in zip(*columns.values(), strict=True)]
    head = " & ".join(map(escape, columns)) + r" \\"
    return [
        r"% needs \usepackage{booktabs}", rf"\begin{{tabular}}{{{layout}}}", r"\toprule", head,
        r"\midrule", *rows, r"\bottomrule", r"\end{tabular}",
    ]  # fmt: skip


def _markdown(table: pd.DataFrame) -> list[str]:
    escape = _escaped(_MARKDOWN)
    columns = _columns(table)
    rule = ["---:" if _is_number(table, name) else "---" for name in columns]
    rows = [[escape(text) for text in row] for row in zip(*columns.values(), strict=True)]
    return ["| " + " | ".join(row) + " |" for row in ([escape(n) for n in columns], rule, *rows)]
