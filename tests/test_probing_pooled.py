"""The pooled feature is the one that the libraries themselves would give."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn

from lpa.errors import InputError
from lpa.models.small import BUILDERS
from lpa.models.untrained import build_architecture
from lpa.probing.pooled import FeatureInterface, feature_interface

SIZE = (64, 64)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def images(count: int = 3, size: tuple[int, int] = SIZE) -> Tensor:
    return torch.randn(count, 3, *size)


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@torch.no_grad()
def check(found: FeatureInterface, module: nn.Module, batch: Tensor, expected: Tensor) -> None:
    """The features are as expected, and the head makes the classifier's logits of them."""
    features = found.module(batch)
    assert features.shape == (len(batch), found.dim)
    close(features, expected)
    assert found.head is not None
    close(found.head(features), module(batch))


@torch.no_grad()
def test_a_resnet_gives_its_pooled_maps() -> None:
    module: Any = torchvision.models.resnet18(weights=None).eval()
    batch = images()
    maps = module.maxpool(module.relu(module.bn1(module.conv1(batch))))
    for layer in (module.layer1, module.layer2, module.layer3, module.layer4):
        maps = layer(maps)
    found = feature_interface(module, SIZE)
    check(found, module, batch, maps.mean((2, 3)))
    assert found.description == "512 features (input of fc)"


@torch.no_grad()
def test_alexnet_gives_its_second_hidden_layer_without_dropout() -> None:
    module: Any = torchvision.models.alexnet(weights=None).eval()
    batch = images()
    flat = module.avgpool(module.features(batch)).flatten(1)
    hidden = module.classifier[1](flat).relu()
    expected = module.classifier[4](hidden).relu()
    found = feature_interface(module, SIZE)
    check(found, module, batch, expected)
    assert found.description == "4096 features (input of classifier.6)"


@torch.no_grad()
def test_convnext_gives_its_pooled_maps_after_the_layer_norm() -> None:
    module: Any = torchvision.models.convnext_tiny(weights=None).eval()
    batch = images()
    pooled = module.features(batch).mean((2, 3))
    expected = nn.functional.layer_norm(
        pooled, (768,), module.classifier[0].weight, module.classifier[0].bias, 1e-6
    )
    check(feature_interface(module, SIZE), module, batch, expected)


@torch.no_grad()
@pytest.mark.parametrize("name", ["resnet18", "mobilenetv3_small_050", "vit_tiny_patch16_224"])
def test_timms_feature_is_what_timm_gives_without_a_classifier(name: str) -> None:
    size = (224, 224) if "vit" in name else SIZE
    module = timm.create_model(name, num_classes=7, drop_rate=0.9).eval()
    headless = timm.create_model(name, num_classes=0).eval()
    headless.load_state_dict(module.state_dict(), strict=False)
    batch = images(2, size)
    found = feature_interface(module, size)
    check(found, module, batch, headless(batch))
    assert found.description == f"{found.dim} features (timm's pre-logits)"


@torch.no_grad()
def test_a_timm_model_with_two_heads_keeps_timms_feature_and_has_no_single_head() -> None:
    module: Any = timm.create_model("deit_tiny_distilled_patch16_224", num_classes=7).eval()
    batch = images(2, (224, 224))
    found = feature_interface(module, (224, 224))
    expected = module.forward_features(batch)[:, :2].mean(1)
    close(found.module(batch), expected)
    assert found.head is None


@torch.no_grad()
@pytest.mark.parametrize("name", BUILDERS)
def test_small_networks_give_the_input_of_their_head_whatever_the_dropout(name: str) -> None:
    module: Any = BUILDERS[name](5, (16, 16), 0.5).eval()
    batch = images(4, (16, 16))
    found = feature_interface(module, (16, 16))
    # The head is one linear layer with more features than outputs: its weights tell what went in
    # only up to what they do not see, so the input is taken apart layer by layer instead.
    if name == "small_cnn":
        expected = module.features(batch).mean((2, 3))
    elif name == "small_resnet":
        expected = module.blocks(module.stem(batch)).mean((2, 3))
    else:
        tokens = module.patches(batch).flatten(2).transpose(1, 2) + module.position
        expected = module.norm(module.blocks(tokens)).mean(1)
    check(found, module, batch, expected)


@pytest.mark.parametrize("architecture", ["tv:resnet18", "timm:resnet18", "tv:mobilenet_v2"])
def test_dropout_that_a_sweep_puts_before_the_head_is_off(architecture: str) -> None:
    module = build_architecture(architecture, 4, size=SIZE, dropout=0.9).eval()
    plain = build_architecture(architecture, 4, size=SIZE).eval()
    plain.load_state_dict(module.state_dict())
    batch = images()
    with torch.no_grad():
        one, other = (feature_interface(each, SIZE).module(batch) for each in (module, plain))
    assert torch.equal(one, other)


def test_the_classifier_itself_stays_as_it_is() -> None:
    module = torchvision.models.resnet18(weights=None).eval()
    before = [name for name, _ in module.named_modules()]
    found = feature_interface(module, SIZE)
    with torch.no_grad():
        found.module(images())
    assert [name for name, _ in module.named_modules()] == before
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in module.modules())
    assert torch.equal(next(found.module.parameters()), module.conv1.weight)


class Scaled(nn.Module):
    """Ends in a linear layer, and in something behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, batch: Tensor) -> Tensor:
        return self.linear(batch.mean((2, 3))) * 2


@pytest.mark.parametrize(
    ("make", "kind"),
    [(lambda: torchvision.models.squeezenet1_1(weights=None), "SqueezeNet"), (Scaled, "Scaled")],
)
def test_a_backbone_without_a_pooled_feature_is_refused(make: Any, kind: str) -> None:
    with pytest.raises(InputError) as caught:
        feature_interface(make().eval(), SIZE, name="mine")
    assert str(caught.value) == (
        f"backbone 'mine' ({kind}) has no feature interface: its logits are not the output of a "
        "linear layer; expected a classifier that ends in nn.Linear, or timm's forward_features "
        "and forward_head"
    )
