"""Levels go up and down with the held-out accuracy of each class."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from policy_context import context, made, refusal

from lpa.training.policies.adaptive_strength import AdaptiveStrength

EACH = np.arange(4)
AXIS = context().axis
HELD = np.repeat(EACH, 10)


class Model:
    """Right on a stated number of each class's held-out images, by whether they are augmented."""

    def __init__(self, plain: list[int], strong: list[int]) -> None:
        self.plain, self.strong, self.shown = plain, strong, []

    def __call__(self, values: np.ndarray) -> torch.Tensor:
        self.shown.append(values.copy())
        hits = self.plain if len(self.shown) % 2 == 0 else self.strong
        return torch.tensor([index % 10 < hits[label] for index, label in enumerate(HELD)])


def test_levels_start_in_the_middle_and_lie_between_reference_and_value() -> None:
    policy = made("adaptive_strength")
    assert policy.values(EACH, 0.08, AXIS).tolist() == [1.0 + 0.5 * (0.08 - 1.0)] * 4
    assert made("adaptive_strength(start=1)").values(EACH, 0.08, AXIS).tolist() == [0.08] * 4
    assert made("adaptive_strength(start=0)").values(EACH, 0.08, AXIS).tolist() == [1.0] * 4


def test_on_a_logarithmic_axis_levels_divide_the_logarithm() -> None:
    axis = AXIS.__class__("x", "", 1.0, "up", "log", minimum=1.0)
    policy = made("adaptive_strength(start=.25)")
    value = policy.values(EACH, 16.0, axis)[0]
    assert math.log2(value) == pytest.approx(1.0)
    without = AXIS.__class__("x", "", 0.0, "up", "log", minimum=0.0)
    assert policy.values(EACH, 16.0, without).tolist() == [4.0] * 4


def test_a_level_rises_within_the_tolerance_falls_beyond_it_and_stays_where_nothing_is_right() -> (
    None
):
    policy = AdaptiveStrength(4, tolerance=0.1)
    policy.values(EACH, 0.08, AXIS)
    model = Model(plain=[8, 8, 8, 0], strong=[9, 7, 6, 0])
    policy.after_epoch(model, HELD, AXIS)
    assert policy.levels.tolist() == [0.6, 0.6, 0.4, 0.5]
    assert model.shown[0].tolist() == [0.54] * 40 and model.shown[1].tolist() == [1.0] * 40
    values = policy.values(EACH, 0.08, AXIS)
    np.testing.assert_allclose(values, [1 - level * 0.92 for level in (0.6, 0.6, 0.4, 0.5)])


def test_levels_stay_within_reference_and_value_and_reach_both_exactly() -> None:
    policy = AdaptiveStrength(4)
    for _ in range(12):
        policy.values(EACH, 0.08, AXIS)
        policy.after_epoch(Model([8] * 4, [8, 8, 0, 0]), HELD, AXIS)
    assert policy.levels.tolist() == [1.0, 1.0, 0.0, 0.0]
    assert policy.values(EACH, 0.08, AXIS).tolist() == [0.08, 0.08, 1.0, 1.0]


def test_a_class_settles_where_its_loss_reaches_the_tolerance() -> None:
    # Class c loses l * c tenths of its images at level l: 0, .1, .2 and .3 at full strength.
    policy = AdaptiveStrength(4, tolerance=0.1, step=0.1)
    seen = []
    for _ in range(60):
        policy.values(EACH, 0.08, AXIS)
        lost = [round(float(level) * c) for c, level in enumerate(policy.levels)]
        policy.after_epoch(Model([10] * 4, [10 - each for each in lost]), HELD, AXIS)
        seen.append(policy.levels)
    last = np.mean(seen[-20:], axis=0)
    assert last[:2].tolist() == [1.0, 1.0]
    assert 0.65 <= last[2] <= 0.85 and 0.4 <= last[3] <= 0.6


def test_classes_without_held_out_images_stay_at_the_reference_and_are_named() -> None:
    policy = made("adaptive_strength", held_out=[0] * 5 + [2] * 3)
    assert policy.values(EACH, 0.08, AXIS).tolist() == [0.54, 1.0, 0.54, 1.0]
    assert policy.notes == (
        "adaptive_strength: 2 of 4 classes have no held-out images and stay at the reference: "
        "'c001', 'c003'",
    )
    unaware = AdaptiveStrength(4)
    unaware.values(EACH, 0.08, AXIS)
    few = np.array([0, 2])
    unaware.after_epoch(lambda values: torch.ones(len(values), dtype=torch.bool), few, AXIS)
    assert unaware.levels.tolist() == [0.6, 0.0, 0.6, 0.0]


def test_at_the_reference_nothing_is_scored() -> None:
    policy = AdaptiveStrength(4)
    policy.values(EACH, 1.0, AXIS)
    policy.after_epoch(lambda values: pytest.fail("scored"), HELD, AXIS)
    assert policy.levels.tolist() == [0.5] * 4


def test_a_checkpoint_takes_up_the_levels(tmp_path: object) -> None:
    first, second = AdaptiveStrength(4), AdaptiveStrength(4)
    first.values(EACH, 0.08, AXIS)
    first.after_epoch(Model([8] * 4, [8, 8, 0, 0]), HELD, AXIS)
    path = f"{tmp_path}/state.pt"
    torch.save(first.state(), path)
    second.restore(torch.load(path, weights_only=True))
    for policy in (first, second):
        policy.after_epoch(Model([8] * 4, [8, 0, 8, 0]), HELD, AXIS)
    assert second.levels.tolist() == first.levels.tolist() == [0.7, 0.5, 0.5, 0.3]


def test_it_is_refused_where_there_is_nothing_to_measure() -> None:
    assert refusal("adaptive_strength", held_out=[]) == (
        "policy adaptive_strength measures on images that are not trained on, and none are held "
        "out; expected e.g. --hold-out .1"
    )
    for name in ("weight_decay", "label_smoothing"):
        assert refusal("adaptive_strength", regularizer=name) == (
            "policy adaptive_strength shows held-out images at each class's strength, and "
            f"{name} changes no single image; sweep an augmentation"
        )
    assert AdaptiveStrength.hold_out and AdaptiveStrength(4).record() == {
        "start": 0.5, "step": 0.1, "tolerance": 0.05, "revision": 1,
    }  # fmt: skip
