"""How numbers and nouns are written in a report."""

from __future__ import annotations

import re

import pandas as pd

__all__ = ["MINUS", "NOTHING", "count", "percent", "pieces", "points", "tenths"]

MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"
"""Stands where there is no number."""


def percent(number: float) -> str:
    """Write a fraction in per cent with one decimal; ``?`` for NaN."""
    return "?" if pd.isna(number) else f"{100 * number:.1f}"


def points(number: float) -> str:
    """Write a difference of accuracies in points, signed: ``-22``, ``+3``, ``-0.4``, ``0``.

    Below one point with a decimal, so that a limit beside 0 is not written as 0.
    """
    scaled = 100 * number
    text = f"{scaled:+.0f}" if abs(scaled) >= 0.95 else f"{scaled:+.1f}"
    return "0" if float(text) == 0 else text.replace("-", MINUS)


def tenths(number: float) -> str:
    """Write a difference of accuracies in points with one decimal, signed; a dash for NaN."""
    if pd.isna(number):
        return NOTHING
    text = f"{100 * number:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", MINUS)


def pieces(text: str) -> list[str]:
    """Divide a long name after its signs, where a line may break rather than within a word."""
    if max(map(len, text.split()), default=0) < 14:
        return [text]
    return re.split(r"(?<=[_+.,=:#/-])", text)


def count(number: int, noun: str) -> str:
    """Write a number with its noun: ``1 image``, ``1,000 images``, ``3 classes``."""
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{number:,} {noun if number == 1 else plural}"
