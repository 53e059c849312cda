"""The classes of an import, and how names and indices in its files find them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from lpa.class_files import EXPECTED, read_classes_file
from lpa.classes import Classes, imagenet
from lpa.errors import InputError, unknown

__all__ = [
    "ambiguous",
    "choose_classes",
    "find_classes",
    "find_indices",
    "how_understood",
    "is_unknown",
    "is_whole",
    "unknown_class",
]

Codes = npt.NDArray[np.int64]

MOST = 1_000_000
"""Classes that numbers alone may stand for; a larger number is no index of a class."""


def is_whole(texts: Sequence[str]) -> bool:
    """Tell whether all texts are whole numbers."""
    return all(text.removeprefix("-").isdigit() and text.isascii() for text in texts)


def choose_classes(
    present: Classes | None,
    file: str | os.PathLike[str] | None,
    named: Sequence[str],
    used: Sequence[str],
    pairs: dict[int, str],
    notes: list[str],
) -> Classes:
    """Choose the classes that labels and predictions index.

    The first of: the run's own; the classes file's; the names beside indices in the files; all of
    ImageNet's where the labels are some of them; the names of labels and predictions, sorted; the
    numbers from 0, where nothing has a name.

    Parameters
    ----------
    present : Classes or None
        The classes of the run that is extended.
    file : path or None
        The classes file.
    named : sequence of str
        Texts of the labels.
    used : sequence of str
        Texts of the predictions.
    pairs : dict of int to str
        Index -> name, where the files say both.
    notes : list of str
        What was assumed is appended.

    Raises
    ------
    InputError
        For another classes file than the run's, and for indices that nothing names.
    """
    asked = None if file is None else _of_file(file)
    if present is not None:
        if asked is not None:
            _check_same(present, asked, str(file))
        return _with_aliases(present)
    if asked is not None:
        return asked
    if pairs:
        return _of_pairs(pairs, [int(text) for text in used if is_whole([text])], notes)
    known = imagenet()
    if named and not is_whole(named):
        if (known.find(named, by_index=False) >= 0).all():
            notes.append("classes: ImageNet's 1,000, since the labels are some of them")
            return known
        if is_whole(used) and used:
            raise InputError(
                "predictions are indices, and nothing says which class each one is; name the "
                f"classes with --classes FILE {EXPECTED}"
            )
        own = Classes(tuple(sorted(named)))
        more = [
            text for text, at in zip(used, own.find(used, by_index=False), strict=True) if at < 0
        ]
        return Classes(tuple(sorted({*own.names, *more})))
    texts = [*named, *used]
    if not is_whole(texts):
        raise InputError(
            "labels are indices and predictions are names, and nothing says which class each "
            f"index is; name the classes with --classes FILE {EXPECTED}"
        )
    highest = max((int(text) for text in texts), default=0)
    if highest >= MOST:
        raise InputError(f"index {highest} is no index of a class; expected below {MOST}")
    notes.append(f"classes have no names, only the numbers 0 to {highest}: give --classes FILE")
    return Classes(tuple(str(index) for index in range(highest + 1)))


def _of_file(path: str | os.PathLike[str]) -> Classes:
    names = read_classes_file(path)
    if not names:
        raise InputError(f"classes file {str(path)!r} names no class; expected text {EXPECTED}")
    return _with_aliases(Classes(tuple(names)))


def _with_aliases(classes: Classes) -> Classes:
    """Give ImageNet's titles and aliases to ImageNet's classes, in whatever order they are."""
    known = imagenet()
    at = known.find(classes.names, by_index=False)
    if len(classes) != len(known) or (at < 0).any() or len(np.unique(at)) < len(known):
        return classes
    same = known.subset(at.tolist())
    aliases = tuple((*others, name) for others, name in zip(same.aliases, same.names, strict=True))
    labels = classes.labels if classes.labels != classes.names else same.labels
    return replace(classes, labels=labels, aliases=aliases)


def _check_same(present: Classes, asked: Classes, file: str) -> None:
    if len(present) != len(asked):
        raise InputError(
            f"the run has {len(present)} classes and classes file {file!r} has {len(asked)}; a run "
            "keeps its classes: leave --classes out, or give another directory with --out DIR"
        )
    for index, (there, here) in enumerate(zip(present.names, asked.names, strict=True)):
        if there != here:
            raise InputError(
                f"class {index} is {there!r} in the run and {here!r} in classes file {file!r}; a "
                "run keeps its classes: leave --classes out, or give another directory with "
                "--out DIR"
            )


def _of_pairs(pairs: dict[int, str], used: Sequence[int], notes: list[str]) -> Classes:
    highest = max([*pairs, *used])
    if highest >= MOST:
        raise InputError(f"index {highest} is no index of a class; expected below {MOST}")
    unnamed = highest + 1 - len(pairs)
    if unnamed:
        notes.append(
            f"{unnamed} of {highest + 1} classes have no name in the files and are called by their "
            "index: give --classes FILE"
        )
    return Classes(tuple(pairs.get(index, f"class {index}") for index in range(highest + 1)))


def find_classes(classes: Classes, texts: Sequence[str]) -> Codes:
    """Find names or indices among the classes; -1 where there is none.

    Whole numbers are names where any of them is the name of a class, else indices. The text
    ``-1`` is the waist's own for an output outside of the classes, and ``<unmapped:5>`` is timm's.
    """
    plain = [text for text in texts if not _is_outside(text, classes)]
    found = classes.find(plain) if plain else np.empty(0, dtype=np.int64)
    if plain and (found < 0).all():
        # Indices, of which some are out of range or no index at all: only these are not found.
        whole = [place for place, text in enumerate(plain) if is_whole([text])]
        found[whole] = find_indices(classes, [plain[place] for place in whole])
    lost = [place for place in np.flatnonzero(found < 0) if ": " in plain[place]]
    if lost:
        # timm's detailed labels: "tench, Tinca tinca: freshwater dace-like game fish ..."
        found[lost] = classes.find([plain[p].split(": ")[0] for p in lost], by_index=False)
    where = dict(zip(plain, found.tolist(), strict=True))
    return np.array([where.get(text, -1) for text in texts], dtype=np.int64)


def find_indices(classes: Classes, texts: Sequence[str]) -> Codes:
    """Return whole numbers as indices of classes; -1 for one that is out of range."""
    numbers = [int(text) for text in texts]
    return np.array([n if 0 <= n < len(classes) else -1 for n in numbers], dtype=np.int64)


def how_understood(classes: Classes, texts: Sequence[str], *, indices: bool) -> str:
    """Say how :func:`find_classes` or (``indices``) :func:`find_indices` understood texts."""
    plain = [text for text in texts if not _is_outside(text, classes)]
    if not is_whole(plain):
        return "names of classes"
    if not indices and (classes.find(plain, by_index=False) >= 0).any():
        return "whole numbers that are names of classes"
    return "indices of classes"


def _is_outside(text: str, classes: Classes) -> bool:
    return (text == "-1" or text.startswith("<unmapped:")) and text not in classes.names


def is_unknown(text: str, index: int, classes: Classes) -> bool:
    """Tell a text that should have been found from one that says "outside"."""
    return index < 0 and not _is_outside(text, classes)


def ambiguous(classes: Classes, texts: Sequence[str]) -> list[str]:
    """Return the texts that are WordNet's words for several classes (``crane``: bird, machine).

    :meth:`~lpa.classes.Classes.find` takes such a text for the class with that title; a file that
    calls classes by these words alone, as timm's labels do, may mean another.
    """
    words = Counter(names[0] for names in classes.aliases if names)
    return [text for text in texts if words[text.split(": ")[0]] > 1]


def unknown_class(text: str, classes: Classes, where: str) -> InputError:
    """Make the error for a text that is no class."""
    if is_whole([text]):
        return InputError(
            f"{where}: index {text} is out of range; the run has {len(classes)} classes, 0 to "
            f"{len(classes) - 1}: name all outputs with --classes FILE"
        )
    error = unknown("class", text, {*classes.names, *classes.labels})
    return InputError(f"{where}: {error}")
