"""Trained modules on images -> the waist's columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lpa.forward import SMALL_MARGIN, DeviceModel, MeasuredModel, columns
from lpa.outcomes import COLUMNS
from lpa.training.images import TrainingImages

__all__ = ["Evaluated", "evaluate", "measured_module"]

IMAGES_AT_ONCE = 256
"""Images per forward pass; always the same, since the last bits of a pass depend on it."""

Evaluated = dict[str, npt.NDArray[Any]]
"""The waist's columns of one cell, each of shape [images]."""


def measured_module(
    module: nn.Module, classes: int, mean: Sequence[float], std: Sequence[float]
) -> MeasuredModel:
    """Wrap a module whose outputs are the run's classes, in their order."""
    means, stds = ((float(v[0]), float(v[1]), float(v[2])) for v in (mean, std))
    outputs = np.arange(classes, dtype=np.int64)
    permitted = np.ones(classes, dtype=bool)
    return MeasuredModel("", "", outputs, permitted, module, mean=means, std=stds)


def evaluate(
    model: MeasuredModel,
    images: TrainingImages,
    device: torch.device,
    precision: str = "fp32",
    batch_size: int = IMAGES_AT_ONCE,
) -> Evaluated:
    """Evaluate a model on the plain views of images.

    Parameters
    ----------
    model : MeasuredModel
        With a module.
    images : TrainingImages
        All of them are shown, in order.
    device : torch.device
    precision : {"fp32", "fp16", "bf16"}
        In half precision, images of small margin are computed again in float32, as in a scan.
    batch_size : int
        Images per forward pass.

    Returns
    -------
    dict of str to array of shape [images]
        The columns of :data:`lpa.outcomes.COLUMNS`, and ``margin`` (NaN where an output is not a
        number).
    """
    runner = DeviceModel(model, device, precision, batch_size)
    rows = np.arange(len(images))
    found = _columns(runner, model, images, rows, batch_size)
    if precision != "fp32":
        # Not "< margin is False": NaN (an overflow in half precision) is repeated as well.
        doubtful = rows[~(found["margin"] >= SMALL_MARGIN)]
        if len(doubtful):
            again = _columns(runner, model, images, doubtful, batch_size, exact=True)
            for name, values in again.items():
                found[name][doubtful] = values
    return found


def _columns(
    runner: DeviceModel,
    model: MeasuredModel,
    images: TrainingImages,
    rows: npt.NDArray[np.int64],
    batch_size: int,
    exact: bool = False,
) -> Evaluated:
    pieces: list[dict[str, Tensor]] = []
    for start in range(0, len(rows), batch_size):
        chosen = rows[start : start + batch_size]
        views = images.views(chosen).to(runner.device, torch.float32).div_(255)
        labels = torch.from_numpy(images.labels[chosen]).to(runner.device)
        pieces.append(columns(runner.logits(views, exact=exact), labels, model))
    names = (*COLUMNS, "margin")
    return {name: torch.cat([piece[name] for piece in pieces]).cpu().numpy() for name in names}
