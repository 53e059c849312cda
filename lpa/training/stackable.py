"""What can be trained as one batched model, and how many models at once pay."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Literal

import torch
from timm.layers.drop import DropBlock2d, DropPath
from timm.layers.patch_dropout import PatchDropout
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.modules.dropout import _DropoutNd
from torchvision.ops import StochasticDepth

from lpa.errors import InputError
from lpa.plans.recipe import Recipe
from lpa.training.dropout import replace_dropout
from lpa.training.stacked_optimizers import OPTIMIZERS

__all__ = ["MAY_DIFFER", "batched_forward", "different", "stack_size", "stackable", "trainable"]

MAY_DIFFER = ("weight_decay", "learning_rate", "dropout")
"""Fields of a recipe that stacked trainings may differ in."""

RANDOM: dict[type[nn.Module], str] = {
    _DropoutNd: "p",
    DropPath: "drop_prob",
    DropBlock2d: "drop_prob",
    PatchDropout: "prob",
    StochasticDepth: "p",
}
"""Modules that draw from torch's own generator, and their attribute with the probability."""

STACKED = 16
"""How many small models at once, where stacking pays."""

WAY_OUT = "train one after another with --stack 1"


def stackable(
    module: nn.Module, recipes: Sequence[Recipe], size: tuple[int, int]
) -> InputError | None:
    """Say why trainings cannot be stacked, or None.

    Parameters
    ----------
    module : Module
        One of the models; it is left as it is.
    recipes : sequence of Recipe
        Of the trainings.
    size : tuple of int
        Height and width of the images in pixels; a batch of two blank ones is tried.

    Returns
    -------
    InputError or None
        To be raised by the caller, who may also train one after another.
    """
    error = _optimizer(recipes) or _recipes(recipes)
    if error is not None:
        return error
    copied = trainable(module, seed=0)
    return _random(copied) or _tried(copied, size)


def _optimizer(recipes: Sequence[Recipe]) -> InputError | None:
    for recipe in recipes:
        if recipe.optimizer not in OPTIMIZERS:
            return InputError(
                f"--optimizer {recipe.optimizer} cannot be stacked; expected sgd, nesterov or "
                f"adamw, or {WAY_OUT}"
            )
    return None


def _recipes(recipes: Sequence[Recipe]) -> InputError | None:
    first = recipes[0]
    for recipe in recipes:
        for name in Recipe.names():
            one, other = getattr(first, name), getattr(recipe, name)
            if name not in MAY_DIFFER and one != other:
                return InputError(
                    f"trainings that differ in {name} ({one} and {other}) cannot be stacked; "
                    f"expected differences in {', '.join(MAY_DIFFER)} alone, or {WAY_OUT}"
                )
    return None


def _random(module: nn.Module) -> InputError | None:
    for name, layer in module.named_modules():
        for kind, attribute in RANDOM.items():
            if isinstance(layer, kind) and getattr(layer, attribute):
                return InputError(
                    f"module {name!r} ({type(layer).__name__}, {attribute}="
                    f"{getattr(layer, attribute)}) draws random numbers without keys and cannot "
                    f"be stacked; expected {attribute}=0 or KeyedDropout, or {WAY_OUT}"
                )
    return None


def _tried(module: nn.Module, size: tuple[int, int]) -> InputError | None:
    """Run one tiny batch forwards and backwards as two stacked models."""
    parameters, buffers = stack_module_state([module, module])
    like = next(iter(parameters.values()))
    images = torch.zeros(2, 2, 3, *size, dtype=like.dtype, device=like.device)
    running = _Running(module)
    try:
        logits = batched_forward(module, parameters, buffers, images)
        running.stack = [("", module)]  # gone through: what fails now is the way back
        torch.autograd.backward(logits.sum())
    except Exception as error:
        name, layer = running.stack[-1]
        where = f"module {name!r}" if name else "the model"
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        reason = first.partition(". ")[0].rstrip(".")[:160]
        return InputError(
            f"{where} ({type(layer).__name__}) cannot be stacked ({reason}); {WAY_OUT}"
        )
    return None


