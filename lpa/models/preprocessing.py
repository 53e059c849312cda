"""Evaluation preprocessing as a record: a view, a normalization, and what the user overrides.

torch is imported only where images become tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from lpa.errors import InputError
from lpa.views import RESAMPLING, View

if TYPE_CHECKING:
    import torch
    from PIL import Image

__all__ = ["CROP_MODES", "Preprocessing", "PreprocessingOverrides", "Triple", "normalize", "triple"]

Triple = tuple[float, float, float]

CROP_MODES = ("center", "squash")


@dataclass(frozen=True)
class PreprocessingOverrides:
    """What the user sets in place of a model's own record (timm's option names).

    Attributes
    ----------
    img_size : int or (int, int), optional
        Side of the square input, or its height and width, in pixels.
    crop_pct : float, optional
        Crop fraction: side of the crop over side of the resized image, in (0, 1].
    mean, std : tuple of float, optional
        Per channel, one or three numbers, for images in [0, 1].
    interpolation : str, optional
        A name in :data:`lpa.views.RESAMPLING`.
    crop_mode : {"center", "squash"}, optional
        Keep the ratio of sides and crop the centre, or set both sides.

    Raises
    ------
    InputError
        For a value out of range, naming the option.
    """

    img_size: int | tuple[int, int] | None = None
    crop_pct: float | None = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    interpolation: str | None = None
    crop_mode: str | None = None

    def __post_init__(self) -> None:
        """Check every value and widen single numbers to three channels."""
        if self.size is not None and min(self.size) < 1:
            raise InputError(f"--img-size {self.img_size} is no size; expected pixels, e.g. 224")
        if self.crop_pct is not None and not 0 < self.crop_pct <= 1:
            raise InputError(
                f"--crop-pct {self.crop_pct:g} is out of range; expected more than 0, at most 1"
            )
        if self.interpolation is not None and self.interpolation not in RESAMPLING:
            raise InputError(
                f"--interpolation {self.interpolation!r} is unknown; expected one of "
                + ", ".join(RESAMPLING)
            )
        if self.crop_mode is not None and self.crop_mode not in CROP_MODES:
            raise InputError(
                f"--crop-mode {self.crop_mode!r} is not supported; expected center or squash"
            )
        if self.mean is not None:
            object.__setattr__(self, "mean", triple(self.mean, "--mean"))
        if self.std is not None:
            object.__setattr__(self, "std", triple(self.std, "--std"))
            if min(self.std) <= 0:
                raise InputError(f"--std {_numbers(self.std)} is no scale; expected more than 0")

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of the input in pixels, where the user sets them."""
        if self.img_size is None or isinstance(self.img_size, tuple):
            return self.img_size
        return self.img_size, self.img_size

    def to_dict(self) -> dict[str, Any]:
        """Return what is set as plain JSON values."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value is not None
        }

    def for_timm(self) -> dict[str, Any]:
        """Return what is set, as ``args`` of ``timm.data.resolve_data_config``."""
        record: dict[str, Any] = {
            key: getattr(self, key) for key in ("crop_pct", "interpolation", "crop_mode")
        }
        record.update(mean=self.mean, std=self.std)
        if self.size is not None:
            record["input_size"] = (3, *self.size)
        return {key: value for key, value in record.items() if value is not None}


@dataclass(frozen=True)
class Preprocessing:
    """A view and the normalization after it.

    Attributes
    ----------
    view : View
        Resize and centre crop.
    mean, std : tuple of three floats
        Subtracted from, and divided into, RGB values in [0, 1].
    crop_pct : float, optional
        The crop fraction as the record states it (timm); None where the record states sizes.
    """

    view: View
    mean: Triple
    std: Triple
    crop_pct: float | None = None

    def __str__(self) -> str:
        """Return one line: ``224 px, crop .875, bicubic, mean .5 .5 .5, std .5 .5 .5``."""
        height, width = self.view.size
        size = f"{height}" if height == width else f"{height}x{width}"
        fraction = self.crop_pct or height / self.view.resize[0]
        squash = ", squash" if self.view.rule == "exact" else ""
        return (
            f"{size} px, crop {_number(fraction)}{squash}, {self.view.interpolation}, "
            f"mean {_numbers(self.mean)}, std {_numbers(self.std)}"
        )

    def overridden(self, overrides: PreprocessingOverrides) -> Preprocessing:
        """Return the preprocessing with the user's values in place of the record's.

        A new size keeps the crop fraction; where the record states sizes (torchvision's 224 from
        232), the resize keeps their ratio, rounded down as timm does.
        """
        view, crop_pct = self.view, overrides.crop_pct or self.crop_pct
        size = overrides.size or view.size
        squash = view.rule == "exact"
        if overrides.crop_mode is not None:
            squash = overrides.crop_mode == "squash"
        if overrides.img_size or overrides.crop_pct or overrides.crop_mode:
            if crop_pct is not None:
                view = View.from_crop_fraction(size, crop_pct, view.interpolation, squash)
            else:
                resize = tuple(
                    target * old // new
                    for target, old, new in zip(size, view.resize, view.size, strict=True)
                )
                rule = "exact" if squash else "short_side" if view.rule == "exact" else view.rule
                view = View(size, (resize[0], resize[1]), rule, view.interpolation)
        if overrides.interpolation:
            view = replace(view, interpolation=overrides.interpolation)
        mean = triple(overrides.mean, "--mean") if overrides.mean else self.mean
        std = triple(overrides.std, "--std") if overrides.std else self.std
        return Preprocessing(view, mean, std, crop_pct)

    def prepare(self, image: Image.Image) -> torch.Tensor:
        """Return the model's input for one RGB image: float32, shape [3, height, width]."""
        import torch

        pixels = torch.from_numpy(self.view.render(image)).permute(2, 0, 1).contiguous()
        return normalize(pixels.float().div(255), self.mean, self.std)


def normalize(batch: torch.Tensor, mean: Triple, std: Triple) -> torch.Tensor:
    """Return ``(batch - mean) / std`` per channel, in the order in which torchvision computes it.

    Parameters
    ----------
    batch : tensor, shape [..., 3, height, width]
        Values in [0, 1].
    mean, std : tuple of three floats

    Returns
    -------
    tensor, same shape
    """
    shift, scale = (batch.new_tensor(values).view(3, 1, 1) for values in (mean, std))
    return (batch - shift) / scale


def triple(values: Sequence[float], what: str) -> Triple:
    """Return three numbers of one or three; raise :class:`InputError` for any other count."""
    listed = [float(value) for value in values]
    if len(listed) == 1:
        listed *= 3
    if len(listed) != 3:
        raise InputError(f"{what} has {len(listed)} numbers; expected one or three")
    return listed[0], listed[1], listed[2]


def _number(value: float) -> str:
    text = f"{value:.3g}"
    return text[1:] if text.startswith("0.") else text


def _numbers(values: Sequence[float]) -> str:
    return " ".join(_number(value) for value in values)
