"""Label smoothing: torch's own loss, sample by sample."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from lpa.training.batch import Batch
from lpa.training.regularizers import parse_regularizer

EPSILONS = np.array([0.0, 0.1, 0.4, 1.0])
LABELS = torch.tensor([2, 0, 1, 2])


def smoothed(targets=None):
    batch = Batch(np.arange(4), torch.rand(4, 3, 2, 2), LABELS, targets)
    return parse_regularizer("label_smoothing").apply(batch, {}, EPSILONS, 3).targets


def test_the_loss_is_that_of_torchs_label_smoothing():
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    for row, epsilon in enumerate(EPSILONS):
        mine = cross_entropy(logits[row], smoothed()[row])
        theirs = cross_entropy(logits[row], LABELS[row], label_smoothing=float(epsilon))
        assert float(mine) == pytest.approx(float(theirs), abs=1e-6)


def test_targets_that_a_policy_has_moved_are_smoothed_from_there():
    moved = torch.tensor([[0.5, 0.5, 0.0]]).repeat(4, 1)
    expected = [[0.5, 0.5, 0], [0.29 / 0.6, 0.29 / 0.6, 1 / 30], [13 / 30, 13 / 30, 4 / 30]]
    assert smoothed(moved)[:3].numpy() == pytest.approx(np.array(expected), abs=1e-6)
    assert smoothed(moved)[3].numpy() == pytest.approx(1 / 3)
