"""A source of images: what every data format is turned into, and how splits are chosen."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lpa.classes import Classes, imagenet
from lpa.errors import InputError

__all__ = [
    "BARE_SPLIT",
    "SPLIT_NAMES",
    "Entry",
    "MissingSplit",
    "Raw",
    "Source",
    "assemble",
    "choose_splits",
    "classes_of_labels",
]

Raw = bytes | npt.NDArray[np.uint8]
"""What a source reads: encoded bytes, or pixels of shape [H, W] or [H, W, 3]."""

BARE_SPLIT = "all"
"""Name of the only split of data that have none."""

SPLIT_SPELLINGS = (
    ("val", "validation", "valid"),
    ("test", "testing"),
    ("train", "training"),
)
"""Spellings of one split; each finds the others."""

SPLIT_NAMES = frozenset(name for row in SPLIT_SPELLINGS for name in row) | {"train_mini"}
"""Names by which a folder is taken for a split (``train_mini`` is iNaturalist 2021's)."""


@dataclass(frozen=True, eq=False)
class Source:
    """A labelled set of images, sorted by name, read one at a time.

    Attributes
    ----------
    name : str
        What the data set is called in messages and in the run's record.
    classes : Classes
        The data's own classes: folder names, label names.
    names : list of str
        Unique and sorted; prefixed by the split where several splits are read.
    labels : array of int64, shape [images]
        Index into ``classes``.
    splits : list of str
        The split of each image.
    root : str
        Where the data come from, for messages.
    reader : callable
        Index -> encoded bytes or pixels. Safe to call from several threads, and picklable for
        every format that reads files.
    published : bool
        Whether this is the whole ImageNet validation set (50,000 files, 50 a class), for which
        accuracies are published.
    """

    name: str
    classes: Classes
    names: list[str]
    labels: npt.NDArray[np.int64]
    splits: list[str]
    root: str
    reader: Callable[[int], Raw]
    published: bool = False

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.names)

    def read(self, index: int) -> Raw:
        """Return one image: encoded bytes, or uint8 pixels of shape [H, W] or [H, W, 3].

        Raises
        ------
        OSError
            Where the file cannot be read (which is no property of the image, so no skip).
        """
        return self.reader(index)


class MissingSplit(InputError):  # noqa: N818 - what is wrong, as its name says
    """A split was asked for that the data do not have.

    Attributes
    ----------
    present : tuple of str
        The splits that they have.
    """

    def __init__(self, message: str, present: tuple[str, ...]) -> None:
        super().__init__(message)
        self.present = present


class Entry(NamedTuple):
    """One image before sorting: name within its split, class, split, place for the reader."""

    name: str
    label: int
    split: str
    place: Any


def assemble(
    name: str,
    classes: Classes,
    entries: Sequence[Entry],
    root: str,
    reader: Callable[[list[Any]], Callable[[int], Raw]],
) -> Source:
    """Sort entries by name and make a source of them.

    Parameters
    ----------
    name, classes, root
        See :class:`Source`.
    entries : sequence of Entry
        In any order; names unique within a split.
    reader : callable
        Gets the entries' places in the final order; returns the source's reader.

    Raises
    ------
    InputError
        Without a single image, or when a name stands twice.
    """
    if not entries:
        raise InputError(f"no images in {root}; give a data set that holds at least one")
    if len({entry.split for entry in entries}) > 1:
        entries = [entry._replace(name=f"{entry.split}/{entry.name}") for entry in entries]
    entries = sorted(entries, key=lambda entry: entry.name)
    for one, other in itertools.pairwise(entries):
        if one.name == other.name:
            raise InputError(f"{root}: {one.name!r} stands twice; names must be unique")
    labels = np.array([entry.label for entry in entries], dtype=np.int64)
    splits = [entry.split for entry in entries]
    return Source(
        name=name,
        classes=classes,
        names=[entry.name for entry in entries],
        labels=labels,
        splits=splits,
        root=root,
        reader=reader([entry.place for entry in entries]),
        published=_is_imagenet_validation(classes, labels, set(splits)),
    )


def _is_imagenet_validation(
    classes: Classes, labels: npt.NDArray[np.int64], splits: set[str]
) -> bool:
    """Tell the full validation set by its counts; 50 a class of the training set are not it."""
    if len(labels) != 50_000 or len(classes) != 1_000 or splits & {"train", "training"}:
        return False
    counts = np.bincount(labels, minlength=1_000)
    return bool((counts == 50).all()) and set(classes.names) == set(imagenet().names)


def choose_splits(present: Iterable[str], wanted: str | None, name: str) -> list[str]:
    """Choose which splits to read.

    Parameters
    ----------
    present : iterable of str
        The splits that the data have.
    wanted : str or None
        As typed: one name or several with commas; ``val``, ``valid`` and ``validation`` find each
        other. None: the validation split, else the test split, else all there are.
    name : str
        The data set, for the message.

    Returns
    -------
    list of str
        As the data spell them, in the order typed.

    Raises
    ------
    MissingSplit
        For a split that is missing, listing those present.
    InputError
        For one that is given twice.
    """
    have = list(present)
    if wanted is None:
        for row in SPLIT_SPELLINGS[:2]:
            found = [split for split in row if split in have]
            if found:
                return found[:1]
        return have
    chosen = [_find_split(have, part.strip(), name) for part in wanted.split(",")]
    for split, count in Counter(chosen).items():
        if count > 1:
            raise InputError(f"split {split!r} of {name} is given {count} times; give it once")
    return chosen


def _find_split(have: list[str], wanted: str, name: str) -> str:
    spellings: tuple[str, ...] = next((row for row in SPLIT_SPELLINGS if wanted in row), ())
    for spelling in (wanted, *spellings):
        if spelling in have:
            return spelling
    listed = ", ".join(have)
    tail = "; leave --split away" if have == [BARE_SPLIT] else ""
    raise MissingSplit(f"{name} has no split {wanted!r}; it has: {listed}{tail}", tuple(have))


def classes_of_labels(labels: Iterable[str]) -> Classes:
    """Return the classes of textual labels: unique and sorted, whole numbers by their value.

    Synsets get ImageNet's labels to be read by people.
    """
    unique = set(labels)
    numbers = all(label.isascii() and label.isdigit() for label in unique)
    names = sorted(unique, key=lambda label: (int(label) if numbers else 0, label))
    known = imagenet()
    where = {synset: index for index, synset in enumerate(known.names)}
    titles = [known.labels[where[each]] if each in where else each for each in names]
    return Classes(tuple(names), tuple(titles))
