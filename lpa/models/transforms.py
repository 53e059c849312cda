"""Read torchvision's and timm's evaluation transforms, and verify what was read.

A source's transform is converted into a view with mean and standard deviation, and the record is
then compared with the transform itself on images of odd sizes, pixel for pixel: an accuracy at the
identity that is not the model's own would shift every curve.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from lpa.errors import InputError
from lpa.models.preprocessing import CROP_MODES, Preprocessing, PreprocessingOverrides, triple
from lpa.views import View

__all__ = ["read_preprocessing", "verify"]

# Wide, tall, smaller than any view, and of sizes that leave halves when cropped or rounded.
_VERIFIED_SIZES = ((501, 333), (249, 350), (97, 61))

# Grey levels: float32 rounding, where a transform multiplies by 1/255 instead of dividing.
_ROUNDING = 1e-3


def read_preprocessing(
    given: Any, overrides: PreprocessingOverrides, *, name: str
) -> Preprocessing:
    """Convert whatever describes an evaluation preprocessing.

    Transforms are compared with what was read of them (:func:`verify`) before the overrides.

    Parameters
    ----------
    given : object
        A :class:`Preprocessing`; a mapping with timm's keys (``input_size``, ``crop_pct``,
        ``crop_mode``, ``interpolation``, ``mean``, ``std``); torchvision's
        ``ImageClassification`` preset; or a ``Compose`` of resize, centre crop, conversion to a
        tensor and normalization (torchvision v1 and v2, timm).
    overrides : PreprocessingOverrides
        Applied on top.
    name : str
        The model, for messages.

    Returns
    -------
    Preprocessing
        With the overrides.

    Raises
    ------
    InputError
        For what no view can express, naming the step.
    """
    if isinstance(given, Preprocessing):
        return given.overridden(overrides)
    if isinstance(given, Mapping):
        return _from_timm({**given, **overrides.for_timm()}, name)
    if hasattr(given, "crop_size") and hasattr(given, "resize_size"):
        plain = _from_preset(given)
    elif isinstance(getattr(given, "transforms", None), Sequence):
        plain = _from_compose(given.transforms, name)
    else:
        raise InputError(
            f"preprocessing {type(given).__name__} of model {name!r} cannot be read; expected a "
            "torchvision or timm evaluation transform, or a timm data config"
        )
    verify(plain, given, name=name)
    return plain.overridden(overrides)


def verify(
    preprocessing: Preprocessing, transform: Callable[[Image.Image], Any], *, name: str
) -> None:
    """Compare a record with the source's own transform on three odd-sized images.

    Every pixel must be the same grey level before normalization; floats may differ by rounding.

    Raises
    ------
    InputError
        Where they differ, with the largest difference in grey levels and the image's size.
    """
    import torch

    noise = np.random.Generator(np.random.Philox(0))
    for width, height in _VERIFIED_SIZES:
        image = Image.fromarray(noise.integers(0, 256, (height, width, 3), dtype=np.uint8))
        try:
            expected = torch.as_tensor(transform(image))
        except Exception as error:
            reason = (str(error).strip().splitlines() or [""])[0][:120]
            raise InputError(
                f"preprocessing of model {name!r} fails on an RGB image of {width}x{height} "
                f"pixels ({type(error).__name__}: {reason}); expected a transform from a PIL image "
                "to a tensor"
            ) from error
        ours = preprocessing.prepare(image)
        if expected.shape != ours.shape:
            raise InputError(
                f"preprocessing of model {name!r} gives {tuple(expected.shape)} and its record "
                f"{tuple(ours.shape)} for an image of {width}x{height} pixels; give a timm data "
                "config instead of the transform"
            )
        scale = torch.tensor(preprocessing.std).view(3, 1, 1) * 255
        levels = float(((expected - ours).abs() * scale).max())
        if not levels <= _ROUNDING:
            raise InputError(
                f"preprocessing of model {name!r} differs from its record ({preprocessing}) by up "
                f"to {levels:.3g} grey levels on an image of {width}x{height} pixels; resize the "
                "PIL image before it becomes a tensor, or give a timm data config instead"
            )


def _from_timm(config: Mapping[str, Any], name: str) -> Preprocessing:
    """Read timm's data config (``timm.data.resolve_model_data_config``)."""
    channels, height, width = config.get("input_size", (3, 224, 224))
    if channels != 3:
        raise InputError(
            f"model {name!r} takes {channels} channels; expected a model of RGB images"
        )
    crop_mode = config.get("crop_mode") or "center"
    if crop_mode not in CROP_MODES:
        raise InputError(
            f"model {name!r} pads its images (timm's crop mode {crop_mode!r}), which no view can "
            "express; give --crop-mode center or --crop-mode squash"
        )
    fraction = config.get("crop_pct") or 0.875
    if fraction > 1:
        raise InputError(
            f"model {name!r} pads its images (timm's crop fraction {fraction:g}), which no view "
            "can express; give --crop-pct 1"
        )
    interpolation = config.get("interpolation") or "bicubic"
    view = View.from_crop_fraction(
        (height, width), fraction, interpolation, squash=crop_mode == "squash"
    )
    mean = triple(config.get("mean") or (0.485, 0.456, 0.406), "mean")
    std = triple(config.get("std") or (0.229, 0.224, 0.225), "std")
    return Preprocessing(view, mean, std, fraction)


