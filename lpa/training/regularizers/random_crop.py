"""Random crop: what part of an image one epoch shows.

The paper's training crop (Balestriero, Bottou and LeCun, arXiv 2204.03632, Figures 2 and 7) is
torchvision's ``RandomResizedCrop(scale=(tau, 1))`` on the whole image. We deviate: the crop is the
scan's, of the view, so that tau = 1 is the view itself and that a crop in training and a crop in a
scan are the same thing. ``frame=image`` is torchvision's law, with keyed numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Self

import numpy as np
import numpy.typing as npt
import torch

from lpa.augmentations.crop import Crop
from lpa.augmentations.randomness import integers, uniforms
from lpa.augmentations.register import OPTIONS
from lpa.axes import Axis
from lpa.errors import InputError
from lpa.training.regularizers.regularizer import Floats, Parameters, Regularizer

__all__ = ["RandomCrop", "resized_crop_boxes"]

_FAMILY = "random_crop"
_TRIES = 10
_LARGEST_RATIO = 4 / 3
NUMBERS = 2 + 2 * _TRIES
"""How many random numbers a box of torchvision's law takes."""


class RandomCrop(Regularizer):
    """Show a part of the view whose share of the area is U[tau, 1], resized to the whole view.

    Options: ``aspect``, as in the scan's crop (1: the view's own); ``frame=image``: torchvision's
    law in the whole image (:func:`resized_crop_boxes`), whose aspects are its own, so that
    ``aspect`` cannot be given. The same numbers serve every tau: areas grow with it.
    """

    place = "geometry"
    scanned: str | None = "crop"

    def __init__(self, axis: Axis, options: Mapping[str, str] | None = None) -> None:
        super().__init__(axis, options)
        self.in_image = self.options.get("frame") == "image"
        if self.in_image:
            # A crop of the whole image has no share of the view, so no scan speaks of it.
            self.scanned = None
        rule = OPTIONS["crop"]["aspect"]
        self._crop = Crop(aspect=float(rule.value(self.options.get("aspect", rule.default))))

    @classmethod
    def build(cls, axis: Axis, options: Mapping[str, str]) -> Self:
        """Make it; refuse an aspect beside torchvision's law."""
        if options.get("frame") == "image" and "aspect" in options:
            raise InputError(
                f"{axis.name}: frame=image draws torchvision's aspects, from 3/4 to 4/3; "
                "leave aspect out, or frame=image"
            )
        return cls(axis, options)

    def draw(
        self, keys: npt.NDArray[np.uint64], values: Floats, *, seed: int, epoch: int
    ) -> Parameters:
        """Draw ``area`` [N] and ``window`` [N, 4] in the view.

        In the image a box depends on the image's size, so only what it will be drawn from is
        returned: ``least`` (tau) [N] and ``stream``, a key of its own, uint64 [N].
        """
        if self.in_image:
            stream = integers(keys, _FAMILY, 1, seed, epoch)[:, 0]
            return {"least": values, "stream": stream}
        area = values + (1.0 - values) * uniforms(keys, _FAMILY, 1, seed, epoch)[:, 0]
        window = self._crop.draw(keys, area, seed=seed, draw=epoch)["window"].numpy()
        return {"area": area, "window": window}

    def realised(self, params: Parameters, values: Floats) -> Floats:
        """Return the share of the view's area that is shown; with ``frame=image`` tau; [N]."""
        return values if self.in_image else np.asarray(params["area"])

    def boxes(self, params: Parameters, view_boxes: Floats, sizes: npt.NDArray[np.int64]) -> Floats:
        """Return which part of each image is shown: float64 [B, 4]; at tau = 1 the view."""
        if not self.in_image:
            return Crop.boxes({"window": torch.from_numpy(params["window"])}, view_boxes)
        numbers = uniforms(params["stream"], f"{_FAMILY}(frame=image)", NUMBERS)
        drawn = resized_crop_boxes(numbers, params["least"], sizes)
        plain = params["least"][:, None] == self.axis.reference
        return np.asarray(np.where(plain, view_boxes, drawn))


def resized_crop_boxes(numbers: Floats, least: Floats, sizes: npt.NDArray[np.int64]) -> Floats:
    """Draw boxes by the law of ``torchvision.transforms.RandomResizedCrop(scale=(tau, 1))``.

    Ten times an area, U[tau, 1] of the image's, and a ratio of the sides, log-uniform in
    [3/4, 4/3], are drawn; the first box of whole pixels that fits lies at a uniform place. Where
    none fits, it is the largest box in the middle whose ratio is within [3/4, 4/3].

    Parameters
    ----------
    numbers : array of float64, shape [B, 22]
        In [0, 1): two for the place, then two for each of the ten tries.
    least : array of float64, shape [B]
        tau.
    sizes : array of int64, shape [B, 2]
        Width and height of each image in pixels.

    Returns
    -------
    array of float64, shape [B, 4]
        Left, top, right, bottom: whole pixels.
    """
    tries = numbers[:, 2:].reshape(len(numbers), _TRIES, 2)
    area = (least[:, None] + (1.0 - least[:, None]) * tries[..., 0]) * sizes.prod(axis=1)[:, None]
    ratio = np.exp((2.0 * tries[..., 1] - 1.0) * math.log(_LARGEST_RATIO))
    # np.rint rounds halves to even, as Python's round does.
    sides = np.rint(np.sqrt(np.stack([area * ratio, area / ratio], axis=-1)))
    fits = ((sides > 0) & (sides <= sizes[:, None, :])).all(axis=-1)
    found = fits.any(axis=1)[:, None]
    chosen = np.where(found, sides[np.arange(len(sides)), fits.argmax(axis=1)], _middle(sizes))
    free = sizes - chosen
    begin = np.where(found, np.floor(numbers[:, :2] * (free + 1.0)), free // 2)
    return np.concatenate([begin, begin + chosen], axis=1)


def _middle(sizes: npt.NDArray[np.int64]) -> Floats:
    """Return the sides of the largest box whose ratio is permitted; [B, 2]."""
    longest: Floats = np.rint(sizes[:, ::-1] * _LARGEST_RATIO)
    return np.minimum(sizes, longest)
