"""Grayscale."""

import numpy as np
import pytest
import torch

from lpa.augmentations.grayscale import Grayscale

KEYS = np.arange(5, dtype=np.uint64)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_pixels_are_mixed_with_their_luma(alpha):
    views = torch.rand(5, 3, 9, 11, generator=torch.Generator().manual_seed(0))
    module = Grayscale()
    mixed = module(views, params=module.draw(KEYS, alpha)).numpy()
    luma = np.tensordot([0.299, 0.587, 0.114], views.double().numpy(), axes=(0, 1))[:, None]
    assert mixed == pytest.approx((1 - alpha) * views.numpy() + alpha * luma, abs=1e-6)


def test_at_full_strength_no_colour_is_left():
    module = Grayscale(1.0)
    grey = module(torch.rand(2, 3, 8, 8))
    assert (grey[:, 0] - grey[:, 2]).abs().max() < 1e-6
