"""Mixup: the law of lambda, and convex combinations with the next image."""

import numpy as np
import pytest
import torch
from scipy import stats

from lpa.training.batch import Batch
from lpa.training.regularizers import parse_regularizer

KEYS = np.random.default_rng(4).integers(0, 2**63, 5_000, dtype=np.uint64)


@pytest.mark.parametrize("alpha", [0.1, 0.4, 1.0, 8.0, 100.0])
def test_lambda_is_beta_distributed(alpha):
    params = parse_regularizer("mixup").draw(KEYS, np.full(5_000, alpha), seed=0, epoch=0)
    assert stats.kstest(params["share"], stats.beta(alpha, alpha).cdf).pvalue > 1e-3


def test_each_sample_has_its_own_alpha():
    values = np.resize([0.0, 0.2, 4.0], 5_000)
    share = parse_regularizer("mixup").draw(KEYS, values, seed=0, epoch=0)["share"]
    assert (share[values == 0.0] == 1.0).all()
    # The variance of Beta(a, a) is 1 / (4 (2a + 1)).
    assert share[values == 0.2].var() == pytest.approx(1 / 5.6, rel=0.05)
    assert share[values == 4.0].var() == pytest.approx(1 / 36, rel=0.1)


def mixed(targets=None):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(4, 3, 5, 6, generator=generator)
    share = np.array([0.25, 1.0, 0.9, 0.5])
    values = np.array([1.0, 0.0, 1.0, 1.0])
    batch = Batch(np.arange(4), images.clone(), torch.tensor([0, 1, 2, 0]), targets)
    return images, parse_regularizer("mixup").apply(batch, {"share": share}, values, 3)


def test_images_and_targets_are_blended_with_those_of_the_next():
    images, after = mixed()
    a, b, c, d = images.double().numpy()
    expected = [0.25 * a + 0.75 * b, b, 0.9 * c + 0.1 * d, 0.5 * d + 0.5 * a]
    assert after.images.numpy() == pytest.approx(np.array(expected), abs=1e-6)
    targets = [[0.25, 0.75, 0], [0, 1, 0], [0.1, 0, 0.9], [1, 0, 0]]
    assert after.targets.numpy() == pytest.approx(np.array(targets), abs=1e-6)


def test_targets_that_were_moved_before_are_blended_as_they_are():
    soft = torch.tensor([[0.8, 0.2, 0], [0, 1, 0], [0.1, 0.1, 0.8], [1, 0, 0]])
    _, after = mixed(soft)
    first, third = after.targets[0].numpy(), after.targets[2].numpy()
    assert first == pytest.approx([0.2, 0.8, 0.0], abs=1e-6)
    assert third == pytest.approx([0.19, 0.09, 0.72], abs=1e-6)


def test_a_batch_of_one_is_mixed_with_itself():
    regularizer, values = parse_regularizer("mixup"), np.array([1.0])
    image = torch.rand(1, 3, 4, 4)
    params = regularizer.draw(KEYS[:1], values, seed=0, epoch=0)
    batch = Batch(np.arange(1), image.clone(), torch.tensor([1]))
    after = regularizer.apply(batch, params, values, 3)
    assert after.images.numpy() == pytest.approx(image.numpy(), abs=1e-6)
    assert after.targets.tolist() == [[0.0, 1.0, 0.0]]
