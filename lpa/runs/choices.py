"""What a user chooses of a run: models, axes, classes and groups of classes, by name."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lpa.axes import format_value
from lpa.classes import Classes
from lpa.errors import InputError, unknown
from lpa.json_text import read_json
from lpa.outcomes import Outcomes
from lpa.outcomes.part import Part
from lpa.runs.present import present_labels

__all__ = [
    "Groups",
    "GroupsOption",
    "chosen_names",
    "chosen_part",
    "class_groups",
    "class_indices",
    "group_files",
    "numbers",
    "omissions",
    "placed",
    "split_names",
    "unfinished",
]

Groups = dict[str, list[int]]
GroupsOption = str | os.PathLike[str] | Mapping[str, Any] | None
"""A file of groups, or class -> group, or group -> classes."""

Names = str | Sequence[str] | None
LISTS = (".txt", ".csv", ".tsv", ".json", ".lst", ".list", ".text")
"""Ends of file names; a class's name may hold a slash or another dot."""
GROUPS = 'expected {"class": "group", ...}, {"group": ["class", ...]}, or CSV lines "class,group"'


def chosen_part(
    outcomes: Outcomes, models: Names = None, axes: Names = None, *, counted: bool = False
) -> Part:
    """Return the chosen models and axes of a run, to be read by statistics.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    models, axes : str or sequence of str, optional
        Only these; see :func:`chosen_names`.
    counted : bool
        Whether counts by training run and class will do where the run holds nothing else.

    Raises
    ------
    InputError
        For unknown names, for a run without a complete cell, and unless ``counted`` for imported
        counts.
    """
    cells = outcomes.counts if counted and outcomes.counts_only else outcomes.cells
    if not len(cells):
        raise InputError(
            f"{outcomes.store} has no complete cell yet; run the same command as before to go on"
        )
    return Part(
        outcomes,
        models=chosen_names(outcomes, "model", models),
        axes=chosen_names(outcomes, "axis", axes),
    )


def chosen_names(outcomes: Outcomes, column: str, names: Names) -> list[str] | None:
    """Return names of models or axes, checked; None where nothing was chosen.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    column : {"model", "axis"}
        What is chosen.
    names : str or sequence of str, optional
        In a text, commas stand between names.

    Raises
    ------
    InputError
        For an unknown name.
    """
    if names is None:
        return None
    listed = split_names(names) if isinstance(names, str) else list(names)
    cells = outcomes.counts if outcomes.counts_only else outcomes.cells
    present = list(cells[column].dropna().unique())
    for name in listed:
        if name not in present:
            raise unknown(column, name, present, "of this run")
    return listed


def unfinished(part: Outcomes) -> list[str]:
    """State in one line which cells are unfinished; no line where all are finished."""
    if not part.incomplete:
        return []
    first = part.incomplete[0]
    cell = first.cell
    place = "the identity" if cell.value is None else f"{cell.axis}={format_value(cell.value)}"
    return [
        f"{len(part.incomplete)} of {len(part.coverage)} cells are unfinished and left out; "
        f"the first is {cell.model} at {place} with {first.stored} of {first.expected} images"
    ]


def omissions(part: Outcomes) -> list[str]:
    """State what the numbers of some cells do not cover, one line each.

    Unfinished cells, and models that were measured at different values of one axis.
    """
    notes = unfinished(part)
    for axis, cells in part.cells.dropna(subset=["axis"]).groupby("axis", sort=False):
        grids: dict[tuple[float, ...], list[str]] = {}
        for model, mine in cells.groupby("model", sort=False):
            grids.setdefault(tuple(mine["value"].unique()), []).append(str(model))
        if len(grids) > 1:
            sizes = "; ".join(f"{', '.join(who)}: {len(grid)}" for grid, who in grids.items())
            notes.append(
                f"{axis}: models have different values ({sizes}); mean losses and ranks are "
                "comparable only between equal ones"
            )
    return notes


def class_indices(classes: Classes, wanted: str | Sequence[str]) -> list[int]:
    """Return the indices of classes by name, label or index.

    Parameters
    ----------
    classes : Classes
        The run's.
    wanted : str or sequence of str
        A text is a file with one name a line, or names with commas between.

    Raises
    ------
    InputError
        For a name that is no class of the run, or the label of several.
    """
    names = _listed(wanted, classes) if isinstance(wanted, str) else list(wanted)
    found = classes.find(names)
    for name, index in zip(names, found, strict=True):
        if index >= 0:
            continue
        same = [
            other
            for other, label in zip(classes.names, classes.labels, strict=True)
            if label.casefold() == name.casefold()
        ]
        if len(same) > 1:
            raise InputError(
                f"class {name!r} is the label of {len(same)} classes: "
                f"give one of the names {', '.join(same)}"
            )
        if isinstance(wanted, str) and _names_a_file(wanted):
            raise InputError(
                f"{wanted} does not exist; expected a file with one class a line, or classes of "
                "this run with commas between"
            )
        raise unknown("class", name, {*classes.names, *classes.labels}, "of this run")
    return list(dict.fromkeys(int(index) for index in found))


