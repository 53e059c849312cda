"""What mixup and CutMix share: how much of itself a sample keeps, and whom it is mixed with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import betaincinv
from torch import Tensor

from lpa.augmentations.randomness import uniforms
from lpa.training.batch import Batch
from lpa.training.regularizers.regularizer import Floats

__all__ = ["kept_shares", "mixed_targets", "partners"]


def kept_shares(
    keys: npt.NDArray[np.uint64], family: str, alphas: Floats, *, seed: int, epoch: int
) -> Floats:
    """Draw each sample's lambda from Beta(alpha, alpha), by inversion; 1 where alpha is 0.

    Parameters
    ----------
    keys : array of uint64, shape [N]
    family : str
        The regularizer.
    alphas : array of float64, shape [N]
        Each sample's own.
    seed, epoch : int

    Returns
    -------
    array of float64, shape [N]
        In [0, 1].
    """
    shares = np.ones(len(keys))
    mixed = alphas > 0
    numbers = uniforms(keys[mixed], family, 1, seed, epoch)[:, 0]
    shares[mixed] = betaincinv(alphas[mixed], alphas[mixed], numbers)
    return shares


def partners(rows: Tensor) -> Tensor:
    """Return, for each sample of a batch, the one that it is mixed with: the next, in a ring.

    The order of an epoch is random, so the next is a random other one; unlike a permutation it is
    never the sample itself (but in a batch of one).
    """
    return rows.roll(-1, 0)


def mixed_targets(batch: Batch, shares: Tensor, classes: int) -> Tensor:
    """Return ``share * own target + (1 - share) * partner's target``.

    Parameters
    ----------
    batch : Batch
    shares : Tensor, float32, shape [B]
        What each sample keeps of itself, on the batch's device.
    classes : int

    Returns
    -------
    Tensor, float32, shape [B, classes]
    """
    soft = batch.soft(classes)
    return torch.lerp(soft, partners(soft), 1.0 - shares[:, None])
