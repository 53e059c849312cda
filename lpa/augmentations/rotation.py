"""Rotation about the centre of the view, by Kornia."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from kornia.augmentation import GeometricAugmentationBase2D
from kornia.geometry.transform import affine, get_rotation_matrix2d
from torch import Tensor

from lpa.augmentations.augmentation import Augmentation, fill_colour

__all__ = ["Rotation"]


class Rotation(Augmentation, GeometricAugmentationBase2D):
    """Turn the view by exactly alpha degrees, clockwise or counter-clockwise at random.

    The angle is alpha and not uniform up to alpha, so that a point of a curve stands for one
    strength. Positive angles are counter-clockwise. Bilinear, corners aligned.

    Parameters
    ----------
    alpha : float, optional
        Degrees, 0 to 180, when used alone.
    fill : "mean" or float
        What shows where the view does not reach: its channel means, or a grey from 0 to 1.
    **kornia : object
        ``p``, ``same_on_batch``, ``keepdim`` as in Kornia.
    """

    family = "rotation"

    def __init__(
        self,
        alpha: float | None = None,
        *,
        fill: Literal["mean"] | float = "mean",
        **kornia: Any,
    ) -> None:
        super().__init__(alpha, **kornia)
        self.fill = fill

    def draw(
        self,
        keys: npt.NDArray[np.uint64],
        alpha: float,
        *,
        seed: int = 0,
        draw: int = 0,
        size: tuple[int, int] = (224, 224),
    ) -> dict[str, Tensor]:
        """Draw ``{"degrees": float64 [B]}``."""
        sides = self.uniforms(keys, 1, seed, draw)[:, 0] < 0.5
        return {"degrees": torch.from_numpy(np.where(sides, -float(alpha), float(alpha)))}

    def compute_transformation(
        self, input: Tensor, params: dict[str, Tensor], flags: dict[str, Any]
    ) -> Tensor:
        """Return the matrices [B, 3, 3] from pixels of the view to pixels of the turned one."""
        degrees = params["degrees"].to(input.device, input.dtype)
        height, width = input.shape[-2:]
        middle = torch.tensor([[(width - 1) / 2, (height - 1) / 2]], device=input.device)
        centre = middle.to(input.dtype).expand(len(degrees), 2)
        matrices = torch.eye(3, device=input.device, dtype=input.dtype).repeat(len(degrees), 1, 1)
        matrices[:, :2] = get_rotation_matrix2d(centre, degrees, torch.ones_like(centre))
        return matrices

    def apply_transform(
        self,
        input: Tensor,
        params: dict[str, Tensor],
        flags: dict[str, Any],
        transform: Tensor | None = None,
    ) -> Tensor:
        """Turn views [B, 3, H, W]."""
        if transform is None:
            transform = self.compute_transformation(input, params, flags)
        if not params["degrees"].any():
            return input.clone()
        # Kornia fills with zeros; around the fill colour, zero is that colour.
        colour = fill_colour(input, self.fill)
        turned = affine(input - colour, transform[:, :2], "bilinear", "zeros", align_corners=True)
        return turned.add_(colour).clamp_(0.0, 1.0)
