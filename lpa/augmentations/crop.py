"""Crop: a window of a given share of the view's area, resized to the whole view.

The paper's random crop (Balestriero, Bottou and LeCun, "The Effects of Regularization and Data
Augmentation are Class Dependent", arXiv 2204.03632, Section 3.3 and Figure 5) is torchvision's
``RandomResizedCrop``, which cannot draw large crops of photographs that are not square and draws
the aspect ratio as well. We deviate: the area is exact, the aspect is the view's unless an option
says otherwise, places are uniform and nested along alpha, and pixels come from the original image.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from kornia.augmentation import GeometricAugmentationBase2D
from kornia.geometry.transform import crop_and_resize
from torch import Tensor

from lpa.augmentations.augmentation import Augmentation
from lpa.augmentations.resample import crop_resize_views

__all__ = ["Crop", "relative_window"]


def relative_window(
    uniforms: npt.NDArray[np.float64],
    area: float | npt.NDArray[np.float64],
    aspect: float = 1.0,
) -> npt.NDArray[np.float64]:
    """Place windows of an exact area, wholly inside of the unit square.

    Parameters
    ----------
    uniforms : array, shape [B, 3]
        Three numbers in [0, 1): where from left, where from top, which aspect.
    area : float, or array of shape [B]
        Share of the area, 0 to 1; of all windows, or of each.
    aspect : float
        Largest ratio of the sides. The ratio is log-uniform in [1/a, a] with
        a = min(aspect, 1/area): no window of that area and a ratio beyond 1/area would fit.

    Returns
    -------
    array of float64, shape [B, 4]
        Left, top, right, bottom. With the same uniforms a smaller window lies inside a larger one:
        both ends of ``u (1 - s), u (1 - s) + s`` move inwards as s falls, and both sides shrink
        with the area.
    """
    widest = _widest(area, aspect)
    ratio = np.exp((2.0 * uniforms[:, 2] - 1.0) * widest)
    sides = np.stack([np.sqrt(area * ratio), np.sqrt(area / ratio)], axis=1).clip(0.0, 1.0)
    begin = uniforms[:, :2] * (1.0 - sides)
    return np.concatenate([begin, np.minimum(begin + sides, 1.0)], axis=1)


def _widest(
    area: float | npt.NDArray[np.float64], aspect: float
) -> float | npt.NDArray[np.float64]:
    """Return the logarithm of the largest ratio of the sides that fits, for one area or each."""
    if isinstance(area, np.ndarray):
        partial = (area > 0.0) & (area < 1.0)
        fitting = -np.log(np.where(partial, area, 1.0))
        return np.minimum(math.log(aspect), fitting)
    return min(math.log(aspect), -math.log(area)) if 0.0 < area < 1.0 else 0.0


class Crop(Augmentation, GeometricAugmentationBase2D):
    """Keep the share alpha of the view's area, at a random place, and resize it to the view.

    Parameters
    ----------
    alpha : float, optional
        Share of the area kept, when used alone.
    place : {"random", "centre"}
        Uniform over all places inside the view, or its centre.
    aspect : float
        Largest aspect ratio relative to the view's; see :func:`relative_window`.
    resample : {"pil", "kornia"}
        ``pil``: antialiased, as Pillow, from the original image where the caller has it.
        ``kornia``: Kornia's own ``crop_and_resize`` on the view (bilinear, not antialiased,
        corners aligned), for comparison.
    interpolation : str
        A name in :data:`lpa.views.RESAMPLING`, for calls on tensors.
    **kornia : object
        ``p``, ``same_on_batch``, ``keepdim`` as in Kornia.
    """

    family = "crop"
    _compute_matrix_lazily = True

    def __init__(
        self,
        alpha: float | None = None,
        *,
        place: Literal["random", "centre"] = "random",
        aspect: float = 1.0,
        resample: Literal["pil", "kornia"] = "pil",
        interpolation: str = "bicubic",
        **kornia: Any,
    ) -> None:
        super().__init__(alpha, **kornia)
        self.place, self.aspect, self.resample = place, aspect, resample
        self.interpolation = interpolation
        self.reads = "view" if resample == "kornia" else "image"

    def draw(
        self,
        keys: npt.NDArray[np.uint64],
        alpha: float | npt.NDArray[np.float64],
        *,
        seed: int = 0,
        draw: int = 0,
        size: tuple[int, int] = (224, 224),
    ) -> dict[str, Tensor]:
        """Draw windows: ``{"window": float64 [B, 4]}``, left, top, right, bottom in the view.

        ``alpha`` may be an array of shape [B]: each sample's own strength.
        """
        numbers = self.uniforms(keys, 3, seed, draw)
        if self.place == "centre":
            numbers[:, :2] = 0.5
        return {"window": torch.from_numpy(relative_window(numbers, alpha, self.aspect))}

    @staticmethod
    def boxes(
        params: Mapping[str, Tensor], view_boxes: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Return the windows in the original images.

        Parameters
        ----------
        params : mapping
            From :meth:`draw`.
        view_boxes : array of float64, shape [B, 4]
            The view in each image (:meth:`lpa.views.View.box`): left, top, right, bottom in pixels.

        Returns
        -------
        array of float64, shape [B, 4]
            Left, top, right, bottom in pixels of the image; at alpha = 1 exactly the view.
        """
        window = params["window"].numpy()
        begin, end = view_boxes[:, :2], view_boxes[:, 2:]
        extent = end - begin
        # From the nearer end, so that a window that ends where the view ends does so exactly.
        left_top = begin + window[:, :2] * extent
        right_bottom = end - (1.0 - window[:, 2:]) * extent
        return np.concatenate([left_top, right_bottom], axis=1)

    def compute_transformation(
        self, input: Tensor, params: dict[str, Tensor], flags: dict[str, Any]
    ) -> Tensor:
        """Return the matrices [B, 3, 3] from pixels of the view to pixels of the crop."""
        window = params["window"].to(input.device, input.dtype)
        matrices = torch.zeros((len(window), 3, 3), device=input.device, dtype=input.dtype)
        for axis, length in ((0, input.shape[-1]), (1, input.shape[-2])):
            begin, end = window[:, axis] * length, window[:, axis + 2] * length
            scale = length / (end - begin)
            matrices[:, axis, axis] = scale
            # Kornia counts from the centre of the first pixel, boxes from its edge.
            matrices[:, axis, 2] = (0.5 - begin) * scale - 0.5
        matrices[:, 2, 2] = 1.0
        return matrices

    def apply_transform(
        self,
        input: Tensor,
        params: dict[str, Tensor],
        flags: dict[str, Any],
        transform: Tensor | None = None,
    ) -> Tensor:
        """Crop views [B, 3, H, W] and resize the crops to [B, 3, H, W]."""
        if not len(input):
            return input.clone()
        height, width = input.shape[-2:]
        boxes = params["window"].cpu() * torch.tensor([width, height, width, height])
        if self.resample == "pil":
            return crop_resize_views(input, boxes.numpy(), (height, width), self.interpolation)
        left, top, right, bottom = (boxes - torch.tensor([0.0, 0.0, 1.0, 1.0])).unbind(1)
        corners = torch.stack([left, top, right, top, right, bottom, left, bottom], dim=1)
        corners = corners.view(-1, 4, 2).to(input.device, input.dtype)
        cropped = crop_and_resize(
            input, corners, (height, width), "bilinear", padding_mode="border", align_corners=True
        )
        return cropped.clamp(0.0, 1.0)
