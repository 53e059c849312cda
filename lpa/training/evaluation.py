"""Trained modules on images -> the waist's columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lpa.forward import DeviceModel, MeasuredModel, columns
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


def evaluate(model: MeasuredModel, images: TrainingImages, device: torch.device) -> Evaluated:
    """Evaluate a model on the plain views of images, in float32.

    Parameters
    ----------
    model : MeasuredModel
        With a module.
    images : TrainingImages
        All of them are shown, in order.
    device : torch.device

    Returns
    -------
    dict of str to array of shape [images]
        The columns of :data:`lpa.outcomes.COLUMNS`, and ``margin`` (NaN where an output is not a
        number).
    """
    runner = DeviceModel(model, device, "fp32", IMAGES_AT_ONCE)
    pieces: list[dict[str, Tensor]] = []
    for start in range(0, len(images), IMAGES_AT_ONCE):
        rows = np.arange(start, min(start + IMAGES_AT_ONCE, len(images)))
        views = images.views(rows).to(device, torch.float32).div_(255)
        labels = torch.from_numpy(images.labels[rows]).to(device)
        pieces.append(columns(runner.logits(views), labels, model))
    names = (*COLUMNS, "margin")
    return {name: torch.cat([piece[name] for piece in pieces]).cpu().numpy() for name in names}
