"""Recipes by architecture: torchvision's reference for large images, ours for small ones. No torch.

The paper trains with "the official" recipes and does not state them. For images of ImageNet's size
we take optimizer, schedule, batch and weight decay of torchvision's reference scripts
(``references/classification/README.md``, batch sizes of all eight devices together), with
horizontal flips. What those scripts add beyond that (TrivialAugment, random erasing, mixup, label
smoothing) is left out: in a sweep such things are axes, held fixed with ``--set`` where wanted.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from lpa.errors import InputError
from lpa.plans.recipe import Recipe

__all__ = ["SMALL_IMAGE", "recipe_for"]

SMALL_IMAGE = 64
"""Largest side, in pixels, of images that are trained on with our recipe for small images."""

_RESNET = Recipe(
    epochs=90, batch_size=256, learning_rate=0.1, weight_decay=1e-4, schedule="step",
    step_epochs=30, warmup_epochs=0.0, flip=0.5,
)  # fmt: skip
_TRANSFORMER = Recipe(
    epochs=300, batch_size=1024, optimizer="adamw", learning_rate=1e-3, weight_decay=0.05,
    warmup_epochs=20, warmup_factor=0.01, minimum_factor=0.01, gradient_clip=5.0, flip=0.5,
)  # fmt: skip

REFERENCE: tuple[tuple[str, Recipe], ...] = (
    ("vgg|alexnet|squeezenet", dataclasses.replace(_RESNET, learning_rate=0.01)),
    ("mobilenet_v2", dataclasses.replace(
        _RESNET, epochs=300, learning_rate=0.045, weight_decay=4e-5, step_epochs=1,
        step_factor=0.98)),
    ("convnext", dataclasses.replace(
        _TRANSFORMER, epochs=600, warmup_epochs=5, gradient_clip=None, minimum_factor=0.0,
        ema=0.9999)),
    ("swin", _TRANSFORMER),
    ("vit|deit", dataclasses.replace(
        _TRANSFORMER, batch_size=4096, learning_rate=3e-3, weight_decay=0.3, warmup_epochs=30,
        warmup_factor=0.033, minimum_factor=0.0, gradient_clip=1.0, ema=0.9999)),
)  # fmt: skip
"""Pattern of an architecture's name -> torchvision's recipe; all others have ResNet's."""

_SMALL = Recipe(epochs=15, batch_size=64, learning_rate=0.1, warmup_epochs=1.0, flip=0.0)
_SMALL_TRANSFORMER = dataclasses.replace(
    _SMALL, optimizer="adamw", learning_rate=2e-3, weight_decay=0.05, warmup_epochs=2.0
)


def recipe_for(
    architecture: str, image_size: tuple[int, int], changes: Mapping[str, Any] | None = None
) -> Recipe:
    """Return the recipe of an architecture.

    Parameters
    ----------
    architecture : str
        As recognised: ``tv:resnet50``, ``timm:vit_small_patch16_224``, ``small_cnn``.
    image_size : (int, int)
        Height and width of the view in pixels.
    changes : mapping, optional
        Fields of :class:`Recipe` that are set by the user; None values are left out.

    Raises
    ------
    InputError
        For a field that a recipe does not have, or a value out of range.
    """
    name = architecture.partition(":")[2] or architecture
    given = {field: value for field, value in (changes or {}).items() if value is not None}
    for field in given:
        if field not in Recipe.names():
            raise InputError(
                f"{field!r} is no part of a recipe; expected one of " + ", ".join(Recipe.names())
            )
    if max(image_size) <= SMALL_IMAGE:
        attention = re.search(r"vit|deit|swin|mixer", name) is not None
        recipe = _SMALL_TRANSFORMER if attention else _SMALL
    else:
        found = (recipe for pattern, recipe in REFERENCE if re.search(pattern, name))
        recipe = next(found, _RESNET)
    return dataclasses.replace(recipe, **given)
