"""Random crop: areas, places, and torchvision's law in the image."""

import numpy as np
import pytest
import torch
from scipy import stats
from torchvision.transforms import RandomResizedCrop

from lpa.augmentations import build, parse
from lpa.training.regularizers import parse_regularizer

KEYS = np.random.default_rng(3).integers(0, 2**63, 4_000, dtype=np.uint64)
VIEW_BOXES = np.tile(np.array([16.0, 8.0, 216.0, 108.0]), (len(KEYS), 1))
SIZES = np.tile(np.array([240, 120]), (len(KEYS), 1))


def crop(name, tau, epoch=0):
    regularizer = parse_regularizer(name)
    values = np.full(len(KEYS), tau)
    params = regularizer.draw(KEYS, values, seed=1, epoch=epoch)
    return regularizer.realised(params, values), regularizer.boxes(params, VIEW_BOXES, SIZES)


def areas(boxes):
    return (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)


@pytest.mark.parametrize("tau", [0.9, 0.5, 0.08])
def test_the_area_is_uniform_from_tau_to_the_whole_view(tau):
    realised, _ = crop("random_crop", tau)
    assert stats.kstest(realised, "uniform", args=(tau, 1.0 - tau)).pvalue > 1e-3


@pytest.mark.parametrize("name", ["random_crop", "random_crop(aspect=4/3)"])
def test_what_is_shown_has_the_realised_share_of_the_view_and_lies_inside(name):
    realised, boxes = crop(name, 0.08)
    assert areas(boxes) / (200.0 * 100.0) == pytest.approx(realised, abs=1e-12)
    assert (boxes[:, :2] >= VIEW_BOXES[:, :2]).all()
    assert (boxes[:, 2:] <= VIEW_BOXES[:, 2:]).all()


def test_the_sides_have_the_views_aspect_unless_told_otherwise():
    for name, widest in (("random_crop", 1.0), ("random_crop(aspect=4/3)", 4 / 3)):
        _, boxes = crop(name, 0.3)
        sides = boxes[:, 2:] - boxes[:, :2]
        ratio = sides[:, 0] / sides[:, 1] / 2.0
        assert ratio.max() == pytest.approx(widest, rel=0.01)
        assert ratio.min() == pytest.approx(1.0 / widest, rel=0.01)


def test_places_are_uniform_over_all_that_fit():
    _, boxes = crop("random_crop", 0.08)
    free = VIEW_BOXES[:, 2:] - VIEW_BOXES[:, :2] - (boxes[:, 2:] - boxes[:, :2])
    place = (boxes[:, :2] - VIEW_BOXES[:, :2]) / free
    assert stats.kstest(place[:, 0], "uniform").pvalue > 1e-3
    assert stats.kstest(place[:, 1], "uniform").pvalue > 1e-3


def test_a_crop_in_training_is_the_crop_of_a_scan_at_the_realised_strength():
    regularizer = parse_regularizer("random_crop(aspect=4/3)")
    params = regularizer.draw(KEYS[:5], np.full(5, 0.2), seed=6, epoch=2)
    scanned = build(parse("crop(aspect=4/3)")[0])
    boxes = regularizer.boxes(params, VIEW_BOXES[:5], SIZES[:5])
    for row in range(5):
        alone = scanned.draw(KEYS[row : row + 1], float(params["area"][row]), seed=6, draw=2)
        expected = scanned.boxes(alone, VIEW_BOXES[row : row + 1])
        assert boxes[row] == pytest.approx(expected[0], abs=1e-9)


def test_a_smaller_bound_never_shows_more():
    larger, outer = crop("random_crop", 0.9)
    for tau in (0.5, 0.2, 0.08):
        smaller, inner = crop("random_crop", tau)
        assert (smaller <= larger).all()
        assert (inner[:, :2] >= outer[:, :2] - 1e-9).all()
        assert (inner[:, 2:] <= outer[:, 2:] + 1e-9).all()
        larger, outer = smaller, inner


def test_a_crop_of_the_whole_image_is_no_strength_of_a_scan():
    assert parse_regularizer("random_crop(frame=image)").scanned is None
    assert parse_regularizer("random_crop").scanned == "crop"


# Of the fourth and the fifth, the boxes of some images come of the ten tries, of others not.
@pytest.mark.parametrize(
    ("width", "height", "tau"),
    [
        (500, 375, 0.08),
        (375, 500, 0.35),
        (64, 64, 0.9),
        (200, 420, 0.5),
        (500, 200, 0.5),
        (9, 7, 0.1),
    ],
)
def test_in_the_image_the_boxes_have_torchvisions_distribution(width, height, tau):
    regularizer = parse_regularizer("random_crop(frame=image)")
    params = regularizer.draw(KEYS, np.full(len(KEYS), tau), seed=5, epoch=0)
    sizes = np.tile(np.array([width, height]), (len(KEYS), 1))
    left, top, right, bottom = regularizer.boxes(params, VIEW_BOXES, sizes).T
    torch.manual_seed(0)
    image = torch.empty(3, height, width)
    theirs = np.array(
        [RandomResizedCrop.get_params(image, [tau, 1.0], [3 / 4, 4 / 3]) for _ in KEYS], dtype=float
    )
    i, j, h, w = theirs.T
    pairs = [
        (left, j), (top, i), (right - left, w), (bottom - top, h), (right, j + w), (bottom, i + h),
        ((right - left) * (bottom - top), w * h), ((right - left) / (bottom - top), w / h),
        (left + 2 * (right - left), j + 2 * w), (top - 3 * (bottom - top), i - 3 * h),
    ]  # fmt: skip
    for mine, other in pairs:
        assert stats.ks_2samp(mine, other, method="asymp").pvalue > 1e-3


def test_where_nothing_fits_the_middle_is_taken_as_torchvision_takes_it():
    regularizer = parse_regularizer("random_crop(frame=image)")
    for width, height in ((200, 600), (700, 200), (1001, 500), (333, 1000), (1, 50)):
        # So long an image has no box of 99 % of its area with a ratio that is permitted.
        image = torch.empty(3, height, width)
        i, j, h, w = RandomResizedCrop.get_params(image, [0.99, 1.0], [3 / 4, 4 / 3])
        params = regularizer.draw(KEYS[:3], np.full(3, 0.99), seed=0, epoch=0)
        boxes = regularizer.boxes(params, VIEW_BOXES[:3], np.tile([width, height], (3, 1)))
        assert boxes.tolist() == [[j, i, j + w, i + h]] * 3


def test_epochs_show_other_parts_of_the_image():
    _, first = crop("random_crop(frame=image)", 0.08)
    _, second = crop("random_crop(frame=image)", 0.08, epoch=1)
    assert (first != second).any(axis=1).mean() > 0.99
    assert abs(stats.spearmanr(areas(first), areas(second)).statistic) < 0.06
