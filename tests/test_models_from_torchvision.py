"""Torchvision's models, their weights in a cache that the tests fill."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision

from lpa.classes import imagenet
from lpa.errors import InputError
from lpa.models import PreprocessingOverrides, from_torchvision, load

SqueezeNet = torchvision.models.SqueezeNet1_1_Weights


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> torch.nn.Module:
    """SqueezeNet 1.1 with random weights where torch.hub keeps the official ones."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    module = torchvision.models.squeezenet1_1()
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(module.state_dict(), folder / Path(SqueezeNet.IMAGENET1K_V1.url).name)
    return module


def test_a_bare_name_means_the_first_weights() -> None:
    for name in ("resnet50", "resnet101", "wide_resnet50_2", "mobilenet_v2", "regnet_y_8gf"):
        architecture, weights, note = from_torchvision.find_weights(name)
        assert (architecture, weights.name, note) == (name, "IMAGENET1K_V1", "")
    weights = from_torchvision.find_weights("resnet50")[1]
    assert from_torchvision.published_accuracy(weights) == 76.13


def test_an_architecture_without_first_weights_takes_the_default_and_says_so() -> None:
    _, weights, note = from_torchvision.find_weights("vit_h_14")
    assert weights is torchvision.models.ViT_H_14_Weights.DEFAULT
    assert note == "no IMAGENET1K_V1 weights: torchvision's default taken"


@pytest.mark.parametrize("name", ["ResNet50_Weights.IMAGENET1K_V2", "resnet50.IMAGENET1K_V2"])
def test_any_weights_can_be_named(name: str) -> None:
    architecture, weights, _ = from_torchvision.find_weights(name)
    assert (architecture, weights) == ("resnet50", torchvision.models.ResNet50_Weights.DEFAULT)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "ResNet50_Weights.IMAGENET1K_V9",
            "unknown weights of torchvision's resnet50 'IMAGENET1K_V9': did you mean "
            "'IMAGENET1K_V2' or 'IMAGENET1K_V1'?",
        ),
        (
            "nothing",
            "unknown torchvision model 'nothing': 80 are known (lpa models '*resnet*' lists what "
            "matches)",
        ),
    ],
)
def test_unknown_names_and_weights_are_told_apart(name: str, message: str) -> None:
    count = len(from_torchvision.architectures())
    with pytest.raises(InputError) as caught:
        from_torchvision.find_weights(name)
    assert str(caught.value) == message.replace("80 are", f"{count} are")


def test_weights_from_the_cache_load_with_their_record(cached: torch.nn.Module) -> None:
    loaded = load("squeezenet1_1")
    assert loaded.weights == "SqueezeNet1_1_Weights.IMAGENET1K_V1"
    assert loaded.classes == imagenet()
    assert loaded.published_accuracy == 58.178
    assert loaded.preprocessing == (
        "224 px, crop .875, bilinear, mean .485 .456 .406, std .229 .224 .225"
    )
    assert loaded.notes == ()
    for name, tensor in loaded.module.state_dict().items():
        assert torch.equal(tensor, cached.state_dict()[name])


def test_overrides_change_what_the_model_sees(cached: torch.nn.Module) -> None:
    loaded = load("squeezenet1_1", overrides=PreprocessingOverrides(img_size=128, crop_pct=1.0))
    assert (loaded.view.size, loaded.view.resize) == ((128, 128), (128, 128))


def test_a_classes_file_of_another_length_is_refused(
    cached: torch.nn.Module, tmp_path: Path
) -> None:
    (tmp_path / "classes.txt").write_text("cat\ndog")
    with pytest.raises(InputError, match=r"'squeezenet1_1' has 1000 outputs, but the file .* 2; "):
        load("squeezenet1_1", classes_file=tmp_path / "classes.txt")
