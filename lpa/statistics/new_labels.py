"""Other labels of the same images, from the user's own files (STATISTICS 3.13)."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from lpa.classes import Classes, imagenet
from lpa.errors import InputError
from lpa.json_text import read_json
from lpa.outcomes import Outcomes

__all__ = ["INSTALLED", "label_table", "read_new_labels"]

INSTALLED = "real"
"""Name of the ReaL labels in the user's own installation of ``imagenet-x``."""

VALIDATION = 50_000
ANY = "expected a JSON object of file name -> label or list of labels, or ReaL's list of 50,000"

NewLabels = Mapping[str, Sequence[int | str]]
Integers = npt.NDArray[np.int64]


def read_new_labels(source: str | os.PathLike[str]) -> NewLabels:
    """Read new labels by file name.

    Parameters
    ----------
    source : path or "real"
        A JSON file: an object of file name -> label or list of labels, or the list of 50,000 lists
        in which the ReaL labels are published, for ``ILSVRC2012_val_00000001`` and on. ``"real"``:
        that list in the user's own installation of the package ``imagenet-x`` (its licence,
        CC-BY-NC, does not permit a copy here); the package is found, not imported.

    Returns
    -------
    mapping of str to list of int or str
        Whole numbers are indices, texts are class names; see :func:`label_table`. An empty list is
        an image for which no label was agreed on.

    Raises
    ------
    InputError
        For a package or file that is not there, and for other contents.

    References
    ----------
    Beyer, Henaff, Kolesnikov, Zhai and van den Oord 2020, arXiv 2006.07159 (ReaL).
    """
    path = _installed() if str(source) == INSTALLED else Path(source)
    try:
        found = read_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); {ANY}") from error
    except ValueError as error:
        raise InputError(f"{path} is no JSON ({error}); {ANY}") from error
    if isinstance(found, list):
        if len(found) != VALIDATION:
            raise InputError(f"{path} holds a list of {len(found)}; {ANY}")
        found = {f"ILSVRC2012_val_{row + 1:08d}": entry for row, entry in enumerate(found)}
    if not isinstance(found, dict):
        raise InputError(f"{path} holds neither an object nor a list; {ANY}")
    return {name: _listed(str(path), name, entry) for name, entry in found.items()}


def _installed() -> Path:
    spec = importlib.util.find_spec("imagenet_x")
    folders = list(spec.submodule_search_locations or []) if spec else []
    if not folders:
        raise InputError(
            "the ReaL labels are read from your own installation of imagenet-x, which is not "
            "there: `pip install imagenet-x` (CC-BY-NC), or give a JSON file"
        )
    return Path(folders[0]) / "annotations" / "imagenet_real_labels.jsonl"


def _listed(path: str, name: str, entry: Any) -> list[int | str]:
    labels = entry if isinstance(entry, list) else [entry]
    for label in labels:
        if isinstance(label, bool) or not isinstance(label, int | str):
            raise InputError(f"{path}: {name} has the label {label!r}; {ANY}")
    return labels


def label_table(outcomes: Outcomes, labels: NewLabels) -> Integers:
    """Return the new labels of each of the run's images as indices of its classes.

    File names are matched whole, then without folders, then without the suffix too. Texts are
    matched to classes by name. Whole numbers are ImageNet's standard indices where all of the
    run's classes are ImageNet's, and indices of the run's classes otherwise.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    labels : mapping of str to sequence of int or str
        As from :func:`read_new_labels`.

    Returns
    -------
    array of int64, shape [images, most labels of one image]
        Filled up with -2. A row of -2 alone: the image has no new label among the run's classes
        and is not to be scored.

    Raises
    ------
    InputError
        When no image of the run has a label, and for an index without a class.
    """
    index = _indices(outcomes.classes, labels)
    by_name = {_bare(name): name for name in labels}
    rows = []
    for name in outcomes.samples.name:
        key = next((k for k in (name, PurePosixPath(name).name) if k in labels), None)
        key = by_name.get(_bare(name)) if key is None else key
        rows.append([index[label] for label in labels[key]] if key is not None else [])
    kept = [[label for label in row if label >= 0] for row in rows]
    if not any(kept):
        raise InputError(
            f"none of the {len(rows)} images of {outcomes.store} has a new label; images are "
            f"matched by file name, such as {next(iter(labels), '(no name)')!r}, and the run has "
            f"{next(iter(outcomes.samples.name), '(no image)')!r}"
        )
    table = np.full((len(rows), max(len(row) for row in kept)), -2, dtype=np.int64)
    for position, row in enumerate(kept):
        table[position, : len(row)] = row
    return table


def _bare(name: str) -> str:
    return PurePosixPath(name).stem


def _indices(classes: Classes, labels: NewLabels) -> dict[int | str, int]:
    """Return the run's class of each label that occurs, -1 for a class that the run lacks."""
    occurring = list(dict.fromkeys(label for entry in labels.values() for label in entry))
    texts = [label for label in occurring if isinstance(label, str)]
    numbers = [label for label in occurring if isinstance(label, int)]
    found: dict[int | str, int] = {}
    found.update(zip(texts, classes.find(texts, by_index=False).tolist(), strict=True))
    place = imagenet().find(classes.names, by_index=False)
    standard = bool(len(place)) and bool((place >= 0).all())
    known = len(imagenet()) if standard else len(classes)
    for number in numbers:
        if not 0 <= number < known:
            raise InputError(
                f"new label {number} is no index of {known} classes; expected 0 to {known - 1}, "
                "or names of classes"
            )
    of_standard = {int(position): row for row, position in enumerate(place)}
    for number in numbers:
        found[number] = of_standard.get(number, -1) if standard else number
    return found
