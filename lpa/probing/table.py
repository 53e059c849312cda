"""What heads are trained on: features with their labels, checked before anything is computed."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from lpa.errors import InputError

__all__ = ["FeatureRows", "FeatureTable", "check_table"]


class FeatureRows(Protocol):
    """Rows of features: an array, mapped or not, or several arrays one after the other."""

    @property
    def shape(self) -> tuple[int, ...]:
        """[N, D]."""

    def __len__(self) -> int:
        """Return N."""

    def __getitem__(self, rows: Any, /) -> Any:
        """Return the rows of a slice or of an array of positions, as an array."""


class FeatureTable(Protocol):
    """Features of images, usually mapped from a file; never copied whole.

    Attributes
    ----------
    features : array of float16 or float32, shape [N, D]
    labels : array of int64, shape [N]
        The run's classes, 0 to C - 1.
    """

    @property
    def features(self) -> FeatureRows:
        """Features, [N, D]."""

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Labels, [N]."""


def check_table(table: FeatureTable, classes: int, keys: npt.NDArray[np.uint64]) -> None:
    """Check what can be checked without reading the features.

    Parameters
    ----------
    table : FeatureTable
        To be trained on.
    classes : int
        Number of classes of the run.
    keys : array of uint64, shape [N]

    Raises
    ------
    InputError
        For fewer than two classes, shapes that do not fit, labels that are no class, or a class
        without a training image.
    """
    if classes < 2:
        raise InputError(
            f"the target has {classes} class{'es' * (classes != 1)}; expected at least 2 to tell "
            "apart: give other data"
        )
    shape, labels = table.features.shape, table.labels
    if len(shape) != 2 or 0 in shape:
        raise InputError(
            f"features of shape {list(shape)}; expected [images, features], at least one of each"
        )
    for name, found in (("labels", labels), ("keys", keys)):
        if found.shape != (shape[0],):
            raise InputError(
                f"{name} of shape {list(found.shape)} for {shape[0]} images; expected "
                f"[{shape[0]}]: extract the features again"
            )
    wrong = labels[(labels < 0) | (labels >= classes)]
    if len(wrong):
        raise InputError(
            f"label {wrong[0]} is none of {classes} classes; expected 0 to {classes - 1}"
        )
    empty = np.flatnonzero(np.bincount(labels, minlength=classes) == 0)
    if len(empty):
        raise InputError(
            f"class {empty[0]} has no training image ({len(empty)} of {classes} classes have "
            "none); expected at least one image of each: give more images, or leave the class out"
        )
