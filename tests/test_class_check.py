"""Wrongly matched classes are noticed; weak models are left in peace."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from lpa.classes import Classes
from lpa.experiments.class_check import best_relabelling, suggested_file

GENERATOR_SEEDS = range(200)


def outcomes(
    seed: int, classes: int, per_class: int, accuracy: float
) -> tuple[np.ndarray, np.ndarray]:
    """Labels and predictions of a model that is right so often and else guesses."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), per_class)
    right = generator.uniform(size=len(labels)) < accuracy
    return labels, np.where(right, labels, generator.integers(0, classes, len(labels)))


def test_a_permutation_is_found_with_both_accuracies() -> None:
    labels, predictions = outcomes(0, 8, 30, 0.9)
    permutation = np.array([3, 0, 2, 1, 5, 4, 7, 6])
    best = best_relabelling(labels, permutation[predictions])
    assert best is not None and best.suspicious
    assert best.accuracy == pytest.approx((permutation[predictions] == labels).mean())
    assert best.relabelled == pytest.approx((predictions == labels).mean())
    assert best.images == 240
    assert best.mapping == {int(permutation[c]): c for c in range(8)}


def test_the_relabelling_is_the_best_of_all_permutations() -> None:
    generator = np.random.default_rng(5)
    labels, predictions = generator.integers(0, 5, 200), generator.integers(0, 5, 200)
    best = best_relabelling(labels, predictions)
    assert best is not None
    agreeing = (np.array([best.mapping[int(p)] for p in predictions]) == labels).sum()
    every = (
        (np.array(order)[predictions] == labels).sum() for order in itertools.permutations(range(5))
    )
    assert agreeing == max(every)


@pytest.mark.parametrize("accuracy", [0.0, 0.1, 0.4, 0.9])
@pytest.mark.parametrize(("classes", "per_class"), [(3, 2), (4, 3), (10, 4), (100, 2), (20, 50)])
def test_a_weak_but_rightly_matched_model_is_never_suspected(
    accuracy: float, classes: int, per_class: int
) -> None:
    for seed in GENERATOR_SEEDS if classes < 50 else range(10):
        best = best_relabelling(*outcomes(seed, classes, per_class, accuracy))
        assert best is not None
        assert not best.suspicious, (seed, best)


def test_a_collapsed_model_is_not_suspected() -> None:
    labels = np.repeat(np.arange(5), 40)
    best = best_relabelling(labels, np.full(200, 3))
    assert best is not None and not best.suspicious
    assert (best.accuracy, best.relabelled) == (0.2, 0.2)


def test_predictions_outside_the_classes_are_wrong_either_way() -> None:
    labels, predictions = outcomes(1, 6, 20, 1.0)
    outside = np.where(np.arange(120) % 4 == 0, -1, (predictions + 1) % 6)
    best = best_relabelling(labels, outside)
    assert best is not None and best.suspicious
    assert (best.accuracy, best.relabelled) == (0.0, 0.75)
    assert -1 not in best.mapping


def test_a_shift_by_one_missing_class_is_found() -> None:
    """The folders of 20 classes without the fifth, matched by position."""
    labels, predictions = outcomes(2, 19, 20, 0.95)
    by_position = np.where(predictions >= 4, predictions + 1, predictions)
    best = best_relabelling(labels, by_position)
    assert best is not None and best.suspicious
    assert best.accuracy < 0.3 < 0.9 < best.relabelled


@pytest.mark.parametrize("labels", [[0, 1, 2, 3, 4], [0, 0, 1, 1, 2], [0], [0, 0, 0, 0, 1, 1, 1]])
def test_too_few_images_or_classes_say_nothing(labels: list[int]) -> None:
    assert best_relabelling(np.array(labels), np.array(labels)) is None


def test_the_suggestion_names_every_output_by_the_class_that_it_speaks_of() -> None:
    run = Classes(("ant", "bee", "cat", "dog"))
    # Output 0 was matched with dog, 1 with ant, 2 with nothing, 3 with bee, 4 with cat.
    text = suggested_file({3: 0, 0: 3}, [3, 0, -1, 1, 2], run, ["dog", "ant", "sky", "bee", "cat"])
    assert json.loads(text) == {"ant": 0, "dog": 1, "sky": 2, "bee": 3, "cat": 4}


def test_a_class_that_lost_its_output_gets_a_free_one() -> None:
    run = Classes(("a", "b", "c"))
    text = suggested_file({0: 1}, [0, 1, 2], run, run.names)
    found = json.loads(text)
    assert found["b"] == 0
    assert sorted(found.values()) == [0, 1, 2]
    assert found["c"] == 2
