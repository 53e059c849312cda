"""Gaussian blur against scipy and Kornia."""

import numpy as np
import pytest
import torch
from kornia.filters import gaussian_blur2d
from scipy import ndimage

from lpa.augmentations.blur import Blur, gaussian_matrix

KEYS = np.arange(4, dtype=np.uint64)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 3.0, 8.0])
def test_it_is_scipys_gaussian_filter(alpha):
    views = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    module = Blur()
    blurred = module(views, params=module.draw(KEYS[:1], alpha))
    expected = ndimage.gaussian_filter(
        views.double().numpy(), (0, 0, alpha, alpha), mode="mirror", truncate=4.0
    )
    assert blurred.numpy() == pytest.approx(expected, abs=1e-5)


def test_samples_with_their_own_sigma_are_kornias_blur():
    views = torch.rand(3, 3, 224, 280, generator=torch.Generator().manual_seed(0))
    sigma = torch.tensor([0.75, 1.25, 2.25], dtype=torch.float64)
    blurred = Blur()(views, params={"sigma": sigma})
    for index in range(3):
        width = 2 * int(np.ceil(4 * sigma[index].item())) + 1
        pair = (float(sigma[index]), float(sigma[index]))
        expected = gaussian_blur2d(views[index : index + 1], (width, width), pair)
        assert torch.allclose(blurred[index : index + 1], expected, atol=1e-5)


def test_sigma_scales_with_the_shorter_side_of_the_view():
    views = torch.rand(1, 3, 112, 150, generator=torch.Generator().manual_seed(0))
    module = Blur()
    blurred = module(views, params=module.draw(KEYS[:1], 4.0))
    expected = ndimage.gaussian_filter(views.numpy(), (0, 0, 2, 2), mode="mirror", truncate=4.0)
    assert blurred.numpy() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("length", [1, 2, 5, 8, 33])
def test_rows_add_up_to_one_for_any_width_on_any_length(length):
    matrices = gaussian_matrix(torch.tensor([0.0, 0.3, 5.0, 40.0], dtype=torch.float64), length)
    assert matrices.sum(2).numpy() == pytest.approx(1.0)
    assert matrices.min() >= 0.0
    assert torch.equal(matrices[0], torch.eye(length, dtype=torch.float64))
