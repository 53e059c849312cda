"""Cut a box out of an image and resize it, exactly as Pillow does, one image or a batch.

Pillow's resampling is antialiased: the kernel is stretched by the reduction factor, so each output
pixel is a weighted mean of all input pixels under it. It goes along one side, rounds and clips to
whole grey levels, and then along the other: horizontally first, except that Pillow 13 begins
vertically where that leaves far fewer pixels (python-pillow #9549). :func:`crop_resize` does this
with Pillow itself where it is given PIL images, and with two batched matrix products where it is
given tensors; the weights are Pillow's own, in its 22-bit fixed-point form.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor

import numpy as np
import numpy.typing as npt
import PIL
import torch
from PIL import Image
from torch import Tensor

from lpa.augmentations.resample_weights import Floats, exact_dtype, sides, to_grey_levels
from lpa.errors import InputError
from lpa.views import RESAMPLING

__all__ = ["check_boxes", "crop_resize", "crop_resize_views", "vertically_first"]

_PILLOW_CHOOSES_ORDER = int(PIL.__version__.split(".")[0]) >= 13
# Padded input pixels held at a time by the matrix path; about 0.5 GB of float32.
_PIXELS_AT_ONCE = 40_000_000


def _nearest(images: Sequence[Tensor], boxes: Floats, size: tuple[int, int]) -> Tensor:
    """Resize without weights, by picking the pixels that Pillow picks."""
    widths, heights = ([image.shape[axis] for image in images] for axis in (2, 1))
    columns, rows = (
        torch.from_numpy(side.picked) for side in sides(boxes, widths, heights, size, "nearest")
    )
    return torch.stack(
        [
            image[:, rows[index].to(image.device)[:, None], columns[index].to(image.device)]
            for index, image in enumerate(images)
        ]
    )


def _resize_tensors(
    images: Sequence[Tensor], boxes: Floats, size: tuple[int, int], name: str, device: torch.device
) -> Tensor:
    """Resize boxes of uint8 tensors [3, H, W] by two matrix products; uint8 [B, 3, h, w]."""
    widths, heights = ([image.shape[axis] for image in images] for axis in (2, 1))
    across, down = sides(boxes, widths, heights, size, name)
    (left, right), (top, bottom) = across.window, down.window
    rows, columns = int((bottom - top).max()), int((right - left).max())
    # Rows before channels: then one product serves all channels in both directions.
    padded = torch.zeros((len(images), rows, 3, columns), dtype=exact_dtype(device), device=device)
    for index, image in enumerate(images):
        window = image[:, top[index] : bottom[index], left[index] : right[index]]
        padded[index, : window.shape[1], :, : window.shape[2]] = window.to(device).permute(1, 0, 2)
    horizontal, vertical = across.matrix(padded), down.matrix(padded)
    narrow = torch.bmm(padded.view(-1, rows * 3, columns), horizontal.transpose(1, 2))
    narrow = to_grey_levels(narrow).view(-1, rows, 3 * size[1])
    final = to_grey_levels(torch.bmm(vertical, narrow))
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
    check_boxes(boxes, widths, heights)
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


def check_boxes(
    boxes: Floats, widths: npt.NDArray[np.int64], heights: npt.NDArray[np.int64]
) -> None:
    """Raise InputError for a box [B, 4] that is empty or reaches out of its image (sizes [B])."""
    single = boxes.astype(np.float32)
    inside = (single[:, :2] >= 0).all(1) & (single[:, 2] <= widths) & (single[:, 3] <= heights)
    wrong = np.flatnonzero(~inside | (boxes[:, 2:] <= boxes[:, :2]).any(1))
    if len(wrong):
        box = ", ".join(f"{end:g}" for end in boxes[wrong[0]])
        raise InputError(
            f"box ({box}) does not lie within its image of {widths[wrong[0]]} x "
            f"{heights[wrong[0]]} pixels; expected left, top, right, bottom inside of it"
        )


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
    across, down = sides(boxes, [width] * batch, [height] * batch, size, interpolation, whole=True)
    horizontal, vertical = (side.matrix(images, rounded=False) for side in (across, down))
    narrow = torch.matmul(images, horizontal.transpose(1, 2)[:, None]).clamp(0.0, 1.0)
    return torch.matmul(vertical[:, None], narrow).clamp(0.0, 1.0)
