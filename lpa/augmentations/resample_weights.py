"""Pillow's resampling weights for a batch of boxes, as matrices.

Pillow stretches the kernel by the reduction factor, takes box ends in single precision, computes
positions and weights in double precision and rounds the weights to 22 bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

__all__ = ["FIXED_POINT", "Floats", "Side", "exact_dtype", "sides", "to_grey_levels"]

FIXED_POINT = float(2**22)
"""Weights are whole multiples of one over this."""

Floats = npt.NDArray[np.float64]


def _box(x: Tensor) -> Tensor:
    return ((x > -0.5) & (x <= 0.5)).to(x.dtype)


def _bilinear(x: Tensor) -> Tensor:
    return (1.0 - x.abs()).clamp_(min=0.0)


def _hamming(x: Tensor) -> Tensor:
    # The two constants are single-precision numbers in Pillow.
    first, second = float(np.float32(0.54)), float(np.float32(0.46))
    window = torch.sinc(x) * (first + second * torch.cos(math.pi * x))
    return torch.where(x.abs() < 1.0, window, 0.0)


def _bicubic(x: Tensor) -> Tensor:
    x = x.abs()
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5
    return torch.where(x < 1.0, near, torch.where(x < 2.0, far, 0.0))


def _lanczos(x: Tensor) -> Tensor:
    return torch.where((x >= -3.0) & (x < 3.0), torch.sinc(x) * torch.sinc(x / 3.0), 0.0)


_KERNELS: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    "box": (_box, 0.5),
    "bilinear": (_bilinear, 1.0),
    "hamming": (_hamming, 1.0),
    "bicubic": (_bicubic, 2.0),
    "lanczos": (_lanczos, 3.0),
}


@dataclass(frozen=True)
class Side:
    """One side of a batch of boxes: [start, stop) of each, in pixels of its image.

    Attributes
    ----------
    starts, stops : array of float64, shape [B]
        Ends of the boxes.
    lengths : array of int64, shape [B]
        Sides of the whole images.
    outputs : int
        Side of the result.
    interpolation : str
        A name in :data:`lpa.views.RESAMPLING`; ``nearest`` has :attr:`picked` only.
    whole : bool
        Whether matrices shall be over whole images, not only over what the boxes touch.
    """

    starts: Floats
    stops: Floats
    lengths: npt.NDArray[np.int64]
    outputs: int
    interpolation: str
    whole: bool = False

    @cached_property
    def single(self) -> tuple[Floats, Floats]:
        """First position and step in double precision, from the single precision Pillow takes."""
        starts, stops = self.starts.astype(np.float32), self.stops.astype(np.float32)
        return starts.astype(np.float64), (stops - starts).astype(np.float64) / self.outputs

    @cached_property
    def window(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """First and last input pixel (exclusive) that matter: that a box can touch, or all."""
        if self.whole:
            return np.zeros_like(self.lengths), self.lengths
        reach = _KERNELS[self.interpolation][1] * np.maximum(self.single[1], 1.0) + 1.0
        first = np.maximum(np.floor(self.starts - reach), 0.0).astype(np.int64)
        return first, np.minimum(np.ceil(self.stops + reach).astype(np.int64), self.lengths)

    @cached_property
    def picked(self) -> npt.NDArray[np.int64]:
        """The input pixel [B, outputs] that each output pixel is without interpolation."""
        start, step = (values[:, None] for values in self.single)
        # Pillow adds the step up pixel by pixel; so is it done here, for the same roundings.
        terms = np.concatenate([start + step * 0.5, np.repeat(step, self.outputs - 1, 1)], axis=1)
        positions = np.cumsum(terms, axis=1).astype(np.int64)
        return positions.clip(0, self.lengths[:, None] - 1)

    def weights(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Compute Pillow's weights.

        Returns
        -------
        first : Tensor, float64, shape [B, outputs]
            First input pixel of each output pixel.
        weights : Tensor, float64, shape [B, outputs, taps]
            Weight of that pixel and of those after it; a row adds up to 1.
        """
        kernel, support = _KERNELS[self.interpolation]
        start, scale, length = (
            torch.from_numpy(values.astype(np.float64)).to(device)[:, None]
            for values in (*self.single, self.lengths)
        )
        stretch = scale.clamp(min=1.0)
        positions = torch.arange(self.outputs, device=device, dtype=torch.float64) + 0.5
        centres = start + positions * scale
        reach = support * stretch
        first = (centres - reach + 0.5).trunc_().clamp_(min=0.0)
        last = torch.minimum((centres + reach + 0.5).trunc_(), length)
        count = math.ceil(support * max(float(self.single[1].max()), 1.0)) * 2 + 1
        pixels = first[..., None] + torch.arange(count, device=device, dtype=torch.float64)
        offsets = (pixels - centres[..., None] + 0.5) / stretch[..., None]
        weights = torch.where(pixels < last[..., None], kernel(offsets), 0.0)
        total = weights.sum(-1, keepdim=True)
        return first, weights / torch.where(total == 0.0, 1.0, total)

    def fixed_point(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return :meth:`weights` times 2^22, rounded to whole numbers, as Pillow has them."""
        first, weights = self.weights(device)
        half = torch.where(weights < 0.0, -0.5, 0.5)
        return first, (weights * FIXED_POINT + half).trunc_()

    def matrix(self, like: Tensor, rounded: bool = True) -> Tensor:
        """Return the weights as matrices, with the dtype and device of like.

        Returns
        -------
        Tensor, shape [B, outputs, inputs]
            Column 0 is each image's first pixel of :attr:`window`. ``rounded``: to 22 bits, as
            Pillow has them.
        """
        # Apple's devices have no double precision, which the positions need.
        device = torch.device("cpu") if like.device.type == "mps" else like.device
        if rounded:
            first, weights = self.fixed_point(device)
            weights = weights / FIXED_POINT
        else:
            first, weights = self.weights(device)
        begin, end = self.window
        taps = torch.arange(weights.shape[-1], device=device)
        columns = first.long() - torch.from_numpy(begin).to(device)[:, None]
        size = int((end - begin).max())
        shape = (*columns.shape, size + len(taps))
        matrix = torch.zeros(shape, device=device, dtype=like.dtype)
        matrix.scatter_(-1, columns[..., None] + taps, weights.to(like.dtype))
        return matrix[..., :size].to(like.device)


def to_grey_levels(values: Tensor) -> Tensor:
    """Round half up and clip to 0..255, in place; floats of any shape."""
    return values.add_(0.5).floor_().clamp_(0.0, 255.0)


def exact_dtype(device: torch.device) -> torch.dtype:
    """Return a dtype whose matrix products are not silently done in ten-bit precision."""
    if device.type == "mps":
        return torch.float32
    try:
        full = torch.get_float32_matmul_precision() == "highest"
    except RuntimeError:  # set through torch's newer per-backend switches
        full = False
    return torch.float32 if full else torch.float64


def sides(
    boxes: Floats,
    widths: npt.ArrayLike,
    heights: npt.ArrayLike,
    size: tuple[int, int],
    interpolation: str,
    *,
    whole: bool = False,
) -> tuple[Side, Side]:
    """Split boxes [B, 4] (left, top, right, bottom) into their horizontal and vertical side."""
    across, down = (np.asarray(lengths, dtype=np.int64) for lengths in (widths, heights))
    return (
        Side(boxes[:, 0], boxes[:, 2], across, size[1], interpolation, whole),
        Side(boxes[:, 1], boxes[:, 3], down, size[0], interpolation, whole),
    )
