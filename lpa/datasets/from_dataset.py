"""A torch ``Dataset`` from Python, or anything with ``__len__`` and ``__getitem__`` like one.

torch is not imported here: it is there already when someone hands over its objects.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lpa.classes import Classes
from lpa.datasets.files import FileReader
from lpa.datasets.from_arrays import label_classes, row_name
from lpa.datasets.pixels import to_pixels
from lpa.datasets.source import BARE_SPLIT, Entry, Raw, Source, assemble, choose_splits
from lpa.errors import InputError

__all__ = ["DatasetReader", "open_dataset", "source_of_parts"]


class DatasetReader:
    """Reads one item of a data set, one thread at a time: few are made for more.

    Parameters
    ----------
    parts : dict of str to Dataset
        By split.
    rows : list of (str, int)
        Split and index of each image.
    """

    def __init__(self, parts: dict[str, Any], rows: list[tuple[str, int]]) -> None:
        self.parts, self.rows = parts, rows
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the lock."""
        return {"parts": self.parts, "rows": self.rows}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make a lock of its own."""
        self.parts, self.rows = state["parts"], state["rows"]
        self._lock = threading.Lock()

    def __call__(self, index: int) -> Raw:
        """Return uint8 pixels of shape [H, W] or [H, W, 3]."""
        part, row = self.rows[index]
        with self._lock:
            image = self.parts[part][row][0]
        return to_pixels(image, f"item {row}")


def open_dataset(dataset: Any, split: str | None = None) -> Source:
    """Open a data set that yields (image, label).

    Parameters
    ----------
    dataset : torch.utils.data.Dataset
        Map-style. Images as :func:`lpa.datasets.pixels.to_pixels` takes them; labels numbers or
        names. Class names come from its ``wnids`` or ``classes``. An ``ImageFolder`` without a
        transform is read as files.
    split : str or None
        There is only ``all``.

    Raises
    ------
    InputError
        Where items have another form, floats are normalised, or the transform is random.
    """
    sequence = hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")
    if not sequence or isinstance(dataset, Mapping):
        raise InputError(
            f"data of type {type(dataset).__name__} cannot be read; expected a path, a name, "
            "(images, labels), or a map-style torch Dataset that yields (image, label)"
        )
    choose_splits([BARE_SPLIT], split, "the data set")
    name = type(dataset).__name__
    return source_of_parts(name, {BARE_SPLIT: dataset}, f"the {name} given")


def source_of_parts(name: str, parts: dict[str, Any], root: str) -> Source:
    """Make a source of data sets by split; they share their classes."""
    if not any(len(part) for part in parts.values()):
        raise InputError(f"no images in {root}; give a data set that holds at least one")
    names = _class_names(next(iter(parts.values())))
    files = {part: _files(dataset) for part, dataset in parts.items()}
    labels = [label for dataset in parts.values() for label in _labels(dataset)]
    classes, indices = label_classes(labels, names)
    classes = Classes(classes.names, _titles(classes))
    iterator = iter(indices)
    places = [(part, row) for part, dataset in parts.items() for row in range(len(dataset))]
    entries = [
        Entry(row_name(row, len(parts[part])), next(iterator), part, (part, row))
        for part, row in places
    ]
    if all(paths is not None for paths in files.values()):
        return assemble(
            name,
            classes,
            entries,
            root,
            lambda rows: FileReader([(files[part] or [])[row] for part, row in rows]),
        )
    source = assemble(name, classes, entries, root, lambda rows: DatasetReader(parts, rows))
    _refuse_randomness(source)
    return source


def _refuse_randomness(source: Source) -> None:
    first, again = source.read(0), source.read(0)
    if not np.array_equal(np.asarray(first), np.asarray(again)):
        raise InputError(
            f"{source.root}: item 0 differs when it is read twice; take random augmentation out of "
            "the data set's transform"
        )


def _class_names(dataset: Any) -> list[str] | None:
    """Return the names that torchvision's data sets and those around a subset carry."""
    while dataset is not None:
        for attribute in ("wnids", "classes", "categories"):
            names = getattr(dataset, attribute, None)
            if isinstance(names, Sequence) and not isinstance(names, str) and len(names):
                return [", ".join(each) if isinstance(each, tuple) else str(each) for each in names]
        dataset = getattr(dataset, "dataset", None)
    return None


def _titles(classes: Classes) -> tuple[str, ...]:
    """Return labels that people read, which synsets have."""
    from lpa.classes import imagenet

    where = dict(zip(imagenet().names, imagenet().labels, strict=True))
    return tuple(where.get(name, name) for name in classes.names)


def _files(dataset: Any) -> list[str] | None:
    """Return the paths of an image folder whose items are the files as they are."""
    samples = getattr(dataset, "samples", None)
    untouched = all(
        getattr(dataset, attribute, None) is None
        for attribute in ("transform", "target_transform", "transforms")
    )
    loader = getattr(getattr(dataset, "loader", None), "__name__", "")
    if not samples or not untouched or loader != "default_loader" or len(samples) != len(dataset):
        return None
    return [str(path) for path, _ in samples]


def _labels(dataset: Any) -> list[Any]:
    """Return all labels; without decoding where the data set lists them and the first agrees."""
    targets = getattr(dataset, "targets", None)
    if targets is not None and getattr(dataset, "target_transform", None) is None:
        listed = list(targets.tolist() if hasattr(targets, "tolist") else targets)
        if len(listed) == len(dataset) and listed and listed[0] == _item(dataset, 0)[1]:
            return listed
    return [_item(dataset, row)[1] for row in range(len(dataset))]


def _item(dataset: Any, row: int) -> tuple[Any, Any]:
    item = dataset[row]
    if not isinstance(item, tuple | list) or len(item) < 2:
        raise InputError(
            f"item {row} of {type(dataset).__name__} is {type(item).__name__}; expected (image, "
            "label)"
        )
    return item[0], item[1]
