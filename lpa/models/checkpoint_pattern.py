"""Ready checkpoints by a pattern of their names: ``ckpt/rn50_tau{value}_seed{seed}.pth``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lpa.axes import Axis, format_value
from lpa.errors import InputError
from lpa.user_paths import user_path

__all__ = ["ReadyCheckpoint", "find_checkpoints"]

_FIELD = re.compile(r"\{(\w*)\}")
_FIELDS = {
    "value": r"(?P<value>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)",
    "percent": r"(?P<percent>\d+(?:\.\d+)?)",
    "seed": r"(?P<seed>\d+)",
}


@dataclass(frozen=True)
class ReadyCheckpoint:
    """One file.

    Attributes
    ----------
    path : Path
    value : float
        On the axis.
    seed : int
        As its name says; 0 where the pattern has no seed.
    replicate : int
        Number among the seeds of its value, from 0 in their order.
    """

    path: Path
    value: float
    seed: int
    replicate: int


def find_checkpoints(pattern: str, axis: Axis, option: str = "--from") -> list[ReadyCheckpoint]:
    """Find the files that a pattern means.

    Parameters
    ----------
    pattern : str
        With ``{value}``, or ``{percent}`` where the files say 8 for 0.08, and ``{seed}`` where
        there are several; ``*`` and ``?`` stand for anything else within a name.
    axis : Axis
        Whose values they are.
    option : str
        With which the pattern was given, for messages.

    Returns
    -------
    list of ReadyCheckpoint
        From weak to strong, then by seed.

    Raises
    ------
    InputError
        For a pattern without value, one that matches no file, a value outside the axis, and two
        files of the same value and seed.
    """
    fields = _FIELD.findall(pattern)
    if sum(name in ("value", "percent") for name in fields) != 1 or set(fields) - set(_FIELDS):
        raise InputError(
            f"{option} {pattern!r}: expected {{value}} (or {{percent}}) once, and {{seed}} where "
            "there are several, e.g. 'ckpt/rn50_tau{value}_seed{seed}.pth'"
        )
    found: dict[tuple[float, int], Path] = {}
    for path, value, seed in _matches(pattern):
        if not axis.minimum <= value <= axis.maximum:
            hint = "; write {percent} for per cent" if value > 1 >= axis.maximum else ""
            raise InputError(
                f"{option}: {path} has value {format_value(value)} of {axis.name}; expected "
                f"{format_value(axis.minimum)} to {format_value(axis.maximum)} ({axis.unit}){hint}"
            )
        other = found.setdefault((value, seed), path)
        if other != path:
            raise InputError(
                f"{option}: {other} and {path} both have value {format_value(value)} and seed "
                f"{seed}; expected one each: put {{seed}} or the differing part into the pattern"
            )
    if not found:
        raise InputError(
            f"{option} {pattern!r} matches no file; expected checkpoints such as "
            f"{_example(pattern, axis)}: check the folder and the pattern"
        )
    ordered = sorted(found, key=lambda key: (axis.strength(key[0]), key[1]))
    seeds = {value: [s for v, s in ordered if v == value] for value, _ in ordered}
    return [
        ReadyCheckpoint(found[value, seed], value, seed, seeds[value].index(seed))
        for value, seed in ordered
    ]


def _matches(pattern: str) -> list[tuple[Path, float, int]]:
    """Return the files that match, with their value and seed."""
    path = user_path(pattern)
    root = Path(path.anchor) if path.is_absolute() else Path()
    relative = path.relative_to(path.anchor) if path.is_absolute() else path
    # A pattern may begin with "..", which a glob takes but pathlib's match of names does not need.
    # A star beside a field is one star: "**" would mean folders.
    glob = re.sub(r"\*+", "*", _FIELD.sub("*", str(relative).replace("[", "[[]")))
    expression = re.compile(_expression(str(relative)))
    found = []
    for file in sorted(root.glob(glob)):
        match = expression.fullmatch(str(file.relative_to(root) if path.is_absolute() else file))
        if match is None or not file.is_file():
            continue
        groups = match.groupdict()
        value = float(groups["percent"]) / 100 if "percent" in groups else float(groups["value"])
        found.append((file, float(format_value(value)), int(groups.get("seed") or 0)))
    return found


def _expression(pattern: str) -> str:
    """Turn a pattern into a regular expression; a field that stands twice must be the same."""
    seen: set[str] = set()
    parts = []
    for index, piece in enumerate(_FIELD.split(pattern)):
        if index % 2 == 0:
            # As short as possible, so that a number after a star keeps all of its digits.
            literal = re.escape(piece).replace(r"\*", "[^/]*?").replace(r"\?", "[^/]")
            parts.append(literal)
        elif piece in seen:
            parts.append(f"(?P={piece})")
        else:
            seen.add(piece)
            parts.append(_FIELDS[piece])
    return "".join(parts)


def _example(pattern: str, axis: Axis) -> str:
    value = axis.grid[-1] if axis.grid else axis.reference
    return (
        pattern.replace("{value}", format_value(value))
        .replace("{percent}", format_value(100 * value))
        .replace("{seed}", "0")
    )
