"""Cutout: a rectangle of a given share of the view's area is erased.

CutOut (DeVries and Taylor, arXiv 1708.04552) is one of the augmentations of arXiv 2204.03632
(Section 3.3). We deviate: the erased area is exact, since pixels that the rectangle covers in part
are blended by that part; the rectangle has the view's aspect and lies wholly inside, so that every
share up to 1 can be erased (Kornia's erasing with its random aspect reaches .75 for a nominal 1).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from kornia.augmentation import IntensityAugmentationBase2D
from torch import Tensor

from lpa.augmentations.augmentation import Augmentation, fill_colour

__all__ = ["Cutout"]

# Up to so many pixels a loop over the images costs more than touching all of them.
_SMALL = 128 * 128


class Cutout(Augmentation, IntensityAugmentationBase2D):
    """Erase the share alpha of the view's area, at a random place.

    The rectangle has sides ``W sqrt(alpha)`` and ``H sqrt(alpha)`` and its corner lies uniformly;
    rectangles of one sample are nested along alpha.

    Parameters
    ----------
    alpha : float, optional
        Share of the area erased, when used alone.
    place : {"random", "centre"}
        Uniform over all places inside the view, or its centre.
    fill : "mean" or float
        Colour put there: the channel means of the very view that is erased (so that mean colour
        is kept), or a grey from 0 to 1.
    **kornia : object
        ``p``, ``same_on_batch``, ``keepdim`` as in Kornia.
    """

    family = "cutout"

    def __init__(
        self,
        alpha: float | None = None,
        *,
        place: Literal["random", "centre"] = "random",
        fill: Literal["mean"] | float = "mean",
        **kornia: Any,
    ) -> None:
        super().__init__(alpha, **kornia)
        self.place, self.fill = place, fill

    def draw(
        self,
        keys: npt.NDArray[np.uint64],
        alpha: float | npt.NDArray[np.float64],
        *,
        seed: int = 0,
        draw: int = 0,
        size: tuple[int, int] = (224, 224),
    ) -> dict[str, Tensor]:
        """Draw rectangles: ``{"window": float64 [B, 4]}``, left, top, right, bottom in the view.

        ``alpha`` may be an array of shape [B]: each sample's own strength.
        """
        places = self.uniforms(keys, 2, seed, draw)
        if self.place == "centre":
            places[:] = 0.5
        side = np.reshape(alpha**0.5, (-1, 1))
        begin = places * (1.0 - side)
        window = np.concatenate([begin, np.minimum(begin + side, 1.0)], axis=1)
        return {"window": torch.from_numpy(window)}

    def apply_transform(
        self,
        input: Tensor,
        params: dict[str, Tensor],
        flags: dict[str, Any],
        transform: Tensor | None = None,
    ) -> Tensor:
        """Erase the rectangles of views [B, 3, H, W]."""
        height, width = input.shape[-2:]
        window = params["window"].cpu()
        across = coverage(window[:, 0] * width, window[:, 2] * width, width)
        down = coverage(window[:, 1] * height, window[:, 3] * height, height)
        across, down = (share.to(input.device, input.dtype) for share in (across, down))
        colour = fill_colour(input, self.fill).expand(len(input), -1, -1, -1)
        covered = down[:, None, :, None] * across[:, None, None, :]
        if input.device.type != "cpu" or height * width <= _SMALL:
            return torch.lerp(input, colour, covered)
        # On a CPU memory is what costs, so only the rectangles of large images are touched.
        erased = input.clone()
        ends = window * torch.tensor([width, height, width, height])
        corners = torch.cat([ends[:, :2].floor(), ends[:, 2:].ceil()], dim=1).long().tolist()
        for index, (left, top, right, bottom) in enumerate(corners):
            part = (slice(None), slice(top, bottom), slice(left, right))
            erased[index][part].lerp_(colour[index], covered[index][part])
        return erased


def coverage(begin: Tensor, end: Tensor, length: int) -> Tensor:
    """Return how much of each pixel an interval covers.

    Parameters
    ----------
    begin, end : Tensor, shape [B]
        In pixels.
    length : int
        Number of pixels.

    Returns
    -------
    Tensor, shape [B, length]
        From 0 to 1; a row adds up to ``end - begin``.
    """
    edges = torch.arange(length + 1, dtype=begin.dtype, device=begin.device)
    inside = torch.minimum(torch.maximum(edges, begin[:, None]), end[:, None])
    return inside.diff(dim=1)
