"""The images of one part of a data set, ready for a device: whole views, and crops."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from lpa.augmentations.resample import crop_resize
from lpa.augmentations.resample_stack import crop_resize_stack
from lpa.outcomes import Samples
from lpa.training.image_memory import Ragged, Stack
from lpa.views import View

__all__ = ["TrainingImages"]

STACKED_LEVELS = {"cpu": 4_096, "cuda": 3 * 128 * 128}
"""Up to how many grey levels an image is resized in a stack, by device; larger ones one by one.
For the CPU measured, see :mod:`lpa.augmentations.resample_stack`."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TrainingImages:
    """Images of one part (training, held out, evaluated), ready for a device.

    Attributes
    ----------
    samples : Samples
        One row an image, all of them decodable.
    view : View
        The model's evaluation view.
    view_boxes : array of float64, shape [N, 4]
        The view in what is stored of each image: left, top, right, bottom in pixels.
    sizes : array of int64, shape [N, 2]
        Width and height of what is stored of each image: the image itself, or, where its short
        side is longer than 512 pixels, the image reduced to that
        (:func:`lpa.training.decoding.reduced`).
    device : torch.device
        Where batches are made.
    held : {"device", "memory", "file"}
        Where the pixels are.
    """

    samples: Samples
    view: View
    view_boxes: Floats
    sizes: Integers
    device: torch.device
    held: Literal["device", "memory", "file"]
    _views: Stack
    _originals: Stack | Ragged | None
    _places: Integers
    _pool: ThreadPoolExecutor | None

    @property
    def keys(self) -> npt.NDArray[np.uint64]:
        """The samples' keys: uint64 [N]."""
        return self.samples.key

    @property
    def labels(self) -> Integers:
        """Run's class of each image: int64 [N]."""
        return self.samples.label

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._places)

    def take(self, rows: npt.ArrayLike) -> TrainingImages:
        """Return some of the images, sharing memory.

        Parameters
        ----------
        rows : array of int64
            Positions; or an array of bool, shape [N].
        """
        chosen = np.arange(len(self))[np.asarray(rows)]
        return replace(
            self,
            samples=self.samples.take(chosen),
            view_boxes=self.view_boxes[chosen],
            sizes=self.sizes[chosen],
            _places=self._places[chosen],
        )

    def views(self, rows: Integers) -> Tensor:
        """Return whole views.

        Parameters
        ----------
        rows : array of int64, shape [B]
            Positions.

        Returns
        -------
        Tensor, uint8, shape [B, 3, height, width]
            On the device, contiguous; :meth:`lpa.views.View.render`'s pixels, bit for bit.
        """
        return _three_channels(self._views.batch(self._places[rows]))

    def crops(self, rows: Integers, boxes: Floats) -> Tensor:
        """Cut a box out of each image and resize it to the view's size.

        Parameters
        ----------
        rows : array of int64, shape [B]
            Positions.
        boxes : array of float64, shape [B, 4]
            Left, top, right, bottom in pixels of what is stored (:attr:`sizes`).

        Returns
        -------
        Tensor, uint8, shape [B, 3, height, width]
            On the device, contiguous. Where a box is exactly the view box: the view, bit for bit;
            elsewhere within one grey level of ``PIL.Image.resize(size, resample, box=...)``.

        Raises
        ------
        InputError
            For a box that is empty or reaches out of its image.
        ValueError
            Where the images were loaded without originals.
        """
        whole = (boxes == self.view_boxes[rows]).all(axis=1)
        if whole.all():
            return self.views(rows)
        if not whole.any():
            return self._cut(self._places[rows], boxes)
        pixels = self.views(rows)
        parts = np.flatnonzero(~whole)
        cut = self._cut(self._places[rows[parts]], boxes[parts])
        pixels[torch.from_numpy(parts).to(self.device)] = cut
        return pixels

    def _cut(self, places: Integers, boxes: Floats) -> Tensor:
        originals = self._originals
        if originals is None:
            raise ValueError("these images were loaded without originals; only views can be had")
        size, interpolation = self.view.size, self.view.interpolation
        if isinstance(originals, Stack):
            levels = originals.shape[0] * originals.shape[1] * originals.shape[2]
            if levels <= STACKED_LEVELS.get(self.device.type, 0):
                batch = originals.batch(places)
                return _three_channels(crop_resize_stack(batch, boxes, size, interpolation))
        if self.device.type == "cpu":
            pictures = self._pictures(places)
            cut = crop_resize(pictures, boxes, size, interpolation, pool=self._pool)
        else:
            tensors = self._tensors(places)
            cut = crop_resize(tensors, boxes, size, interpolation, device=self.device)
        return _three_channels(cut)

    def _pictures(self, places: Integers) -> list[Image.Image]:
        """Return originals as Pillow's images."""
        originals = self._originals
        assert originals is not None

        def picture(place: np.int64) -> Image.Image:
            image = originals.image(int(place))
            levels = image.numpy() if isinstance(image, Tensor) else image
            return Image.fromarray(np.ascontiguousarray(levels))

        return list((map if self._pool is None else self._pool.map)(picture, places))

    def _tensors(self, places: Integers) -> list[Tensor]:
        """Return originals as tensors [3, h, w] on the device, brought there in one copy."""
        originals = self._originals
        assert originals is not None
        images = [originals.image(int(place)) for place in places]
        if isinstance(originals.levels, Tensor):
            return [torch.as_tensor(image).permute(2, 0, 1) for image in images]
        ends = list(itertools.accumulate((image.nbytes for image in images), initial=0))
        flat = torch.empty(ends[-1], dtype=torch.uint8, pin_memory=self.device.type == "cuda")
        for image, start, end in zip(images, ends, ends[1:], strict=False):
            flat.numpy()[start:end] = np.asarray(image).ravel()
        moved = flat.to(self.device)
        return [
            moved[start:end].view(image.shape).permute(2, 0, 1)
            for image, start, end in zip(images, ends, ends[1:], strict=False)
        ]


def _three_channels(pixels: Tensor) -> Tensor:
    """Return pixels [B, 1 or 3, h, w] as contiguous [B, 3, h, w]."""
    return pixels.expand(-1, 3, -1, -1).contiguous()
