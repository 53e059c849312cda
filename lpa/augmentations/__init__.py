"""Augmentations: what is asked (torch-free), and modules that turn a strength into pictures.

``parse`` and ``from_mapping`` read what is asked into an :class:`AugmentationSpec`; ``build`` makes
the module, and only that imports torch. One file holds one family of augmentations.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from lpa.augmentations.register import AUGMENTATIONS, OPTIONS
from lpa.augmentations.specs import (
    AugmentationSpec,
    from_mapping,
    list_augmentations,
    parse,
    spec_of,
)

if TYPE_CHECKING:
    from lpa.augmentations.augmentation import Augmentation

__all__ = [
    "AUGMENTATIONS",
    "OPTIONS",
    "AugmentationSpec",
    "build",
    "from_mapping",
    "list_augmentations",
    "parse",
    "spec_of",
]


def build(spec: AugmentationSpec) -> Augmentation:
    """Make the module of a spec; imports torch and Kornia.

    Raises
    ------
    InputError
        For a class that Kornia does not have, that cannot be drawn sample by sample, or whose
        arguments Kornia refuses at one of the spec's values.
    """
    module, _, name = spec.target.partition(":")
    made: Augmentation = getattr(importlib.import_module(module), name).from_spec(spec)
    return made
