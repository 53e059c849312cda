"""Linear heads trained side by side: one batched product for all of them.

Weights and velocities are the only things of their size. The gradient goes straight into the
velocity, by the product that makes it, and the logits exist for one batch at a time.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["HEADS_AT_ONCE", "HeadStack", "heads_at_once"]

HEADS_AT_ONCE = 12
"""Most heads in one pass over the features."""

MEMORY = 3 * 2**30
"""Bytes that the weights, velocities and logits of one pass may take."""


def heads_at_once(width: int, classes: int, batch_size: int) -> int:
    """Return how many heads one pass trains: as many as fit, at most :data:`HEADS_AT_ONCE`.

    12 heads of 2,048 features and 10,000 classes take 2.2 GB with batches of 256.
    """
    each = 4 * (2 * (width + 1) * classes + 2 * batch_size * classes)
    return max(1, min(HEADS_AT_ONCE, MEMORY // each))


class HeadStack:
    """H linear heads, minimised by SGD with momentum (the update of ``torch.optim.SGD``).

    Each minimises ``mean cross-entropy + weight decay * |W|^2 / 2``. All start at zero. They lie
    side by side in one matrix [D, H C], so that a batch for all of them is one product, whose rate
    does not fall with few classes (six times as fast as H products for 10 classes on a CPU).

    Parameters
    ----------
    width, classes : int
        D features, C classes.
    weight_decays : sequence of float
        One a head; of the weights, not of the biases.
    momentum : float
        In [0, 1).
    groups : sequence of int or None
        How many neighbouring heads share a batch; None: all.
    device, dtype
        Of the parameters.

    Attributes
    ----------
    weights : Tensor, shape [D, H, C]
    biases : Tensor, shape [H, C]
    """

    def __init__(
        self,
        width: int,
        classes: int,
        weight_decays: Sequence[float],
        momentum: float,
        groups: Sequence[int] | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        count = len(weight_decays)
        self.momentum = momentum
        self.weight_decays = torch.tensor(weight_decays, device=device, dtype=dtype)
        self.weights = torch.zeros((width, count, classes), device=device, dtype=dtype)
        self.biases = torch.zeros((count, classes), device=device, dtype=dtype)
        self._velocity = torch.zeros_like(self.weights)
        self._bias_velocity = torch.zeros_like(self.biases)
        ends = list(itertools.accumulate(groups or [count], initial=0))
        self._groups = [slice(*pair) for pair in itertools.pairwise(ends)]

    def __len__(self) -> int:
        """Return the number of heads."""
        return len(self.biases)

    def logits(self, features: Tensor) -> Tensor:
        """Return what the heads say of one batch.

        Parameters
        ----------
        features : Tensor, shape [B, D]

        Returns
        -------
        Tensor, shape [B, H, C]
        """
        return _logits(features, self.weights, self.biases)

    def step(
        self, batches: Sequence[tuple[Tensor, Tensor]], rates: Tensor, bias_rates: Tensor
    ) -> None:
        """Update every head once.

        Parameters
        ----------
        batches : sequence of (Tensor [B, D], Tensor of int64 [B])
            Features and labels, one batch a group.
        rates, bias_rates : Tensor, shape [H]
            Learning rates of weights and biases.
        """
        for heads, (features, labels) in zip(self._groups, batches, strict=True):
            self._accelerate(heads, features, labels)
        self._velocity.addcmul_(self.weights, self.weight_decays[:, None])
        self.weights.addcmul_(self._velocity, rates[:, None], value=-1)
        self.biases.addcmul_(self._bias_velocity, bias_rates[:, None], value=-1)

    def _accelerate(self, heads: slice, features: Tensor, labels: Tensor) -> None:
        """Take the gradient of the cross-entropy into the velocity of a group."""
        size = len(features)
        logits = _logits(features, self.weights[:, heads], self.biases[heads])
        # The gradient by the logits is (probabilities - one-hot) / B.
        gradient = torch.softmax(logits, dim=2)
        del logits
        wanted = labels[:, None, None].expand(size, gradient.shape[1], 1)
        gradient.scatter_add_(2, wanted, gradient.new_full((1, 1, 1), -1.0).expand(wanted.shape))
        self._velocity[:, heads].flatten(1).addmm_(
            features.T, gradient.flatten(1), beta=self.momentum, alpha=1 / size
        )
        self._bias_velocity[heads].mul_(self.momentum).add_(gradient.sum(dim=0), alpha=1 / size)

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint keeps: the tensors in use, not copies."""
        return {
            "weights": self.weights,
            "biases": self.biases,
            "velocity": self._velocity,
            "bias_velocity": self._bias_velocity,
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take back what :meth:`state` returned."""
        for name, tensor in self.state().items():
            tensor.copy_(state[name])


def _logits(features: Tensor, weights: Tensor, biases: Tensor) -> Tensor:
    """Return [B, H, C] of features [B, D], weights [D, H, C] and biases [H, C]."""
    product = torch.addmm(biases.flatten(), features, weights.flatten(1))
    return product.view(len(features), *biases.shape)