def class_groups(
    outcomes: Outcomes, groups: str | os.PathLike[str] | Mapping[str, Any], notes: list[str]
) -> Groups:
    """Return groups of the run's classes, in the order in which they are named.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    groups : path or mapping
        Class -> group, or group -> classes; a file is JSON, or CSV with the columns class and
        group.
    notes : list of str
        A line is appended for names that are no classes of the run, and for classes without group.

    Raises
    ------
    InputError
        For another file, and where no class of the run is in a group.
    """
    pairs = _pairs(groups if isinstance(groups, Mapping) else group_files(groups))
    classes = outcomes.classes
    found = classes.find([name for name, _ in pairs], by_index=False)
    result: Groups = {}
    for (_, group), index in zip(pairs, found, strict=True):
        if index >= 0:
            result.setdefault(group, []).append(int(index))
    if not result:
        raise InputError(
            f"none of the {len(pairs)} classes in the groups is a class of the run, such as "
            f"{classes.names[0]!r}; {GROUPS}"
        )
    strangers = [name for (name, _), index in zip(pairs, found, strict=True) if index < 0]
    if strangers:
        notes.append(
            f"groups: {len(strangers)} of {len(pairs)} names are no classes of the run and are "
            f"ignored; the first is {strangers[0]!r}"
        )
    present = present_labels(outcomes)
    alone = np.setdiff1d(present, [index for members in result.values() for index in members])
    if len(alone):
        notes.append(
            f"groups: {len(alone)} of {len(present)} classes are in no group and are left out; "
            f"the first is {classes.names[int(alone[0])]!r}"
        )
    empty = [group for group, members in result.items() if not np.isin(members, present).any()]
    if len(empty) == len(result):
        raise InputError(
            f"none of the {len(found)} classes in the groups has images in {outcomes.store}; "
            f"those that have are such as {classes.names[int(present[0])]!r}"
            if len(present)
            else f"{outcomes.store} has no images"
        )
    if empty:
        notes.append(
            f"groups: {len(empty)} of {len(result)} groups have no images and are left out; the "
            f"first is {empty[0]!r}"
        )
    return {group: sorted(set(members)) for group, members in result.items() if group not in empty}


def group_files(path: str | os.PathLike[str]) -> Mapping[str, Any]:
    """Read a file of groups; see :func:`class_groups`.

    Raises
    ------
    InputError
        For a file that is neither JSON nor CSV of the right form.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise InputError(f"groups {str(path)!r} cannot be read ({reason}); {GROUPS}") from error
    try:
        if text.lstrip().startswith("{"):
            record: Mapping[str, Any] = read_json(text)
            return record
        rows = list(csv.DictReader(text.splitlines()))
        members: dict[str, list[str]] = {}
        for row in rows:
            members.setdefault(row["group"], []).append(row["class"])
    except (ValueError, KeyError) as error:
        raise InputError(f"groups {str(path)!r} are no groups ({error}); {GROUPS}") from error
    return members


def placed(text: str) -> tuple[str | None, list[float]]:
    """Read values with or without their axis: ``crop=1,.5`` or ``1,.5``.

    Raises
    ------
    InputError
        For something that is no number.
    """
    # Options of an augmentation are in brackets and may hold an equals sign.
    name, equals, values = text.rpartition("=")
    return (name.strip() or None) if equals else None, numbers(values)


def numbers(text: str) -> list[float]:
    """Read numbers with commas between.

    Raises
    ------
    InputError
        For something that is no number.
    """
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(
            f"values {text!r} are no numbers; expected e.g. 1,.5 or crop=1,.5"
        ) from error


def split_names(text: str) -> list[str]:
    """Split at the commas that stand in no brackets: options of augmentations keep theirs."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def _pairs(groups: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (class, group) of either direction."""
    pairs = []
    for key, value in groups.items():
        if isinstance(value, str):
            pairs.append((str(key), value))
        elif isinstance(value, list | tuple | set | frozenset):
            pairs += [(str(member), str(key)) for member in value]
        else:
            raise InputError(f"groups: {key!r} has {value!r}; {GROUPS}")
    return pairs


def _listed(text: str, classes: Classes) -> list[str]:
    """Read a user's text as one class, a file of classes, or classes with commas between."""
    if classes.find([text], by_index=False)[0] >= 0:
        return [text]
    file = Path(text)
    try:
        is_file = file.is_file()
    except OSError:
        is_file = False
    lines = _lines(file) if is_file else text.split(",")
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise InputError(f"{text!r} names no class; expected names with commas between, or a file")
    return names


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise InputError(
            f"{file} cannot be read ({reason}); expected a file with one class a line"
        ) from error


def _names_a_file(text: str) -> bool:
    """Tell whether a text that is neither class nor file was meant as a file."""
    return Path(text).suffix.lower() in LISTS and not Path(text).exists()
