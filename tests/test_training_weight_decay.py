"""Weight decay acts on everything but normalisation layers and what a model exempts."""

from __future__ import annotations

import pytest
import timm
import timm.layers
import timm.optim
import torch
import torchvision
from torch import nn

from lpa.training.weight_decay import decayed, parameter_groups


def test_a_torchvision_resnet_decays_its_convolutions_and_its_head_with_the_bias() -> None:
    module = torchvision.models.resnet18(num_classes=3)
    expected = {
        name
        for name, _ in module.named_parameters()
        if "bn" not in name and "downsample.1" not in name
    }
    assert decayed(module) == expected
    assert {"conv1.weight", "layer2.0.downsample.0.weight", "fc.weight", "fc.bias"} <= expected
    assert len(expected) == 20 + 2


def test_a_timm_vision_transformer_exempts_what_it_names_itself_and_its_layer_norms() -> None:
    module = timm.create_model("vit_tiny_patch16_224", num_classes=3, depth=2)
    assert {name for name, _ in module.named_parameters()} - decayed(module) == {
        "pos_embed", "cls_token", "norm.weight", "norm.bias",
        *(f"blocks.{block}.norm{place}.{part}"
          for block in (0, 1) for place in (1, 2) for part in ("weight", "bias")),
    }  # fmt: skip


def test_a_timm_convnext_keeps_its_two_dimensional_layer_norms_from_decaying() -> None:
    module = timm.create_model("convnext_atto", num_classes=3)
    kept = {name for name, _ in module.named_parameters()} - decayed(module)
    assert "stem.1.weight" in kept
    assert all("norm" in name or name.startswith("stem.1.") or ".downsample.0." in name
               for name in kept)  # fmt: skip
    assert "head.fc.bias" in decayed(module)


@pytest.mark.parametrize(
    "layer",
    [
        nn.BatchNorm1d(4), nn.BatchNorm2d(4), nn.BatchNorm3d(4), nn.SyncBatchNorm(4),
        nn.InstanceNorm2d(4, affine=True), nn.LayerNorm(4), nn.GroupNorm(2, 4), nn.RMSNorm(4),
        torchvision.models.convnext.LayerNorm2d(4), timm.layers.LayerNorm(4),
        timm.layers.LayerNorm2d(4), timm.layers.GroupNorm1(4), timm.layers.RmsNorm(4),
        timm.layers.RmsNorm2d(4), timm.layers.BatchNormAct2d(4), timm.layers.LayerNormAct(4),
        timm.layers.SimpleNorm(4), timm.layers.EvoNorm2dS0(4, groups=2),
        timm.layers.FilterResponseNormTlu2d(4),
    ],
    ids=lambda layer: type(layer).__name__,
)  # fmt: skip
def test_no_parameter_of_a_normalisation_layer_decays(layer: nn.Module) -> None:
    assert list(layer.parameters())
    assert decayed(nn.Sequential(nn.Linear(4, 4), layer)) == {"0.weight", "0.bias"}


def test_a_model_may_exempt_parameters_by_pattern() -> None:
    class Exempting(nn.Sequential):
        def no_weight_decay(self) -> set[str]:
            return {"*.bias", "1.weight"}

    module = Exempting(nn.Linear(2, 2), nn.Linear(2, 2))
    assert decayed(module) == {"0.weight"}


def test_an_optimizer_with_these_groups_shrinks_only_what_decays() -> None:
    module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    before = {name: value.detach().clone() for name, value in module.named_parameters()}
    optimizer = torch.optim.SGD(parameter_groups(module, 0.1), lr=0.5)
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    after = dict(module.named_parameters())
    for name in ("0.weight", "0.bias"):
        torch.testing.assert_close(after[name].detach(), before[name] * 0.95)
    for name in ("1.weight", "1.bias"):
        assert torch.equal(after[name], before[name])


def test_timm_takes_the_groups_as_they_are() -> None:
    module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    optimizer = timm.optim.create_optimizer_v2(
        parameter_groups(module, 0.1), opt="adamw", lr=0.01, weight_decay=0.3
    )
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.0]
    assert [len(group["params"]) for group in optimizer.param_groups] == [2, 2]


def test_frozen_parameters_and_empty_groups_are_left_out() -> None:
    module = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    module[0].requires_grad_(False)
    (group,) = parameter_groups(module, 0.1)
    assert [id(value) for value in group["params"]] == [
        id(value) for value in module[1].parameters()
    ]
