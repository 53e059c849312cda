"""Crop and resize against Pillow."""

import importlib.util
import pathlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from lpa.augmentations import resample_stack
from lpa.augmentations.resample import crop_resize, crop_resize_views
from lpa.augmentations.resample_stack import crop_resize_stack
from lpa.errors import InputError
from lpa.views import RESAMPLING


def photographs(count):
    package = importlib.util.find_spec("foolbox")
    folder = pathlib.Path(package.origin).parent / "data"
    files = sorted(folder.glob("imagenet_*.jpg"))
    assert len(files) == 20
    # The widest one is the only one that is not square.
    chosen = sorted(files, key=lambda file: Image.open(file).size[0], reverse=True)[:count]
    return [Image.open(file).convert("RGB") for file in chosen]


def noise(height, width, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def as_tensor(image):
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def random_boxes(images, area, seed=0):
    random = np.random.default_rng(seed)
    sizes = np.array([image.size for image in images], dtype=np.float64)
    extents = sizes * area**0.5
    corner = random.random((len(images), 2)) * (sizes - extents)
    return np.concatenate([corner, np.minimum(corner + extents, sizes)], axis=1)


def by_pillow(images, boxes, size, interpolation):
    resized = [
        np.array(image.resize((size[1], size[0]), RESAMPLING[interpolation], box=tuple(box)))
        for image, box in zip(images, boxes.tolist(), strict=True)
    ]
    return torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2)


@pytest.mark.sample
@pytest.mark.parametrize("interpolation", list(RESAMPLING))
def test_tensors_are_resized_as_pillow_does_within_one_grey_level(interpolation):
    images = [*photographs(3), noise(333, 500), noise(48, 64), noise(700, 300)]
    tensors = [as_tensor(image) for image in images]
    differing = two_levels = total = 0
    for size in ((224, 224), (96, 160)):
        for area in (1.0, 0.6, 0.08, 0.002):
            boxes = random_boxes(images, area)
            expected = by_pillow(images, boxes, size, interpolation)
            measured = crop_resize(tensors, boxes, size, interpolation)
            difference = (expected.int() - measured.int()).abs()
            differing += int((difference > 0).sum())
            two_levels += int((difference > 1).sum())
            total += difference.numel()
    assert two_levels <= 1e-5 * total
    assert differing <= 2e-3 * total


def test_the_order_of_the_two_passes_is_pillows_for_tall_and_for_wide_images():
    sizes = [(64, 65), (65, 66), (65, 67), (100, 136), (100, 137), (40, 30), (40, 70), (200, 90)]
    images = [noise(height, width, width) for width, height in sizes]
    boxes = random_boxes(images, 0.7)
    expected = by_pillow(images, boxes, (64, 64), "bicubic")
    measured = crop_resize([as_tensor(image) for image in images], boxes, (64, 64), "bicubic")
    # The wrong order is off by many levels on noise.
    assert (expected.int() - measured.int()).abs().max() <= 1


def test_pictures_are_resized_by_pillow_itself_with_and_without_threads():
    images = [noise(50, 70), noise(90, 40, 1), noise(64, 64, 2)]
    boxes = random_boxes(images, 0.3)
    expected = by_pillow(images, boxes, (32, 48), "bicubic")
    assert torch.equal(crop_resize(images, boxes, (32, 48), "bicubic"), expected)
    with ThreadPoolExecutor(2) as pool:
        assert torch.equal(crop_resize(images, boxes, (32, 48), "bicubic", pool=pool), expected)


def test_a_batch_that_is_cut_into_parts_gives_the_same_pixels(monkeypatch):
    images = [as_tensor(noise(40 + 7 * index, 60, index)) for index in range(7)]
    boxes = random_boxes([noise(40, 60)] * 7, 0.4)
    whole = crop_resize(images, boxes, (24, 24), "bilinear")
    monkeypatch.setattr("lpa.augmentations.resample._PIXELS_AT_ONCE", 20_000)
    assert torch.equal(crop_resize(images, boxes, (24, 24), "bilinear"), whole)


def test_reduced_matrix_precision_does_not_reach_the_pixels():
    images = [noise(120, 200)]
    boxes = random_boxes(images, 0.5)
    expected = by_pillow(images, boxes, (64, 64), "bicubic")
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        measured = crop_resize([as_tensor(images[0])], boxes, (64, 64), "bicubic")
    finally:
        torch.set_float32_matmul_precision(before)
    assert torch.equal(measured, expected)


