"""Heads that are trained: what a probe evaluates."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lpa.errors import InputError
from lpa.probing.standardised import Standardisation

__all__ = ["Choice", "TrainedHeads"]


@dataclass(frozen=True)
class Choice:
    """How the head of one seed was chosen.

    Attributes
    ----------
    learning_rate, weight_decay : float
        The pair that was best on the part held out, or the only one.
    accuracy : float or None
        Of that pair on the part held out; None where there was nothing to choose.
    accuracies : dict
        Pair -> accuracy on the part held out, of all; NaN for a head that diverged.
    """

    learning_rate: float
    weight_decay: float
    accuracy: float | None
    accuracies: dict[tuple[float, float], float]


@dataclass(frozen=True, eq=False)
class TrainedHeads:
    """One linear head a seed.

    Attributes
    ----------
    standardisation : Standardisation
        Its ``mean`` and ``std`` are what the features are brought to first.
    weights : Tensor, shape [seeds, D, C]
        Of standardised features.
    biases : Tensor, shape [seeds, C]
    choices : tuple of Choice
        One a seed.
    """

    standardisation: Standardisation
    weights: Tensor
    biases: Tensor
    choices: tuple[Choice, ...] = ()

    @torch.inference_mode()
    def logits(self, features: Tensor) -> Tensor:
        """Return what the heads say of a batch.

        Parameters
        ----------
        features : Tensor, shape [B, D]
            As extracted: any precision, any device.

        Returns
        -------
        Tensor, shape [seeds, B, C]
            On the heads' device.

        Raises
        ------
        InputError
            For features of another width.
        """
        width = self.weights.shape[1]
        if features.ndim != 2 or features.shape[1] != width:
            raise InputError(
                f"features of shape {list(features.shape)} for heads of {width} features; expected "
                f"[images, {width}]: were they extracted with another backbone?"
            )
        batch = self.standardisation.apply(features)
        batch = batch.expand(len(self.weights), *batch.shape)
        return torch.baddbmm(self.biases[:, None, :], batch, self.weights)
