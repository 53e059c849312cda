"""Cutout: exact area, places, fill."""

import numpy as np
import pytest
import torch
from scipy import stats

from lpa.augmentations import build, parse
from lpa.augmentations.cutout import Cutout, coverage

KEYS = np.random.default_rng(4).integers(0, 2**63, 2_000, dtype=np.uint64)


def erased(alpha, size=(37, 53), count=20, **options):
    """White rectangles on black views: the mean is the erased share."""
    module = Cutout(fill=1.0, **options)
    return module(torch.zeros(count, 3, *size), params=module.draw(KEYS[:count], alpha))


@pytest.mark.parametrize("alpha", [0.003, 0.1, 0.3, 0.77, 1.0])
@pytest.mark.parametrize("size", [(37, 53), (224, 224), (8, 8)])
def test_exactly_the_share_alpha_is_erased(alpha, size):
    assert erased(alpha, size).mean(dim=(1, 2, 3)).numpy() == pytest.approx(alpha, abs=1e-5)


def test_edge_pixels_are_covered_by_the_part_of_them_that_the_interval_covers():
    covered = coverage(torch.tensor([1.25, 0.0]), torch.tensor([3.5, 0.5]), 5)
    assert covered.tolist() == [[0.0, 0.75, 1.0, 0.5, 0.0], [0.5, 0.0, 0.0, 0.0, 0.0]]


def test_a_larger_rectangle_covers_a_smaller_one():
    smaller = erased(0.05)
    for alpha in np.linspace(0.1, 1.0, 10):
        larger = erased(float(alpha))
        assert (larger >= smaller - 1e-6).all()
        smaller = larger


def test_rectangles_have_the_views_aspect_and_lie_uniformly():
    window = Cutout().draw(KEYS, 0.36)["window"].numpy()
    assert window[:, 2:] - window[:, :2] == pytest.approx(0.6)
    for column in (0, 1):
        assert stats.kstest(window[:, column] / 0.4, "uniform").pvalue > 1e-3


def test_a_centred_rectangle_lies_in_the_middle():
    picture = erased(0.25, size=(8, 8), count=1, place="centre")[0, 0]
    expected = torch.zeros(8, 8)
    expected[2:6, 2:6] = 1.0
    assert torch.equal(picture, expected)


def test_the_fill_is_the_mean_colour_of_each_view_or_a_value():
    views = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    module = build(parse("cutout(place=centre)")[0])
    filled = module(views, params=module.draw(KEYS[:3], 0.25))
    slow = np.array([[view[channel].numpy().mean() for channel in range(3)] for view in views])
    assert filled[:, :, 8, 8].numpy() == pytest.approx(slow, abs=1e-6)
    assert torch.equal(filled[:, :, 0, 0], views[:, :, 0, 0])
    grey = build(parse("cutout(fill=0.25,place=centre)")[0])
    assert (grey(views, params=grey.draw(KEYS[:3], 0.25))[:, :, 8, 8] == 0.25).all()


def test_channels_last_views_give_the_same_pixels():
    views = torch.rand(4, 3, 20, 30, generator=torch.Generator().manual_seed(0))
    module = Cutout()
    params = module.draw(KEYS[:4], 0.4)
    interleaved = module(views.contiguous(memory_format=torch.channels_last), params=params)
    assert torch.allclose(interleaved, module(views, params=params), atol=1e-6)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_erases_the_same_pixels():
    views, module = torch.rand(4, 3, 64, 64), Cutout()
    params = module.draw(KEYS[:4], 0.4)
    on_device = module(views.cuda(), params=params).cpu()
    assert torch.allclose(on_device, module(views, params=params), atol=1e-6)


def test_a_large_view_is_erased_where_a_small_one_of_it_is():
    small = torch.rand(6, 3, 30, 40, generator=torch.Generator().manual_seed(0))
    large = small.repeat_interleave(8, dim=-1).repeat_interleave(8, dim=-2)
    module = Cutout(fill=0.0)
    params = module.draw(KEYS[:6], 0.3)
    shrunk = torch.nn.functional.avg_pool2d(module(large, params=params), 8)
    assert shrunk.numpy() == pytest.approx(module(small, params=params).numpy(), abs=1e-5)
