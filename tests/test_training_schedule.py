"""Learning rates of every update, by their formulas."""

from __future__ import annotations

import math

import pytest

from lpa.plans import Recipe
from lpa.training.schedule import LearningRates


def rates(recipe: Recipe, updates: int) -> list[float]:
    made = LearningRates(recipe, updates)
    return [made(update) for update in range(recipe.epochs * updates)]


def test_cosine_falls_from_the_rate_to_its_minimum_after_a_linear_warm_up() -> None:
    recipe = Recipe(
        epochs=5, learning_rate=0.4, warmup_epochs=1, warmup_factor=0.1, minimum_factor=0.05
    )
    expected = []
    for update in range(50):
        if update < 10:
            expected.append(0.04 + (0.4 - 0.04) * update / 10)
        else:
            expected.append(0.02 + 0.5 * (0.4 - 0.02) * (1 + math.cos(math.pi * update / 50)))
    assert rates(recipe, 10) == pytest.approx(expected)


def test_steps_come_epoch_by_epoch() -> None:
    recipe = Recipe(
        epochs=7, learning_rate=1.0, schedule="step", step_epochs=3, step_factor=0.5,
        warmup_epochs=0,
    )  # fmt: skip
    expected = [0.5 ** (update // 4 // 3) for update in range(28)]
    assert rates(recipe, 4) == pytest.approx(expected)


def test_a_constant_rate_stays_after_its_warm_up() -> None:
    recipe = Recipe(
        epochs=3, learning_rate=0.2, schedule="constant", warmup_epochs=0.5, warmup_factor=0
    )
    assert rates(recipe, 8) == pytest.approx([0, 0.05, 0.1, 0.15] + 20 * [0.2])


def test_the_rate_of_an_update_does_not_depend_on_which_were_asked_for_before() -> None:
    recipe = Recipe(epochs=4, schedule="step", step_epochs=1)
    whole, late = rates(recipe, 6), LearningRates(recipe, 6)
    assert [late(update) for update in (17, 3, 23)] == [whole[17], whole[3], whole[23]]


def test_a_training_of_one_update_has_its_rate_without_a_word_of_the_library(
    caplog: pytest.LogCaptureFixture,
) -> None:
    recipe = Recipe(epochs=1, learning_rate=0.3, warmup_epochs=0)
    assert rates(recipe, 1) == [0.3]
    assert caplog.records == []
