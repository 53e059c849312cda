"""Regularizers: what a training sweep varies. Torch-free register.

``regularizer_spec``, ``parse_setting`` and ``parse_values`` read what is asked;
``parse_regularizer`` makes the regularizer, and only that imports torch. One file holds one
regularizer.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from lpa.training.regularizers.register import REGULARIZERS, RegisteredRegularizer
from lpa.training.regularizers.specs import (
    RegularizerSpec,
    list_regularizers,
    parse_setting,
    parse_values,
    regularizer_spec,
)

if TYPE_CHECKING:
    from lpa.training.regularizers.regularizer import Regularizer

__all__ = [
    "REGULARIZERS",
    "RegisteredRegularizer",
    "RegularizerSpec",
    "build_regularizer",
    "list_regularizers",
    "parse_regularizer",
    "parse_setting",
    "parse_values",
    "regularizer_spec",
]


def build_regularizer(spec: RegularizerSpec) -> Regularizer:
    """Make the regularizer of a spec; imports torch.

    Raises
    ------
    InputError
        For options that exclude each other.
    """
    module, _, name = REGULARIZERS[spec.family].target.partition(":")
    made: type[Regularizer] = getattr(importlib.import_module(module), name)
    return made.build(spec.axis, spec.options)


def parse_regularizer(text: str) -> Regularizer:
    """Make the regularizer that people type: ``weight_decay``, ``random_crop(frame=image)``.

    Raises
    ------
    InputError
        For an unknown regularizer or option, for a value that an option does not take, and for
        options that exclude each other.
    """
    return build_regularizer(regularizer_spec(text))
