"""The tables of numbers in a study's README, which tests compute again."""

from __future__ import annotations

import re
from pathlib import Path


def published(study: Path, name: str) -> tuple[list[str], list[list[str]]]:
    """Return head and rows of the table that the README marks with ``<!-- numbers: NAME -->``."""
    text = (study / "README.md").read_text()
    found = re.search(rf"<!-- numbers: {name} -->\n((?:\|.*\n)+)", text)
    assert found, name
    lines = [
        [cell.strip() for cell in line.strip("|\n ").split("|")] for line in found[1].splitlines()
    ]
    return lines[0], lines[2:]
