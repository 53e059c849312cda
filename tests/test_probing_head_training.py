"""A whole training of heads: order, choice, refit, stopping and going on, bad input."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import probed
import pytest
import torch
from torch.nn.functional import cross_entropy

from lpa.augmentations.randomness import uniforms
from lpa.datasets.held_out import held_out
from lpa.errors import InputError
from lpa.plans.head_recipe import HeadRecipe
from lpa.probing import heads as heads_module
from lpa.probing.choice import Choice, Head, Score, choose
from lpa.probing.head_training import HeadTraining, train_heads
from lpa.probing.linear import TrainedHeads
from lpa.probing.table import FeatureTable

SMALL: dict[str, Any] = {
    "epochs": 3,
    "batch_size": 16,
    "learning_rates": (0.3, 1.0),
    "weight_decays": (1e-3, 0.1),
    "hold_out": 0.2,
}


def recipe(**changes: Any) -> HeadRecipe:
    return HeadRecipe(**{**SMALL, **changes})


def training(table: probed.Table | None = None, seed: int = 0, **changes: Any) -> HeadTraining:
    table = probed.clouds() if table is None else table
    return HeadTraining(
        table,
        int(table.labels.max()) + 1,
        recipe(**changes),
        keys=probed.keys(len(table.labels)),
        seed=seed,
        dtype=torch.float64,
    )


def finished(made: HeadTraining) -> TrainedHeads:
    found = made.run()
    assert found is not None
    return found


def slow_head(
    table: probed.Table, rows: np.ndarray, pair: tuple[float, float], head_seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The same by torch's SGD and scheduler, one head, on features standardised as a whole."""
    features = table.features.astype(np.float64)
    deviation = features.std(axis=0)
    features = (features - features.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    weights = torch.zeros(features.shape[1], 3, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    varied = int((deviation > 0).sum())
    optimizer = torch.optim.SGD(
        [
            {"params": [weights], "lr": pair[0] / varied, "weight_decay": pair[1]},
            {"params": [bias], "lr": pair[0]},
        ],
        momentum=0.9,
    )
    updates = math.ceil(len(rows) / 16)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 3 * updates)
    keys = probed.keys(len(table.labels))[rows]
    for epoch in range(3):
        random = uniforms(keys, f"probe order {head_seed}", 1, 0, epoch)[:, 0]
        order = rows[np.argsort(random, kind="stable")]
        for start in range(0, len(order), 16):
            batch = order[start : start + 16]
            optimizer.zero_grad()
            logits = torch.from_numpy(features[batch]) @ weights + bias
            cross_entropy(logits, torch.from_numpy(table.labels[batch])).backward()
            optimizer.step()
            falling.step()
    return weights.detach().numpy(), bias.detach().numpy()


def slow_accuracy(table: probed.Table, rows: np.ndarray, head: tuple[Any, Any]) -> float:
    deviation = table.features.std(axis=0)
    ready = (table.features - table.features.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    right = (ready[rows] @ head[0] + head[1]).argmax(axis=1) == table.labels[rows]
    return float(right.mean())


@pytest.mark.parametrize("refit", [True, False])
def test_choice_and_heads_are_those_of_a_slow_loop(refit: bool) -> None:
    table = probed.clouds(90, kind=np.float64)
    out = held_out(table.labels, probed.keys(90), 0.2)
    kept, part = np.flatnonzero(~out), np.flatnonzero(out)
    assert len(part) == 18
    found = finished(training(table, refit=refit, seeds=2))
    for seed in range(2):
        trained = {pair: slow_head(table, kept, pair, seed) for pair in recipe().pairs}
        accuracies = {pair: slow_accuracy(table, part, head) for pair, head in trained.items()}
        choice = found.choices[seed]
        assert choice.accuracies == pytest.approx(accuracies)
        assert choice.accuracy == max(choice.accuracies.values())
        pair = (choice.learning_rate, choice.weight_decay)
        wanted = slow_head(table, np.arange(90), pair, seed) if refit else trained[pair]
        assert np.allclose(found.weights[seed].numpy(), wanted[0], rtol=0, atol=1e-10)
        assert np.allclose(found.biases[seed].numpy(), wanted[1], rtol=0, atol=1e-10)
    assert not torch.equal(found.weights[0], found.weights[1])


def test_one_pair_is_trained_on_everything_and_holds_nothing_out() -> None:
    table = probed.clouds(90, kind=np.float64)
    made = training(table, learning_rates=(1.0,), weight_decays=(0.1,))
    assert len(made.held_out) == 0
    found = finished(made)
    weights, _ = slow_head(table, np.arange(90), (1.0, 0.1), 0)
    assert np.allclose(found.weights[0].numpy(), weights, rtol=0, atol=1e-10)
    assert found.choices == (Choice(1.0, 0.1, None, {}),)


class Watched:
    """Features that note which rows are asked for, one at a time or as a range."""

    def __init__(self, features: np.ndarray) -> None:
        self.features, self.shape, self.dtype = features, features.shape, features.dtype
        self.taken: list[np.ndarray] = []

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        if not isinstance(rows, slice):
            self.taken.append(rows)
        return self.features[rows]


def test_what_is_held_out_is_read_after_the_passes_that_choose_and_evaluated_images_never() -> None:
    everything = probed.clouds(120)
    everything.features[90:] = np.nan  # the evaluated ones
    watched = Watched(everything.features[:90])
    made = training(probed.Table(watched, everything.labels[:90]))  # type: ignore[arg-type]
    part = set(made.held_out.tolist())
    finished(made)
    updates = 3 * math.ceil((90 - len(part)) / 16)
    choosing, rest = watched.taken[:updates], watched.taken[updates:]
    assert not part & set(np.concatenate(choosing).tolist())
    scored = math.ceil(len(part) / 16)
    assert sorted(np.concatenate(rest[:scored]).tolist()) == sorted(part)
    refit = np.concatenate(rest[scored:])
    assert np.bincount(refit).tolist() == [3] * 90


def test_other_images_beside_the_training_features_change_nothing() -> None:
    results = []
    for seed in (0, 1):
        features = np.random.default_rng(seed).normal(size=(150, 7)).astype(np.float32)
        table = probed.clouds(90)
        features[:90] = table.features
        results.append(finished(training(probed.Table(features[:90], table.labels))))
    assert torch.equal(results[0].weights, results[1].weights)
    assert results[0].choices == results[1].choices


# ---- stopping and going on ---------------------------------------------------------------------


@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("at_once", [12, 3])
def test_stopped_anywhere_it_goes_on_to_the_same_result_bit_for_bit(
    monkeypatch: pytest.MonkeyPatch, at_once: int, refit: bool
) -> None:
    monkeypatch.setattr(heads_module, "HEADS_AT_ONCE", at_once)
    changes = {"seeds": 2, "refit": refit}
    table = probed.clouds(50)
    whole = finished(training(table, **changes))
    state, stops = None, 0
    while True:
        made = training(table, **changes)
        if state is not None:
            made.restore(state)
        left = iter([False] * 2)
        found = made.run(stop=lambda left=left: next(left, True))
        if found is not None:
            break
        state, stops = copy.deepcopy(made.state()), stops + 1
    assert stops > 3
    assert torch.equal(found.weights, whole.weights)
    assert torch.equal(found.biases, whole.biases)
    assert found.choices == whole.choices


def test_a_state_of_an_epochs_end_is_taken_up_from_there(tmp_path) -> None:
    table = probed.clouds(50)
    whole = training(table)
    ends = 0

    def save() -> None:
        nonlocal ends
        torch.save(whole.state(), tmp_path / f"{ends}.pt")
        ends += 1

    expected = whole.run(after_epoch=save)
    assert ends == 6  # three epochs of the pass that chooses, three of the refit
    for number in range(ends):
        made = training(table)
        made.restore(torch.load(tmp_path / f"{number}.pt", weights_only=True))
        images: list[int] = []
        found = made.run(tick=images.append)
        assert found is not None
        assert torch.equal(found.weights, expected.weights)
        assert sum(images) == max(0, 2 - number) * 41 + min(3, 5 - number) * 50


def test_ticks_add_up_to_the_total() -> None:
    for changes in ({}, {"seeds": 5}, {"refit": False}, {"learning_rates": (1.0,)}):
        made = training(probed.clouds(50), **changes)
        images: list[int] = []
        made.run(tick=images.append)
        assert sum(images) == made.total > 0


def test_seeds_and_passes_do_not_touch_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    together = finished(training(seeds=3))
    one = finished(training(seeds=1))
    assert torch.allclose(together.weights[0], one.weights[0], rtol=0, atol=1e-12)
    monkeypatch.setattr(heads_module, "HEADS_AT_ONCE", 1)
    apart = finished(training(seeds=3))
    assert torch.allclose(together.weights, apart.weights, rtol=0, atol=1e-12)
    assert [vars(choice) for choice in together.choices] == [
        vars(choice) for choice in apart.choices
    ]


def test_the_runs_seed_changes_the_order_and_a_seed_given_twice_nothing() -> None:
    first, again, other = (finished(training(seed=seed)) for seed in (4, 4, 5))
    assert torch.equal(first.weights, again.weights)
    assert not torch.equal(first.weights, other.weights)


def test_the_function_in_one_go_is_the_training() -> None:
    table = probed.clouds(50)
    made = HeadTraining(table, 3, recipe(), keys=probed.keys(50), seed=1)
    expected = finished(made)
    found = train_heads(table, 3, recipe(), keys=probed.keys(50), seed=1)
    assert found is not None
    assert torch.equal(found.weights, expected.weights)
    stopped = train_heads(table, 3, recipe(), keys=probed.keys(50), stop=lambda: True)
    assert stopped is None


def test_half_precision_features_are_trained_on_as_their_own_values() -> None:
    half = probed.clouds(60, kind=np.float16)
    single = probed.Table(half.features.astype(np.float32), half.labels)
    assert torch.equal(finished(training(half)).weights, finished(training(single)).weights)


# ---- the choice --------------------------------------------------------------------------------


def test_the_choice_is_the_most_right_then_the_lowest_loss_then_the_first() -> None:
    heads = [Head(0, float(rate), 0.1) for rate in range(1, 6)]
    scores = [Score(7, 0.2), Score(8, 0.6), Score(8, 0.5), Score(8, 0.5), Score(9, math.nan)]
    found = choose(heads, scores, 10)
    assert (found.learning_rate, found.accuracy) == (3.0, 0.8)
    assert math.isnan(found.accuracies.pop((5.0, 0.1)))
    assert list(found.accuracies.values()) == [0.7, 0.8, 0.8, 0.8]


@pytest.mark.parametrize("refit", [True, False])
def test_heads_that_diverge_are_never_chosen(refit: bool) -> None:
    found = finished(training(learning_rates=(1e200, 1.0), weight_decays=(0.1,), refit=refit))
    assert found.choices[0].learning_rate == 1.0
    assert math.isnan(found.choices[0].accuracies[1e200, 0.1])
    assert found.weights.isfinite().all()


def test_where_all_heads_diverge_it_says_so() -> None:
    for refit in (True, False):
        with pytest.raises(InputError) as caught:
            training(learning_rates=(1e200, 1e199), weight_decays=(0.1,), refit=refit).run()
        assert str(caught.value) == (
            "all 2 heads diverged; expected learning rates at which at least one does not: give "
            "less than --learning-rates 1e+199"
        )
    with pytest.raises(InputError) as caught:
        training(learning_rates=(1e200,), weight_decays=(0.1,)).run()
    assert str(caught.value) == (
        "the head with learning rate 1e+200 and weight decay 0.1 diverged; expected a learning "
        "rate at which it does not: give smaller --learning-rates"
    )


# ---- bad input ---------------------------------------------------------------------------------


def refused(table: FeatureTable, classes: int, keys: Any = None, **changes: Any) -> str:
    keys = probed.keys(len(table.labels)) if keys is None else keys
    with pytest.raises(InputError) as caught:
        HeadTraining(table, classes, recipe(**changes), keys=keys)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_classes_that_cannot_be_trained_on_are_named() -> None:
    table = probed.clouds(30)
    assert refused(table, 5) == (
        "class 3 has no training image (2 of 5 classes have none); expected at least one image of "
        "each: give more images, or leave the class out"
    )
    assert refused(table.take(table.labels == 0), 1) == (
        "the target has 1 class; expected at least 2 to tell apart: give other data"
    )
    assert refused(table, 0) == (
        "the target has 0 classes; expected at least 2 to tell apart: give other data"
    )
    assert refused(table, 2) == "label 2 is none of 2 classes; expected 0 to 1"


def test_shapes_that_do_not_fit_are_told() -> None:
    table = probed.clouds(30)
    assert refused(probed.Table(table.features[:20], table.labels), 3) == (
        "labels of shape [30] for 20 images; expected [20]: extract the features again"
    )
    assert refused(table, 3, probed.keys(7)) == (
        "keys of shape [7] for 30 images; expected [30]: extract the features again"
    )
    assert refused(probed.Table(table.features[:, :, None], table.labels), 3) == (
        "features of shape [30, 7, 1]; expected [images, features], at least one of each"
    )
    assert refused(probed.Table(table.features[:, :0], table.labels), 3) == (
        "features of shape [30, 0]; expected [images, features], at least one of each"
    )
    found = finished(training(table))
    with pytest.raises(InputError) as caught:
        found.logits(torch.zeros(4, 8))
    assert str(caught.value) == (
        "features of shape [4, 8] for heads of 7 features; expected [images, 7]: were they "
        "extracted with another backbone?"
    )


def test_features_that_are_no_numbers_are_named() -> None:
    table = probed.clouds(30)
    table.features[11, 2] = np.nan
    assert refused(table, 3) == (
        "feature 2 of training image 11 is nan; expected finite numbers: extract the features "
        "again, with --precision fp32"
    )


def test_an_empty_part_held_out_is_refused_where_there_is_something_to_choose() -> None:
    table = probed.clouds(3)
    assert refused(table, 3) == (
        "no class has two different training images, so none can be held out to choose among 4 "
        "heads; expected at least two of one class: give more images, or one --learning-rates and "
        "one --weight-decays"
    )
    found = finished(training(table, learning_rates=(1.0,), weight_decays=(0.1,)))
    assert found.weights.shape == (1, 7, 3)


def test_a_class_with_one_image_is_trained_on() -> None:
    table = probed.clouds(60)
    rows = np.concatenate([np.flatnonzero(table.labels < 2), np.flatnonzero(table.labels == 2)[:1]])
    made = training(table.take(rows))
    assert len(rows) - 1 not in made.held_out
    assert sorted(np.unique(made.train.labels[made.held_out])) == [0, 1]
    assert finished(made).weights.shape == (1, 7, 3)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"epochs": 0}, "--epochs 0 is out of range; expected at least 1"),
        ({"batch_size": 0}, "--batch-size 0 is out of range; expected at least 1"),
        ({"seeds": 0}, "--seeds 0 is out of range; expected at least 1"),
        ({"momentum": 1.0}, "--momentum 1.0 is out of range; expected at least 0, less than 1"),
        ({"hold_out": 0.0}, "--hold-out 0.0 is out of range; expected more than 0, less than 1"),
        ({"hold_out": 1.0}, "--hold-out 1.0 is out of range; expected more than 0, less than 1"),
        ({"learning_rates": ()}, "--learning-rates is empty; expected finite numbers, more than 0"),
        (
            {"learning_rates": (1.0, 0.0)},
            "--learning-rates 0.0 is out of range; expected finite numbers, more than 0",
        ),
        (
            {"weight_decays": (math.nan,)},
            "--weight-decays nan is out of range; expected finite numbers, at least 0",
        ),
        (
            {"weight_decays": (0.1, 0.0, 0.1)},
            "--weight-decays 0.1,0,0.1 names one value twice; expected each once",
        ),
    ],
)
def test_a_recipe_out_of_range_is_refused(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError) as caught:
        recipe(**changes)
    assert str(caught.value) == expected
