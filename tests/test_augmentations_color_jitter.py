"""Colour jitter against torchvision, one image at a time."""

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as reference
from scipy import stats

from lpa.augmentations.color_jitter import ColorJitter

KEYS = np.random.default_rng(5).integers(0, 2**63, 4_000, dtype=np.uint64)


def pictures(count=12, size=(17, 23)):
    """Random colours, and in the last ones greys, primaries, ties, black and white."""
    images = torch.rand(count, 3, *size, generator=torch.Generator().manual_seed(0))
    images[-1] = images[-1, :1]
    images[-2] = (images[-2] > 0.5).float()
    images[-3, 1] = images[-3, 0]
    images[-4] = (images[-4] * 4).round() / 4
    return images


@pytest.mark.parametrize("alpha", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_it_equals_torchvisions_four_operations_in_the_documented_order(alpha, memory_format):
    images, module = pictures().contiguous(memory_format=memory_format), ColorJitter()
    params = module.draw(KEYS[:12], alpha)
    measured = module(images, params=params)
    for index, image in enumerate(images):
        expected = reference.adjust_brightness(image, params["brightness"][index].item())
        expected = reference.adjust_contrast(expected, params["contrast"][index].item())
        expected = reference.adjust_saturation(expected, params["saturation"][index].item())
        expected = reference.adjust_hue(expected, params["hue"][index].item())
        assert (measured[index] - expected).abs().max() < 1e-5


def test_factors_are_uniform_around_one_and_the_hue_around_zero():
    params = ColorJitter().draw(KEYS, 0.6)
    for name in ("brightness", "contrast", "saturation"):
        assert stats.kstest(params[name].numpy(), "uniform", (0.4, 1.2)).pvalue > 1e-3
    assert stats.kstest(params["hue"].numpy(), "uniform", (-0.3, 0.6)).pvalue > 1e-3


def test_every_deviation_grows_in_proportion_to_the_strength():
    weak, strong = (ColorJitter().draw(KEYS, alpha) for alpha in (0.2, 0.8))
    for name, neutral in (("brightness", 1), ("contrast", 1), ("saturation", 1), ("hue", 0)):
        assert (strong[name] - neutral).numpy() == pytest.approx(
            4.0 * (weak[name] - neutral).numpy(), abs=1e-12
        )


def test_each_image_has_its_own_factors():
    params = ColorJitter().draw(KEYS[:50], 0.5)
    assert all(len(set(values.tolist())) == 50 for values in params.values())


def test_gradients_pass():
    images = (pictures() * 0.5 + 0.2).requires_grad_()
    module = ColorJitter()
    module(images, params=module.draw(KEYS[:12], 0.1)).sum().backward()
    assert torch.isfinite(images.grad).all()
    assert images.grad.abs().max() > 0.1
