"""Colour jitter in training is the scan's, each image at its own strength."""

import numpy as np
import pytest
import torch

from lpa.augmentations.color_jitter import ColorJitter
from lpa.training.batch import Batch
from lpa.training.regularizers import parse_regularizer

KEYS = np.random.default_rng(1).integers(0, 2**63, 9, dtype=np.uint64)
VALUES = np.resize([0.0, 0.3, 1.0], 9)
LABELS = torch.zeros(9, dtype=torch.int64)


def images():
    return torch.rand(9, 3, 16, 16, generator=torch.Generator().manual_seed(2))


def test_each_image_becomes_what_a_scan_makes_of_it_at_its_strength():
    regularizer = parse_regularizer("color_jitter")
    params = regularizer.draw(KEYS, VALUES, seed=8, epoch=4)
    after = regularizer.apply(Batch(np.arange(9), images(), LABELS), params, VALUES, 2).images
    scan = ColorJitter()
    for row, value in enumerate(VALUES):
        own = scan.draw(KEYS[row : row + 1], float(value), seed=8, draw=4)
        expected = scan(images()[row : row + 1], params=own)[0]
        assert after[row].numpy() == pytest.approx(expected.numpy(), abs=2e-5)


def test_factors_fill_their_range_over_the_epochs():
    regularizer, values = parse_regularizer("color_jitter"), np.full(9, 0.4)
    epochs = [regularizer.draw(KEYS, values, seed=0, epoch=epoch) for epoch in range(200)]
    for name, middle, half in (("brightness", 1.0, 0.4), ("saturation", 1.0, 0.4), ("hue", 0, 0.2)):
        drawn = np.concatenate([epoch[name] for epoch in epochs])
        assert drawn.min() == pytest.approx(middle - half, abs=0.01)
        assert drawn.max() == pytest.approx(middle + half, abs=0.01)
        assert drawn.mean() == pytest.approx(middle, abs=0.02)