def _from_preset(preset: Any) -> Preprocessing:
    """Read torchvision's ``ImageClassification`` preset."""
    resize, crop = _pair(preset.resize_size), _pair(preset.crop_size)
    rule = _rule(preset.resize_size)
    view = View(crop, resize, "exact" if rule == "exact" else "short_side", _mode(preset))
    return Preprocessing(view, triple(preset.mean, "mean"), triple(preset.std, "std"))


def _from_compose(steps: Sequence[Any], name: str) -> Preprocessing:
    """Read a ``Compose`` step by step; what has no place in a view is refused by name."""
    resize: Any = None
    crop: tuple[int, int] | None = None
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    for step in steps:
        kind = type(step).__name__
        if kind in ("Resize", "ResizeKeepRatio") and resize is None and crop is None:
            resize = step
        elif kind == "CenterCrop" and resize is not None and crop is None:
            crop = _pair(step.size)
        elif kind == "Normalize":
            mean, std = triple(step.mean, "mean"), triple(step.std, "std")
        elif kind not in _WITHOUT_GEOMETRY and not isinstance(step, types.FunctionType):
            raise InputError(
                f"preprocessing of model {name!r} holds {kind} at a place where no view can "
                "express it; expected Resize, CenterCrop, ToTensor, Normalize"
            )
    if resize is None or (crop is None and _rule(resize.size) != "exact"):
        raise InputError(
            f"preprocessing of model {name!r} has no "
            f"{'Resize' if resize is None else 'CenterCrop'}, so its images differ in size; "
            "expected Resize, CenterCrop, ToTensor, Normalize"
        )
    rule = "keep_ratio" if type(resize).__name__ == "ResizeKeepRatio" else _rule(resize.size)
    target = _pair(resize.size)
    view = View(crop or target, target, rule, _mode(resize))  # type: ignore[arg-type]
    return Preprocessing(view, mean, std)


# Functions are let through as well (`image.convert("RGB")` is common): verify() catches those
# that change pixels.
_WITHOUT_GEOMETRY = {
    *("ToTensor", "MaybeToTensor", "PILToTensor", "MaybePILToTensor", "ConvertImageDtype"),
    *("ToImage", "ToDtype", "ToPureTensor", "Identity", "Lambda", "RGB"),
}


def _rule(size: Any) -> str:
    return "exact" if isinstance(size, Sequence) and len(size) == 2 else "short_side"


def _pair(size: Any) -> tuple[int, int]:
    values = list(size) if isinstance(size, Sequence) else [size]
    return int(values[0]), int(values[-1])


def _mode(step: Any) -> str:
    return str(getattr(step.interpolation, "value", step.interpolation))
