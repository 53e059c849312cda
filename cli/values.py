"""Values of options that are more than one number."""

from __future__ import annotations

from typing import Any

import click

__all__ = ["numbers"]


def numbers(ctx: click.Context, parameter: click.Parameter, text: str | None) -> Any:
    """Read ``.485,.456,.406``."""
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        example = ".485,.456,.406" if parameter.name in ("mean", "std") else ".1,1,10"
        raise click.BadParameter(f"{text!r} is no list of numbers; e.g. {example}") from None
