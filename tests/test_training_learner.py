"""One model's updates against loops written by hand with torch's own optimizers."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from small_training import CPU, MEAN, SHORT, STD, active, feed, perceptron
from torch import Tensor, nn

from lpa.errors import InputError
from lpa.models.small import BUILDERS
from lpa.plans import Recipe
from lpa.training.batch import Batch
from lpa.training.dropout import KeyedDropout
from lpa.training.learner import SingleLearner, check_optimizer, loss_of

RATES = [0.02, 0.05, 0.04, 0.01, 0.03, 0.005]
PLAIN = dataclasses.replace(SHORT, optimizer="sgd", weight_decay=0.0)


def given(count: int = 6, recipe: Recipe = SHORT, *regularizers: Any) -> list[Batch]:
    made = feed(100, recipe, *regularizers)
    made.begin(0)
    return [made.batch(index) for index in range(count)]


def trained(module: nn.Module, recipe: Recipe, batches: list[Batch], **changes: Any) -> Any:
    learner = SingleLearner(module, recipe, MEAN, STD, CPU, **changes)
    losses = [
        float(learner.step([batch], [rate])) for batch, rate in zip(batches, RATES, strict=True)
    ]
    return learner, losses


def by_hand(
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: list[Batch],
    before_step: Callable[[nn.Module], object] = lambda module: None,
    after_step: Callable[[nn.Module], object] = lambda module: None,
) -> list[float]:
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    module.train()
    losses = []
    for batch, rate in zip(batches, RATES, strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate
        wanted = batch.labels if batch.targets is None else batch.targets
        loss = nn.functional.cross_entropy(module((batch.images - mean) / std), wanted)
        optimizer.zero_grad()
        loss.backward()
        before_step(module)
        optimizer.step()
        after_step(module)
        losses.append(float(loss.detach()))
    return losses


def split(module: nn.Module, decay: float) -> list[dict[str, Any]]:
    """All but the normalisation of the perceptron decay."""
    norm = [p for name, p in module.named_parameters() if name.startswith("2.")]
    rest = [p for name, p in module.named_parameters() if not name.startswith("2.")]
    assert (len(norm), len(rest)) == (2, 4)
    return [
        {"params": rest, "weight_decay": decay},
        {"params": norm, "weight_decay": 0.0},
    ]


def assert_same(one: nn.Module, other: nn.Module) -> None:
    ours, theirs = one.state_dict(), other.state_dict()
    assert ours.keys() == theirs.keys()
    for name, values in ours.items():
        assert torch.equal(values, theirs[name]), name


@pytest.mark.parametrize(
    ("optimizer", "make"),
    [
        ("sgd", lambda groups: torch.optim.SGD(groups, lr=1, momentum=0.8)),
        ("nesterov", lambda groups: torch.optim.SGD(groups, lr=1, momentum=0.8, nesterov=True)),
        ("adamw", lambda groups: torch.optim.AdamW(groups, lr=1)),
    ],
)
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_updates_are_those_of_a_loop_by_hand_bit_for_bit(
    optimizer: str, make: Callable[[Any], torch.optim.Optimizer], decay: float
) -> None:
    recipe = dataclasses.replace(
        SHORT, optimizer=optimizer, momentum=0.8, weight_decay=decay, learning_rate=1.0
    )
    batches = given()
    learner, losses = trained(perceptron(), recipe, batches)
    mine = perceptron()
    expected = by_hand(mine, make(split(mine, decay)), batches)
    assert losses == expected
    assert_same(learner.module, mine)
    if decay:  # ... and decay made a difference.
        other, _ = trained(perceptron(), dataclasses.replace(recipe, weight_decay=0.0), batches)
        assert not torch.equal(other.module[1].weight, mine[1].weight)


def test_a_network_with_convolutions_is_trained_as_by_hand_in_the_same_layout() -> None:
    batches = given()

    def small_cnn() -> nn.Module:
        torch.manual_seed(3)
        return BUILDERS["small_cnn"](10, (8, 8), 0.0)

    learner, losses = trained(small_cnn(), PLAIN, batches)
    mine = small_cnn().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for batch in batches:
        batch.images = batch.images.contiguous(memory_format=torch.channels_last)
    expected = by_hand(mine, torch.optim.SGD(mine.parameters(), lr=1, momentum=0.9), batches)
    assert losses == pytest.approx(expected, rel=1e-6)
    for ours, theirs in zip(learner.module.parameters(), mine.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)
    # Running averages of batch normalisation moved too.
    assert learner.module.state_dict()["features.1.num_batches_tracked"] == 6


def test_the_gradient_is_cut_to_its_largest_norm() -> None:
    batches, recipe = given(), dataclasses.replace(PLAIN, gradient_clip=0.3)
    learner, losses = trained(perceptron(), recipe, batches)
    norms = []

    def cut(module: nn.Module) -> None:
        total = sum(float((p.grad**2).sum()) for p in module.parameters()) ** 0.5
        norms.append(total)
        for parameter in module.parameters():
            parameter.grad.mul_(min(1.0, 0.3 / (total + 1e-6)))

    mine = perceptron()
    expected = by_hand(mine, torch.optim.SGD(mine.parameters(), lr=1, momentum=0.9), batches, cut)
    assert max(norms) > 0.6
    assert losses == pytest.approx(expected, abs=1e-6)
    for ours, theirs in zip(learner.module.parameters(), mine.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)


def test_averaged_weights_are_evaluated_and_follow_their_formula() -> None:
    batches, recipe = given(), dataclasses.replace(PLAIN, ema=0.7)
    learner, _ = trained(perceptron(), recipe, batches)
    mine, course = perceptron(), []

    def note(module: nn.Module) -> None:
        course.append({name: value.clone() for name, value in module.state_dict().items()})

    by_hand(mine, torch.optim.SGD(mine.parameters(), lr=1, momentum=0.9), batches, after_step=note)
    average = course[0]  # The first update starts the average.
    for state in course[1:]:
        average = {name: 0.7 * average[name] + 0.3 * state[name] for name in average}
    (evaluated,) = learner.modules()
    assert not evaluated.training
    assert not any(parameter.requires_grad for parameter in evaluated.parameters())
    for name, values in evaluated.state_dict().items():
        assert torch.allclose(values, average[name], atol=1e-6)
        assert not torch.allclose(values, mine.state_dict()[name], atol=1e-6)


def test_whole_numbers_of_a_model_are_not_averaged() -> None:
    module = nn.Sequential(perceptron(), nn.Identity())
    module[1].register_buffer("places", torch.arange(50))  # As Swin's positions are.
    learner, _ = trained(module, dataclasses.replace(PLAIN, ema=0.9999), given())
    assert learner.modules()[0][1].places.tolist() == list(range(50))


def test_without_an_average_a_copy_of_the_model_is_evaluated() -> None:
    learner, _ = trained(perceptron(), PLAIN, given())
    (evaluated,) = learner.modules()
    assert_same(evaluated, learner.module)
    assert learner.module.training
    learner.step([given()[0]], [0.1])
    assert not torch.equal(evaluated[1].weight, learner.module[1].weight)


def test_soft_targets_are_learnt_from_where_there_are_any() -> None:
    batches = given(6, SHORT, active("mixup", 1.0))
    assert batches[0].targets is not None
    learner, losses = trained(perceptron(), PLAIN, batches)
    mine = perceptron()
    optimizer = torch.optim.SGD(mine.parameters(), lr=1, momentum=0.9)
    assert losses == by_hand(mine, optimizer, batches)
    assert_same(learner.module, mine)


def test_the_loss_is_the_mean_over_the_batch_in_float32() -> None:
    logits = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.0, 3.0]], dtype=torch.bfloat16)
    labels = torch.tensor([2, 2])
    batch = Batch(given()[0].rows[:2], torch.zeros(2, 3, 8, 8), labels)
    chances = logits.double().exp() / logits.double().exp().sum(1, keepdim=True)
    expected = -(chances[0, 2].log() + chances[1, 2].log()) / 2
    assert loss_of(logits, batch).dtype == torch.float32
    assert float(loss_of(logits, batch)) == pytest.approx(float(expected), abs=1e-6)
    batch.targets = torch.tensor([[0.2, 0.3, 0.5], [0.0, 0.0, 1.0]])
    expected = -((batch.targets.double() * chances.log()).sum(1)).mean()
    assert float(loss_of(logits, batch)) == pytest.approx(float(expected), abs=1e-6)


# ---- checkpoints ---------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_restored_it_goes_on_bit_for_bit(optimizer: str) -> None:
    recipe = dataclasses.replace(SHORT, optimizer=optimizer, ema=0.5)
    batches = given()
    whole, losses = trained(perceptron(dropout=0.3), recipe, batches, seed=9)
    first = SingleLearner(perceptron(dropout=0.3), recipe, MEAN, STD, CPU, seed=9)
    for batch, rate in zip(batches[:3], RATES[:3], strict=True):
        first.step([batch], [rate])
    file = io.BytesIO()
    torch.save(first.state(), file)
    file.seek(0)
    second = SingleLearner(perceptron(seed=8, dropout=0.3), recipe, MEAN, STD, CPU, seed=9)
    second.restore(torch.load(file, weights_only=True))
    again = [
        float(second.step([batch], [rate]))
        for batch, rate in zip(batches[3:], RATES[3:], strict=True)
    ]
    assert again == losses[3:]
    assert_same(second.module, whole.module)
    assert_same(second.modules()[0], whole.modules()[0])
    assert second.updates == whole.updates == 6


def test_dropout_depends_on_the_seed_of_the_training_alone() -> None:
    batches = given()
    results = []
    for generator, seed in ((1, 9), (2, 9), (1, 10)):
        learner = SingleLearner(perceptron(dropout=0.5), PLAIN, MEAN, STD, CPU, seed=seed)
        torch.manual_seed(generator)  # torch's own generator has no say.
        results.append([float(learner.step([batch], [0.05])) for batch in batches])
    assert results[0] == results[1] != results[2]


def test_masks_are_drawn_only_where_something_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[float] = []
    inner = KeyedDropout.kept

    def noting(self: KeyedDropout, *args: Any) -> Tensor:
        drawn.append(round(float(self.p), 3))
        return inner(self, *args)

    monkeypatch.setattr(KeyedDropout, "kept", noting)
    module = nn.Sequential(nn.Dropout(0.0), perceptron(dropout=0.3))
    learner = SingleLearner(module, PLAIN, MEAN, STD, CPU)
    learner.step([given()[0]], [0.05])
    assert drawn == [0.3]


# ---- out of memory -------------------------------------------------------------------------------


class Cramped(nn.Module):
    """Has no room for more than some images at once."""

    def __init__(self, inner: nn.Module, room: int) -> None:
        super().__init__()
        self.inner, self.room = inner, room
        self.sizes: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        self.sizes.append(len(images))
        if len(images) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        found: Tensor = self.inner(images)
        return found


@pytest.mark.parametrize("soft", [False, True])
def test_a_batch_without_room_is_cut_and_gives_the_same_gradients(soft: bool) -> None:
    batches = given(6, SHORT, *([active("mixup", 1.0)] if soft else []))
    roomy, losses = trained(perceptron(), PLAIN, batches)
    cramped, again = trained(Cramped(perceptron(), 5), PLAIN, batches)
    # 16, 8, then four quarters; from then on quarters at once.
    assert cramped.module.sizes == [16, 8] + 6 * [4, 4, 4, 4]
    assert cramped.pieces == 4
    assert again == pytest.approx(losses, abs=1e-6)
    for ours, theirs in zip(cramped.module.parameters(), roomy.module.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)
    assert cramped.state()["pieces"] == 4


def test_a_batch_that_processes_share_is_not_cut_by_one_of_them_alone() -> None:
    module = Cramped(perceptron(), 8)
    learner = SingleLearner(module, PLAIN, MEAN, STD, CPU, wrap=nn.Sequential)
    with pytest.raises(torch.OutOfMemoryError):
        learner.step([given()[0]], [0.05])
    assert module.sizes == [16]


def test_uneven_pieces_weigh_by_their_images() -> None:
    batch = given(1)[0]
    odd = Batch(batch.rows[:7], batch.images[:7], batch.labels[:7])
    roomy, cramped = (
        SingleLearner(module, PLAIN, MEAN, STD, CPU)
        for module in (perceptron(), Cramped(perceptron(), 4))
    )
    assert float(cramped.step([odd], [0.1])) == pytest.approx(float(roomy.step([odd], [0.1])))
    assert cramped.module.sizes == [7, 4, 3]
    for ours, theirs in zip(cramped.module.parameters(), roomy.module.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)


def test_no_room_for_one_image_is_an_error() -> None:
    learner = SingleLearner(Cramped(perceptron(), 0), PLAIN, MEAN, STD, CPU)
    with pytest.raises(torch.OutOfMemoryError):
        learner.step([given(1)[0]], [0.1])
    assert learner.module.sizes == [16, 8, 4, 2, 1]


def test_bfloat16_computes_coarsely_and_keeps_float32_weights() -> None:
    batches = given()
    _, losses = trained(perceptron(), PLAIN, batches)
    coarse, again = trained(perceptron(), PLAIN, batches, precision="bf16")
    assert all(parameter.dtype == torch.float32 for parameter in coarse.module.parameters())
    assert again == pytest.approx(losses, rel=0.05)
    assert again != losses


def test_optimizers_are_checked_by_name_and_by_making_one() -> None:
    for name in ("sgd", "nesterov", "adamw", "lamb", "rmsprop"):
        check_optimizer(name)
    with pytest.raises(InputError, match=r"^unknown optimizer 'adamww': did you mean 'adamw'"):
        check_optimizer("adamww")
    with pytest.raises(InputError) as caught:
        check_optimizer("fusedadam")  # Needs a package that is not installed.
    assert str(caught.value).startswith("--optimizer fusedadam cannot be made (")
    assert str(caught.value).endswith("); expected another, e.g. sgd or adamw")
