"""Images that are in memory already: arrays or tensors with labels, and scikit-learn's digits."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lpa.classes import Classes
from lpa.datasets.pixels import to_pixels
from lpa.datasets.source import (
    BARE_SPLIT,
    Entry,
    Raw,
    Source,
    assemble,
    choose_splits,
    classes_of_labels,
)
from lpa.errors import InputError

__all__ = [
    "ArrayReader",
    "label_classes",
    "open_arrays",
    "open_digits",
    "open_digits_0_4",
    "open_digits_5_9",
    "row_name",
]


@dataclass(frozen=True)
class ArrayReader:
    """Reads the pixels of one row.

    Attributes
    ----------
    images : dict of str to sequence
        By split.
    rows : list of (str, int)
        Split and row of each image.
    """

    images: dict[str, Any]
    rows: list[tuple[str, int]]

    def __call__(self, index: int) -> Raw:
        """Return uint8 pixels of shape [H, W] or [H, W, 3]."""
        part, row = self.rows[index]
        return to_pixels(self.images[part][row], f"image {row}")


def row_name(row: int, count: int) -> str:
    """Name a row so that names sort in the order of rows: ``00012``."""
    return f"{row:0{max(5, len(str(count - 1)))}d}"


def label_classes(labels: Sequence[Any], names: Sequence[str] | None) -> tuple[Classes, list[int]]:
    """Return the classes of labels and each label's index into them.

    Parameters
    ----------
    labels : sequence of int or str
        One per image; numpy's numbers and tensors of one element are numbers too.
    names : sequence of str or None
        Names of the classes where labels are indices; None: labels name themselves.

    Raises
    ------
    InputError
        For a label that is neither number nor text, or an index without a name.
    """
    plain = [_plain(label, row) for row, label in enumerate(labels)]
    if names is not None and all(isinstance(label, int) for label in plain):
        for row, label in enumerate(plain):
            if not 0 <= int(label) < len(names):
                raise InputError(
                    f"image {row}: label {label} is out of range; {len(names)} classes are named"
                )
        return Classes(tuple(names)), [int(label) for label in plain]
    classes = classes_of_labels(str(label) for label in plain)
    where = {name: index for index, name in enumerate(classes.names)}
    return classes, [where[str(label)] for label in plain]


def _plain(label: Any, row: int) -> int | str:
    single = hasattr(label, "item") and math.prod(np.shape(label)) == 1
    value = label.item() if single else label
    if isinstance(value, str):
        return value
    if isinstance(value, int) and value >= 0:
        return int(value)
    raise InputError(
        f"image {row}: label {label!r} of type {type(label).__name__}; expected one class per "
        "image, as a number from 0 or a name"
    )


def open_arrays(
    images: Any, labels: Any, split: str | None = None, *, names: Sequence[str] | None = None
) -> Source:
    """Open images and labels that are in memory.

    Parameters
    ----------
    images : array, tensor or sequence
        As :func:`lpa.datasets.pixels.to_pixels` takes each.
    labels : sequence of int or str
        As many.
    split : str or None
        There is only ``all``.
    names : sequence of str or None
        Class names where labels are indices.

    Raises
    ------
    InputError
        For unequal numbers, or images or labels of another form.
    """
    if len(images) != len(labels):
        raise InputError(f"{len(images)} images but {len(labels)} labels; give one label per image")
    choose_splits([BARE_SPLIT], split, "data in memory")
    return from_splits("arrays", {BARE_SPLIT: (images, list(labels))}, names, "memory")


def from_splits(
    name: str,
    parts: dict[str, tuple[Any, Sequence[Any]]],
    names: Sequence[str] | None,
    root: str,
) -> Source:
    """Make a source of images and labels in memory, by split."""
    classes, indices = label_classes([v for _, labels in parts.values() for v in labels], names)
    iterator = iter(indices)
    entries = [
        Entry(row_name(row, len(labels)), next(iterator), part, (part, row))
        for part, (_, labels) in parts.items()
        for row in range(len(labels))
    ]
    images = {part: pixels for part, (pixels, _) in parts.items()}
    source = assemble(name, classes, entries, root, lambda rows: ArrayReader(images, rows))
    source.read(0)  # An image of another form is better refused now than in the middle of a run.
    return source


def open_digits(
    path: Path | None, split: str | None, *, name: str = "digits", shown: range = range(10)
) -> Source:
    """Open scikit-learn's handwritten digits: 1,797 images of 8 x 8, in the package itself.

    Grey levels 0 to 16 become ``round(value * 255 / 16)``, halves up.

    Parameters
    ----------
    path : Path or None
        Not used.
    split : str or None
        There is only ``all``.
    name : str
        Name of the source.
    shown : range
        The digits that are taken.

    Raises
    ------
    InputError
        Where scikit-learn is not installed, or for a split: there is only ``all``.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise InputError(
            f"data set {name!r} is part of scikit-learn, which is not installed; pip install "
            "scikit-learn, or use --data imagenet-sample"
        ) from error
    choose_splits([BARE_SPLIT], split, name)
    digits = load_digits()
    taken = np.isin(digits.target, list(shown))
    pixels = np.floor(digits.images[taken] * 255.0 / 16.0 + 0.5).astype(np.uint8)
    labels = digits.target[taken].tolist()
    return from_splits(name, {BARE_SPLIT: (pixels, labels)}, None, "scikit-learn's digits")


open_digits_0_4 = functools.partial(open_digits, name="digits-0-4", shown=range(5))
open_digits_5_9 = functools.partial(open_digits, name="digits-5-9", shown=range(5, 10))
