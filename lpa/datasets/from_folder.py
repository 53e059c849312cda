"""Folders of images: one sub-folder per class, or ImageNet's flat validation folder.

Classes are the first level of sub-folders and images lie at any depth below, as torchvision's
``ImageFolder`` has it. Splits: a folder is taken to have splits when a sub-folder has the name of
a split (train, val, validation, test, ...) and itself holds sub-folders or flat ImageNet files;
everything beside those is ignored (development kits, annotations). A folder without splits is one
split, called as the folder where that is a split's name (``imagenet/val``), else ``all``.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from lpa.datasets.files import FileReader, image_files, printable, subfolders
from lpa.datasets.flat_imagenet import is_flat_imagenet, synsets_of_files
from lpa.datasets.source import (
    BARE_SPLIT,
    SPLIT_NAMES,
    Entry,
    Source,
    assemble,
    choose_splits,
    classes_of_labels,
)
from lpa.errors import InputError

__all__ = ["labelled_files", "open_path", "recognises"]


def recognises(path: Path) -> bool:
    """Take any folder: this is the last format that is tried."""
    return path.is_dir()


def open_path(path: Path, name: str, split: str | None) -> Source:
    """Open a folder of images.

    Parameters
    ----------
    path : Path
        A folder of class folders or of flat ImageNet files, or of splits of those.
    name : str
        Name of the source.
    split : str or None
        See :func:`lpa.datasets.source.choose_splits`. Besides the names of splits, any
        sub-folder that holds sub-folders may be asked for.

    Raises
    ------
    InputError
        For a missing split, or where there are no images.
    """
    wanted = {part.strip() for part in split.split(",")} if split else set()
    folders = {part: path / part for part in _split_folders(path, wanted)}
    if not folders:
        own = path.absolute().name
        folders = {own if own in SPLIT_NAMES else BARE_SPLIT: path}
    chosen = choose_splits(folders, split, name)
    found = {part: labelled_files(folders[part]) for part in chosen}
    classes = classes_of_labels(label for rows in found.values() for _, label in rows)
    where = {label: index for index, label in enumerate(classes.names)}
    entries = [
        Entry(printable(file), where[label], part, str(folders[part] / file))
        for part, rows in found.items()
        for file, label in rows
    ]
    if not entries:
        raise InputError(
            f"no images in {path}; expected one sub-folder per class that holds images "
            "(.jpg, .png, ...), or the flat ImageNet validation folder"
        )
    return assemble(name, classes, entries, str(path), FileReader)


def _split_folders(path: Path, wanted: set[str]) -> list[str]:
    """Return the sub-folders that are splits: by name and by what is in them."""
    candidates = [part for part in subfolders(path) if part in SPLIT_NAMES | wanted]
    return [part for part in candidates if _holds_classes(path / part)]


def _holds_classes(folder: Path) -> bool:
    """Tell a split from a class that is named like one ("train"), which holds images only."""
    first = next(image_files(folder, below=False), "")
    return is_flat_imagenet(first) or bool(subfolders(folder))


def labelled_files(folder: Path) -> list[tuple[str, str]]:
    """Return (path relative to the folder, class) of every image of one split."""
    rows = [
        (os.path.join(part, file), printable(part))  # noqa: PTH118 - a million times
        for part in subfolders(folder)
        for file in image_files(folder / part)
    ]
    return rows or _flat_files(folder)


def _flat_files(folder: Path) -> list[tuple[str, str]]:
    names = sorted(image_files(folder, below=False))
    strange = list(itertools.islice((each for each in names if not is_flat_imagenet(each)), 1))
    if strange:
        raise InputError(
            f"{folder}: {len(names)} images lie in one folder and {strange[0]!r} tells no class; "
            "sort them into one sub-folder per class, or give a CSV file with the columns "
            "path,label"
        )
    return list(zip(names, synsets_of_files(folder, names), strict=True)) if names else []
