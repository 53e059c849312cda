"""Label smoothing (Szegedy et al., arXiv 1512.00567, Section 7)."""

from __future__ import annotations

import torch

from lpa.training.batch import Batch
from lpa.training.regularizers.regularizer import Floats, Parameters, Regularizer

__all__ = ["LabelSmoothing"]


class LabelSmoothing(Regularizer):
    """Spread the share epsilon of each target evenly over all classes, the true one included.

    The targets become ``(1 - epsilon) target + epsilon / classes``, as in
    ``torch.nn.CrossEntropyLoss(label_smoothing=epsilon)``; each sample has its own epsilon.
    """

    place = "targets"

    def apply(self, batch: Batch, params: Parameters, values: Floats, classes: int) -> Batch:
        """Smooth the targets of a batch."""
        if not values.any():
            return batch
        soft = batch.soft(classes)
        epsilon = torch.from_numpy(values).to(soft.device, soft.dtype)[:, None]
        batch.targets = torch.lerp(soft, torch.full_like(soft, 1.0 / classes), epsilon)
        return batch
