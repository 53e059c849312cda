"""The three small networks: shapes, sizes, dropout, and what stacking asks of them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap

from lpa.models.keyed_dropout import KeyedDropout
from lpa.models.small import BUILDERS

torch.set_num_threads(1)


def build(name: str, outputs: int, size: tuple[int, int], drop_rate: float = 0.0) -> nn.Module:
    torch.manual_seed(0)
    return BUILDERS[name](outputs, size, drop_rate)


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("size", [(8, 8), (9, 8), (13, 30), (28, 28), (64, 64), (8, 100)])
def test_any_size_from_eight_pixels_and_any_number_of_classes_are_taken(
    name: str, size: tuple[int, int]
) -> None:
    for outputs in (1, 7):
        logits = build(name, outputs, size)(torch.randn(2, 3, *size))
        assert logits.shape == (2, outputs)
        assert logits.isfinite().all()


# Counted by hand, layer by layer: weights of convolutions and linear layers, then the rest.
PARAMETERS = {
    "small_cnn": 9 * (3 * 32 + 32 * 64 + 64 * 84) + 2 * (32 + 64 + 84) + 84 * 10 + 10,
    "small_resnet": 9 * (3 * 16 + 2 * 16 * 16 + 16 * 32 + 32 * 32 + 32 * 64 + 64 * 64)
    + 16 * 32
    + 32 * 64
    + 2 * (3 * 16 + 3 * 32 + 3 * 64)
    + 64 * 10
    + 10,
    "small_vit": 4 * 4 * 3 * 64
    + 64
    + 49 * 64
    + 4 * (3 * 64 * 64 + 3 * 64 + 64 * 64 + 64 + 2 * 64 * 128 + 128 + 64 + 4 * 64)
    + 2 * 64
    + 64 * 10
    + 10,
}


@pytest.mark.parametrize("name", BUILDERS)
def test_the_number_of_parameters_is_the_one_that_is_documented(name: str) -> None:
    module = build(name, 10, (28, 28))
    count = sum(parameter.numel() for parameter in module.parameters())
    assert count == PARAMETERS[name]
    documented = {"small_cnn": 68_890, "small_resnet": 78_042, "small_vit": 140_938}
    assert count == documented[name]
    assert f"{count:,}" in (type(module).__doc__ or "")


@pytest.mark.parametrize("name", BUILDERS)
def test_dropout_stands_before_the_head_and_nowhere_else(name: str) -> None:
    module = build(name, 10, (16, 16), 0.25)
    layers = [layer for layer in module.modules() if isinstance(layer, KeyedDropout)]
    assert [float(layer.p) for layer in layers] == [0.25]
    assert not [layer for layer in module.modules() if isinstance(layer, nn.Dropout)]
    seen = []
    head: Any = module.head
    head.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    images = torch.randn(64, 3, 16, 16)
    module(images)
    plain = copy.deepcopy(module)
    layer = plain.drop
    assert isinstance(layer, KeyedDropout)
    layer.p.fill_(0)
    plain(images)
    dropped, features = seen
    zeros = (dropped == 0) & (features != 0)
    assert 0.2 < float(zeros.sum() / (features != 0).sum()) < 0.3
    assert torch.allclose(dropped[~zeros], features[~zeros] / 0.75)


@pytest.mark.parametrize("name", BUILDERS)
def test_the_global_seed_decides_the_weights(name: str) -> None:
    first, again = build(name, 5, (8, 8)), build(name, 5, (8, 8), 0.5)
    other = BUILDERS[name](5, (8, 8), 0.0)
    for key, weight in first.state_dict().items():
        assert torch.equal(weight, again.state_dict()[key])
    assert not torch.equal(first.head.weight, other.head.weight)  # type: ignore[union-attr, arg-type]


@pytest.mark.parametrize("name", BUILDERS)
def test_stacked_networks_have_the_gradients_of_each_alone(name: str) -> None:
    modules = [build(name, 4, (9, 9), rate).double() for rate in (0.0, 0.5)]
    for number, module in enumerate(modules):
        torch.manual_seed(number)
        for parameter in module.parameters():
            parameter.data += 0.05 * torch.randn_like(parameter)
    images, labels = torch.randn(2, 6, 3, 9, 9).double(), torch.randint(4, (2, 6))
    alone = copy.deepcopy(modules)
    parameters, buffers = stack_module_state(modules)

    def loss(parameters: Any, buffers: Any, images: Any, labels: Any) -> torch.Tensor:
        logits = functional_call(modules[0], (parameters, buffers), (images,))
        return nn.functional.cross_entropy(logits, labels)

    gradients = vmap(grad(loss))(parameters, buffers, images, labels)
    for index, module in enumerate(alone):
        nn.functional.cross_entropy(module(images[index]), labels[index]).backward()
        for key, parameter in module.named_parameters():
            assert torch.allclose(gradients[key][index], parameter.grad, rtol=0, atol=1e-12)
        for key, buffer in module.named_buffers():
            assert torch.allclose(buffers[key][index].double(), buffer.double(), atol=1e-12)


@pytest.mark.parametrize("name", BUILDERS)
def test_each_learns_a_colour_from_a_few_images(name: str) -> None:
    module = build(name, 3, (8, 8))
    labels = torch.arange(48) % 3
    images = torch.randn(48, 3, 8, 8) * 0.5
    images[torch.arange(48), labels] += 1
    optimizer = torch.optim.AdamW(module.parameters(), 3e-3)
    for _ in range(40):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(images), labels).backward()
        optimizer.step()
    assert (module.eval()(images).argmax(1) == labels).double().mean() > 0.9


def test_patches_of_the_transformer_are_an_eighth_of_the_shorter_side_and_two_pixels_at_least() -> (
    None
):
    sides = {8: (2, 16), 28: (4, 49), 30: (4, 64), 32: (4, 64), 64: (8, 64)}
    for side, (patch, tokens) in sides.items():
        module: Any = build("small_vit", 2, (side, side))
        assert module.patches.kernel_size == (patch, patch)
        assert module.position.shape[1] == tokens
    wide: Any = build("small_vit", 2, (16, 33))
    assert wide.position.shape[1] == 8 * 17


def test_the_transformer_takes_the_size_it_was_made_for_and_spares_its_positions() -> None:
    module: Any = build("small_vit", 2, (16, 24))
    with pytest.raises(ValueError, match=r"^made for 16x24 pixels$"):
        module(torch.randn(1, 3, 24, 16))
    assert module.no_weight_decay() <= dict(module.named_parameters()).keys()
