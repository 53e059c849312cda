"""Mixup (Zhang, Cisse, Dauphin and Lopez-Paz, ICLR 2018, arXiv 1710.09412)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from lpa.training.batch import Batch
from lpa.training.regularizers.mixing import kept_shares, mixed_targets, partners
from lpa.training.regularizers.regularizer import Floats, Parameters, Regularizer

__all__ = ["Mixup"]


class Mixup(Regularizer):
    """Blend each image and its target with another one's of the batch.

    The image becomes ``lambda x + (1 - lambda) x'`` with lambda from Beta(alpha, alpha). Deviations
    from the authors' code: lambda is each sample's own instead of the batch's, and the partner is
    the next of the batch. A sample with alpha = 0 is left alone, though others may blend it in.
    """

    place = "targets"

    def draw(
        self, keys: npt.NDArray[np.uint64], values: Floats, *, seed: int, epoch: int
    ) -> Parameters:
        """Draw ``share``, lambda: [N]."""
        return {"share": kept_shares(keys, "mixup", values, seed=seed, epoch=epoch)}

    def apply(self, batch: Batch, params: Parameters, values: Floats, classes: int) -> Batch:
        """Blend images and targets."""
        if (params["share"] == 1.0).all():
            return batch
        images = batch.images
        shares = torch.from_numpy(params["share"]).to(images.device, images.dtype)
        batch.images = torch.lerp(images, partners(images), 1.0 - shares[:, None, None, None])
        batch.targets = mixed_targets(batch, shares, classes)
        return batch