def test_float_views_are_resized_within_a_grey_level_of_pillow():
    images = [noise(64, 64, seed) for seed in range(4)]
    views = torch.stack([as_tensor(image) for image in images]).float() / 255.0
    boxes = random_boxes(images, 0.3)
    for interpolation in ("bilinear", "bicubic"):
        expected = by_pillow(images, boxes, (64, 64), interpolation).float() / 255.0
        measured = crop_resize_views(views, boxes, (64, 64), interpolation)
        # Pillow rounds twice, by half a level each, and bicubic weights amplify the first a little.
        assert (measured - expected).abs().max() < 1.3 / 255.0


def test_a_float_crop_passes_gradients():
    views = torch.rand(1, 3, 16, 16, requires_grad=True)
    crop_resize_views(
        views, np.array([[0.0, 0.0, 8.0, 16.0]]), (16, 16), "bilinear"
    ).sum().backward()
    assert views.grad[..., :8].sum() == pytest.approx(16 * 16 * 3, rel=0.1)
    assert views.grad[..., 9:].abs().max() == 0


def test_no_images_give_an_empty_batch():
    assert crop_resize([], np.empty((0, 4)), (8, 9), "bicubic").shape == (0, 3, 8, 9)


@pytest.mark.parametrize("kind", [lambda image: image, as_tensor])
def test_a_box_that_leaves_its_image_is_named(kind):
    images = [kind(noise(10, 20)), kind(noise(10, 20))]
    boxes = np.array([[0.0, 0.0, 20.0, 10.0], [0.0, 0.0, 20.5, 10.0]])
    with pytest.raises(InputError) as caught:
        crop_resize(images, boxes, (8, 8), "bilinear")
    assert str(caught.value) == (
        "box (0, 0, 20.5, 10) does not lie within its image of 20 x 10 pixels; "
        "expected left, top, right, bottom inside of it"
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("interpolation", list(RESAMPLING))
@pytest.mark.parametrize(
    ("own", "size"),
    [
        ((28, 28), (28, 28)),
        ((8, 8), (32, 32)),
        ((40, 70), (24, 16)),
        ((90, 30), (30, 29)),  # begins vertically in Pillow 13
        ((64, 64), (16, 48)),
    ],
)
def test_a_stack_of_one_size_is_resized_as_pillow_does_within_one_grey_level(
    own, size, interpolation, channels, monkeypatch
):
    images = [noise(*own, seed) for seed in range(9)]
    stack = torch.stack([as_tensor(image) for image in images])[:, :channels]
    boxes = np.concatenate([random_boxes(images[:4], 0.07), random_boxes(images[4:], 0.8)])
    expected = by_pillow(images, boxes, size, interpolation)[:, :channels]
    measured = crop_resize_stack(stack, boxes, size, interpolation)
    assert measured.is_contiguous()
    difference = (expected.int() - measured.int()).abs()
    assert difference.max() <= (0 if interpolation == "nearest" else 1)
    assert (difference > 0).float().mean() <= 1e-4
    # The way that a GPU takes, and a batch that is cut into parts, give the same pixels.
    monkeypatch.setattr("lpa.augmentations.resample_stack._by_sums", resample_stack._by_products)
    assert torch.equal(crop_resize_stack(stack, boxes, size, interpolation), measured)
    monkeypatch.setattr("lpa.augmentations.resample_stack._LEVELS_AT_ONCE", 20_000)
    assert torch.equal(crop_resize_stack(stack, boxes, size, interpolation), measured)


def test_a_stack_without_images_gives_an_empty_batch():
    empty = torch.empty((0, 1, 8, 9), dtype=torch.uint8)
    assert crop_resize_stack(empty, np.empty((0, 4)), (4, 5), "bicubic").shape == (0, 1, 4, 5)


def test_a_box_that_leaves_its_image_of_a_stack_is_named():
    with pytest.raises(InputError) as caught:
        crop_resize_stack(
            torch.zeros((1, 3, 10, 20), dtype=torch.uint8),
            np.array([[-1.0, 0, 9, 10]]),
            (8, 8),
            "bilinear",
        )
    assert str(caught.value) == (
        "box (-1, 0, 9, 10) does not lie within its image of 20 x 10 pixels; "
        "expected left, top, right, bottom inside of it"
    )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("interpolation", list(RESAMPLING))
def test_a_gpu_gives_the_pixels_of_the_cpu_within_one_grey_level(interpolation):
    images = [noise(333, 500), noise(480, 640, 1)]
    tensors = [as_tensor(image) for image in images]
    boxes = random_boxes(images, 0.3)
    expected = crop_resize(images, boxes, (224, 224), interpolation)
    for batch in (tensors, [tensor.cuda() for tensor in tensors]):
        measured = crop_resize(batch, boxes, (224, 224), interpolation, device="cuda")
        assert measured.device.type == "cuda"
        difference = (measured.cpu().int() - expected.int()).abs()
        assert (difference > 1).float().mean() <= 1e-5
        assert (difference > 0).float().mean() <= 2e-3
