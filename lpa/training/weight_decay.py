"""Which parameters weight decay acts on.

Every parameter decays, biases included, but those of normalisation layers (paper, Section 3.1) and
those that a timm model names in its ``no_weight_decay()`` (position embeddings, class tokens).
timm's own rule, no one-dimensional parameter, would also leave out every bias.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from timm.layers.evo_norm import (
    EvoNorm2dB0,
    EvoNorm2dB1,
    EvoNorm2dB2,
    EvoNorm2dS0,
    EvoNorm2dS1,
    EvoNorm2dS2,
)
from timm.layers.filter_response_norm import FilterResponseNormAct2d, FilterResponseNormTlu2d
from timm.layers.norm import (
    RmsNorm,
    RmsNorm2d,
    RmsNorm2dFp32,
    RmsNormFp32,
    SimpleNorm,
    SimpleNorm2d,
    SimpleNorm2dFp32,
    SimpleNormFp32,
)
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

__all__ = ["NORMALISATION", "decayed", "parameter_groups"]

NORMALISATION: tuple[type[nn.Module], ...] = (
    _NormBase,  # batch and instance normalisation of any dimension, synchronised and lazy ones too
    nn.LayerNorm,  # timm's and torchvision's LayerNorm2d as well
    nn.GroupNorm,
    nn.RMSNorm,
    RmsNorm,
    RmsNormFp32,
    RmsNorm2d,
    RmsNorm2dFp32,
    SimpleNorm,
    SimpleNormFp32,
    SimpleNorm2d,
    SimpleNorm2dFp32,
    EvoNorm2dB0,
    EvoNorm2dB1,
    EvoNorm2dB2,
    EvoNorm2dS0,
    EvoNorm2dS1,
    EvoNorm2dS2,
    FilterResponseNormAct2d,
    FilterResponseNormTlu2d,
)
"""Base classes of every normalisation layer of torch, torchvision and timm that has parameters."""


def decayed(module: nn.Module) -> set[str]:
    """Return the names of the parameters that weight decay acts on.

    Parameters
    ----------
    module : Module
        Its ``no_weight_decay()``, where it has one (timm), names exceptions, exactly or as
        patterns (``*.relative_position_bias_table``).

    Returns
    -------
    set of str
        Names as in ``module.named_parameters()``; frozen parameters among them.
    """
    normalising = {
        id(parameter)
        for layer in module.modules()
        if isinstance(layer, NORMALISATION)
        for parameter in layer.parameters(recurse=False)
    }
    exempt = getattr(module, "no_weight_decay", None)
    patterns = tuple(exempt()) if callable(exempt) else ()
    return {
        name
        for name, parameter in module.named_parameters()
        if id(parameter) not in normalising
        and not any(fnmatchcase(name, pattern) for pattern in patterns)
    }


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Return the trainable parameters as an optimizer's groups: those that decay, and the others.

    Parameters
    ----------
    module : Module
        Frozen parameters are left out.
    weight_decay : float
        Of the first group; the second has 0.

    Returns
    -------
    list of dict
        For ``torch.optim`` and ``timm.optim.create_optimizer_v2``; groups that are empty are
        left out.
    """
    names = decayed(module)
    trained = [(name, value) for name, value in module.named_parameters() if value.requires_grad]
    groups: list[dict[str, Any]] = [
        {
            "params": [value for name, value in trained if name in names],
            "weight_decay": weight_decay,
        },
        {"params": [value for name, value in trained if name not in names], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
