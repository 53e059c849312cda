"""Dropout by key: its law, its independence of generators, and its place in a network."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from timm.layers import DropPath
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torchvision.ops import StochasticDepth

from lpa.models.keyed_dropout import KeyedDropout
from lpa.training.dropout import dropout_steps, replace_dropout, set_dropout_steps

WORD = 2**64 - 1


def splitmix(state: int) -> int:
    """SplitMix64's output of a state, in Python's own integers."""
    state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & WORD
    state = (state ^ state >> 27) * 0x94D049BB133111EB & WORD
    return state ^ state >> 31


def expected_kept(p: float, seed: int, step: int, count: int) -> list[bool]:
    key = splitmix(seed + step * 0x9E3779B97F4A7C15 & WORD)
    words = [splitmix(key + (i + 1) * 0x9E3779B97F4A7C15 & WORD) for i in range(count)]
    return [word >> 40 >= int(p * 2**24) for word in words]


def test_splitmix_gives_the_published_numbers() -> None:
    # The first outputs of the reference implementation with seed 1234567.
    states = [1234567 + i * 0x9E3779B97F4A7C15 & WORD for i in (1, 2, 3)]
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert [splitmix(state) for state in states] == expected


@pytest.mark.parametrize(("p", "seed"), [(0.25, 0), (0.5, -(2**63)), (0.9375, 2**63 - 1)])
def test_a_mask_is_the_hash_of_seed_step_and_element(p: float, seed: int) -> None:
    layer = KeyedDropout(p, seed)
    for step in (1, 2, 3):
        kept = layer(torch.ones(5, 7)) != 0
        assert kept.flatten().tolist() == expected_kept(p, seed, step, 35)


@pytest.mark.parametrize("p", [0.01, 0.1, 0.5, 0.9])
def test_in_distribution_it_is_torchs_dropout(p: float) -> None:
    ours, theirs = KeyedDropout(p, 3), nn.Dropout(p)
    torch.manual_seed(0)
    ones = torch.ones(200, 1000)
    dropped, reference = ours(ones), theirs(ones)
    assert torch.allclose(dropped.unique(), reference.unique(), rtol=1e-6)
    count = int((dropped == 0).sum())
    assert stats.binomtest(count, ones.numel(), p).pvalue > 1e-3
    # Not only the mean: zeros in rows of 1,000 spread as the binomial law says.
    per_row = (dropped == 0).sum(1).numpy()
    bounds = stats.binom.ppf(np.linspace(0.2, 0.8, 4), 1000, p)
    observed = np.bincount(np.searchsorted(bounds, per_row), minlength=5)
    shares = np.diff([0.0, *stats.binom.cdf(bounds, 1000, p), 1.0])
    assert stats.chisquare(observed, shares * 200).pvalue > 1e-3


def test_steps_seeds_and_neighbours_are_independent() -> None:
    masks = []
    for seed in (0, 1):
        layer = KeyedDropout(0.5, seed)
        masks += [(layer(torch.ones(20000)) != 0).double() for _ in range(2)]
    masks.append(masks[0].roll(1))
    correlations = np.corrcoef(torch.stack(masks).numpy())[np.triu_indices(5, 1)]
    assert np.abs(correlations).max() < 4 / np.sqrt(20000)


def test_with_rate_zero_the_output_is_the_input_bit_for_bit() -> None:
    values = torch.randn(64, 33, requires_grad=True)
    special = torch.tensor([[0.0, -0.0, torch.inf, -torch.inf, torch.nan, 1e-45]])
    layer = KeyedDropout(0.0, 5)
    for given in (values, special, special.half()):
        assert layer(given).numpy(force=True).tobytes() == given.numpy(force=True).tobytes()
    layer(values).sum().backward()
    assert torch.equal(values.grad, torch.ones_like(values))


def test_evaluation_returns_its_input_and_counts_no_step() -> None:
    layer = KeyedDropout(0.5).eval()
    values = torch.randn(3, 4)
    assert layer(values) is values
    assert int(layer.step) == 0


def test_no_global_generator_is_used_and_memory_layout_does_not_matter() -> None:
    images = torch.randn(4, 3, 5, 6)
    before = torch.get_rng_state()
    plain = KeyedDropout(0.5, 1)(images)
    assert torch.equal(torch.get_rng_state(), before)
    last = KeyedDropout(0.5, 1)(images.contiguous(memory_format=torch.channels_last))
    assert torch.equal(plain, last)
    assert torch.equal(KeyedDropout(0.5, 1)(images.double()) == 0, plain == 0)


def test_rows_are_dropped_whole() -> None:
    dropped = KeyedDropout(0.25, 2, rows=True)(torch.ones(4000, 3, 2))
    per_row = dropped.flatten(1)
    assert torch.equal(per_row.amin(1), per_row.amax(1))
    assert stats.binomtest(int((per_row[:, 0] == 0).sum()), 4000, 0.25).pvalue > 1e-3


def test_stacked_models_draw_what_each_draws_alone() -> None:
    models = [
        nn.Sequential(nn.Linear(6, 9), KeyedDropout(p, seed))
        for p, seed in ((0.0, 1), (0.5, 2), (0.9, -3))
    ]
    set_dropout_steps(models[1], {"1": 7})
    inputs = torch.randn(3, 5, 6)
    alone = copy.deepcopy(models)
    parameters, buffers = stack_module_state(models)  # type: ignore[arg-type]

    def run(state: Any, values: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = functional_call(models[0], state, (values,))
        return result

    for _ in range(2):
        stacked = vmap(run)((parameters, buffers), inputs)
        for model, given, found in zip(alone, inputs, stacked, strict=True):
            expected = model(given)
            assert torch.equal(found == 0, expected == 0)
            assert torch.allclose(found, expected, atol=1e-6)
    assert buffers["1.step"].tolist() == [2, 9, 2]


def test_no_state_of_it_lies_in_the_weights() -> None:
    assert nn.Sequential(nn.Linear(2, 2), KeyedDropout(0.5)).state_dict().keys() == {
        "0.weight",
        "0.bias",
    }


@pytest.mark.parametrize("p", [-0.1, 1.0, float("nan")])
def test_a_rate_out_of_range_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match=f"dropout {p} is out of range; expected at least 0"):
        KeyedDropout(p)


class Nested(nn.Module):
    """Dropout in several places, one of them inside of an attention."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.2, inplace=True))
        self.attention = nn.Module()
        self.attention.fused_attn = True  # type: ignore[assignment]
        self.attention.attn_drop = nn.Dropout(0.0)
        self.depth = StochasticDepth(0.3, "row")
        self.path = DropPath(0.4)
        self.last = nn.Dropout(0.0)


