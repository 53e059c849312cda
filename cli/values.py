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
        raise click.BadParameter(f"{text!r} is no list of numbers; e.g. .485,.456,.406") from None
