"""Architectures to be trained: names, views, dropout before the head, sizes that do not fit."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
import timm
import torch
import torchvision
from torch import nn

from lpa.errors import InputError
from lpa.models import list_models, load
from lpa.models.head_dropout import NoDropout
from lpa.models.keyed_dropout import KeyedDropout
from lpa.models.untrained import build_architecture, untrained
from lpa.views import View

torch.set_num_threads(1)


def keyed(module: nn.Module) -> list[str]:
    """Names of the keyed layers."""
    return [name for name, layer in module.named_modules() if isinstance(layer, KeyedDropout)]


@pytest.mark.parametrize(
    ("name", "architecture", "source"),
    [
        ("small_cnn", "small_cnn", "small"),
        ("Small-ViT", "small_vit", "small"),
        ("resnet18", "tv:resnet18", "torchvision"),
        ("ResNet18_Weights.IMAGENET1K_V1", "tv:resnet18", "torchvision"),
        ("rn18", "tv:resnet18", "torchvision"),
        ("convnext_t", "tv:convnext_tiny", "torchvision"),
        ("timm:resnet18.a1_in1k", "timm:resnet18", "timm"),
        ("vit_ti", "timm:vit_tiny_patch16_224", "timm"),
        ("efficientnet_lite0", "timm:tf_efficientnet_lite0", "timm"),
    ],
)
def test_an_architecture_has_the_names_that_trained_models_have(
    name: str, architecture: str, source: str
) -> None:
    found = untrained(name, 7, image_size=None)
    assert (found.name, found.architecture, found.source) == (name, architecture, source)
    assert found.outputs == 7
    assert pickle.loads(pickle.dumps(found)) == found


@pytest.mark.parametrize("name", ["small_resnet", "resnet18", "timm:test_resnet", "swin_t"])
def test_small_images_are_seen_as_they_are(name: str) -> None:
    found = untrained(name, 4, image_size=(40, 32))
    assert found.view == View((32, 40), (32, 40), "exact", "bilinear")
    assert found.mean == found.std == (0.5, 0.5, 0.5)
    assert found.notes == ()
    module = found.build().eval()
    with torch.inference_mode():
        assert module(torch.randn(3, 3, 32, 40)).shape == (3, 4)


def test_larger_images_are_seen_as_the_architecture_evaluates_them() -> None:
    for size in (None, (65, 32)):
        found = untrained("resnet18", 4, image_size=size)
        assert found.view == View((224, 224), (256, 256), "short_side", "bilinear")
        assert found.mean == (0.485, 0.456, 0.406)
    config: Any = timm.get_pretrained_cfg("test_convnext")
    found = untrained("timm:test_convnext", 4, image_size=(300, 200))
    assert found.view.size == config.input_size[1:]
    assert (found.view.interpolation, found.mean) == (config.interpolation, config.mean)
    small = untrained("small_cnn", 4, image_size=(300, 200))
    assert small.view == View((64, 64), (64, 64), "short_side", "bilinear")


def test_what_is_made_for_one_size_enlarges_small_images() -> None:
    for name in ("vit_ti", "vit_b_16"):
        found = untrained(name, 4, image_size=(28, 28))
        assert found.view.size == (224, 224)


def test_a_network_that_cannot_take_small_images_enlarges_them_and_says_so() -> None:
    found = untrained("densenet121", 4, image_size=(28, 28))
    assert found.view.size == (224, 224)
    assert found.notes == (
        "densenet121 cannot take 28x28 pixels: images are enlarged to its own 224x224 "
        "(--img-size sets another size)",
    )


def test_the_users_preprocessing_comes_first() -> None:
    found = untrained(
        "small_cnn",
        4,
        image_size=(28, 28),
        img_size=20,
        crop_pct=0.8,
        interpolation="bicubic",
        mean=[0.1],
        std=(0.2, 0.3, 0.4),
    )
    assert found.view == View((20, 20), (25, 25), "exact", "bicubic")
    assert found.mean == (0.1, 0.1, 0.1)
    assert found.std == (0.2, 0.3, 0.4)
    assert (
        str(found.preprocessing) == "20 px, crop .8, squash, bicubic, mean .1 .1 .1, std .2 .3 .4"
    )


@pytest.mark.parametrize(
    ("name", "size", "logits"),
    [("timm:vit_tiny_patch16_224", 32, (2, 3)), ("vit_b_32", 64, (2, 3))],
)
def test_transformers_are_made_for_the_size_that_is_asked_for(
    name: str, size: int, logits: tuple[int, int]
) -> None:
    found = untrained(name, 3, image_size=None, img_size=size)
    assert found.view.size == (size, size)
    with torch.device("meta"):
        module = found.build()
        assert module(torch.zeros(2, 3, size, size)).shape == logits


@pytest.mark.parametrize(
    ("name", "plain", "layers"),
    [
        ("tv:resnet18", "resnet18", ["fc.input_dropout"]),
        ("tv:vgg11", "vgg11", ["classifier.2", "classifier.5"]),
        ("tv:squeezenet1_1", "squeezenet1_1", ["classifier.0"]),
        ("tv:mobilenet_v3_small", "mobilenet_v3_small", ["classifier.2"]),
        ("tv:efficientnet_b0", "efficientnet_b0", ["classifier.0"]),
        ("tv:densenet121", "densenet121", ["classifier.input_dropout"]),
        ("tv:convnext_tiny", "convnext_tiny", ["classifier.2.input_dropout"]),
        ("tv:swin_t", "swin_t", ["head.input_dropout"]),
        ("tv:vit_b_32", "vit_b_32", ["heads.head.input_dropout"]),
    ],
)
def test_torchvisions_head_drops_where_it_has_layers_for_it_else_before_its_last_one(
    name: str, plain: str, layers: list[str]
) -> None:
    with torch.device("meta"):
        for rate in (0.0, 0.3):
            module = build_architecture(name, 5, size=(224, 224), dropout=rate)
            assert keyed(module) == layers
            assert not [layer for layer in module.modules() if isinstance(layer, nn.Dropout)]
        reference = torchvision.models.get_model(plain, num_classes=5)
    assert list(module.state_dict()) == list(reference.state_dict())


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("vit_tiny_patch16_224", ["head_drop"]),
        ("convnext_atto", ["head.drop"]),
        ("swin_tiny_patch4_window7_224", ["head.drop"]),
        ("resnet18", ["fc.input_dropout"]),
        ("densenet121", ["head_drop"]),
        ("efficientnet_b0", ["classifier.input_dropout"]),
        ("mobilenetv3_small_100", ["classifier.input_dropout"]),
    ],
)
def test_timms_drop_rate_is_applied_where_timm_applies_it(name: str, layers: list[str]) -> None:
    with torch.device("meta"):
        for rate in (0.0, 0.3):
            module: Any = build_architecture(f"timm:{name}", 5, size=(224, 224), dropout=rate)
            assert keyed(module) == layers
            assert getattr(module, "drop_rate", 0.0) == 0.0
        reference: Any = timm.create_model(name, num_classes=5, drop_rate=0.3)
    assert list(module.state_dict()) == list(reference.state_dict())


@pytest.mark.parametrize(
    "name", ["tv:resnet18", "tv:mobilenet_v3_small", "timm:test_resnet", "timm:test_vit"]
)
def test_the_share_of_features_that_is_dropped_before_the_head_is_the_rate(name: str) -> None:
    size = (160, 160) if name == "timm:test_vit" else (32, 32)
    seen: list[torch.Tensor] = []
    for rate in (0.25, 0.0):
        torch.manual_seed(0)
        network = build_architecture(name, 5, size=size, dropout=rate)
        last = [layer for layer in network.modules() if isinstance(layer, nn.Linear)][-1]
        last.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        with torch.no_grad():
            network(torch.randn(16, 3, *size, generator=torch.Generator().manual_seed(1)))
    dropped, features = seen
    zeros = (dropped == 0) & (features != 0)
    assert abs(float(zeros.sum() / (features != 0).sum()) - 0.25) < 0.05
    assert torch.allclose(dropped[~zeros], features[~zeros] / 0.75, rtol=1e-4, atol=1e-5)


def test_training_starts_from_the_global_generator_in_training_mode_and_float32() -> None:
    found = untrained("resnet18", 3, image_size=(32, 32))
    torch.manual_seed(4)
    before = torch.get_rng_state()
    untrained("timm:test_resnet", 3, image_size=(32, 32))
    assert torch.equal(torch.get_rng_state(), before)
    first = found.build(0.5)
    other = found.build(0.5)
    torch.manual_seed(4)
    again = found.build(0.0)
    reference = torchvision.models.resnet18(num_classes=3)
    torch.manual_seed(4)
    reference = torchvision.models.resnet18(num_classes=3)
    for name, tensor in reference.state_dict().items():
        assert torch.equal(first.state_dict()[name], tensor)
        assert torch.equal(again.state_dict()[name], tensor)
    assert not torch.equal(first.fc.weight, other.fc.weight)  # type: ignore[union-attr, arg-type]
    assert first.training
    assert {tensor.dtype for tensor in first.parameters()} == {torch.float32}
    assert {tensor.device.type for tensor in first.parameters()} == {"cpu"}


def test_networks_with_auxiliary_heads_return_one_tensor_in_training() -> None:
    with torch.device("meta"):
        module = build_architecture("tv:googlenet", 3, size=(64, 64), dropout=0.1)
        assert module(torch.zeros(2, 3, 64, 64)).shape == (2, 3)
    assert keyed(module) == ["dropout"]


def test_what_stands_for_no_dropout_returns_its_input_and_has_a_rate() -> None:
    values = torch.randn(3)
    assert NoDropout()(values) is values
    assert NoDropout().p == 0.0


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "resnet5O",
            {},
            "unknown model 'resnet5O': did you mean 'resnet50' or 'resnet' or 'resnext50'? "
            "(lpa models '*part*' lists them)",
        ),
        (
            "smallcn",
            {},
            "unknown model 'smallcn': did you mean 'small_cnn' or 'small_resnet' or 'vit_small'? "
            "(lpa models '*part*' lists them)",
        ),
        (
            "timm:resnet18x",
            {},
            "unknown timm model 'resnet18x': did you mean 'resnet18' or 'resnet18d' or "
            "'skresnet18'?",
        ),
        (
            "resnet18@best.pth",
            {},
            "model 'resnet18@best.pth' cannot be trained from the start; expected the name of an "
            "architecture, e.g. small_cnn, resnet50 or timm:vit_small_patch16_224",
        ),
        (
            "hf-hub:timm/resnet18",
            {},
            "model 'hf-hub:timm/resnet18' cannot be trained from the start; expected the name of "
            "an architecture, e.g. small_cnn, resnet50 or timm:vit_small_patch16_224",
        ),
        (
            "small_cnn",
            {"image_size": (7, 30)},
            "architecture 'small_cnn' takes images from 8x8 pixels, not 30x7; give --img-size",
        ),
        (
            "small_vit",
            {"img_size": 4},
            "architecture 'small_vit' takes images from 8x8 pixels, not 4x4; give --img-size",
        ),
        (
            "vit_b_32",
            {"img_size": (64, 96)},
            "architecture 'vit_b_32' takes square images, not 64x96 pixels; give --img-size 96",
        ),
        ("small_cnn", {"img_size": 0}, "--img-size 0 is no size; expected pixels, e.g. 224"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(
    name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        untrained(name, 3, **{"image_size": None, **options})
    assert str(caught.value) == message


def test_a_size_that_an_architecture_cannot_take_is_refused_with_its_reason() -> None:
    with pytest.raises(InputError) as caught:
        untrained("squeezenet1_1", 3, image_size=(28, 28), img_size=8)
    assert str(caught.value) == (
        "architecture 'squeezenet1_1' cannot take 8x8 pixels (Given input size: (128x1x1). "
        "Calculated output size: (128x0x0). Output size is too small); give another size with "
        "--img-size"
    )


def test_an_architecture_without_head_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    features = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    monkeypatch.setattr("lpa.models.untrained.build_architecture", lambda *_, **__: features)
    with pytest.raises(InputError) as caught:
        untrained("resnet18", 3, image_size=None)
    assert str(caught.value) == (
        "architecture 'resnet18' has no classification head, only features; expected one that "
        "classifies (lpa models '*in1k*' lists some)"
    )


def test_a_small_network_cannot_be_loaded_before_it_is_trained() -> None:
    with pytest.raises(InputError) as caught:
        load("small_cnn")
    assert str(caught.value) == (
        "model 'small_cnn' has no weights before it is trained; expected run:RUN after "
        "lpa train-sweep --model small_cnn, or a pretrained model such as resnet50"
    )
    with pytest.raises(InputError) as caught:
        load("small_cnn@best.pth")
    assert str(caught.value) == (
        "model 'small_cnn' has no checkpoints of its own; expected run:RUN for the kept models of "
        "a training sweep, e.g. run:runs/digits"
    )


def test_the_small_networks_are_listed() -> None:
    rows = [row for row in list_models("small_*") if row["source"] == "small"]
    assert [row["name"] for row in rows] == ["small_cnn", "small_resnet", "small_vit"]
    assert {row["weights"] for row in rows} == {"to be trained: lpa train-sweep"}
