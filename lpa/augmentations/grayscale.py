"""Grayscale: colours are mixed with the luma."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from kornia.augmentation import IntensityAugmentationBase2D
from kornia.color import rgb_to_grayscale
from torch import Tensor

from lpa.augmentations.augmentation import Augmentation

__all__ = ["Grayscale"]


class Grayscale(Augmentation, IntensityAugmentationBase2D):
    """Mix each pixel with its luma: ``(1 - alpha) image + alpha luma``.

    The luma is Kornia's, 0.299 R + 0.587 G + 0.114 B. Nothing is random: torchvision's
    ``RandomGrayscale`` is alpha = 1 with some probability, while here the strength tells how much
    of its colour a class can do without.

    Parameters
    ----------
    alpha : float, optional
        Weight of the luma, 0 to 1, when used alone.
    **kornia : object
        ``p``, ``same_on_batch``, ``keepdim`` as in Kornia.
    """

    family = "grayscale"

    def draw(
        self,
        keys: npt.NDArray[np.uint64],
        alpha: float,
        *,
        seed: int = 0,
        draw: int = 0,
        size: tuple[int, int] = (224, 224),
    ) -> dict[str, Tensor]:
        """Return ``{"weight": float64 [B]}``: alpha for every sample."""
        return {"weight": torch.full((len(keys),), float(alpha), dtype=torch.float64)}

    def apply_transform(
        self,
        input: Tensor,
        params: dict[str, Tensor],
        flags: dict[str, Any],
        transform: Tensor | None = None,
    ) -> Tensor:
        """Mix images [B, 3, H, W] with their luma."""
        weight = self.per_image(params["weight"], input)
        return torch.lerp(input, rgb_to_grayscale(input), weight).clamp_(0.0, 1.0)
