"""Optimizers of many models at once: the formulas of ``torch.optim``, one row a model.

The trained parameters of M models are one matrix [M, P], those that decay first, so that an update
is a handful of operations whatever the architecture, and learning rate, weight decay, clipping and
the state of the loss scale are a column [M, 1].
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from lpa.plans.recipe import Recipe

__all__ = [
    "OPTIMIZERS",
    "LossScale",
    "StackedAdamW",
    "StackedOptimizer",
    "StackedSGD",
    "clip_rows",
    "make_optimizer",
]

OPTIMIZERS = ("sgd", "nesterov", "adamw")
"""Names in ``Recipe.optimizer`` that can be stacked."""


class StackedOptimizer(Protocol):
    """One update of M models, in place."""

    def step(self, parameters: Tensor, gradients: Tensor, rates: Tensor) -> None:
        """Update the parameters.

        Parameters
        ----------
        parameters, gradients : Tensor, shape [M, P]
            The gradients may be overwritten.
        rates : Tensor, shape [M, 1]
            Learning rate of each model.
        """

    def matrices(self) -> dict[str, Tensor]:
        """Return the state, by name: tensors with one row a model, changed in place."""


class StackedSGD:
    """``torch.optim.SGD`` with momentum, without dampening.

    Parameters
    ----------
    parameters : Tensor, shape [M, P]
    weight_decay : Tensor, shape [M, 1]
    decaying : int
        So many parameters, the first, decay.
    momentum : float
        In [0, 1).
    nesterov : bool
    """

    def __init__(
        self,
        parameters: Tensor,
        weight_decay: Tensor,
        decaying: int,
        momentum: float,
        nesterov: bool = False,
    ) -> None:
        self.weight_decay, self.decaying = weight_decay, decaying
        self.momentum, self.nesterov = momentum, nesterov
        # Zeros give the first update that torch's special case gives: the gradient itself.
        self.velocity = torch.zeros_like(parameters)

    def step(self, parameters: Tensor, gradients: Tensor, rates: Tensor) -> None:
        """See :class:`StackedOptimizer`."""
        decaying = gradients[:, : self.decaying]
        decaying.addcmul_(parameters[:, : self.decaying], self.weight_decay)
        self.velocity.mul_(self.momentum).add_(gradients)
        update = self.velocity
        if self.nesterov:
            update = gradients.add_(self.velocity, alpha=self.momentum)
        parameters.addcmul_(update, rates, value=-1)

    def matrices(self) -> dict[str, Tensor]:
        """See :class:`StackedOptimizer`."""
        return {"velocity": self.velocity}


class StackedAdamW:
    """``torch.optim.AdamW`` with its defaults, betas (0.9, 0.999) and eps 1e-8.

    Parameters
    ----------
    parameters : Tensor, shape [M, P]
    weight_decay : Tensor, shape [M, 1]
    decaying : int
        So many parameters, the first, decay.
    """

    first, second, epsilon = 0.9, 0.999, 1e-8

    def __init__(self, parameters: Tensor, weight_decay: Tensor, decaying: int) -> None:
        self.weight_decay, self.decaying = weight_decay, decaying
        self.mean = torch.zeros_like(parameters)
        self.square = torch.zeros_like(parameters)
        # Per model, since the loss scale may pass over a model's update.
        self.updates = torch.zeros(
            (len(parameters), 1), dtype=torch.float64, device=parameters.device
        )

    def step(self, parameters: Tensor, gradients: Tensor, rates: Tensor) -> None:
        """See :class:`StackedOptimizer`."""
        self.updates += 1
        parameters[:, : self.decaying].mul_(1 - rates * self.weight_decay)
        self.mean.lerp_(gradients, 1 - self.first)
        self.square.mul_(self.second).addcmul_(gradients, gradients, value=1 - self.second)
        correction = (1 - self.second**self.updates).sqrt().to(parameters.dtype)
        size = (rates / (1 - self.first**self.updates)).to(parameters.dtype)
        spread = self.square.sqrt().div_(correction).add_(self.epsilon)
        parameters.addcmul_(torch.div(self.mean, spread), size, value=-1)

    def matrices(self) -> dict[str, Tensor]:
        """See :class:`StackedOptimizer`."""
        return {"mean": self.mean, "square": self.square, "updates": self.updates}


def make_optimizer(
    recipe: Recipe, parameters: Tensor, weight_decay: Tensor, decaying: int
) -> StackedSGD | StackedAdamW:
    """Make the optimizer that a recipe names; one of :data:`OPTIMIZERS`."""
    if recipe.optimizer == "adamw":
        return StackedAdamW(parameters, weight_decay, decaying)
    nesterov = {"sgd": False, "nesterov": True}[recipe.optimizer]
    return StackedSGD(parameters, weight_decay, decaying, recipe.momentum, nesterov)


def clip_rows(gradients: Tensor, largest: float) -> None:
    """Shorten each model's gradient, in place, as ``torch.nn.utils.clip_grad_norm_`` does.

    Parameters
    ----------
    gradients : Tensor, shape [M, P]
    largest : float
        Norm above which a gradient is shortened; more than 0.
    """
    norms = torch.linalg.vector_norm(gradients, dim=1, keepdim=True)
    gradients.mul_((largest / (norms + 1e-6)).clamp(max=1.0))


class LossScale:
    """The loss scale of half precision, one a model, with ``torch.amp.GradScaler``'s rules.

    A model whose scaled gradient overflows passes over this update and halves its scale; after
    2,000 updates without, the scale doubles. The other models are not touched.

    Parameters
    ----------
    count : int
        Number of models.
    device : torch.device
    """

    start, growth_updates = 65536.0, 2000

    def __init__(self, count: int, device: torch.device) -> None:
        self.scale = torch.full((count, 1), self.start, device=device)
        self.successes = torch.zeros((count, 1), dtype=torch.int64, device=device)

    def unscale(self, gradients: Tensor) -> Tensor:
        """Divide the gradients by the scale, in place; return bool [M, 1], whose are finite."""
        gradients.div_(self.scale)
        # One finite sum says that every term is finite, and it is cheaper than asking each.
        return gradients.abs().sum(dim=1, keepdim=True, dtype=torch.float64).isfinite()

    def update(self, finite: Tensor) -> None:
        """Adapt the scales after an update; ``finite`` is what :meth:`unscale` returned."""
        self.successes.add_(1).mul_(finite)
        grown = self.successes >= self.growth_updates
        self.successes.masked_fill_(grown, 0)
        self.scale.mul_(torch.where(finite, torch.where(grown, 2.0, 1.0), 0.5))

    def matrices(self) -> dict[str, Tensor]:
        """Return the state, by name."""
        return {"scale": self.scale, "successes": self.successes}
