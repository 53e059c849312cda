"""Many heads in one product: the update of torch's SGD, head by head."""

from __future__ import annotations

import numpy as np
import probed
import pytest
import torch
from torch.nn.functional import cross_entropy

from lpa.probing.heads import HeadStack, heads_at_once

RATES = [0.01, 0.05, 0.2, 0.7]
DECAYS = [0.0, 1e-3, 0.1, 0.03]


def batches(count: int, seed: int = 0) -> list[tuple[torch.Tensor, torch.Tensor]]:
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        rows = probed.clouds(11 + random.integers(3))
        features = torch.from_numpy(rows.features).double() - 5
        found.append((features + float(random.normal()), torch.from_numpy(rows.labels)))
    return found


def by_torch(
    given: list[tuple[torch.Tensor, torch.Tensor]], rate: float, decay: float
) -> tuple[torch.Tensor, torch.Tensor]:
    weights = torch.zeros(7, 3, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD(
        [{"params": [weights], "weight_decay": decay}, {"params": [bias], "lr": 2 * rate}],
        lr=rate,
        momentum=0.8,
    )
    for features, labels in given:
        optimizer.zero_grad()
        cross_entropy(features @ weights + bias, labels).backward()
        optimizer.step()
    return weights.detach(), bias.detach()


def trained(rates: list[float], decays: list[float], groups, given) -> HeadStack:
    stack = HeadStack(7, 3, decays, 0.8, groups, dtype=torch.float64)
    rate = torch.tensor(rates, dtype=torch.float64)
    for step in given:
        stack.step(step, rate, 2 * rate)
    return stack


def test_every_head_takes_the_updates_of_torchs_sgd_with_decay_on_the_weights_alone() -> None:
    given = batches(25)
    stack = trained(RATES, DECAYS, None, [[batch] for batch in given])
    for place, (rate, decay) in enumerate(zip(RATES, DECAYS, strict=True)):
        weights, bias = by_torch(given, rate, decay)
        assert torch.allclose(stack.weights[:, place], weights, rtol=0, atol=1e-12)
        assert torch.allclose(stack.biases[place], bias, rtol=0, atol=1e-12)
        assert weights.abs().max() > 0.1


def test_twelve_heads_as_one_product_are_twelve_heads_one_by_one() -> None:
    rates, decays = RATES * 3, DECAYS[:3] * 4
    given = batches(40)
    together = trained(rates, decays, None, [[batch] for batch in given])
    features = given[0][0]
    for place in range(12):
        alone = trained(
            rates[place : place + 1],
            decays[place : place + 1],
            None,
            [[batch] for batch in given],
        )
        assert torch.allclose(
            together.logits(features)[:, place], alone.logits(features)[:, 0], rtol=0, atol=1e-9
        )


def test_groups_of_heads_take_batches_of_their_own() -> None:
    first, second = batches(25, 1), batches(25, 2)
    stack = trained(RATES, DECAYS, [1, 3], list(zip(first, second, strict=True)))
    for place, given in enumerate([first, second, second, second]):
        weights, bias = by_torch(given, RATES[place], DECAYS[place])
        assert torch.allclose(stack.weights[:, place], weights, rtol=0, atol=1e-12)
        assert torch.allclose(stack.biases[place], bias, rtol=0, atol=1e-12)


def test_single_precision_stays_near_double() -> None:
    given = batches(25)
    stack = HeadStack(7, 3, DECAYS, 0.8)
    rate = torch.tensor(RATES)
    for features, labels in given:
        stack.step([(features.float(), labels)], rate, 2 * rate)
    double = trained(RATES, DECAYS, None, [[batch] for batch in given])
    assert torch.allclose(stack.weights.double(), double.weights, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("width", "classes", "batch", "expected"),
    [(64, 10, 256, 12), (2048, 10_000, 256, 12), (2048, 21_841, 256, 7), (10**6, 10_000, 1, 1)],
)
def test_a_pass_trains_as_many_heads_as_fit_into_its_memory(
    width: int, classes: int, batch: int, expected: int
) -> None:
    assert heads_at_once(width, classes, batch) == expected
    floats = 2 * (width + 1) * classes + 2 * batch * classes
    assert expected == 1 or expected * floats * 4 <= 3 * 2**30
    assert expected == 12 or (expected + 1) * floats * 4 > 3 * 2**30
