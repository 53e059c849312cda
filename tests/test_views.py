"""Views against torchvision's and timm's own evaluation transforms."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lpa.errors import InputError
from lpa.views import RESAMPLING, View

SIZES = [(500, 333), (333, 500), (224, 224), (64, 481), (1024, 683), (37, 41), (300, 299)]


def noise(width: int, height: int) -> Image.Image:
    generator = np.random.default_rng(width * 1000 + height)
    coarse = generator.integers(0, 256, (height // 4 + 1, width // 4 + 1, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.BICUBIC)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_a_view_is_torchvisions_resize_and_centre_crop_bit_for_bit(
    size: tuple[int, int], interpolation: str
) -> None:
    from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

    image = noise(*size)
    theirs = Compose([Resize(73, InterpolationMode(interpolation)), CenterCrop(64)])(image)
    view = View((64, 64), (73, 73), "short_side", interpolation)
    np.testing.assert_array_equal(view.render(image), np.array(theirs))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("fraction", [0.875, 0.95, 1.0])
@pytest.mark.parametrize("squash", [False, True])
@pytest.mark.parametrize("shape", [(64, 64), (48, 80)])
def test_a_crop_fraction_gives_timms_own_evaluation_view_bit_for_bit(
    size: tuple[int, int], fraction: float, squash: bool, shape: tuple[int, int]
) -> None:
    from timm.data import create_transform

    image = noise(*size)
    transform = create_transform(
        (3, *shape),
        is_training=False,
        interpolation="bicubic",
        crop_pct=fraction,
        crop_mode="squash" if squash else "center",
        normalize=False,
    )
    theirs = transform(image).permute(1, 2, 0).numpy()
    view = View.from_crop_fraction(shape, fraction, "bicubic", squash)
    np.testing.assert_array_equal(view.render(image), theirs)


@pytest.mark.parametrize("size", [size for size in SIZES if min(size) >= 100])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize(
    "view",
    [
        View((64, 64), (73, 73)),
        View((48, 80), (54, 91), "keep_ratio"),
        View((64, 64), (64, 64), "exact"),
    ],
)
def test_one_resize_from_the_box_is_within_one_grey_level_of_resize_and_crop(
    size: tuple[int, int], interpolation: str, view: View
) -> None:
    view = View(view.size, view.resize, view.rule, interpolation)
    image = noise(*size)
    at_once = image.resize(view.size[::-1], RESAMPLING[interpolation], box=view.box(*size))
    difference = np.abs(np.array(at_once).astype(int) - view.render(image))
    assert difference.max() <= 1


@pytest.mark.parametrize("size", SIZES)
def test_the_box_lies_in_the_image_and_has_the_views_shape(size: tuple[int, int]) -> None:
    left, top, right, bottom = View((224, 224), (256, 256)).box(*size)
    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]
    # An integer number of resized pixels: up to one of them per side is lost to rounding.
    assert (right - left) / (bottom - top) == pytest.approx(1, abs=2 / 256)
    assert (right - left) / min(size) == pytest.approx(224 / 256, abs=2 / 256)


def test_the_whole_image_is_the_view_of_a_crop_fraction_of_one() -> None:
    assert View((64, 64), (64, 64)).box(100, 100) == (0, 0, 100, 100)


def test_a_view_survives_json() -> None:
    import json

    view = View((48, 80), (54, 91), "keep_ratio", "bicubic")
    assert View.from_dict(json.loads(json.dumps(view.to_dict()))) == view


def test_views_of_equal_numbers_are_one_key() -> None:
    assert len({View((64, 64), (73, 73)), View([64, 64], [73, 73])}) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ((64, 64), (73, 73), "short_side", "cubic"),
            "interpolation 'cubic' is unknown; expected one of nearest, box, bilinear, hamming, "
            "bicubic, lanczos",
        ),
        (
            ((64, 64), (63, 73)),
            "a view of (64, 64) pixels cannot be cropped from a resize to (63, 73); expected a "
            "crop fraction of at most 1",
        ),
        (
            ((0, 64), (73, 73)),
            "a view of (0, 64) pixels cannot be cropped from a resize to (73, 73); expected a "
            "crop fraction of at most 1",
        ),
    ],
)
def test_views_that_cannot_be_are_refused(arguments: tuple[object, ...], text: str) -> None:
    with pytest.raises(InputError) as caught:
        View(*arguments)  # type: ignore[arg-type]
    assert str(caught.value) == text


@pytest.mark.parametrize("fraction", [0.0, -1.0, 1.01])
def test_a_crop_fraction_out_of_range_is_refused(fraction: float) -> None:
    with pytest.raises(InputError) as caught:
        View.from_crop_fraction((64, 64), fraction, "bilinear")
    assert str(caught.value) == (
        f"crop fraction {fraction:g} is out of range; expected more than 0, at most 1"
    )


@pytest.mark.parametrize("size", [(1, 60_000), (60_000, 1), (3, 40_000)])
@pytest.mark.parametrize("rule", ["short_side", "keep_ratio"])
def test_a_thin_image_is_not_blown_up(
    size: tuple[int, int], rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ramp = np.linspace(0, 255, max(size)).astype(np.uint8)
    image = Image.fromarray(ramp[None] if size[0] > size[1] else ramp[:, None]).resize(size)
    image = image.convert("RGB")
    resize, resized = Image.Image.resize, []

    def watched(self: Image.Image, size: tuple[int, int], *rest: object) -> Image.Image:
        resized.append(size)
        return resize(self, size, *rest)

    monkeypatch.setattr(Image.Image, "resize", watched)
    pixels = View((224, 224), (256, 256), rule, "bilinear").render(image)
    assert resized == [(224, 224)] and pixels.shape == (224, 224, 3)
    # What is in the middle of the ramp.
    assert np.abs(pixels.astype(int) - 127).max() <= 2
