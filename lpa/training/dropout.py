"""Dropout of a network that is trained: every layer keyed, its steps kept in checkpoints.

The learner calls :func:`replace_dropout` once, with the training's seed, and keeps
:func:`dropout_steps` in its checkpoint: masks after resuming are those of an uninterrupted run.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from lpa.models.keyed_dropout import KeyedDropout

__all__ = [
    "KeyedDropout",
    "dropout_steps",
    "replace_dropout",
    "rest_without_dropout",
    "set_dropout_steps",
]


def replace_dropout(module: nn.Module, seed: int) -> nn.Module:
    """Give a network dropout layers of its training's seed.

    Parameters
    ----------
    module : nn.Module
        Changed in place: each ``nn.Dropout``, torchvision's ``StochasticDepth`` of whole samples
        and timm's ``DropPath`` become a :class:`KeyedDropout` of the same rate, and those that
        are there already are seeded anew, from step 0. Names in ``state_dict()`` stay the same.
    seed : int
        Any integer. Each layer gets a seed of its own from it and from its position.

    Returns
    -------
    nn.Module
        The network (another object only where it was itself a dropout layer).

    Notes
    -----
    Functional dropout inside of a ``forward`` cannot be seen from outside and stays. An attention's
    ``attn_drop`` beside timm's ``fused_attn`` is read by the attention as a number and stays too.
    """
    module = _keyed(module)
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if not (name == "attn_drop" and hasattr(parent, "fused_attn")):
                setattr(parent, name, _keyed(child))
    for number, (_, layer) in enumerate(_layers(module)):
        digest = hashlib.blake2b(f"dropout\0{seed}\0{number}".encode(), digest_size=8).digest()
        layer.seed.fill_(int.from_bytes(digest, "little", signed=True))
        layer.step.zero_()
    return module


def rest_without_dropout(module: nn.Module) -> None:
    """Let the keyed layers whose probability is 0 compute nothing: for a model trained alone."""
    for _, layer in _layers(module):
        layer.rests = not layer.p.any()


def dropout_steps(module: nn.Module) -> dict[str, int]:
    """Return the step of each keyed dropout layer by its name in the network, for a checkpoint."""
    return {name: int(layer.step) for name, layer in _layers(module)}


def set_dropout_steps(module: nn.Module, steps: Mapping[str, int]) -> None:
    """Set what :func:`dropout_steps` returned; raise KeyError for a layer that it does not name."""
    for name, layer in _layers(module):
        layer.step.fill_(steps[name])


def _layers(module: nn.Module) -> Iterator[tuple[str, KeyedDropout]]:
    for name, layer in module.named_modules():
        if isinstance(layer, KeyedDropout):
            yield name, layer


def _keyed(layer: nn.Module) -> nn.Module:
    """Return a keyed layer of the same rate for a dropout layer, and any other layer itself."""
    kinds: Any = _drop_path_kinds()
    if type(layer) is nn.Dropout:
        keyed = KeyedDropout(layer.p)
    elif isinstance(layer, kinds[0]) and layer.mode == "row":
        keyed = KeyedDropout(layer.p, rows=True)
    elif isinstance(layer, kinds[1]) and layer.scale_by_keep:
        keyed = KeyedDropout(layer.drop_prob or 0.0, rows=True)
    else:
        return layer
    return keyed.train(layer.training)


def _drop_path_kinds() -> tuple[Any, Any]:
    """Return the libraries' classes; a library that was never imported has no layer here.

    Importing both takes four seconds, which a small model needs not wait for.
    """
    found = []
    for library, name in (("torchvision.ops", "StochasticDepth"), ("timm.layers", "DropPath")):
        kind = getattr(sys.modules.get(library), name, None)
        found.append(kind if kind is not None else ())
    return found[0], found[1]
