"""CutMix: the authors' rectangles, and targets that follow the pixels."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from lpa.training.batch import Batch
from lpa.training.regularizers import parse_regularizer
from lpa.training.regularizers.cutmix import rectangles

KEYS = np.random.default_rng(4).integers(0, 2**63, 2_000, dtype=np.uint64)


def authors_box(width, height, share, x, y):
    """The function rand_bbox of the authors' code, the centre given."""
    cut_width, cut_height = int(width * math.sqrt(1 - share)), int(height * math.sqrt(1 - share))
    return [
        min(max(x - cut_width // 2, 0), width),
        min(max(y - cut_height // 2, 0), height),
        min(max(x + cut_width // 2, 0), width),
        min(max(y + cut_height // 2, 0), height),
    ]


def test_the_rectangles_are_those_of_the_authors():
    random = np.random.default_rng(0)
    shares = random.random(2_000)
    columns, rows = random.integers(0, 31, 2_000), random.integers(0, 20, 2_000)
    centres = np.stack([(columns + random.random(2_000)) / 31, (rows + 0.5) / 20], axis=1)
    expected = [
        authors_box(31, 20, share, int(x), int(y))
        for share, x, y in zip(shares, columns, rows, strict=True)
    ]
    assert rectangles(shares, centres, 31, 20).tolist() == expected


def test_lambda_and_the_centre_follow_their_laws():
    params = parse_regularizer("cutmix").draw(KEYS, np.full(2_000, 0.5), seed=0, epoch=0)
    # Beta(1/2, 1/2) is the arcsine law.
    cdf = 2 / np.pi * np.arcsin(np.sqrt(params["share"]))
    for uniform in (cdf, params["centre"][:, 0], params["centre"][:, 1]):
        assert stats.kstest(uniform, "uniform").pvalue > 1e-3
    assert abs(stats.spearmanr(params["share"], params["centre"][:, 0]).statistic) < 0.07


def test_targets_have_the_share_of_the_pixels_that_are_really_the_partners():
    count, classes = 300, 300
    regularizer, values = parse_regularizer("cutmix"), np.resize([1.0, 0.0, 0.3], count)
    params = regularizer.draw(KEYS[:count], values, seed=2, epoch=5)
    # Every image is a constant of its own, so that its pixels tell where they come from.
    images = (torch.arange(count) / count).view(-1, 1, 1, 1).expand(-1, 3, 13, 17).clone()
    labels = torch.arange(count)
    after = regularizer.apply(Batch(np.arange(count), images.clone(), labels), params, values, 300)
    for row in range(count):
        partner = (row + 1) % count
        kept = (after.images[row] == images[row, 0, 0, 0]).double().mean()
        taken = (after.images[row] == images[partner, 0, 0, 0]).double().mean()
        assert kept + taken == 1.0
        expected = torch.zeros(classes, dtype=torch.float64)
        expected[row], expected[partner] = kept, taken
        assert after.targets[row].numpy() == pytest.approx(expected.numpy(), abs=1e-6)
    shares = after.targets[torch.arange(count), labels].numpy()
    assert (shares[values == 0.0] == 1.0).all()
    assert (shares[values == 1.0] < 1.0).mean() > 0.9


def test_a_rectangle_shows_the_partners_pixels_at_the_same_place():
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, 10, 8, generator=generator)
    params = {"share": np.array([0.75, 1.0]), "centre": np.array([[0.5, 0.5], [0.5, 0.5]])}
    batch = Batch(np.arange(2), images.clone(), torch.tensor([0, 1]))
    after = parse_regularizer("cutmix").apply(batch, params, np.array([1.0, 0.0]), 2)
    # Half of each side: 4 of 8 columns and, since 5 // 2 is 2, 4 of 10 rows around the middle.
    expected = images[0].clone()
    expected[:, 3:7, 2:6] = images[1, :, 3:7, 2:6]
    assert torch.equal(after.images[0], expected)
    assert torch.equal(after.images[1], images[1])
    assert after.targets.numpy() == pytest.approx(np.array([[0.8, 0.2], [0, 1]]), abs=1e-6)
