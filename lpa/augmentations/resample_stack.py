"""Cut a box out of each image of a stack and resize it: many small images of one size at once.

As :func:`lpa.augmentations.resample.crop_resize`, without a step of its own for each image. Weights
of 22 bits times grey levels of 8 bits add up without any rounding, in whole numbers on a CPU (as in
Pillow) and in double precision elsewhere. So a result depends neither on the other images of the
batch nor on the device.

Measured on one core, batches of 128: 28 x 28 grey levels 1.3 ms and by Pillow 4.0 ms; 32 x 32
colours 2.5 ms and 4.3 ms; from 64 x 64 colours on Pillow is faster.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_array
from torch import Tensor

from lpa.augmentations.resample import check_boxes, vertically_first
from lpa.augmentations.resample_weights import FIXED_POINT, Floats, Side, sides, to_grey_levels

__all__ = ["crop_resize_stack"]

_LEVELS_AT_ONCE = 40_000_000
"""Grey levels that are resized in one go."""

_BITS = int(FIXED_POINT).bit_length() - 1

_Weights = tuple[Tensor, Tensor]
"""First input pixel [B, outputs] and weights [B, outputs, taps] in multiples of 2^-22."""


def crop_resize_stack(
    images: Tensor, boxes: Floats, size: tuple[int, int], interpolation: str
) -> Tensor:
    """Cut a box out of each image and resize it, as ``PIL.Image.resize(size, box=...)`` does.

    Parameters
    ----------
    images : Tensor, uint8, shape [B, C, H, W]
        On any device; any number of channels.
    boxes : array of float64, shape [B, 4]
        Left, top, right, bottom in pixels, fractions permitted.
    size : (int, int)
        Height and width of the result.
    interpolation : str
        A name in :data:`lpa.views.RESAMPLING`.

    Returns
    -------
    Tensor, uint8, shape [B, C, h, w]
        On the device of the images, contiguous; within one grey level of Pillow (measured: equal).

    Raises
    ------
    InputError
        For a box that is empty or reaches out of its image.
    """
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    batch, channels, height, width = images.shape
    widths, heights = (np.full(batch, length, dtype=np.int64) for length in (width, height))
    check_boxes(boxes, widths, heights)
    if not batch:
        return images.new_empty((0, channels, *size))
    across, down = sides(boxes, widths, heights, size, interpolation, whole=True)
    if interpolation == "nearest":
        return _picked(images, across, down)
    if batch > (most := max(1, _LEVELS_AT_ONCE // (channels * height * width))):
        parts = [slice(start, start + most) for start in range(0, batch, most)]
        return torch.cat(
            [crop_resize_stack(images[part], boxes[part], size, interpolation) for part in parts]
        )
    # Apple's devices have no double precision, which the positions need.
    weighing = torch.device("cpu") if images.device.type == "mps" else images.device
    horizontal, vertical = _weights(across, down, weighing)
    resize = _by_sums if images.device.type == "cpu" else _by_products
    if vertically_first(widths[:1], heights[:1], size)[0]:
        # Turned on its side, an image is resized horizontally first when it should be vertically.
        return resize(images.mT, vertical, horizontal).mT.contiguous()
    return resize(images, horizontal, vertical)


def _picked(images: Tensor, across: Side, down: Side) -> Tensor:
    """Resize without weights, by picking the pixels that Pillow picks."""
    columns, rows = (torch.from_numpy(side.picked).to(images.device) for side in (across, down))
    batch = torch.arange(len(images), device=images.device)
    channel = torch.arange(images.shape[1], device=images.device)
    return images[
        batch[:, None, None, None],
        channel[:, None, None],
        rows[:, None, :, None],
        columns[:, None, None, :],
    ]


def _weights(across: Side, down: Side, device: torch.device) -> tuple[_Weights, _Weights]:
    """Return both sides' weights; where they have one shape, made in one go, in half the time."""
    if across.outputs != down.outputs or across.lengths[0] != down.lengths[0]:
        return across.fixed_point(device), down.fixed_point(device)
    starts, stops, lengths = (
        np.concatenate([getattr(across, name), getattr(down, name)])
        for name in ("starts", "stops", "lengths")
    )
    both = Side(starts, stops, lengths, across.outputs, across.interpolation, whole=True)
    (first, second), (left, right) = (part.chunk(2) for part in both.fixed_point(device))
    return (first, left), (second, right)


def _by_sums(images: Tensor, across: _Weights, down: _Weights) -> Tensor:
    """Resize on the CPU, in whole numbers: few taps an output pixel, all channels at once."""
    batch, channels, height, width = images.shape
    columns = np.ascontiguousarray(images.numpy().transpose(0, 3, 1, 2), dtype=np.int32)
    narrow = _summed(across, columns.reshape(batch * width, channels * height), width)
    rows = np.ascontiguousarray(narrow.reshape(batch, -1, channels, height).transpose(0, 3, 2, 1))
    final = _summed(down, rows.reshape(batch * height, -1), height)
    levels = final.reshape(batch, -1, channels, across[0].shape[1]).transpose(0, 2, 1, 3)
    return torch.from_numpy(np.ascontiguousarray(levels, dtype=np.uint8))


def _summed(weights: _Weights, lines: npt.NDArray[np.int32], inputs: int) -> npt.NDArray[np.int32]:
    """Weigh lines [B * inputs, n] into grey levels [B * outputs, n]."""
    first, taps = weights[0].numpy().astype(np.int32), weights[1].numpy().astype(np.int32)
    batch, outputs, count = taps.shape
    # Taps beyond the end have weight zero and may point anywhere.
    places = np.minimum(first[..., None] + np.arange(count, dtype=np.int32), inputs - 1)
    places += (np.arange(batch, dtype=np.int32) * inputs)[:, None, None]
    begins = np.arange(0, taps.size + 1, count, dtype=np.int32)
    shape = (batch * outputs, batch * inputs)
    total = csr_array((taps.ravel(), places.ravel(), begins), shape=shape) @ lines
    # Rounds half up, negative numbers too, as the shift goes towards minus infinity.
    total += 1 << (_BITS - 1)
    total >>= _BITS
    levels: npt.NDArray[np.int32] = np.clip(total, 0, 255, out=total)
    return levels


def _by_products(images: Tensor, across: _Weights, down: _Weights) -> Tensor:
    """Resize on a device, by two batched products of dense matrices."""
    batch, channels, height, width = images.shape
    dtype = torch.float32 if images.device.type == "mps" else torch.float64
    first = _matrix(across, width, dtype).to(images.device)
    second = _matrix(down, height, dtype).to(images.device)
    rows = images.to(dtype).reshape(batch, channels * height, width)
    narrow = to_grey_levels(torch.bmm(rows, first.mT))
    # Channels beside the columns: then one product serves all of them in this direction too.
    narrow = narrow.view(batch, channels, height, -1).transpose(1, 2)
    final = to_grey_levels(torch.bmm(second, narrow.reshape(batch, height, -1)))
    levels = final.view(batch, second.shape[1], channels, -1).transpose(1, 2)
    return levels.to(torch.uint8, memory_format=torch.contiguous_format)


def _matrix(weights: _Weights, inputs: int, dtype: torch.dtype) -> Tensor:
    """Return weights as matrices [B, outputs, inputs]."""
    first, taps = weights
    count = taps.shape[-1]
    matrix = torch.zeros((*first.shape, inputs + count), device=taps.device, dtype=dtype)
    places = first.long()[..., None] + torch.arange(count, device=taps.device)
    matrix.scatter_(-1, places, (taps / FIXED_POINT).to(dtype))
    return matrix[..., :inputs]
