"""The record of a preprocessing, and what the user overrides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from lpa.errors import InputError
from lpa.models.preprocessing import Preprocessing, PreprocessingOverrides, normalize
from lpa.models.transforms import read_preprocessing
from lpa.views import View

timm_data: Any = timm.data

HALF = (0.5, 0.5, 0.5)


def torchvision_record(resize: int = 256, crop: int = 224) -> Preprocessing:
    view = View((crop, crop), (resize, resize), "short_side", "bilinear")
    return Preprocessing(view, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_a_preprocessing_prints_as_one_line() -> None:
    lite = Preprocessing(View((224, 224), (256, 256), "short_side", "bicubic"), HALF, HALF, 0.875)
    assert str(lite) == "224 px, crop .875, bicubic, mean .5 .5 .5, std .5 .5 .5"
    squash = Preprocessing(View((64, 96), (64, 96), "exact"), (0, 0, 0), (1, 1, 1))
    assert str(squash) == "64x96 px, crop 1, squash, bilinear, mean 0 0 0, std 1 1 1"
    assert str(torchvision_record(232)) == (
        "224 px, crop .966, bilinear, mean .485 .456 .406, std .229 .224 .225"
    )


def test_without_overrides_nothing_changes() -> None:
    record = torchvision_record()
    assert record.overridden(PreprocessingOverrides()) == record


@pytest.mark.parametrize(
    ("resize", "overrides", "size", "expected"),
    [
        (256, {"img_size": 288}, (288, 288), (329, 329)),  # 288 / .875 = 329.1
        (232, {"img_size": 448}, (448, 448), (464, 464)),
        (256, {"crop_pct": 0.95}, (224, 224), (235, 235)),  # 224 / .95 = 235.8
        (256, {"crop_pct": 1.0, "img_size": (96, 128)}, (96, 128), (96, 128)),
    ],
)
def test_size_and_crop_fraction_are_overridden_as_timm_does(
    resize: int, overrides: dict[str, Any], size: tuple[int, int], expected: tuple[int, int]
) -> None:
    view = torchvision_record(resize).overridden(PreprocessingOverrides(**overrides)).view
    assert (view.size, view.resize) == (size, expected)


def test_overridden_timm_configs_equal_timms_own_resolution() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (71, 53, 3), dtype=np.uint8))
    record = timm.get_pretrained_cfg("efficientnet_b0.ra_in1k").to_dict()
    chosen = {"crop_pct": 0.93, "mean": HALF, "std": (0.2, 0.3, 0.4), "crop_mode": "squash"}
    overrides = PreprocessingOverrides(img_size=65, interpolation="lanczos", **chosen)
    config = timm_data.resolve_data_config(pretrained_cfg=record)
    theirs = timm_data.resolve_data_config(
        {"img_size": 65, "interpolation": "lanczos", **chosen}, pretrained_cfg=record
    )
    expected = timm_data.create_transform(**theirs)(image)
    ours = read_preprocessing(config, overrides, name="model")
    assert torch.equal(ours.prepare(image), expected)
    plain = read_preprocessing(config, PreprocessingOverrides(), name="model")
    assert torch.equal(plain.overridden(overrides).prepare(image), expected)


def test_crop_mode_and_interpolation_are_overridden() -> None:
    squash = torchvision_record().overridden(
        PreprocessingOverrides(crop_mode="squash", interpolation="bicubic")
    )
    assert squash.view == View((224, 224), (256, 256), "exact", "bicubic")
    back = squash.overridden(PreprocessingOverrides(crop_mode="center", interpolation="bilinear"))
    assert back == torchvision_record()


def test_one_number_stands_for_three_channels() -> None:
    record = torchvision_record().overridden(PreprocessingOverrides(mean=[0.5], std=[0.25]))
    assert (record.mean, record.std) == (HALF, (0.25, 0.25, 0.25))


def test_normalizing_subtracts_the_mean_and_divides_by_the_deviation() -> None:
    batch = torch.full((2, 3, 1, 1), 0.75)
    expected = torch.tensor([0.5, 0.25, 0.0]).view(1, 3, 1, 1).expand(2, 3, 1, 1)
    assert torch.equal(normalize(batch, (0.25, 0.5, 0.75), (1.0, 1.0, 1.0)), expected)
    assert torch.equal(normalize(batch, (0.25,) * 3, (0.25,) * 3), torch.full((2, 3, 1, 1), 2.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"img_size": 0}, "--img-size 0 is no size; expected pixels, e.g. 224"),
        (
            {"crop_pct": 1.2},
            "--crop-pct 1.2 is out of range; expected more than 0, at most 1",
        ),
        ({"mean": (0.5, 0.5)}, "--mean has 2 numbers; expected one or three"),
        ({"std": (0.5, 0.0, 0.5)}, "--std .5 0 .5 is no scale; expected more than 0"),
        (
            {"interpolation": "cubic"},
            "--interpolation 'cubic' is unknown; expected one of nearest, box, bilinear, hamming, "
            "bicubic, lanczos",
        ),
        (
            {"crop_mode": "border"},
            "--crop-mode 'border' is not supported; expected center or squash",
        ),
    ],
)
def test_values_out_of_range_are_refused_by_option(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        PreprocessingOverrides(**options)
    assert str(caught.value) == message
