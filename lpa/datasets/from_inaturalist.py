"""iNaturalist 2021 and 2017-2019, as torchvision lays them out and as their archives unpack.

==========  ===================================================  ==================================
version     torchvision's ``root``                               the archives'
==========  ===================================================  ==================================
2021        ``2021_train``, ``2021_train_mini``, ``2021_valid``  ``train``, ``train_mini``, ``val``
2017        ``2017/Aves/Corvus corax``                           ``train_val_images``
2018        ``2018/Aves/1234``                                   ``train_val2018``
2019        ``2019/Birds/123``                                   ``train_val2019``
==========  ===================================================  ==================================

Splits are called ``train``, ``train_mini`` and ``val`` whatever the folders are called, so that one
data set has one fingerprint. The older versions keep all images in one folder; where the
competition's ``train2018.json`` and ``val2018.json`` lie beside it they divide it, else it has one
split. Classes have the names of their folders, and :mod:`lpa.datasets.taxonomy` reads their
taxonomy off these.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from pathlib import Path

from lpa.classes import Classes
from lpa.datasets.files import FileReader, image_files, printable, subfolders
from lpa.datasets.from_folder import labelled_files
from lpa.datasets.source import BARE_SPLIT, Entry, Source, assemble, choose_splits
from lpa.datasets.taxonomy import is_species_folder, species
from lpa.errors import InputError
from lpa.json_text import read_json

__all__ = ["open_2017", "open_2018", "open_2019", "open_2021", "open_path", "recognises"]

_PARTS_2021 = {
    "2021_train": "train",
    "2021_train_mini": "train_mini",
    "2021_valid": "val",
    "train": "train",
    "train_mini": "train_mini",
    "val": "val",
    "valid": "val",
}
_FOLDERS = {
    "2017": ("2017", "train_val_images"),
    "2018": ("2018", "train_val2018"),
    "2019": ("2019", "train_val2019"),
}

Rows = list[tuple[str, str]]
"""Path relative to the split's folder, and class, of every image."""


def recognises(path: Path) -> bool:
    """Take a folder that holds a version of iNaturalist, or is one.

    ``2018`` alone is no sign of it (years may be anyone's classes): write ``inat2018=PATH``.
    """
    return path.is_dir() and bool(_versions(path, by_year=False))


def open_path(path: Path, name: str, split: str | None) -> Source:
    """Open the version that a folder holds.

    Parameters
    ----------
    path : Path
        The folder of a version, or the one above it.
    name : str
        Name of the source.
    split : str or None
        See :func:`lpa.datasets.source.choose_splits`; ``2021_valid`` is ``val``.

    Raises
    ------
    InputError
        For several versions at once, and for a missing split.
    """
    found = _versions(path, by_year=False)
    if len(found) > 1:
        asked = " or ".join(f"inat{version}={path}" for version in found)
        raise InputError(f"{path} holds iNaturalist {', '.join(found)}; expected one: give {asked}")
    return _open(path, name, next(iter(found)), split)


def _open_version(version: str, path: Path | None, split: str | None) -> Source:
    """Open one version by its name."""
    name = f"inat{version}"
    if path is None:
        raise InputError(
            f"{name} needs the folder that holds it; write {name}=PATH (torchvision.datasets."
            "INaturalist downloads it, one version and split at a time)"
        )
    found = _versions(path) if path.is_dir() else ()
    if version not in found:
        there = f"it holds {', '.join(f'inat{one}' for one in found)}; " if found else ""
        expected = (
            "2021_train, 2021_train_mini, 2021_valid (torchvision) or train, train_mini, val "
            "with folders such as 00000_Animalia_..._Lumbricus_terrestris"
            if version == "2021"
            else f"{' or '.join(_FOLDERS[version])} with a folder per supercategory"
        )
        raise InputError(f"{name} is not in {path}; {there}expected {expected}")
    return _open(path, name, version, split)


