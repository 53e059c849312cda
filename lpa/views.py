"""A model's evaluation view: what it sees of an image at the identity.

Geometry only, without torch: which size an image is resized to, which window of that is cropped,
and the box in the original image that this window stands for. Every augmentation strength starts
from this box, so that the identity is the model's own official evaluation preprocessing.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from lpa.errors import InputError

__all__ = ["RESAMPLING", "View"]

RESAMPLING: dict[str, Image.Resampling] = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}

MOST_PIXELS = 100_000_000
"""Of a resized image. One of 1 x 60,000 pixels, of which the short side becomes 224, would have 30
times as many, of which the view shows 224 x 224."""


@dataclass(frozen=True)
class View:
    """Resize and centre crop of an evaluation preprocessing.

    Attributes
    ----------
    size : (int, int)
        Height and width of the model's input, in pixels.
    resize : (int, int)
        Height and width of the target of the resize, in pixels.
    rule : {"short_side", "keep_ratio", "exact"}
        ``short_side``: the shorter side becomes ``resize[0]``, the longer is truncated
        (torchvision's ``Resize(int)``, timm's ``crop_mode="center"`` for square inputs).
        ``keep_ratio``: the image covers ``resize``, both sides rounded (timm's
        ``ResizeKeepRatio`` for inputs that are not square). ``exact``: both sides are set
        (timm's ``crop_mode="squash"``).
    interpolation : str
        A name in :data:`RESAMPLING`.
    """

    size: tuple[int, int]
    resize: tuple[int, int]
    rule: Literal["short_side", "keep_ratio", "exact"] = "short_side"
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        """Check the record; raise :class:`~lpa.errors.InputError` for one that cannot be."""
        object.__setattr__(self, "size", (int(self.size[0]), int(self.size[1])))
        object.__setattr__(self, "resize", (int(self.resize[0]), int(self.resize[1])))
        if self.interpolation not in RESAMPLING:
            raise InputError(
                f"interpolation {self.interpolation!r} is unknown; expected one of "
                + ", ".join(RESAMPLING)
            )
        if min(self.size) < 1 or any(
            part < whole for part, whole in zip(self.resize, self.size, strict=True)
        ):
            raise InputError(
                f"a view of {self.size} pixels cannot be cropped from a resize to {self.resize}; "
                "expected a crop fraction of at most 1"
            )

    @property
    def resample(self) -> Image.Resampling:
        """PIL's constant for the interpolation."""
        return RESAMPLING[self.interpolation]

    def resized(self, width: int, height: int) -> tuple[int, int]:
        """Return width and height, in pixels, of an image of the given size after the resize."""
        if self.rule == "exact":
            return self.resize[1], self.resize[0]
        if self.rule == "short_side":
            target = self.resize[0]
            short, long = min(width, height), max(width, height)
            other = int(target * long / short)
            return (target, other) if width <= height else (other, target)
        ratio = min(height / self.resize[0], width / self.resize[1])
        return round(width / ratio), round(height / ratio)

    def offset(self, width: int, height: int) -> tuple[int, int]:
        """Return left and top, in resized pixels, of the crop of an image of the given size."""
        resized_width, resized_height = self.resized(width, height)
        top = round((resized_height - self.size[0]) / 2.0)
        left = round((resized_width - self.size[1]) / 2.0)
        return left, top

    def box(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Return the view in the original image.

        Parameters
        ----------
        width, height : int
            Size of the original image in pixels.

        Returns
        -------
        (float, float, float, float)
            Left, top, right, bottom in original pixels, as ``PIL.Image.resize(box=...)`` takes
            them. Derived from the rounded resized size and the integer offset, so one
            ``resize(size, resample, box)`` is within one grey level of resize and crop (where the
            image is enlarged, a few pixels in 10,000 are two or three levels off).
        """
        resized_width, resized_height = self.resized(width, height)
        left, top = self.offset(width, height)
        horizontal, vertical = width / resized_width, height / resized_height
        return (
            left * horizontal,
            top * vertical,
            min((left + self.size[1]) * horizontal, float(width)),
            min((top + self.size[0]) * vertical, float(height)),
        )

    def render(self, image: Image.Image) -> npt.NDArray[np.uint8]:
        """Return the view of an RGB image: uint8 array of shape [height, width, 3].

        Equal, bit for bit, to the resize and centre crop of the source's own transform
        (the model sources verify it when a model is loaded). An image so thin that its resize would
        have more than :data:`MOST_PIXELS` is resampled in the window alone, within one grey level.
        """
        width, height = self.resized(*image.size)
        if width * height > MOST_PIXELS:
            box = self.box(*image.size)
            return np.array(image.resize(self.size[::-1], self.resample, box), dtype=np.uint8)
        left, top = self.offset(*image.size)
        resized = image.resize((width, height), self.resample)
        window = resized.crop((left, top, left + self.size[1], top + self.size[0]))
        return np.array(window, dtype=np.uint8)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> View:
        """Read what :meth:`to_dict` wrote."""
        return cls(**record)

    @classmethod
    def from_crop_fraction(
        cls, size: tuple[int, int], crop_fraction: float, interpolation: str, squash: bool = False
    ) -> View:
        """Make the view that timm makes of an input size and a crop fraction (``crop_pct``)."""
        if not 0 < crop_fraction <= 1:
            raise InputError(
                f"crop fraction {crop_fraction:g} is out of range; expected more than 0, at most 1"
            )
        resize = (math.floor(size[0] / crop_fraction), math.floor(size[1] / crop_fraction))
        square = resize[0] == resize[1]
        rule: Literal["short_side", "keep_ratio", "exact"]
        rule = "exact" if squash else "short_side" if square else "keep_ratio"
        return cls(size, resize, rule, interpolation)
