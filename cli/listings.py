"""Lists of what there is: models, data sets, augmentations."""

from __future__ import annotations

import fnmatch
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import click

__all__ = ["echo_listing"]


def echo_listing(kind: str, rows: Sequence[Mapping[str, Any]], pattern: str, form: str) -> None:
    """Print the rows whose name fits the pattern.

    Raises
    ------
    InputError
        When none fits.
    """
    from lpa import InputError

    fitting = [row for row in rows if fnmatch.fnmatch(str(row["name"]).lower(), pattern.lower())]
    if not fitting:
        raise InputError(
            f"no {kind} fits {pattern!r}; expected a part of a name with wildcards, e.g. "
            f"'*{pattern.strip('*')[:4]}*'"
        )
    if form == "json":
        click.echo(
            json.dumps([{k: _plain(v) for k, v in row.items()} for row in fitting], indent=1)
        )
        return
    names = list(fitting[0])
    texts = [[_text(row.get(name)) for name in names] for row in fitting]
    widths = [max(len(names[i]), *(len(line[i]) for line in texts)) for i in range(len(names))]
    for line in (names, *texts):
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo(text.rstrip())


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ",".join(_text(part) for part in value)
    return str(value)
