"""Rotation against Pillow."""

import numpy as np
import pytest
import torch
from PIL import Image

from lpa.augmentations.rotation import Rotation

KEYS = np.random.default_rng(6).integers(0, 2**63, 1_000, dtype=np.uint64)


def test_the_angle_is_exactly_alpha_to_either_side():
    degrees = Rotation().draw(KEYS, 30.0)["degrees"].numpy()
    assert set(degrees.tolist()) == {-30.0, 30.0}
    # A thousand fair coins.
    assert 430 < (degrees > 0).sum() < 570


def test_the_side_does_not_change_with_the_angle():
    weak, strong = (Rotation().draw(KEYS, alpha)["degrees"] for alpha in (1.0, 100.0))
    assert torch.equal(weak * 100.0, strong)


def test_quarter_turns_are_exact_and_positive_is_counter_clockwise():
    views = torch.rand(8, 3, 21, 21, generator=torch.Generator().manual_seed(0))
    module = Rotation()
    params = module.draw(KEYS[:8], 90.0)
    turned = module(views, params=params)
    for view, angle, row in zip(views, params["degrees"].tolist(), turned, strict=True):
        expected = np.rot90(view.numpy(), k=round(angle / 90.0), axes=(1, 2))
        assert row.numpy() == pytest.approx(expected, abs=1e-4)


def test_it_turns_as_pillow_does():
    coarse = torch.rand(1, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    view = torch.nn.functional.interpolate(coarse, (65, 65), mode="bilinear")
    module = Rotation(fill=0.0)
    params = module.draw(KEYS[:1], 25.0)
    turned = module(view, params=params)[0].permute(1, 2, 0).numpy() * 255.0
    picture = Image.fromarray((view[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8))
    expected = np.array(picture.rotate(params["degrees"].item(), Image.Resampling.BILINEAR))
    # Pillow leaves the outermost pixels out, so the border of the square differs.
    inside = np.s_[20:45, 20:45]
    assert np.abs(turned - expected)[inside].max() < 1.5


def test_what_the_view_does_not_reach_has_its_mean_colour_or_the_fill():
    views = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    module = Rotation()
    corner = module(views, params=module.draw(KEYS[:2], 45.0))[:, :, 0, 0]
    assert corner.numpy() == pytest.approx(views.numpy().mean(axis=(2, 3)), abs=1e-5)
    module = Rotation(fill=0.75)
    corner = module(views, params=module.draw(KEYS[:2], 45.0))[:, :, 0, 0]
    assert corner.numpy() == pytest.approx(0.75, abs=1e-5)
