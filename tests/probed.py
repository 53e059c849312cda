"""Features for the tests of probing: digits, and what a small random layer makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits


@dataclass
class Table:
    features: npt.NDArray[Any]
    labels: npt.NDArray[np.int64]

    def take(self, rows: npt.NDArray[Any]) -> Table:
        return Table(self.features[rows], self.labels[rows])


def digits(kind: str = "pixels") -> Table:
    """All 1,797 digits, mixed: 64 pixels, or 256 rectified random projections of them."""
    found = load_digits()
    features, labels = found.data.astype(np.float32), found.target.astype(np.int64)
    if kind == "rectified":
        weights = np.random.default_rng(0).normal(size=(64, 256)).astype(np.float32)
        features = np.maximum(features @ weights / 8, 0)
    order = np.random.default_rng(1).permutation(len(labels))
    return Table(features[order], labels[order])


def clouds(images: int = 60, width: int = 7, classes: int = 3, kind: Any = np.float32) -> Table:
    """A few overlapping clouds, one a class; the last feature is the same everywhere."""
    random = np.random.default_rng(2)
    labels = np.arange(images) % classes
    centres = random.normal(size=(classes, width))
    features = 5 + centres[labels] + random.normal(size=(images, width))
    features[:, -1] = 3.0
    return Table(features.astype(kind), labels.astype(np.int64))


def keys(count: int) -> npt.NDArray[np.uint64]:
    return np.random.default_rng(3).integers(0, 2**63, count).astype(np.uint64)
