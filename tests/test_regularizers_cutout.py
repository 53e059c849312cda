"""Cutout in training is the scan's, each image with its own share erased."""

import numpy as np
import pytest
import torch

from lpa.augmentations.cutout import Cutout
from lpa.training.batch import Batch
from lpa.training.regularizers import parse_regularizer

KEYS = np.random.default_rng(1).integers(0, 2**63, 9, dtype=np.uint64)
VALUES = np.resize([0.0, 0.25, 0.81], 9)
LABELS = torch.zeros(9, dtype=torch.int64)


def cut(name, images):
    regularizer = parse_regularizer(name)
    params = regularizer.draw(KEYS, VALUES, seed=8, epoch=4)
    return regularizer.apply(Batch(np.arange(9), images, LABELS), params, VALUES, 2).images


def test_each_image_loses_its_share_of_the_pixels():
    after = cut("cutout(fill=0)", torch.ones(9, 3, 20, 30))
    assert 1.0 - after.mean(dim=(1, 2, 3)).numpy() == pytest.approx(VALUES, abs=1e-6)


def test_each_image_becomes_what_a_scan_makes_of_it_at_its_strength():
    images = torch.rand(9, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    after = cut("cutout(place=centre)", images.clone())
    scan = Cutout(place="centre")
    for row, value in enumerate(VALUES):
        own = scan.draw(KEYS[row : row + 1], float(value), seed=8, draw=4)
        expected = scan(images[row : row + 1], params=own)[0]
        assert after[row].numpy() == pytest.approx(expected.numpy(), abs=1e-6)
