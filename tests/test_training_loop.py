"""The loop over epochs: means of losses, held-out images, checkpoints, divergence."""

from __future__ import annotations

import dataclasses
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_training import CPU, MEAN, SHORT, STD, active, digits, feed, perceptron
from torch import Tensor, nn

from lpa.axes import Axis
from lpa.outcomes import Store
from lpa.plans import Recipe
from lpa.training import loop
from lpa.training.checkpoint import Checkpoint, sealed
from lpa.training.feed import Feed
from lpa.training.learner import SingleLearner
from lpa.training.loop import GroupTraining, UnusableCheckpointError
from lpa.training.policies.policy import Policy
from lpa.training.schedule import LearningRates


def course(
    folder: Path, recipe: Recipe = SHORT, *, made: Feed | None = None, module: Any = None,
    stop: Any = lambda: False, tick: Any = lambda images: None, learner: Any = None,
) -> GroupTraining:  # fmt: skip
    made = made or feed(100, recipe, active("random_crop", 0.4))
    learner = learner or SingleLearner(module or perceptron(), recipe, MEAN, STD, CPU, seed=5)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    checkpoint = Checkpoint(Store(folder), "group", CPU)
    return GroupTraining(learner, [made], [recipe], mean, std, checkpoint, stop, tick)


class AfterUpdates:
    """Wants to stop once so many updates were asked about."""

    def __init__(self, updates: int) -> None:
        self.left = updates

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


def weights(training: GroupTraining) -> dict[str, Tensor]:
    (module,) = training.modules()
    return module.state_dict()


def assert_same(one: GroupTraining, other: GroupTraining) -> None:
    ours, theirs = weights(one), weights(other)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert [vars(each) for each in one.courses] == [vars(each) for each in other.courses]


def test_every_update_has_its_rate_and_losses_are_means_of_epochs(tmp_path: Path) -> None:
    seen: list[tuple[float, float]] = []

    class Noting(SingleLearner):
        def step(self, batches: Any, rates: Any) -> Tensor:
            loss = super().step(batches, rates)
            seen.append((rates[0], float(loss)))
            return loss

    ticks: list[int] = []
    learner = Noting(perceptron(), SHORT, MEAN, STD, CPU)
    training = course(tmp_path, learner=learner, tick=ticks.append)
    assert training.run()
    expected = LearningRates(SHORT, 6)
    assert [rate for rate, _ in seen] == [expected(update) for update in range(18)]
    (went,) = training.courses
    means = [math.fsum(loss for _, loss in seen[6 * e : 6 * e + 6]) / 6 for e in range(3)]
    assert went.losses == pytest.approx(means, rel=1e-12)
    assert went.losses[2] < went.losses[0]
    assert (went.held_out, went.best_epoch, went.diverged) == ([], None, "")
    assert sum(ticks) == 18 * 16
    assert training.seconds > 0


@pytest.mark.parametrize("after", [0, 1, 5, 6, 7, 17])
def test_stopped_after_any_update_and_continued_is_the_same_bit_for_bit(
    tmp_path: Path, after: int
) -> None:
    recipe = dataclasses.replace(SHORT, ema=0.5, dropout=0.2)
    whole = course(tmp_path / "whole", recipe, module=perceptron(dropout=0.2))
    assert whole.run()
    first = course(
        tmp_path / "cut", recipe, module=perceptron(dropout=0.2), stop=AfterUpdates(after)
    )
    assert not first.run()
    assert (first.epoch, first.update) == divmod(after, 6)
    ticks: list[int] = []
    second = course(
        tmp_path / "cut", recipe, module=perceptron(seed=7, dropout=0.2), tick=ticks.append
    )
    assert second.run()
    assert_same(second, whole)
    assert sum(ticks) == 18 * 16  # What was done before counts as done.
    assert second.seconds >= first.seconds


def test_checkpoints_are_apart_in_time_and_at_the_ends_of_epochs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[int, int]] = []

    class Noting(Checkpoint):
        def save(self, state: dict[str, Any]) -> None:
            written.append((state["epoch"], state["update"]))
            super().save(state)

    monkeypatch.setattr(f"{__name__}.Checkpoint", Noting)
    assert course(tmp_path).run()
    assert written == []  # Three epochs are done before a first one is due.
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", -1)
    assert course(tmp_path).run()
    assert written == [(1, 0), (2, 0), (3, 0)]


def test_a_damaged_checkpoint_is_dropped_and_all_is_trained(tmp_path: Path) -> None:
    whole = course(tmp_path / "whole")
    assert whole.run()
    assert not course(tmp_path / "cut", stop=AfterUpdates(8)).run()
    file = tmp_path / "cut" / "checkpoints" / "group.pt"
    written = file.read_bytes()
    flipped = bytearray(written)
    flipped[len(written) // 2] ^= 4  # In the midst of weights: torch would not see it.
    for damaged in (written[:-200], bytes(flipped), b""):
        file.write_bytes(damaged)
        again = course(tmp_path / "cut")
        assert again.run()
        assert_same(again, whole)
        assert not file.exists()


def test_a_checkpoint_of_another_version_is_dropped_too(tmp_path: Path) -> None:
    whole = course(tmp_path / "whole")
    assert whole.run()
    checkpoint = Checkpoint(Store(tmp_path / "cut"), "group", CPU)
    checkpoint.save({"learner": {"model": {}}, "epoch": 2})
    with pytest.raises(UnusableCheckpointError):
        course(tmp_path / "cut").run()
    again = course(tmp_path / "cut")
    assert again.run()
    assert_same(again, whole)


def test_a_checkpoint_for_which_there_is_no_memory_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not course(tmp_path, stop=AfterUpdates(8)).run()
    file = tmp_path / "checkpoints" / "group.pt"
    written = file.read_bytes()

    def load(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "load", load)
        with pytest.raises(torch.OutOfMemoryError):
            course(tmp_path).run()
    assert file.read_bytes() == written
    again = course(tmp_path)
    assert again.run()
    whole = course(tmp_path / "whole")
    assert whole.run()
    assert_same(again, whole)


def test_a_checkpoint_never_runs_what_it_holds(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "harmed",))

    (tmp_path / "checkpoints").mkdir()
    data = io.BytesIO()
    torch.save({"epoch": Harm()}, data)
    file = tmp_path / "checkpoints" / "group.pt"
    file.write_bytes(sealed(data.getvalue()) + data.getvalue())
    assert course(tmp_path).run()
    assert not (tmp_path / "harmed").exists()


