"""Dropout before the classification head of an architecture, in one form for every library.

The layers are the same whatever the rate, 0 included, so that models of different rates have the
same modules and can be stacked; none of them has a name in ``state_dict()``.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from lpa.errors import InputError
from lpa.models.keyed_dropout import KeyedDropout

__all__ = ["MARK", "NoDropout", "in_timm", "in_torchvision"]

MARK = 0.4375
"""Rate with which a timm model is made, so that what follows ``drop_rate`` can be told apart."""


class NoDropout(nn.Identity):
    """In place of a dropout of rate 0: draws nothing. Attentions read its ``p``."""

    p = 0.0


def in_timm(module: nn.Module, rate: float, *, name: str) -> nn.Module:
    """Set a timm model's ``drop_rate``.

    Parameters
    ----------
    module : nn.Module
        Made with ``drop_rate=MARK``; changed in place.
    rate : float
        In [0, 1).
    name : str
        For messages.

    Returns
    -------
    nn.Module
        With keyed dropout layers where timm put layers of ``drop_rate``; where its ``forward``
        calls a function instead (ResNet, EfficientNet), or the architecture has no such argument,
        one before the classifier.

    Raises
    ------
    InputError
        For a rate above 0 where there is no single classifier layer.
    """
    marked = [name for name, layer in _dropouts(module) if layer.p == MARK]
    _replace(module, marked, rate)
    found: Any = module
    if hasattr(module, "drop_rate"):
        found.drop_rate = 0.0
    if not marked:
        classifier = found.get_classifier() if hasattr(module, "get_classifier") else None
        _before(classifier, rate, name)
    return module


def in_torchvision(module: nn.Module, outputs: int, rate: float, *, name: str) -> nn.Module:
    """Set the rate of the dropout in a torchvision model's head.

    Parameters
    ----------
    module : nn.Module
        Changed in place.
    outputs : int
        Its number of outputs.
    rate : float
        In [0, 1).
    name : str
        For messages.

    Returns
    -------
    nn.Module
        With a keyed dropout layer for each ``Dropout`` of the head (AlexNet, VGG, SqueezeNet,
        MobileNet, MNASNet, EfficientNet, GoogLeNet, Inception); before the final linear layer
        where the head has none (ResNet, DenseNet, ConvNeXt, Swin, ViT, ...).
    """
    wide = {nn.Linear: "out_features", nn.Conv2d: "out_channels"}
    ends = [
        (path, layer)
        for path, layer in module.named_modules()
        if getattr(layer, wide.get(type(layer), ""), None) == outputs
    ]
    path, last = ends[-1] if ends else ("", None)
    head = path.split(".")[0]
    inside = [
        path for path, _ in _dropouts(module) if "." not in path or path.split(".")[0] == head
    ]
    _replace(module, inside, rate)
    if not inside:
        _before(last, rate, name)
    return module


def _dropouts(module: nn.Module) -> list[tuple[str, nn.Dropout]]:
    return [
        (path, layer) for path, layer in module.named_modules() if isinstance(layer, nn.Dropout)
    ]


def _replace(module: nn.Module, chosen: list[str], rate: float) -> None:
    """Key the chosen layers, and silence those that never drop anything."""
    for path, layer in _dropouts(module):
        if path in chosen:
            module.set_submodule(path, KeyedDropout(rate))
        elif layer.p == 0:
            module.set_submodule(path, NoDropout())


def _before(layer: Any, rate: float, name: str) -> None:
    """Drop elements of a layer's input, leaving the layer and its name in place."""
    if isinstance(layer, nn.Linear | nn.Conv2d):
        layer.add_module("input_dropout", KeyedDropout(rate))
        layer.register_forward_pre_hook(_dropped)
    elif rate:
        raise InputError(
            f"architecture {name!r} has no place for dropout before its head; expected dropout 0"
        )


def _dropped(layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor]:
    dropout: Any = layer.input_dropout
    return (dropout(inputs[0]),)
