"""The hash of a model's weights."""

from __future__ import annotations

import hashlib

import torch

from lpa.models.loaded import hash_weights


def two_layers() -> torch.nn.Module:
    module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        module[0].bias.copy_(torch.tensor([5.0, 6.0]))
    return module


def test_the_hash_is_that_of_names_types_shapes_and_bytes() -> None:
    text = b""
    for name, tensor in sorted(two_layers().state_dict().items()):
        shape = "(" + ", ".join(map(str, tensor.shape)) + ("," if tensor.ndim == 1 else "") + ")"
        text += f"{name}|{tensor.dtype}|{shape}|".encode() + tensor.numpy().tobytes()
    assert hash_weights(two_layers()) == hashlib.blake2b(text, digest_size=16).hexdigest()


def test_the_hash_depends_on_every_part_of_the_state() -> None:
    plain = hash_weights(two_layers())
    assert hash_weights(two_layers()) == plain
    changed = []
    for name in two_layers().state_dict():
        module = two_layers()
        module.state_dict()[name].view(-1)[:1] += 1
        changed.append(hash_weights(module))
    assert len({plain, *changed}) == 1 + len(two_layers().state_dict())
    assert hash_weights(torch.nn.Sequential(two_layers())) != plain
    assert hash_weights(two_layers().half()) != plain


def test_the_hash_does_not_depend_on_the_memory_layout() -> None:
    module = torch.nn.Conv2d(3, 4, 3)
    before = hash_weights(module)
    assert hash_weights(module.to(memory_format=torch.channels_last)) == before


def test_a_model_in_bfloat16_has_a_hash_of_its_own() -> None:
    assert hash_weights(two_layers().bfloat16()) != hash_weights(two_layers().half())


def test_empty_and_boolean_states_are_hashed() -> None:
    module = torch.nn.Module()
    assert hash_weights(module) == hashlib.blake2b(b"", digest_size=16).hexdigest()
    module.register_buffer("none", torch.zeros(0, 3))
    module.register_buffer("mask", torch.tensor([True, False]))
    assert len(hash_weights(module)) == 32
