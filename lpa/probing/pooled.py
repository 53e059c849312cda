"""The pooled feature of a classifier: what its last linear layer sees.

timm's models say it themselves: ``forward_head(forward_features(x), pre_logits=True)``. Of any
other model (torchvision's, the small ones, your own) it is the input of the last ``nn.Linear``
whose output are the logits: after pooling and LayerNorm for ResNet, DenseNet, ConvNeXt, Swin and
EfficientNet, the class token of ViT, the 1,280 values behind the hidden layer of MobileNetV3's
head, and the 4,096 of the second hidden layer of AlexNet and VGG (not their pooled convolutions).
Dropout is off, as in every evaluation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lpa.errors import InputError

__all__ = ["FeatureInterface", "feature_interface"]

_PROBES = 2
"""Images of noise on which the feature is verified."""


@dataclass(frozen=True, eq=False)
class FeatureInterface:
    """Where a backbone's features come from.

    Attributes
    ----------
    module : nn.Module
        Normalised images [B, 3, height, width] -> features [B, dim]. It shares the weights of the
        classifier, which stays as it is.
    dim : int
        Number of features.
    convention : str
        Where they stand in the module: ``"timm's pre-logits"``, ``"input of fc"``. Two conventions
        give other features of the same weights.
    head : nn.Linear or None
        ``head(feature)`` are the logits, which was verified; None for timm's models that end in
        something else than one linear layer (the two heads of distilled ones): there timm's word
        is taken.
    """

    module: nn.Module
    dim: int
    convention: str
    head: nn.Linear | None

    @property
    def description(self) -> str:
        """One readable line: ``512 features (input of fc)``."""
        return f"{self.dim} features ({self.convention})"


def feature_interface(
    module: nn.Module, size: tuple[int, int], *, name: str = "model"
) -> FeatureInterface:
    """Find the pooled feature of a classifier and verify it on a batch of noise.

    Parameters
    ----------
    module : nn.Module
        In evaluation mode, on the CPU: normalised images [B, 3, height, width] -> logits.
    size : (int, int)
        Height and width of its input in pixels.
    name : str
        For messages.

    Returns
    -------
    FeatureInterface

    Raises
    ------
    InputError
        For a module whose logits are no linear function of a pooled feature (SqueezeNet, ...).
    """
    module.eval()
    images = torch.randn(_PROBES, 3, *size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        found = _of_timm(module, images) or _by_last_linear(module, images)
    if found is not None:
        return found
    raise InputError(
        f"backbone {name!r} ({type(module).__name__}) has no feature interface: its logits are not "
        "the output of a linear layer; expected a classifier that ends in nn.Linear, or timm's "
        "forward_features and forward_head"
    )


@dataclass(frozen=True, eq=False)
class _LastLinear:
    """The layer that makes the logits, what it was given and what it made."""

    path: str
    layer: nn.Linear
    features: Tensor
    logits: Tensor

    def fits(self, features: Tensor) -> bool:
        """Tell whether it makes the logits of these features."""
        shape = (len(self.logits), self.layer.in_features)
        return features.shape == shape and torch.allclose(
            self.layer(features), self.logits, rtol=1e-4, atol=1e-4
        )


class _TimmFeatures(nn.Module):
    """timm's pre-logits."""

    def __init__(self, classifier: Any) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        """Return features [B, dim]."""
        maps = self.classifier.forward_features(images)
        features: Tensor = self.classifier.forward_head(maps, pre_logits=True)
        return features


def _of_timm(module: nn.Module, images: Tensor) -> FeatureInterface | None:
    """Ask for timm's pre-logits; None for a module that is not timm's, or gives no vector."""
    if not all(hasattr(module, name) for name in ("forward_features", "forward_head")):
        return None
    features = _TimmFeatures(module)
    try:
        values = features(images)
    except TypeError:  # a forward_head without pre_logits
        return None
    if not isinstance(values, Tensor) or values.ndim != 2:
        return None
    linear = _last_linear(module, images)
    head = linear.layer if linear is not None and linear.fits(values) else None
    return FeatureInterface(features, int(values.shape[1]), "timm's pre-logits", head)


class _HeadInput(nn.Module):
    """The input of a linear layer of a module; the layer itself costs next to nothing."""

    def __init__(self, classifier: nn.Module, path: str) -> None:
        super().__init__()
        self.classifier = classifier
        self.path = path

    def forward(self, images: Tensor) -> Tensor:
        """Return features [B, dim]."""
        seen: list[Tensor] = []
        head = self.classifier.get_submodule(self.path)
        hook = head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        try:
            self.classifier(images)
        finally:
            hook.remove()
        return seen[-1]


def _by_last_linear(module: nn.Module, images: Tensor) -> FeatureInterface | None:
    found = _last_linear(module, images)
    if found is None:
        return None
    if not found.fits(found.features):
        return None
    convention = f"input of {found.path or 'the layer'}"
    features = _HeadInput(module, found.path)
    return FeatureInterface(features, found.layer.in_features, convention, found.layer)


def _last_linear(module: nn.Module, images: Tensor) -> _LastLinear | None:
    """Return the last linear layer whose output are the logits, unchanged."""
    outputs: list[_LastLinear] = []

    def noting(path: str, layer: nn.Linear) -> Callable[..., None]:
        return lambda _, inputs, output: outputs.append(_LastLinear(path, layer, inputs[0], output))

    hooks = [
        layer.register_forward_hook(noting(path, layer))
        for path, layer in module.named_modules()
        if isinstance(layer, nn.Linear)
    ]
    try:
        logits = module(images)
    finally:
        for hook in hooks:
            hook.remove()
    for found in reversed(outputs):
        if found.logits.shape == logits.shape and torch.equal(found.logits, logits):
            return found
    return None
