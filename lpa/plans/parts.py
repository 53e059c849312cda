"""How a plan is cut into parts: by time, and by shares of the work."""

from __future__ import annotations

import re

from lpa.errors import InputError

__all__ = ["parse_duration", "parse_shard"]


def parse_duration(text: str) -> float:
    """Read a duration as Slurm writes it and return seconds.

    ``3:50:00`` is hours, minutes and seconds; ``30:00`` minutes and seconds; ``90`` seconds.

    Raises
    ------
    InputError
        For anything else.
    """
    parts = text.split(":")
    if len(parts) > 3 or not all(re.fullmatch(r"\d+(\.\d+)?", part) for part in parts):
        raise InputError(f"duration {text!r} cannot be read; expected H:MM:SS, e.g. 3:50:00")
    seconds = 0.0
    for part in parts:
        seconds = seconds * 60 + float(part)
    return seconds


def parse_shard(text: str) -> tuple[int, int]:
    """Read ``i/n``, part i of n counted from 1; raise InputError for anything else."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match:
        raise InputError(f"shard {text!r} cannot be read; expected i/n, e.g. 3/100")
    return int(match[1]), int(match[2])
