"""Batches of features in an order that is a function of keys, seed and epoch alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lpa.augmentations.randomness import uniforms
from lpa.probing.table import FeatureTable

__all__ = ["Rows", "epoch_order", "parts", "read"]

Rows = npt.NDArray[np.int64]


def epoch_order(keys: npt.NDArray[np.uint64], seed: int, head_seed: int, epoch: int) -> Rows:
    """Return the order of an epoch.

    Parameters
    ----------
    keys : array of uint64, shape [N]
        Of the images that are trained on.
    seed, head_seed : int
        The run's seed and the head's.
    epoch : int
        From 0.

    Returns
    -------
    array of int64, shape [N]
        Positions in ``keys``; so stopping and going on do not matter. Where a key stands several
        times (augmented views of one image, copies) each time has a number of its own.
    """
    again = _occurrences(keys)
    random = uniforms(keys, f"probe order {head_seed}", 1 + again.max(initial=0), seed, epoch)
    return np.argsort(random[np.arange(len(keys)), again], kind="stable")


def _occurrences(keys: npt.NDArray[np.uint64]) -> Rows:
    """Return how often each key stood there before."""
    order = np.argsort(keys, kind="stable")
    at = np.arange(len(keys))
    first = np.ones(len(keys), dtype=bool)
    first[1:] = keys[order][1:] != keys[order][:-1]
    found = np.empty(len(keys), dtype=np.int64)
    found[order] = at - np.maximum.accumulate(np.where(first, at, 0))
    return found


def parts(rows: Rows, size: int) -> Iterator[Rows]:
    """Cut rows into batches; the last one may be smaller."""
    return (rows[start : start + size] for start in range(0, len(rows), size))


def read(
    table: FeatureTable, rows: Rows, device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor]:
    """Read some images.

    Parameters
    ----------
    table : FeatureTable
    rows : array of int64, shape [B]
        Read in ascending order, so that a mapped file is gone through forwards: within a batch
        the order has no meaning.

    Returns
    -------
    features : Tensor, shape [B, D]
        In the table's own precision.
    labels : Tensor of int64, shape [B]
    """
    rows = np.sort(rows)
    features: npt.NDArray[Any] = table.features[rows]
    labels = np.take(table.labels, rows)
    return torch.from_numpy(features).to(device), torch.from_numpy(labels).to(device)
