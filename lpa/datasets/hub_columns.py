"""Which column of a hub's table is the image and which the label, and what the classes are.

Shared by Parquet files and by data sets loaded through ``datasets``: both describe their columns
by the same records, ``{"label": {"_type": "ClassLabel", "names": [...]}, ...}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import Any

import numpy as np
import numpy.typing as npt

from lpa.classes import Classes, imagenet
from lpa.datasets.source import classes_of_labels
from lpa.errors import InputError

__all__ = ["HubColumns", "find_columns", "hub_classes", "hub_name"]

IMAGE_COLUMNS = ("image", "img", "jpg", "jpeg", "png", "webp")
LABEL_COLUMNS = ("label", "labels", "fine_label", "class", "cls", "target")


@dataclass(frozen=True)
class HubColumns:
    """The two columns that are read.

    Attributes
    ----------
    image, label : str
        Names of the columns.
    names : tuple of str or None
        The label's names where the data set declares them.
    """

    image: str
    label: str
    names: tuple[str, ...] | None


def find_columns(features: Mapping[str, Any], columns: Sequence[str], root: str) -> HubColumns:
    """Find image and label.

    Parameters
    ----------
    features : mapping
        The data set's record of each column; may be empty.
    columns : sequence of str
        All columns.
    root : str
        The data, for the message.

    Raises
    ------
    InputError
        Where either is missing, listing the columns there are.
    """
    features = features if isinstance(features, Mapping) else {}
    kinds = {
        column: record.get("_type") if isinstance(record, Mapping) else None
        for column, record in features.items()
    }
    kinds = {column: kind for column, kind in kinds.items() if column in columns}
    images = [column for column, kind in kinds.items() if kind == "Image"]
    images += [column for column in IMAGE_COLUMNS if column in columns]
    labels = [column for column, kind in kinds.items() if kind == "ClassLabel"]
    labels += [column for column in LABEL_COLUMNS if column in columns]
    for what, found, known in (("image", images, IMAGE_COLUMNS), ("label", labels, LABEL_COLUMNS)):
        if not found:
            raise InputError(
                f"{root} has no {what} column; its columns: {', '.join(columns)}; expected one of "
                f"{', '.join(known)}"
            )
    record = features.get(labels[0])
    names = record.get("names") if isinstance(record, Mapping) else None
    if names and not (isinstance(names, list | tuple) and all(map(_is_text, names))):
        raise InputError(
            f"{root}: the names of column {labels[0]!r} are no list of texts; expected the record "
            "that datasets writes: fetch it again"
        )
    return HubColumns(images[0], labels[0], tuple(names) if names else None)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def hub_classes(
    names: tuple[str, ...] | None, values: Sequence[Any], root: str
) -> tuple[Classes, npt.NDArray[np.int64]]:
    """Return the classes and each row's index into them; -1 where the row has no label.

    Parameters
    ----------
    names : tuple of str or None
        Declared names in the order of the values; None where values are names themselves or
        numbers without names.
    values : sequence of int, str or None
        The label column.
    root : str
        The data, for the message.

    Raises
    ------
    InputError
        For a value that is neither a name nor an index of one.
    """
    if names is None:
        texts = [None if value is None or value == -1 else str(value) for value in values]
        classes = classes_of_labels(text for text in texts if text is not None)
        where = {name: index for index, name in enumerate(classes.names)}
        return classes, np.array([where.get(text or "", -1) for text in texts], dtype=np.int64)
    try:
        labels = np.array([-1 if value is None else value for value in values], dtype=np.int64)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(
            f"{root}: names are declared, and the labels are no numbers ({error}); expected the "
            "index of a name in every row"
        ) from error
    if len(labels) and not -1 <= labels.min() <= labels.max() < len(names):
        wrong = int(labels.max() if labels.max() >= len(names) else labels.min())
        raise InputError(f"{root}: label {wrong} is out of range; {len(names)} names are declared")
    return _recognised(names), labels


def _recognised(names: tuple[str, ...]) -> Classes:
    """Return ImageNet's classes where the names are theirs, else classes of the names.

    The hub's ImageNet declares "tench, Tinca tinca" and the like. A few of these fit two classes
    ("crane" is a bird and a machine), so the order is verified instead: nearly every name must be
    one of the class that ImageNet has there, and no other may be the name of another class.
    """
    known = imagenet()
    if len(names) == len(known):
        rows = zip(known.names, known.labels, known.aliases, strict=True)
        own = [{name, label, *aliases} for name, label, aliases in rows]
        right = np.array([name in its_own for name, its_own in zip(names, own, strict=True)])
        if right.mean() > 0.9 and (right | (known.find(names, by_index=False) < 0)).all():
            return known
    titles = dict(zip(known.names, known.labels, strict=True))
    return Classes(names, tuple(titles.get(name, name) for name in names))


def hub_name(row: int, path: str | None) -> str:
    """Name a row so that names sort in the order of rows, which is how the files are read.

    The file's own name follows where it is stored: ``00000012/ILSVRC2012_val_00000013.JPEG``;
    folders before it are left out, since they may be those of the uploader's machine.
    """
    return f"{row:08d}/{PureWindowsPath(path).name}" if path else f"{row:08d}"


def labelled(labels: Iterable[int], root: str) -> list[int]:
    """Return the rows that have a label; raise :class:`InputError` where none has."""
    rows = [row for row, label in enumerate(labels) if label >= 0]
    if not rows:
        raise InputError(
            f"{root} holds no labelled images (hidden test labels?); choose another --split"
        )
    return rows