def test_every_dropout_of_a_network_is_replaced_and_the_names_of_weights_stay() -> None:
    network = Nested().eval()
    names = network.state_dict().keys()
    assert replace_dropout(network, 11) is network
    assert network.state_dict().keys() == names
    layers = {"first.1": network.first[1], "depth": network.depth, "path": network.path}
    layers["last"] = network.last
    assert dropout_steps(network) == dict.fromkeys(layers, 0)
    rates = {name: (round(float(layer.p), 6), layer.rows) for name, layer in layers.items()}
    assert rates == {
        "first.1": (0.2, False),
        "depth": (0.3, True),
        "path": (0.4, True),
        "last": (0.0, False),
    }
    assert len({int(layer.seed) for layer in layers.values()}) == 4
    assert not any(layer.training for layer in layers.values())
    assert type(network.attention.attn_drop) is nn.Dropout


def test_a_network_that_is_a_dropout_layer_becomes_another() -> None:
    assert isinstance(replace_dropout(nn.Dropout(0.5), 0), KeyedDropout)


def test_replacing_again_seeds_anew_and_any_integer_is_a_seed() -> None:
    network = nn.Sequential(nn.Dropout(0.5), nn.Dropout(0.5))
    replace_dropout(network, 2**127 + 1)
    first = [layer(torch.ones(99)) for layer in network]
    replace_dropout(network, 4)
    other = [layer(torch.ones(99)) for layer in network]
    replace_dropout(network, 2**127 + 1)
    again = [layer(torch.ones(99)) for layer in network]
    for one, two, three in zip(first, other, again, strict=True):
        assert torch.equal(one, three)
        assert not torch.equal(one, two)


def test_steps_put_back_continue_the_masks() -> None:
    network = replace_dropout(nn.Sequential(nn.Dropout(0.5), nn.Dropout(0.3)), 1)
    ones = torch.ones(50)
    network(ones)
    steps = dropout_steps(network)
    assert steps == {"0": 1, "1": 1}
    expected = network(ones)
    resumed = replace_dropout(nn.Sequential(nn.Dropout(0.5), nn.Dropout(0.3)), 1)
    set_dropout_steps(resumed, steps)
    assert torch.equal(resumed(ones), expected)