class _Running:
    """Knows which modules' forward passes have begun and not ended, the innermost last."""

    def __init__(self, module: nn.Module) -> None:
        self.stack: list[tuple[str, nn.Module]] = []
        for name, layer in module.named_modules():
            layer.register_forward_pre_hook(self._begin(name))
            layer.register_forward_hook(lambda *_: self._end())

    def _begin(self, name: str) -> Any:
        return lambda layer, inputs: self.stack.append((name, layer))

    def _end(self) -> None:
        self.stack.pop()


def different(modules: Sequence[nn.Module]) -> InputError | None:
    """Say in what, but for the numbers in parameters and buffers, models differ, or None.

    A stack runs the first model's code for all: a layer's setting that is no tensor (timm's
    ``drop_rate``) must be the same, or the other models would silently get the first one's.
    """
    described = [_described(module) for module in modules]
    for index, found in enumerate(described):
        for name in sorted(described[0].keys() | found.keys()):
            one, other = described[0].get(name, "absent"), found.get(name, "absent")
            if one != other:
                return InputError(
                    f"models 0 and {index} differ in {name!r} ({one} and {other}) and cannot be "
                    f"stacked; expected one architecture, or {WAY_OUT}"
                )
    return None


def _described(module: nn.Module) -> dict[str, Any]:
    """Return shapes, and the layers' settings and types, by name."""
    named = (*module.named_parameters(), *module.named_buffers())
    found: dict[str, Any] = {name: list(value.shape) for name, value in named}
    for name, layer in module.named_modules():
        found[name or "the model"] = type(layer).__name__
        for attribute, value in vars(layer).items():
            if isinstance(value, bool | int | float | str | tuple):
                found[f"{name}.{attribute}".lstrip(".")] = value
    return found


def trainable(module: nn.Module, seed: int) -> nn.Module:
    """Return a copy in training mode, with keyed dropout of this seed, for vmap to run."""
    copied = replace_dropout(copy.deepcopy(module), seed).train()
    for layer in copied.modules():
        if isinstance(layer, tuple(RANDOM)):  # of probability 0, yet vmap refuses the call
            layer.eval()
    return copied


def batched_forward(
    module: nn.Module, parameters: dict[str, Tensor], buffers: dict[str, Tensor], images: Tensor
) -> Tensor:
    """Return the outputs of M models: [M, B, outputs].

    Parameters
    ----------
    module : Module
        Its code; its own weights are not used.
    parameters, buffers : dict of str to Tensor
        Of shape [M, ...]; buffers are changed in place (running statistics).
    images : Tensor, shape [M, B, 3, height, width]
    """

    def forward(own: dict[str, Tensor], kept: dict[str, Tensor], views: Tensor) -> Any:
        return functional_call(module, (own, kept), (views,))

    outputs: Tensor = vmap(forward)(parameters, buffers, images)
    return outputs


def stack_size(asked: Literal["auto"] | int, module: nn.Module, device: torch.device) -> int:
    """Return how many models are trained as one.

    On a CPU, sixteen perceptrons train 1.1 (28 pixels) to 2.7 times (8 pixels, batches of 32) as
    fast stacked as one after another, but sixteen small CNNs take 1.9 (8 pixels) to 3.9 times (28
    pixels) as long, since their convolutions become grouped ones (measured on one core with
    ``benchmarks/stacked_training.py``). On CUDA small models leave most of the device idle.

    Parameters
    ----------
    asked : "auto" or int
        A number is taken as it is.
    module : Module
        One of the models.
    device : torch.device
        Where they are trained.

    Raises
    ------
    InputError
        When a number below 1 is asked for.
    """
    if asked != "auto":
        if asked < 1:
            raise InputError(f"--stack {asked} is out of range; expected auto or a number from 1")
        return asked
    if device.type == "cuda":
        return STACKED
    convolves = any(isinstance(layer, nn.modules.conv._ConvNd) for layer in module.modules())
    return 1 if device.type != "cpu" or convolves else STACKED
