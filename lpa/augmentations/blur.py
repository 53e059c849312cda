"""Gaussian blur, as two matrix products, whose cost does not grow with its width."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from kornia.augmentation import IntensityAugmentationBase2D
from torch import Tensor

from lpa.augmentations.augmentation import Augmentation

__all__ = ["Blur"]

# Sigma is given for a view with this shorter side, so that one strength hides the same details
# from models of different input sizes.
_REFERENCE_SIDE = 224
# Weights beyond so many sigma are dropped; they add up to 6e-5.
_REACH = 4.0


class Blur(Augmentation, IntensityAugmentationBase2D):
    """Blur with a Gaussian of sigma = alpha min(H, W) / 224 pixels, edges reflected.

    The weights are Kornia's ``gaussian_blur2d`` with ``border_type="reflect"`` and a kernel that
    reaches 4 sigma to either side. Nothing is random.

    Parameters
    ----------
    alpha : float, optional
        Sigma in pixels of a 224-pixel view, when used alone.
    **kornia : object
        ``p``, ``same_on_batch``, ``keepdim`` as in Kornia.
    """

    family = "blur"

    def draw(
        self,
        keys: npt.NDArray[np.uint64],
        alpha: float,
        *,
        seed: int = 0,
        draw: int = 0,
        size: tuple[int, int] = (224, 224),
    ) -> dict[str, Tensor]:
        """Return ``{"sigma": float64 [B]}``: alpha for every sample."""
        return {"sigma": torch.full((len(keys),), float(alpha), dtype=torch.float64)}

    def apply_transform(
        self,
        input: Tensor,
        params: dict[str, Tensor],
        flags: dict[str, Any],
        transform: Tensor | None = None,
    ) -> Tensor:
        """Blur views [B, 3, H, W]."""
        if not len(input):
            return input.clone()
        height, width = input.shape[-2:]
        sigma = params["sigma"].cpu() * (min(height, width) / _REFERENCE_SIDE)
        # In a scan all have one strength, and one matrix does for all.
        sigma = sigma[:1] if bool((sigma == sigma[:1]).all()) else sigma
        down, across = (
            gaussian_matrix(sigma, side).to(input.device, input.dtype)[:, None]
            for side in (height, width)
        )
        blurred = torch.matmul(down, torch.matmul(input, across.transpose(-1, -2)))
        return blurred.clamp_(0.0, 1.0)


def gaussian_matrix(sigma: Tensor, length: int) -> Tensor:
    """Return a Gaussian blur along one side as matrices.

    Parameters
    ----------
    sigma : Tensor, float64, shape [B]
        In pixels; 0 gives the identity.
    length : int
        Number of pixels of the side.

    Returns
    -------
    Tensor, float64, shape [B, length, length]
        Rows add up to 1; what would reach over an edge is reflected, the edge pixel not repeated.
    """
    radius = max(math.ceil(_REACH * float(sigma.max())), 1)
    taps = torch.arange(-radius, radius + 1, dtype=sigma.dtype)
    weights = torch.exp(-0.5 * (taps / sigma.clamp(min=1e-9)[:, None]) ** 2)
    weights[taps.abs() > torch.ceil(_REACH * sigma)[:, None]] = 0.0
    weights /= weights.sum(1, keepdim=True)
    pixels = torch.arange(length)[:, None] + taps.long()
    if length > 1:
        pixels = (pixels % (2 * length - 2)) - (length - 1)
        pixels = (length - 1) - pixels.abs()
    else:
        pixels = torch.zeros_like(pixels)
    matrices = torch.zeros((len(sigma), length, length), dtype=sigma.dtype)
    index = pixels.expand(len(sigma), -1, -1)
    return matrices.scatter_add_(2, index, weights[:, None, :].expand(-1, length, -1).contiguous())
