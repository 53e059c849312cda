"""Which files are imported, and what their names say: model, axis, value, replicate."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lpa.errors import InputError, unknown
from lpa.user_paths import is_file, is_folder, user_path

__all__ = ["FIELDS", "FoundFile", "find_files"]

FIELDS = {
    "value": r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?",
    "replicate": r"\d+",
    "model": r"[^/\\]+?",
    "axis": r"[^/\\]+?",
}
"""What may stand in braces in a file's name, and the text that it stands for."""


@dataclass(frozen=True)
class FoundFile:
    """A file, and what its name says.

    Attributes
    ----------
    path : str
        As the user would type it.
    fields : dict of str to str
        Texts of the :data:`FIELDS` that the pattern names.
    """

    path: str
    fields: dict[str, str] = field(default_factory=dict)


def find_files(patterns: Sequence[str], notes: list[str]) -> list[FoundFile]:
    """Find the files of patterns such as ``preds/crop{value}_s{replicate}.csv``.

    Parameters
    ----------
    patterns : sequence of str
        Paths; ``{value}``, ``{replicate}``, ``{model}`` and ``{axis}`` stand for what the name
        says, ``*`` and ``?`` for anything.
    notes : list of str
        A line is appended for files that fit but for a number.

    Raises
    ------
    InputError
        For an unknown field, a pattern that fits no file, and a file that is found twice.
    """
    found: dict[str, FoundFile] = {}
    for pattern in patterns:
        files, strangers = _fitting(pattern)
        if not files:
            near = f"; {strangers[0]!r} does not fit" if strangers else ""
            raise InputError(
                f"no file fits {pattern!r}{near}; expected files that exist, with {{value}} and "
                "{replicate} for the numbers in their names"
            )
        if strangers:
            notes.append(
                f"{len(strangers)} files are left out, whose names do not fit {pattern!r}; "
                f"the first is {strangers[0]!r}"
            )
        for file in files:
            key = str(Path(file.path).resolve())
            if key in found:
                raise InputError(f"{file.path!r} is named twice; name each file once")
            found[key] = file
    return list(found.values())


def _fitting(pattern: str) -> tuple[list[FoundFile], list[str]]:
    """Return the files that fit, and those that fit except for the form of a field."""
    named = user_path(pattern)
    if is_file(named):
        return [FoundFile(pattern)], []
    if is_folder(named):
        raise InputError(
            f"{pattern!r} is a directory; expected files, e.g. "
            f"'{Path(pattern).as_posix()}/crop{{value}}_s{{replicate}}.csv'"
        )
    pieces = re.split(r"\{([^{}]*)\}", pattern)
    wanted, expression = "", ""
    seen: set[str] = set()
    for place, piece in enumerate(pieces):
        if place % 2 == 0:
            wanted += piece
            expression += "".join(_wildcard(character) for character in piece)
            continue
        if piece not in FIELDS:
            raise unknown("field of a file name", piece, FIELDS, f"in {pattern!r}")
        wanted += "*"
        expression += f"(?P={piece})" if piece in seen else f"(?P<{piece}>{FIELDS[piece]})"
        seen.add(piece)
    # Backslashes are separators on Windows, where glob returns them.
    paths = sorted(
        path.replace("\\", "/") if "\\" not in pattern else path
        for path in glob.glob(str(user_path(wanted)))  # noqa: PTH207 - keeps "preds/"
        if Path(path).is_file()
    )
    rule = re.compile(expression if not wanted.startswith("~") else ".*?" + expression[1:])
    matches = [(path, rule.fullmatch(path)) for path in paths]
    return (
        [FoundFile(path, match.groupdict()) for path, match in matches if match],
        [path for path, match in matches if not match],
    )


def _wildcard(character: str) -> str:
    return {"*": r"[^/\\]*", "?": r"[^/\\]"}.get(character, re.escape(character))
