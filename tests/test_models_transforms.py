"""Transforms that people have, read and verified."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode, v2

from lpa.errors import InputError
from lpa.models.preprocessing import Preprocessing, PreprocessingOverrides
from lpa.models.transforms import read_preprocessing
from lpa.views import View

timm_data: Any = timm.data

MEAN, STD = (0.48, 0.45, 0.4), (0.23, 0.22, 0.2)


def to_rgb(image: Image.Image) -> Image.Image:
    return image.convert("RGB")


def darker(image: Image.Image) -> Image.Image:
    return image.point(lambda level: level // 2)


def read(transform: Any) -> Preprocessing:
    return read_preprocessing(transform, PreprocessingOverrides(), name="mine")


def test_a_compose_of_torchvision_is_read() -> None:
    steps = [
        transforms.Resize(40, interpolation=InterpolationMode.BICUBIC),
        transforms.CenterCrop((32, 24)),
        to_rgb,
        transforms.ToTensor(),
        transforms.Normalize(MEAN, STD),
    ]
    expected = View((32, 24), (40, 40), "short_side", "bicubic")
    assert read(transforms.Compose(steps)) == Preprocessing(expected, MEAN, STD)


def test_a_compose_of_torchvisions_second_version_is_read() -> None:
    steps = [
        v2.Resize((32, 32)),
        v2.PILToTensor(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(list(MEAN), list(STD)),
    ]
    assert read(v2.Compose(steps)) == Preprocessing(View((32, 32), (32, 32), "exact"), MEAN, STD)


def test_a_compose_without_normalization_leaves_pixels_as_they_are() -> None:
    steps = [transforms.Resize(32), transforms.CenterCrop(32), transforms.PILToTensor()]
    compose = transforms.Compose([*steps, transforms.ConvertImageDtype(torch.float32)])
    assert (read(compose).mean, read(compose).std) == ((0, 0, 0), (1, 1, 1))


@pytest.mark.parametrize("mode", ["center", "squash"])
@pytest.mark.parametrize("size", [(32, 32), (32, 48)])
def test_timms_own_transforms_are_read(mode: str, size: tuple[int, int]) -> None:
    config = {"input_size": (3, *size), "crop_pct": 0.9, "interpolation": "bicubic"}
    config |= {"mean": MEAN, "std": STD, "crop_mode": mode}
    ours, from_config = read(timm_data.create_transform(**config)), read(config)
    assert ours.view == from_config.view
    assert ours.mean == pytest.approx(from_config.mean)  # timm keeps them in float32


def test_overrides_apply_after_the_transform_is_verified() -> None:
    steps = [transforms.Resize(40), transforms.CenterCrop(32), transforms.ToTensor()]
    overrides = PreprocessingOverrides(img_size=64)
    found = read_preprocessing(transforms.Compose(steps), overrides, name="mine")
    assert (found.view.size, found.view.resize) == ((64, 64), (80, 80))


RESIZED = [transforms.Resize(40), transforms.CenterCrop(32)]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (
            [transforms.CenterCrop(32), transforms.ToTensor()],
            "preprocessing of model 'mine' holds CenterCrop at a place where no view can express "
            "it; expected Resize, CenterCrop, ToTensor, Normalize",
        ),
        (
            [*RESIZED, transforms.ToTensor(), transforms.RandomErasing()],
            "preprocessing of model 'mine' holds RandomErasing at a place where no view can "
            "express it; expected Resize, CenterCrop, ToTensor, Normalize",
        ),
        (
            [transforms.Resize(40), transforms.ToTensor()],
            "preprocessing of model 'mine' has no CenterCrop, so its images differ in size; "
            "expected Resize, CenterCrop, ToTensor, Normalize",
        ),
        (
            [transforms.ToTensor()],
            "preprocessing of model 'mine' has no Resize, so its images differ in size; "
            "expected Resize, CenterCrop, ToTensor, Normalize",
        ),
        (
            RESIZED,
            "preprocessing of model 'mine' fails on an RGB image of 501x333 pixels (TypeError: "
            "expected Tensor as element 0 in argument 0, but got Image); expected a transform "
            "from a PIL image to a tensor",
        ),
    ],
)
def test_what_no_view_can_express_is_refused_by_name(steps: list[Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        read(transforms.Compose(steps))
    if "fails on" in message:
        assert str(caught.value).startswith("preprocessing of model 'mine' fails on an RGB image")
    else:
        assert str(caught.value) == message


def test_a_transform_that_changes_pixels_is_refused_with_the_difference() -> None:
    compose = transforms.Compose([*RESIZED, darker, transforms.ToTensor()])
    with pytest.raises(InputError) as caught:
        read(compose)
    text = str(caught.value)
    assert text.startswith(
        "preprocessing of model 'mine' differs from its record (32 px, crop .8, bilinear, mean 0 0 "
        "0, std 1 1 1) by up to "
    )
    assert text.endswith(
        " grey levels on an image of 501x333 pixels; resize the PIL image before it becomes a "
        "tensor, or give a timm data config instead"
    )
    levels = float(text.split(" by up to ")[1].split()[0])
    assert 60 <= levels <= 128


def test_resizing_after_the_conversion_to_a_tensor_is_refused() -> None:
    # A tensor's antialiased resize is not PIL's: it differs by a grey level or so.
    steps = [v2.ToImage(), v2.Resize(40), v2.CenterCrop(32), v2.ToDtype(torch.float32, scale=True)]
    with pytest.raises(InputError, match=r"by up to [\d.]+ grey levels .* resize the PIL image"):
        read(v2.Compose(steps))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"crop_mode": "border"},
            "model 'mine' pads its images (timm's crop mode 'border'), which no view can express; "
            "give --crop-mode center or --crop-mode squash",
        ),
        (
            {"crop_pct": 1.15},
            "model 'mine' pads its images (timm's crop fraction 1.15), which no view can express; "
            "give --crop-pct 1",
        ),
        (
            {"input_size": (4, 224, 224)},
            "model 'mine' takes 4 channels; expected a model of RGB images",
        ),
    ],
)
def test_timm_configs_that_no_view_can_express_are_refused(
    config: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        read(config)
    assert str(caught.value) == message


def test_the_way_out_for_padding_works() -> None:
    overrides = PreprocessingOverrides(crop_mode="squash")
    found = read_preprocessing({"crop_mode": "border"}, overrides, name="mine")
    assert found.view.rule == "exact"


def test_an_object_that_is_no_transform_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        read(to_rgb)
    assert str(caught.value) == (
        "preprocessing function of model 'mine' cannot be read; expected a torchvision or timm "
        "evaluation transform, or a timm data config"
    )
