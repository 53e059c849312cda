"""Models of torchvision, with its own weights and their own record of preprocessing."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import torch
import torchvision

from lpa.classes import imagenet
from lpa.errors import unknown
from lpa.models.downloads import downloading
from lpa.models.loaded import LoadedModel, Request, finish
from lpa.models.transforms import read_preprocessing

__all__ = ["PINNED", "architectures", "build", "find_weights", "knows", "load", "weights_of"]

PINNED = "IMAGENET1K_V1"
"""The weights of a bare name: the paper's, while torchvision's DEFAULT is V2 for many models."""


@functools.cache
def architectures() -> tuple[str, ...]:
    """Return the names of torchvision's classification architectures."""
    return tuple(torchvision.models.list_models(module=torchvision.models))


def weights_of(architecture: str) -> Any:
    """Return the enumeration of an architecture's weights (a ``WeightsEnum`` class)."""
    return torchvision.models.get_model_weights(architecture)


def knows(target: str) -> bool:
    """Tell whether a name is an architecture, ``architecture.WEIGHTS`` or a full weights' name."""
    return _split(target) is not None


def find_weights(target: str) -> tuple[str, Any, str]:
    """Find what a name stands for.

    Parameters
    ----------
    target : str
        ``"resnet50"`` (pinned to V1), ``"resnet50.IMAGENET1K_V2"`` or
        ``"ResNet50_Weights.IMAGENET1K_V2"``.

    Returns
    -------
    str
        The architecture.
    WeightsEnum
        The weights.
    str
        A note where a bare name has no V1 weights, else ``""``.

    Raises
    ------
    InputError
        For an unknown architecture or unknown weights of a known one.
    """
    found = _split(target)
    if found is not None:
        architecture, member = found
        weights = weights_of(architecture)
        if member:
            return architecture, weights[member], ""
        if PINNED in weights.__members__:
            return architecture, weights[PINNED], ""
        return architecture, weights.DEFAULT, f"no {PINNED} weights: torchvision's default taken"
    head, _, member = target.partition(".")
    by_name = {weights_of(name).__name__: name for name in architectures()}
    architecture = by_name.get(head, head)
    if architecture in architectures():
        known = weights_of(architecture).__members__
        raise unknown(f"weights of torchvision's {architecture}", member, known)
    raise unknown(
        "torchvision model", target, architectures(), "lpa models '*resnet*' lists what matches"
    )


def build(architecture: str, outputs: int, **options: Any) -> torch.nn.Module:
    """Make an architecture with random weights and the given number of outputs."""
    if architecture in ("googlenet", "inception_v3"):
        options.setdefault("init_weights", False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module: torch.nn.Module = torchvision.models.get_model(
            architecture, weights=None, num_classes=outputs, **options
        )
    return module


def load(request: Request) -> LoadedModel:
    """Load a model with torchvision's weights, downloaded where the cache has none."""
    architecture, weights, note = find_weights(request.target)
    name = request.spec.name
    preprocessing = read_preprocessing(weights.transforms(), request.overrides, name=name)
    with downloading(name, f"{weights} ({weights.url})", architecture), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = torchvision.models.get_model(architecture, weights=weights, progress=True)
    return finish(
        request,
        module,
        preprocessing,
        source="torchvision",
        weights=str(weights),
        own_classes=imagenet(),
        own_source="ImageNet-1k",
        published_accuracy=published_accuracy(weights),
        notes=(note,),
    )


def published_accuracy(weights: Any) -> float | None:
    """Return the ImageNet-1k top-1 accuracy in percent from the weights' own record."""
    value = weights.meta.get("_metrics", {}).get("ImageNet-1K", {}).get("acc@1")
    return None if value is None else float(value)


def _split(target: str) -> tuple[str, str] | None:
    """Return architecture and weights' name (empty for a bare architecture), or None."""
    head, _, member = target.partition(".")
    if head.endswith("_Weights"):
        matches = [name for name in architectures() if weights_of(name).__name__ == head]
        head = matches[0] if matches else head
    elif head not in architectures():
        head = head.lower()
    if head not in architectures():
        return None
    members = weights_of(head).__members__
    if not member:
        return (head, "") if "_Weights" not in target else None
    return next(((head, known) for known in members if known.lower() == member.lower()), None)