# ---- divergence ----------------------------------------------------------------------------------


class NanFrom(nn.Module):
    """Gives NaN from a certain pass in training on."""

    def __init__(self, inner: nn.Module, passes: int) -> None:
        super().__init__()
        self.inner, self.left = inner, passes

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.inner(images)
        if self.training:
            self.left -= 1
        return found * float("nan") if self.left < 0 else found


def test_a_loss_that_is_no_number_ends_the_training_with_its_epoch(tmp_path: Path) -> None:
    training = course(tmp_path, module=NanFrom(perceptron(), 8))
    assert training.run()
    (went,) = training.courses
    assert went.diverged == "the loss is nan in epoch 2"
    assert (len(went.losses), training.epoch) == (2, 2)


def test_the_loss_is_looked_at_within_long_epochs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LOOK_EVERY", 2)
    ticks: list[int] = []
    training = course(tmp_path, module=NanFrom(perceptron(), 1), tick=ticks.append)
    training.run()
    assert training.courses[0].diverged == "the loss is nan in epoch 1"


# ---- images held out -----------------------------------------------------------------------------


class Watching(Policy):
    """Asks for scores after each epoch and keeps them in its state."""

    hold_out = True

    def __init__(self) -> None:
        self.scores: list[list[float]] = []

    def after_epoch(self, score: Any, labels: np.ndarray, axis: Axis) -> None:
        values = [np.full(len(labels), value) for value in (1.0, 0.1)]
        self.scores.append([int(score(each).sum()) / len(labels) for each in values])
        assert axis.name == "random_crop"

    def state(self) -> dict[str, Any]:
        return {"scores": self.scores}

    def restore(self, state: dict[str, Any]) -> None:
        self.scores = state["scores"]


HELD = dataclasses.replace(SHORT, epochs=6, hold_out=0.2)


def watched(recipe: Recipe = HELD) -> Feed:
    return feed(
        100, recipe, active("random_crop", 0.4), held_out=digits(150, 200), policy=Watching()
    )


def right_by_hand(module: nn.Module) -> float:
    """Accuracy on the plain held-out digits, one at a time."""
    images, mean, std = digits(150, 200), torch.tensor(MEAN), torch.tensor(STD)
    right = 0
    with torch.no_grad():
        for row in range(150):
            view = images.views(np.array([row])).float() / 255
            view = (view - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)
            right += int(module(view)[0].argmax()) == images.labels[row]
    return right / 150


def test_the_accuracy_on_held_out_images_is_that_of_the_plain_views(tmp_path: Path) -> None:
    training = course(tmp_path, HELD, made=watched())
    assert training.run()
    (went,) = training.courses
    assert len(went.held_out) == 6
    assert went.held_out[-1] == pytest.approx(right_by_hand(training.modules()[0]))
    assert went.best_epoch is None  # The last epoch is taken.
    policy = training.feeds[0].policy
    assert isinstance(policy, Watching)
    assert [plain for plain, _ in policy.scores] == went.held_out
    assert all(cropped != plain for plain, cropped in policy.scores[3:])


def test_the_best_epochs_weights_are_taken_and_the_first_of_equals(tmp_path: Path) -> None:
    # A rate that grows wild in the end, so that the last epoch is not the best.
    recipe = dataclasses.replace(
        HELD, select="best", schedule="step", step_epochs=4, step_factor=30.0
    )
    training = course(tmp_path, recipe, made=watched(recipe))
    assert training.run()
    (went,) = training.courses
    best = max(went.held_out)
    assert went.best_epoch == went.held_out.index(best) < 5
    assert went.held_out[-1] < best - 0.1
    assert right_by_hand(training.modules()[0]) == pytest.approx(best)


def test_what_a_policy_learnt_and_the_best_weights_survive_a_stop(tmp_path: Path) -> None:
    recipe = dataclasses.replace(
        HELD, select="best", schedule="step", step_epochs=4, step_factor=30.0
    )
    whole = course(tmp_path / "whole", recipe, made=watched(recipe))
    assert whole.run()
    made = watched(recipe)
    assert not course(tmp_path / "cut", recipe, made=made, stop=AfterUpdates(32)).run()
    again = course(tmp_path / "cut", recipe, made=watched(recipe))
    assert again.run()
    assert_same(again, whole)
    ours, theirs = again.feeds[0].policy, whole.feeds[0].policy
    assert isinstance(ours, Watching) and isinstance(theirs, Watching)
    assert ours.scores == theirs.scores
    assert len(ours.scores) == 6


def test_at_the_reference_a_policy_has_nothing_to_measure(tmp_path: Path) -> None:
    made = feed(100, HELD, held_out=digits(150, 200), policy=Watching())
    training = course(tmp_path, HELD, made=made)
    assert training.run()
    assert made.policy.state() == {"scores": []}
    assert len(training.courses[0].held_out) == 6
