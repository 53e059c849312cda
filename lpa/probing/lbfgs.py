"""A linear head by full-batch L-BFGS in double precision: the reference for those by SGD.

It is the problem of scikit-learn's ``LogisticRegression`` with ``C = 1 / (images * weight_decay)``,
but neither the features nor the logits are ever wholly in memory. For checks and small targets: one
evaluation goes through all features, and scipy keeps about 20 copies of the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.optimize
import torch
from torch import Tensor

from lpa.errors import InputError
from lpa.probing.batches import parts, read
from lpa.probing.linear import Choice, TrainedHeads
from lpa.probing.standardised import IMAGES_AT_ONCE, Standardisation, standardisation
from lpa.probing.table import FeatureTable, check_table

__all__ = ["ReferenceHead", "reference_head"]

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ReferenceHead:
    """What :func:`reference_head` returns.

    Attributes
    ----------
    heads : TrainedHeads
        One head, in double precision.
    loss : float
        Mean cross-entropy plus ``weight_decay * |W|^2 / 2``, at the end.
    iterations : int
    converged : bool
        Whether the largest entry of the gradient came below the tolerance, or the loss stopped
        falling, before the iterations ran out.
    """

    heads: TrainedHeads
    loss: float
    iterations: int
    converged: bool


def reference_head(
    train: FeatureTable,
    classes: int,
    weight_decay: float,
    *,
    standardise: bool = True,
    device: torch.device | str = "cpu",
    tolerance: float = 1e-6,
    iterations: int = 2000,
) -> ReferenceHead:
    """Minimise ``mean cross-entropy + weight_decay * |W|^2 / 2``; the bias does not decay.

    Parameters
    ----------
    train : FeatureTable
    classes : int
        Number of classes C of the run.
    weight_decay : float
        At least 0. At 0 the classes must not be separable, or there is no minimum.
    standardise, device
        As for the heads by SGD. The sums over the features are made on the device.
    tolerance : float
        Largest entry of the gradient at which it ends.
    iterations : int
        At most so many.

    Raises
    ------
    InputError
        For a weight decay below 0, or features that cannot be trained on.
    """
    if not weight_decay >= 0:
        raise InputError(f"--weight-decays {weight_decay} is out of range; expected at least 0")
    check_table(train, classes, np.zeros(len(train.labels), dtype=np.uint64))
    measured = standardisation(
        train.features, standardise=standardise, device=device, dtype=torch.float64
    )
    problem = _Problem(train, classes, weight_decay, measured)
    # scipy's other reason to end is a loss that falls by less than so many roundings.
    found = scipy.optimize.minimize(
        problem, np.zeros(problem.size), jac=True, method="L-BFGS-B",
        options={"maxiter": iterations, "maxfun": 2 * iterations, "gtol": tolerance, "ftol": 1e-14},
    )  # fmt: skip
    weights, biases = problem.split(found.x)
    choice = Choice(0.0, weight_decay, None, {})
    return ReferenceHead(
        TrainedHeads(measured, weights[None], biases[None], (choice,)),
        float(found.fun),
        int(found.nit),
        bool(found.success),
    )


class _Problem:
    """Loss and gradient by all parameters, which are one vector: weights [D, C], biases [C]."""

    def __init__(
        self, train: FeatureTable, classes: int, weight_decay: float, measured: Standardisation
    ) -> None:
        self.train, self.classes = train, classes
        self.weight_decay, self.measured = weight_decay, measured
        self.size = (train.features.shape[1] + 1) * classes

    def split(self, vector: Vector) -> tuple[Tensor, Tensor]:
        """Return weights [D, C] and biases [C] on the device."""
        matrix = torch.from_numpy(vector).to(self.measured.mean.device)
        matrix = matrix.reshape(-1, self.classes)
        return matrix[:-1], matrix[-1]

    @torch.inference_mode()
    def __call__(self, vector: Vector) -> tuple[float, Vector]:
        """Return loss and gradient."""
        weights, biases = self.split(vector)
        count, device = len(self.train.labels), weights.device
        loss = 0.5 * self.weight_decay * weights.square().sum()
        slope, bias_slope = weights * self.weight_decay, torch.zeros_like(biases)
        for rows in parts(np.arange(count), IMAGES_AT_ONCE):
            features, labels = read(self.train, rows, device)
            features = self.measured.apply(features)
            logits = torch.log_softmax(torch.addmm(biases, features, weights), dim=1)
            wanted = labels[:, None]
            loss -= logits.gather(1, wanted).sum() / count
            gradient = logits.exp_().scatter_add_(1, wanted, _minus_ones(logits, wanted))
            slope.addmm_(features.T, gradient, alpha=1 / count)
            bias_slope += gradient.sum(dim=0) / count
        both: Any = torch.cat([slope, bias_slope[None]]).flatten().cpu().numpy()
        return float(loss), both


def _minus_ones(like: Tensor, wanted: Tensor) -> Tensor:
    return like.new_full((1, 1), -1.0).expand(wanted.shape)