open_2021 = functools.partial(_open_version, "2021")
open_2017 = functools.partial(_open_version, "2017")
open_2018 = functools.partial(_open_version, "2018")
open_2019 = functools.partial(_open_version, "2019")


def _versions(path: Path, *, by_year: bool = True) -> tuple[str, ...]:
    """Return the versions that a folder holds, or is."""
    found = ["2021"] if _parts_2021(path) else []
    for version in _FOLDERS:
        folder = _folder_of(path, version)
        if folder is not None and (by_year or folder.absolute().name != version):
            found.append(version)
    return tuple(found)


def _parts_2021(path: Path) -> dict[str, Path]:
    """Return split -> folder; torchvision's where both are there, or the folder itself."""
    folders: dict[str, Path] = {}
    for folder, part in _PARTS_2021.items():
        if _holds_species(path / folder):
            folders.setdefault(part, path / folder)
    if not folders and _holds_species(path):
        own = path.absolute().name
        return {_PARTS_2021.get(own, BARE_SPLIT): path}
    return folders


def _holds_species(folder: Path) -> bool:
    return folder.is_dir() and any(map(is_species_folder, subfolders(folder)))


def _folder_of(path: Path, version: str) -> Path | None:
    """Return the folder of an older version, by its name and by what is in it."""
    candidates = [path / folder for folder in _FOLDERS[version]]
    if path.absolute().name in _FOLDERS[version]:
        candidates.append(path)
    return next((folder for folder in candidates if _holds_two_levels(folder)), None)


def _holds_two_levels(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    upper = subfolders(folder)
    return bool(upper) and bool(subfolders(folder / upper[0]))


def _open(path: Path, name: str, version: str, split: str | None) -> Source:
    split = _spelled(split)
    if version == "2021":
        folders: Mapping[str, Path] = _parts_2021(path)
        chosen = choose_splits(folders, split, name)
        rows = {part: labelled_files(folders[part]) for part in chosen}
    else:
        folder = _folder_of(path, version)
        assert folder is not None
        found = _divided(folder, version)
        chosen = choose_splits(found, split, name)
        folders = dict.fromkeys(chosen, folder)
        rows = {part: found[part] for part in chosen}
    names = sorted({label for part in rows.values() for _, label in part})
    where = {label: index for index, label in enumerate(names)}
    entries = [
        Entry(printable(file), where[label], part, str(folders[part] / file))
        for part, listed in rows.items()
        for file, label in listed
    ]
    classes = Classes(tuple(names), tuple(species(each) for each in names))
    return assemble(name, classes, entries, str(path), FileReader)


def _spelled(split: str | None) -> str | None:
    """Let torchvision's names of splits be typed as well."""
    if split is None:
        return None
    return ",".join(_PARTS_2021.get(part.strip(), part.strip()) for part in split.split(","))


def _divided(folder: Path, version: str) -> dict[str, Rows]:
    """Return the images of each split: by the annotations, or all together."""
    every = [
        (os.path.join(upper, lower, file), printable(f"{upper}/{lower}"))  # noqa: PTH118 - many
        for upper in subfolders(folder)
        for lower in subfolders(folder / upper)
        for file in image_files(folder / upper / lower)
    ]
    listed = {
        part: _listed(file)
        for part in ("train", "val")
        if (file := folder.parent / f"{part}{version}.json").is_file()
    }
    if len(listed) < 2:
        return {BARE_SPLIT: every}
    return {
        part: [row for row in every if row[0].replace(os.sep, "/") in files]
        for part, files in listed.items()
    }


def _listed(file: Path) -> set[str]:
    """Return the images of an annotation file, relative to the folder of all images."""
    try:
        images = read_json(file.read_bytes())["images"]
        return {image["file_name"].partition("/")[2] for image in images}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{file} cannot be read as iNaturalist's annotations ({type(error).__name__}); "
            "expected the competition's JSON with images: fetch it again, or move it away"
        ) from error
