"""Crop: exact area, places, aspect, pixels."""

import numpy as np
import pytest
import torch
from kornia.geometry.boxes import Boxes
from PIL import Image
from scipy import stats

from lpa.augmentations import build, parse
from lpa.augmentations.crop import Crop
from lpa.augmentations.resample import crop_resize
from lpa.views import View

KEYS = np.random.default_rng(3).integers(0, 2**63, 4_000, dtype=np.uint64)


def windows(name, alpha, draw=0):
    return build(parse(name)[0]).draw(KEYS, alpha, draw=draw)["window"].numpy()


def areas(window):
    return (window[:, 2] - window[:, 0]) * (window[:, 3] - window[:, 1])


@pytest.mark.parametrize(
    "name", ["crop", "crop(place=centre)", "crop(aspect=4/3)", "crop(aspect=3)"]
)
@pytest.mark.parametrize("alpha", [1.0, 0.9, 0.5, 0.25, 0.08, 0.01])
def test_a_crop_keeps_exactly_its_share_of_the_area_inside_of_the_view(name, alpha):
    window = windows(name, alpha)
    assert areas(window) == pytest.approx(alpha, abs=1e-12)
    assert window.min() >= 0.0
    assert window.max() <= 1.0


def test_the_whole_view_is_exactly_the_whole_view():
    for name in ("crop", "crop(aspect=2)", "crop(place=centre)"):
        assert (windows(name, 1.0) == [0.0, 0.0, 1.0, 1.0]).all()
    view_boxes = np.random.default_rng(0).random((len(KEYS), 4)).cumsum(axis=1) * 100.0
    boxes = Crop().boxes(Crop().draw(KEYS, 1.0), view_boxes)
    assert np.array_equal(boxes, view_boxes)


@pytest.mark.parametrize("name", ["crop", "crop(aspect=2)", "crop(place=centre)"])
def test_a_smaller_crop_lies_inside_of_a_larger_one(name):
    larger = windows(name, 1.0)
    for alpha in np.linspace(0.98, 0.02, 25):
        smaller = windows(name, alpha)
        assert (smaller[:, :2] >= larger[:, :2] - 1e-12).all()
        assert (smaller[:, 2:] <= larger[:, 2:] + 1e-12).all()
        larger = smaller


def test_places_are_uniform_over_all_that_fit():
    window = windows("crop", 0.25)
    for column in (0, 1):
        assert stats.kstest(window[:, column] / 0.5, "uniform").pvalue > 1e-3
    assert abs(stats.pearsonr(window[:, 0], window[:, 1]).statistic) < 0.06


def test_a_centred_crop_has_equal_margins():
    window = windows("crop(place=centre)", 0.3)
    assert window[:, 0] == pytest.approx(1.0 - window[:, 2])
    assert window[:, 1] == pytest.approx(1.0 - window[:, 3])


def test_the_aspect_is_log_uniform_up_to_the_largest_that_fits():
    for alpha, largest in ((0.2, 4 / 3), (0.9, 1 / 0.9)):
        window = windows("crop(aspect=4/3)", alpha)
        ratio = (window[:, 2] - window[:, 0]) / (window[:, 3] - window[:, 1])
        position = np.log(ratio) / np.log(largest) / 2.0 + 0.5
        assert stats.kstest(position, "uniform").pvalue > 1e-3


def test_variants_of_crop_share_their_random_numbers():
    square, wide = windows("crop", 0.2), windows("crop(aspect=2)", 0.2)
    side = wide[:, 2] - wide[:, 0]
    assert wide[:, 0] / (1.0 - side) == pytest.approx(square[:, 0] / (1.0 - 0.2**0.5))


def test_the_pixels_are_those_of_pillow_at_the_box_in_the_original_image():
    random = np.random.default_rng(0)
    image = Image.fromarray(random.integers(0, 256, (300, 400, 3), dtype=np.uint8))
    view = View((64, 64), (73, 73), "short_side", "bicubic")
    module = Crop()
    params = module.draw(KEYS[:1], 0.3)
    boxes = module.boxes(params, np.array([view.box(*image.size)]))
    left, top, right, bottom = params["window"][0].tolist()
    # The view is the middle 64/73 of the height, and as much of the width.
    x0, y0, x1, y1 = view.box(400, 300)
    assert (y1 - y0) == pytest.approx(300 * 64 / 73)
    expected = image.resize(
        (64, 64),
        Image.Resampling.BICUBIC,
        box=(
            x0 + left * (x1 - x0),
            y0 + top * (y1 - y0),
            x0 + right * (x1 - x0),
            y0 + bottom * (y1 - y0),
        ),
    )
    measured = crop_resize([image], boxes, view.size, "bicubic")[0].permute(1, 2, 0).numpy()
    assert np.abs(measured.astype(int) - np.array(expected).astype(int)).max() <= 1


def test_a_crop_of_a_tensor_takes_the_tensor_as_the_view():
    views = torch.rand(6, 3, 40, 56, generator=torch.Generator().manual_seed(0))
    module = Crop(interpolation="bilinear")
    params = module.draw(KEYS[:6], 0.4)
    output = module(views, params=params)
    pictures = [
        Image.fromarray((view.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8))
        for view in views
    ]
    for picture, window, row in zip(pictures, params["window"].numpy(), output, strict=True):
        box = tuple((window * [56, 40, 56, 40]).tolist())
        expected = np.array(picture.resize((56, 40), Image.Resampling.BILINEAR, box=box))
        difference = row.permute(1, 2, 0).numpy() * 255.0 - expected
        assert np.abs(difference).max() < 1.6


def test_kornias_crop_keeps_the_view_at_the_identity_and_reads_views():
    module = build(parse("crop(resample=kornia)")[0])
    assert module.reads == "view"
    assert Crop().reads == "image"
    views = torch.rand(3, 3, 32, 32)
    kept = module(views, params=module.draw(KEYS[:3], 1.0))
    assert torch.allclose(kept, views, atol=1e-5)
    ramp = torch.linspace(0, 1, 33)[None, None, None, :].expand(3, 3, 33, 33)
    params = module.draw(KEYS[:3], 0.25)
    cropped = module(ramp, params=params)
    # Aligned corners: the first column shows the ramp where the window begins.
    expected = params["window"][:, 0] * 33 / 32
    assert cropped[:, 0, 16, 0] == pytest.approx(expected.float(), abs=1e-3)


def test_boxes_follow_the_crop_in_a_kornia_container():
    module = Crop(place="centre")
    views = torch.rand(1, 3, 100, 100)
    module(views, params=module.draw(KEYS[:1], 0.25))
    # The middle half of the pixels becomes everything: 25 -> 0 and 75 -> 100, counted from edges.
    corners = Boxes.from_tensor(torch.tensor([[[24.5, 24.5, 74.5, 74.5]]]), mode="xyxy")
    moved = corners.transform_boxes(module.transform_matrix).to_tensor(mode="xyxy")
    assert moved[0, 0] == pytest.approx(torch.tensor([-0.5, -0.5, 99.5, 99.5]), abs=2.01)
    point = module.transform_matrix[0] @ torch.tensor([24.5, 74.5, 1.0])
    assert point == pytest.approx(torch.tensor([-0.5, 99.5, 1.0]), abs=1e-4)
