"""One batch on its way through regularizers and policies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

__all__ = ["Batch"]


@dataclass
class Batch:
    """Images of one update, on the training's device.

    Attributes
    ----------
    rows : array of int64, shape [B]
        Positions in the training images.
    images : Tensor, float32, shape [B, 3, height, width]
        In [0, 1], not normalised.
    labels : Tensor, int64, shape [B]
        Run's classes.
    targets : Tensor or None
        float32 [B, classes], each row adding up to 1; None: one-hot, as the labels say.
    """

    rows: npt.NDArray[np.int64]
    images: Tensor
    labels: Tensor
    targets: Tensor | None = None

    def soft(self, classes: int) -> Tensor:
        """Return the targets as probabilities: float32 [B, classes]."""
        if self.targets is not None:
            return self.targets
        return torch.nn.functional.one_hot(self.labels, classes).to(torch.float32)
