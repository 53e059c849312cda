"""CutMix (Yun, Han, Oh, Chun, Choe and Yoo, ICCV 2019, arXiv 1905.04899)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from lpa.augmentations.randomness import uniforms
from lpa.training.batch import Batch
from lpa.training.regularizers.mixing import kept_shares, mixed_targets, partners
from lpa.training.regularizers.regularizer import Floats, Parameters, Regularizer

__all__ = ["CutMix", "rectangles"]


class CutMix(Regularizer):
    """Put a rectangle of another image of the batch into each, and its share into the target.

    The rectangle has ``sqrt(1 - lambda)`` of each side, with lambda from Beta(alpha, alpha), and a
    uniform centre; what sticks out is cut off, and the target follows the pixels that are really
    replaced, as in the authors' code. Deviations: rectangle and lambda are each sample's own
    instead of the batch's, and the partner is the next of the batch. A sample with alpha = 0 is
    left alone, though others may take a rectangle of it.
    """

    place = "targets"

    def draw(
        self, keys: npt.NDArray[np.uint64], values: Floats, *, seed: int, epoch: int
    ) -> Parameters:
        """Draw ``share``, lambda: [N], and ``centre``, across and down in [0, 1): [N, 2]."""
        return {
            "share": kept_shares(keys, "cutmix", values, seed=seed, epoch=epoch),
            "centre": uniforms(keys, "cutmix centre", 2, seed, epoch),
        }

    def apply(self, batch: Batch, params: Parameters, values: Floats, classes: int) -> Batch:
        """Replace rectangles and mix targets."""
        height, width = batch.images.shape[-2:]
        corners = rectangles(params["share"], params["centre"], width, height)
        sides = corners[:, 2:] - corners[:, :2]
        if not sides.all(axis=1).any():
            return batch
        images = batch.images
        left, top, right, bottom = torch.from_numpy(corners).to(images.device).unbind(1)
        across, down = (torch.arange(n, device=images.device) for n in (width, height))
        inside_across = (across >= left[:, None]) & (across < right[:, None])
        inside_down = (down >= top[:, None]) & (down < bottom[:, None])
        replaced = inside_down[:, None, :, None] & inside_across[:, None, None, :]
        batch.images = torch.where(replaced, partners(images), images)
        kept = 1.0 - sides.prod(axis=1) / (width * height)
        shares = torch.from_numpy(kept).to(images.device, torch.float32)
        batch.targets = mixed_targets(batch, shares, classes)
        return batch


def rectangles(shares: Floats, centres: Floats, width: int, height: int) -> npt.NDArray[np.int64]:
    """Return the rectangles in whole pixels, cut off at the edges.

    Parameters
    ----------
    shares : array of float64, shape [B]
        lambda: the share of the area that is kept where nothing sticks out.
    centres : array of float64, shape [B, 2]
        Across and down, in [0, 1).
    width, height : int
        Of the images, in pixels.

    Returns
    -------
    array of int64, shape [B, 4]
        Left, top, right, bottom.
    """
    extent = np.array([width, height])
    # Truncated as in the authors' code: a side is at most one pixel too short.
    sides = (np.sqrt(1.0 - shares)[:, None] * extent).astype(np.int64)
    middle = np.floor(centres * extent).astype(np.int64)
    corners = np.concatenate([middle - sides // 2, middle + sides // 2], axis=1)
    return corners.clip(0, np.concatenate([extent, extent]))
