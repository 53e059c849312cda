"""Updates of many models as one: models that differ only in seed and in value train stacked.

``torch.func.vmap`` runs the forward pass over the models; their trained parameters are the rows of
one matrix (:mod:`lpa.training.stacked_optimizers`), everything else is stacked as
``torch.func.stack_module_state`` does. No model's numbers enter another's: one that diverges leaves
the others as they were.
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import stack_module_state

from lpa.plans.recipe import Recipe
from lpa.training.batch import Batch
from lpa.training.stackable import batched_forward, different, trainable
from lpa.training.stacked_optimizers import LossScale, clip_rows, make_optimizer
from lpa.training.weight_decay import decayed

__all__ = ["StackedLearner"]


class StackedLearner:
    """Models of one architecture with one batched optimizer.

    Parameters
    ----------
    modules : sequence of Module
        They are copied.
    recipes : sequence of Recipe
        One a model; see :func:`lpa.training.stackable.stackable` for what they may differ in.
    mean, std : sequence of float
        Normalisation of the channels in [0, 1].
    device : torch.device
    precision : {"fp32", "bf16", "fp16", "fp64"}
        Of the forward pass (autocast); fp16 scales the loss. fp64 is for tests: everything is in
        double precision.
    seeds : sequence of int
        The trainings' seeds: of dropout (:mod:`lpa.training.dropout`).
    classes : int
        Number of outputs that soft targets speak of.

    Raises
    ------
    InputError
        When the models differ in shape, or in a setting of a layer that is no tensor.
    """

    def __init__(
        self,
        modules: Sequence[nn.Module],
        recipes: Sequence[Recipe],
        mean: Sequence[float],
        std: Sequence[float],
        device: torch.device,
        precision: str,
        seeds: Sequence[int],
        classes: int,
    ) -> None:
        self.count, self.device, self.precision, self.classes = (
            len(modules),
            device,
            precision,
            classes,
        )
        self.recipe = recipes[0]
        self.dtype = torch.float64 if precision == "fp64" else torch.float32
        copies = [
            trainable(module, seed).to(device=device, dtype=self.dtype)
            for module, seed in zip(modules, seeds, strict=True)
        ]
        error = different(copies)
        if error is not None:
            raise error
        self.module = copies[0]
        self.mean = torch.tensor(mean, dtype=self.dtype, device=device).view(-1, 1, 1)
        self.std = torch.tensor(std, dtype=self.dtype, device=device).view(-1, 1, 1)
        self.layout = _Layout(self.module)
        parameters, self.buffers = stack_module_state(copies)
        self.parameters = self.layout.matrix(parameters)
        self.buffers |= {
            n: v.detach() for n, v in parameters.items() if n not in self.layout.shapes
        }
        weight_decay = self._column([recipe.weight_decay for recipe in recipes])
        self.optimizer = make_optimizer(
            self.recipe, self.parameters, weight_decay, self.layout.decaying
        )
        self.scale = LossScale(self.count, device) if precision == "fp16" else None
        self.averaged: dict[str, Tensor] = {}
        self.pieces = 1

    # ---- one update ----------------------------------------------------------------------

    def step(self, batches: Sequence[Batch], rates: Sequence[float]) -> Tensor:
        """Update every model once; return the losses, [M], detached, on the device.

        Out of memory, the batches are taken in halves whose gradients are added up, from then on
        (:attr:`pieces`); batch normalisation and dropout then see the halves.

        Raises
        ------
        torch.OutOfMemoryError
            When a single image of each model does not fit.
        """
        images = torch.stack([batch.images for batch in batches]).to(self.dtype)
        images = images.sub_(self.mean).div_(self.std)
        targets = self._targets(batches)
        while True:
            try:
                losses, gradients = self._gradients(images, targets)
                break
            except torch.OutOfMemoryError:
                if self.pieces >= images.shape[1]:
                    raise
                self.pieces *= 2
                torch.cuda.empty_cache()
        self._update(gradients, self._column(rates))
        if self.recipe.ema:
            self._average()
        return losses

    def _targets(self, batches: Sequence[Batch]) -> Tensor:
        if all(batch.targets is None for batch in batches):
            return torch.stack([batch.labels for batch in batches])
        return torch.stack([batch.soft(self.classes) for batch in batches]).to(self.dtype)

    def _gradients(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return losses [M] and gradients [M, P]."""
        losses = torch.zeros(self.count, dtype=self.dtype, device=self.device)
        gradients = torch.zeros_like(self.parameters)
        matrix = self.parameters.detach().requires_grad_()
        pieces = min(self.pieces, images.shape[1])
        for views, wanted in zip(
            images.tensor_split(pieces, dim=1), targets.tensor_split(pieces, dim=1), strict=True
        ):
            with self._context():
                logits = batched_forward(
                    self.module, self.layout.named(matrix), self.buffers, views
                )
            share = views.shape[1] / images.shape[1]
            loss = _cross_entropy(logits.to(self.dtype), wanted) * share
            scaled = loss if self.scale is None else loss * self.scale.scale.flatten()
            (gradient,) = torch.autograd.grad(scaled.sum(), matrix)
            gradients += gradient
            losses += loss.detach()
        return losses, gradients

    def _context(self) -> contextlib.AbstractContextManager[Any]:
        if self.precision in ("fp32", "fp64"):
            return contextlib.nullcontext()
        dtype = torch.float16 if self.precision == "fp16" else torch.bfloat16
        return torch.autocast(self.device.type, dtype=dtype)

    @torch.no_grad()
    def _update(self, gradients: Tensor, rates: Tensor) -> None:
        finite = None if self.scale is None else self.scale.unscale(gradients)
        if self.recipe.gradient_clip is not None:
            clip_rows(gradients, self.recipe.gradient_clip)
        if self.scale is None or finite is None:
            self.optimizer.step(self.parameters, gradients, rates)
            return
        changing = [self.parameters, *self.optimizer.matrices().values()]
        before = [tensor.clone() for tensor in changing]
        self.optimizer.step(self.parameters, gradients, rates)
        for tensor, old in zip(changing, before, strict=True):
            tensor.copy_(torch.where(finite, tensor, old))
        self.scale.update(finite)

    @torch.no_grad()
    def _average(self) -> None:
        """Move the averages towards the weights; the first update copies them, as torch's does."""
        present = {"": self.parameters, **self.buffers}
        if not self.averaged:
            self.averaged = {name: tensor.clone() for name, tensor in present.items()}
            return
        for name, average in self.averaged.items():
            if average.is_floating_point():
                average.lerp_(present[name], 1 - self.recipe.ema)
            else:
                average.copy_(present[name])

    def _column(self, values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=self.dtype, device=self.device).view(-1, 1)

    # ---- what is kept and evaluated ------------------------------------------------------

    def modules(self) -> list[nn.Module]:
        """Return M modules in evaluation mode with the averages, if any, or the weights; copies."""
        stacked = self.averaged or {"": self.parameters, **self.buffers}
        values = {**stacked, **self.layout.named(stacked[""])}
        return [
            self._module({n: v[index] for n, v in values.items()}) for index in range(self.count)
        ]

    @torch.no_grad()
    def _module(self, values: dict[str, Tensor]) -> nn.Module:
        module = copy.deepcopy(self.module).eval().requires_grad_(False)
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            tensor.copy_(values[name])
        return module

    def _tensors(self) -> dict[str, dict[str, Tensor]]:
        """Return every tensor that training changes."""
        return {
            "weights": {"": self.parameters, **self.buffers},
            "optimizer": self.optimizer.matrices(),
            "scale": {} if self.scale is None else self.scale.matrices(),
        }

    def state(self) -> dict[str, Any]:
        """Return copies of weights, optimizer, averages, loss scale; tensors and plain values."""
        kept: dict[str, Any] = {
            part: {name: tensor.clone() for name, tensor in tensors.items()}
            for part, tensors in self._tensors().items()
        }
        kept["averaged"] = {name: tensor.clone() for name, tensor in self.averaged.items()}
        kept["pieces"] = self.pieces
        return kept

    @torch.no_grad()
    def restore(self, state: dict[str, Any]) -> None:
        """Take back what :meth:`state` returned."""
        for part, tensors in self._tensors().items():
            for name, tensor in tensors.items():
                tensor.copy_(state[part][name])
        self.averaged = {
            name: tensor.to(self.device, copy=True) for name, tensor in state["averaged"].items()
        }
        self.pieces = state["pieces"]


