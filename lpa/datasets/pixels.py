"""What Python users hand over as an image -> uint8 pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from lpa.errors import InputError

__all__ = ["to_pixels"]


def to_pixels(image: Any, where: str) -> npt.NDArray[np.uint8]:
    """Return an image as uint8 pixels of shape [H, W] or [H, W, 3].

    Parameters
    ----------
    image : PIL image, array or tensor
        A tensor has its channels first, [C, H, W]; an array has them last, [H, W, C], or none.
        One or three channels. Integers are 0 to 255; floats are 0 to 1 and become
        ``round(255 * x)``.
    where : str
        Which image it is, for the message.

    Raises
    ------
    InputError
        For any other type, shape or range; above all for normalised floats.
    """
    if isinstance(image, Image.Image):
        return np.asarray(image if image.mode == "L" else image.convert("RGB"))
    if hasattr(image, "detach"):
        pixels = image.detach().cpu().numpy()
        pixels = np.moveaxis(pixels, 0, -1) if pixels.ndim == 3 else pixels
    else:
        pixels = np.asarray(image)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3) or not pixels.size:
        raise InputError(
            f"{where}: {type(image).__name__} of shape {tuple(np.shape(image))} is no image; "
            "expected a PIL image, an array [H, W] or [H, W, 3], or a tensor [3, H, W]"
        )
    return np.ascontiguousarray(_to_bytes(pixels, where))


def _to_bytes(pixels: npt.NDArray[Any], where: str) -> npt.NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels
    if not np.issubdtype(pixels.dtype, np.floating):
        raise InputError(
            f"{where}: pixels of type {pixels.dtype}; expected uint8, or floats 0 to 1"
        )
    low, high = float(pixels.min()), float(pixels.max())
    # Resizing in floats overshoots the range by rounding alone.
    if not (low >= -1e-5 and high <= 1 + 1e-5):
        raise InputError(
            f"{where}: float pixels from {low:.3g} to {high:.3g}; expected 0 to 1 (take Normalize "
            "out of the data set's transform: each model normalises for itself)"
        )
    rounded: npt.NDArray[np.uint8] = np.rint(np.clip(pixels, 0, 1) * 255.0).astype(np.uint8)
    return rounded
