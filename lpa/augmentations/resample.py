"""Cut a box out of an image and resize it, exactly as Pillow does, one image or a batch.

Pillow's resampling is antialiased: the kernel is stretched by the reduction factor, so each output
pixel is a weighted mean of all input pixels under it. It goes along one side, rounds and clips to
whole grey levels, and then along the other: horizontally first, except that Pillow 13 begins
vertically where that leaves far fewer pixels (python-pillow #9549). :func:`crop_resize` does this
with Pillow itself where it is given PIL images, and with two batched matrix products where it is
given tensors; the weights are Pillow's own, in its 22-bit fixed-point form.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import PIL
import torch
from PIL import Image
from torch import Tensor

from lpa.errors import InputError
from lpa.views import RESAMPLING

__all__ = ["crop_resize", "crop_resize_views"]

_FIXED_POINT = float(2**22)
_PILLOW_CHOOSES_ORDER = int(PIL.__version__.split(".")[0]) >= 13
# Padded input pixels held at a time by the matrix path; about 0.5 GB of float32.
_PIXELS_AT_ONCE = 40_000_000

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
class _Side:
    """One side of a batch of boxes: [start, stop) of each, in pixels of its image."""

    starts: Floats
    stops: Floats
    lengths: npt.NDArray[np.int64]
    outputs: int
    interpolation: str

    @cached_property
    def single(self) -> tuple[Floats, Floats]:
        """First position and step in double precision, from the single precision Pillow takes."""
        starts, stops = self.starts.astype(np.float32), self.stops.astype(np.float32)
        return starts.astype(np.float64), (stops - starts).astype(np.float64) / self.outputs

    @cached_property
    def window(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """First and last input pixel (exclusive) that a box can touch."""
        reach = _KERNELS[self.interpolation][1] * np.maximum(self.single[1], 1.0) + 1.0
        first = np.maximum(np.floor(self.starts - reach), 0.0).astype(np.int64)
        return first, np.minimum(np.ceil(self.stops + reach).astype(np.int64), self.lengths)

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

    def matrix(self, like: Tensor, as_pillow: bool = True) -> Tensor:
        """Return the weights as matrices, with the dtype and device of like.

        Returns
        -------
        Tensor, shape [B, outputs, inputs]
            As Pillow has them: rounded to 22 bits, column 0 each image's first pixel of
            :attr:`window`. Otherwise unrounded, over whole images.
        """
        # Apple's devices have no double precision, which the positions need.
        device = torch.device("cpu") if like.device.type == "mps" else like.device
        first, weights = self.weights(device)
        begin, end = self.window if as_pillow else (0 * self.lengths, self.lengths)
        if as_pillow:
            half = torch.where(weights < 0.0, -0.5, 0.5)
            weights = (weights * _FIXED_POINT + half).trunc_() / _FIXED_POINT
        taps = torch.arange(weights.shape[-1], device=device)
        columns = first.long() - torch.from_numpy(begin).to(device)[:, None]
        size = int((end - begin).max())
        shape = (*columns.shape, size + len(taps))
        matrix = torch.zeros(shape, device=device, dtype=like.dtype)
        matrix.scatter_(-1, columns[..., None] + taps, weights.to(like.dtype))
        return matrix[..., :size].to(like.device)


def _nearest(images: Sequence[Tensor], boxes: Floats, size: tuple[int, int]) -> Tensor:
    """Resize without weights, by picking the pixels that Pillow picks."""
    widths, heights = ([image.shape[axis] for image in images] for axis in (2, 1))
    indices = []
    for side in _sides(boxes, widths, heights, size, "nearest"):
        start, step = (values[:, None] for values in side.single)
        # Pillow adds the step up pixel by pixel; so is it done here, for the same roundings.
        terms = np.concatenate([start + step * 0.5, np.repeat(step, side.outputs - 1, 1)], axis=1)
        picked = np.cumsum(terms, axis=1).astype(np.int64)
        indices.append(torch.from_numpy(picked.clip(0, side.lengths[:, None] - 1)))
    columns, rows = indices
    return torch.stack(
        [
            image[:, rows[index].to(image.device)[:, None], columns[index].to(image.device)]
            for index, image in enumerate(images)
        ]
    )


def _to_grey_levels(values: Tensor) -> Tensor:
    """Round half up and clip to 0..255, in place."""
    return values.add_(0.5).floor_().clamp_(0.0, 255.0)


def _exact_dtype(device: torch.device) -> torch.dtype:
    """Return a dtype whose matrix products are not silently done in ten-bit precision."""
    if device.type == "mps":
        return torch.float32
    try:
        full = torch.get_float32_matmul_precision() == "highest"
    except RuntimeError:  # set through torch's newer per-backend switches
        full = False
    return torch.float32 if full else torch.float64


def _sides(
    boxes: Floats, widths: Sequence[int], heights: Sequence[int], size: tuple[int, int], name: str
) -> tuple[_Side, _Side]:
    """Split boxes [B, 4] (left, top, right, bottom) into their horizontal and vertical side."""
    return (
        _Side(boxes[:, 0], boxes[:, 2], np.asarray(widths, dtype=np.int64), size[1], name),
        _Side(boxes[:, 1], boxes[:, 3], np.asarray(heights, dtype=np.int64), size[0], name),
    )


def _resize_tensors(
    images: Sequence[Tensor], boxes: Floats, size: tuple[int, int], name: str, device: torch.device
) -> Tensor:
    """Resize boxes of uint8 tensors [3, H, W] by two matrix products; uint8 [B, 3, h, w]."""
    widths, heights = ([image.shape[axis] for image in images] for axis in (2, 1))
    across, down = _sides(boxes, widths, heights, size, name)
    (left, right), (top, bottom) = across.window, down.window
    rows, columns = int((bottom - top).max()), int((right - left).max())
    # Rows before channels: then one product serves all channels in both directions.
    padded = torch.zeros((len(images), rows, 3, columns), dtype=_exact_dtype(device), device=device)
    for index, image in enumerate(images):
        window = image[:, top[index] : bottom[index], left[index] : right[index]]
        padded[index, : window.shape[1], :, : window.shape[2]] = window.to(device).permute(1, 0, 2)
    horizontal, vertical = across.matrix(padded), down.matrix(padded)
    narrow = torch.bmm(padded.view(-1, rows * 3, columns), horizontal.transpose(1, 2))
    narrow = _to_grey_levels(narrow).view(-1, rows, 3 * size[1])
    final = _to_grey_levels(torch.bmm(vertical, narrow))
    return final.view(-1, size[0], 3, size[1]).transpose(1, 2).to(torch.uint8).contiguous()


def _parts(boxes: Floats, images: Sequence[Tensor]) -> Iterator[slice]:
    """Cut a batch into runs whose padded windows fit into the memory that is allowed."""
    start, largest = 0, 0
    if not images:
        return
    for index, (box, image) in enumerate(zip(boxes, images, strict=True)):
        # A bound that needs no weights: twice the box, and never more than the image.
        pixels = 3 * image.shape[1] * image.shape[2]
        pixels = min(pixels, int(12 * (box[2] - box[0] + 16) * (box[3] - box[1] + 16)))
        grown = max(largest, pixels)
        if index > start and grown * (index + 1 - start) > _PIXELS_AT_ONCE:
            yield slice(start, index)
            start, grown = index, pixels
        largest = grown
    yield slice(start, len(images))


def _resize_pictures(
    images: Sequence[Image.Image],
    boxes: Floats,
    size: tuple[int, int],
    name: str,
    pool: Executor | None,
) -> Tensor:
    """Resize boxes of PIL images by Pillow; uint8 [B, 3, h, w] in channels-last order."""
    pixels = np.empty((len(images), *size, 3), dtype=np.uint8)

    def resize(index: int) -> None:
        left, top, right, bottom = (float(end) for end in boxes[index])
        box = (left, top, right, bottom)
        # Pillow releases the interpreter lock in here, so threads do run side by side.
        resized = images[index].resize((size[1], size[0]), RESAMPLING[name], box=box)
        pixels[index] = np.asarray(resized)

    list((map if pool is None else pool.map)(resize, range(len(images))))
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


def crop_resize(
    images: Sequence[Image.Image] | Sequence[Tensor],
    boxes: Floats,
    size: tuple[int, int],
    interpolation: str,
    device: torch.device | str = "cpu",
    pool: Executor | None = None,
) -> Tensor:
    """Cut a box out of each image and resize it, as ``PIL.Image.resize(size, box=...)`` does.

    Parameters
    ----------
    images : sequence of PIL images (RGB), or of uint8 Tensors [3, H, W]
        Sizes may differ. PIL images are resized by Pillow on the CPU; tensors by two batched matrix
        products on ``device`` with bounded memory, within one grey level of Pillow (measured: equal
        but for at most 2e-3 of the pixels). Tensors on the device already are not copied there.
    boxes : array of float64, shape [B, 4]
        Left, top, right, bottom in pixels of each image, fractions permitted.
    size : (int, int)
        Height and width of the result.
    interpolation : str
        A name in :data:`lpa.views.RESAMPLING`.
    device : torch.device or str
        Where the result shall be.
    pool : Executor, optional
        Threads for the Pillow path.

    Returns
    -------
    Tensor, uint8, shape [B, 3, h, w]

    Raises
    ------
    InputError
        For a box that is empty or reaches out of its image.
    """
    device = torch.device(device)
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    widths, heights = np.array([_size(image) for image in images], dtype=np.int64).reshape(-1, 2).T
    single = boxes.astype(np.float32)
    inside = (single[:, :2] >= 0).all(1) & (single[:, 2] <= widths) & (single[:, 3] <= heights)
    wrong = np.flatnonzero(~inside | (boxes[:, 2:] <= boxes[:, :2]).any(1))
    if len(wrong):
        box = ", ".join(f"{end:g}" for end in boxes[wrong[0]])
        raise InputError(
            f"box ({box}) does not lie within its image of {widths[wrong[0]]} x "
            f"{heights[wrong[0]]} pixels; expected left, top, right, bottom inside of it"
        )
    if not images:
        return torch.empty((0, 3, *size), dtype=torch.uint8, device=device)
    pictures = [image for image in images if isinstance(image, Image.Image)]
    if pictures:
        return _resize_pictures(pictures, boxes, size, interpolation, pool).to(device)
    tensors = [image for image in images if isinstance(image, Tensor)]
    if interpolation == "nearest":
        return _nearest(tensors, boxes, size).to(device)
    resized = torch.empty((len(tensors), 3, *size), dtype=torch.uint8, device=device)
    flipped = vertically_first(widths, heights, size)
    for group, turn in ((np.flatnonzero(~flipped), False), (np.flatnonzero(flipped), True)):
        # Turned on its side, an image is resized horizontally first when it should be vertically.
        sources = [tensors[index].mT if turn else tensors[index] for index in group]
        ends = boxes[group][:, [1, 0, 3, 2]] if turn else boxes[group]
        extent = size[::-1] if turn else size
        for part in _parts(ends, sources):
            done = _resize_tensors(sources[part], ends[part], extent, interpolation, device)
            resized[torch.from_numpy(group[part]).to(device)] = done.mT if turn else done
    return resized


def vertically_first(
    widths: npt.NDArray[np.int64], heights: npt.NDArray[np.int64], size: tuple[int, int]
) -> npt.NDArray[np.bool_]:
    """Tell for which images, by their size in pixels, the installed Pillow begins vertically.

    Parameters
    ----------
    widths, heights : array of int64, shape [B]
        Of the whole images; Pillow does not look at the box.
    size : (int, int)
        Height and width of the result.
    """
    narrower = np.maximum(widths - size[1], 0)
    return _PILLOW_CHOOSES_ORDER & (heights - size[0] > 2 * narrower)


def _size(image: Image.Image | Tensor) -> tuple[int, int]:
    """Return width and height."""
    return image.size if isinstance(image, Image.Image) else (image.shape[2], image.shape[1])


def crop_resize_views(
    images: Tensor, boxes: Floats, size: tuple[int, int], interpolation: str
) -> Tensor:
    """Cut a box out of each image of a float batch and resize it, differentiably.

    The weights are those of :func:`crop_resize`, without rounding to grey levels.

    Parameters
    ----------
    images : Tensor, float, shape [B, 3, H, W]
        In [0, 1].
    boxes : array of float64, shape [B, 4]
        Left, top, right, bottom in pixels.
    size : (int, int)
        Height and width of the result.
    interpolation : str
        A name in :data:`lpa.views.RESAMPLING` except ``nearest``.

    Returns
    -------
    Tensor, float, shape [B, 3, h, w]
        In [0, 1].
    """
    batch, _, height, width = images.shape
    across, down = _sides(boxes, [width] * batch, [height] * batch, size, interpolation)
    horizontal, vertical = (side.matrix(images, as_pillow=False) for side in (across, down))
    narrow = torch.matmul(images, horizontal.transpose(1, 2)[:, None]).clamp(0.0, 1.0)
    return torch.matmul(vertical[:, None], narrow).clamp(0.0, 1.0)