class _Layout:
    """Where each trained parameter lies in a row of the matrix; those that decay come first."""

    def __init__(self, module: nn.Module) -> None:
        decaying = decayed(module)
        trained = {name: v.shape for name, v in module.named_parameters() if v.requires_grad}
        names = sorted(trained, key=lambda name: name not in decaying)  # stable: else as they were
        self.shapes = {name: trained[name] for name in names}
        self.sizes = [math.prod(shape) for shape in self.shapes.values()]
        self.decaying = sum(
            size for name, size in zip(names, self.sizes, strict=True) if name in decaying
        )

    def matrix(self, parameters: dict[str, Tensor]) -> Tensor:
        """Return the parameters [M, ...] side by side: [M, P]."""
        return torch.cat([parameters[name].detach().flatten(1) for name in self.shapes], dim=1)

    def named(self, matrix: Tensor) -> dict[str, Tensor]:
        """Return views into the matrix by name: [M, ...]."""
        parts = torch.split(matrix, self.sizes, dim=1)
        return {
            name: part.view(len(matrix), *shape)
            for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }


def _cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the mean cross-entropy of each model: logits [M, B, C] -> [M]."""
    wanted = targets.flatten(0, 1)
    each = nn.functional.cross_entropy(logits.flatten(0, 1), wanted, reduction="none")
    return each.view(logits.shape[:2]).mean(dim=1)
