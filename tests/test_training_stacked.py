"""Models that train as one batched model end where each ends alone."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import timm.layers
import torch
import torchvision
from one_by_one import train
from sklearn.datasets import load_digits
from torch import Tensor, nn

from lpa.errors import InputError
from lpa.models.small import BUILDERS
from lpa.plans.recipe import Recipe
from lpa.training.batch import Batch
from lpa.training.dropout import replace_dropout
from lpa.training.stackable import stack_size, stackable
from lpa.training.stacked import StackedLearner
from lpa.training.stacked_optimizers import LossScale, StackedAdamW, StackedSGD, clip_rows

MEAN, STD = (0.3, 0.32, 0.34), (0.35, 0.37, 0.39)
CPU = torch.device("cpu")
SIZE = (8, 8)
DROPOUT = (0.0, 0.2, 0.5)
"""Of the models, one after another."""
SEEDS = (2**62 + 1, 7, -3)


def mlp(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(192, 24), nn.Tanh(), nn.Dropout(DROPOUT[seed]), nn.Linear(24, 10)
    )


def cnn(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(),
        nn.Conv2d(6, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(DROPOUT[seed]), nn.Linear(32, 10),
    )  # fmt: skip


@functools.cache
def digits() -> tuple[Tensor, Tensor]:
    found = load_digits()
    grey = torch.tensor(found.images / 16, dtype=torch.float32)
    return grey[:, None].expand(-1, 3, -1, -1), torch.tensor(found.target)


def batches(seed: int, count: int, *, size: int = 32, soft: bool = False) -> list[Batch]:
    images, labels = digits()
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        rows = generator.integers(len(images), size=size)
        batch = Batch(rows, images[rows].clone(), labels[rows])
        if soft:
            mixed = generator.dirichlet(np.full(10, 0.3), size=size)
            batch.targets = torch.tensor(mixed, dtype=torch.float32)
        found.append(batch)
    return found


def rate_of(recipe: Recipe, count: int) -> Callable[[int], float]:
    return lambda number: recipe.learning_rate * (1 - 0.9 * number / count)


RECIPE = Recipe(optimizer="sgd", learning_rate=0.05, weight_decay=1e-3)
THREE = [
    RECIPE,
    replace(RECIPE, learning_rate=0.02, weight_decay=0.0),
    replace(RECIPE, learning_rate=0.1, weight_decay=0.03),
]


def stacked(
    modules: Sequence[nn.Module], recipes: Sequence[Recipe], precision: str = "fp64"
) -> StackedLearner:
    seeds = SEEDS[: len(modules)]
    return StackedLearner(modules, recipes, MEAN, STD, CPU, precision, seeds, 10)


def run(
    learner: StackedLearner,
    recipes: Sequence[Recipe],
    feeds: Sequence[Sequence[Batch]],
    start: int = 0,
    stop: int | None = None,
) -> list[Tensor]:
    count = len(feeds[0])
    return [
        learner.step(
            [feed[number] for feed in feeds],
            [rate_of(recipe, count)(number) for recipe in recipes],
        )
        for number in range(start, count if stop is None else stop)
    ]


def assert_equal_to_one_by_one(
    build: Callable[[int], nn.Module],
    recipes: Sequence[Recipe],
    feeds: Sequence[Sequence[Batch]],
    tolerance: float = 1e-9,
) -> None:
    modules = [build(seed) for seed in range(len(recipes))]
    learner = stacked(modules, recipes)
    losses = torch.stack(run(learner, recipes, feeds))
    count = len(feeds[0])
    for index, found in enumerate(learner.modules()):
        alone, expected = train(
            replace_dropout(modules[index], SEEDS[index]), recipes[index], feeds[index],
            rate_of(recipes[index], count), mean=MEAN, std=STD,
        )  # fmt: skip
        assert not found.training
        assert found.state_dict().keys() == alone.state_dict().keys()
        for name, tensor in alone.state_dict().items():
            gap = (found.state_dict()[name] - tensor).abs().max()
            assert gap <= tolerance, (index, name, gap)
        np.testing.assert_allclose(losses[:, index].numpy(), expected, rtol=0, atol=tolerance)


# ---- equal to one by one ---------------------------------------------------------------------


@pytest.mark.parametrize("build", [mlp, cnn])
def test_after_300_updates_in_double_precision_each_model_is_what_it_becomes_alone(
    build: Callable[[int], nn.Module],
) -> None:
    assert_equal_to_one_by_one(build, THREE, [batches(number, 300) for number in range(3)])


@pytest.mark.parametrize("optimizer", ["nesterov", "adamw"])
def test_so_it_is_with_nesterov_and_adamw(optimizer: str) -> None:
    factor = 0.1 if optimizer == "adamw" else 1
    recipes = [
        replace(one, optimizer=optimizer, learning_rate=one.learning_rate * factor) for one in THREE
    ]
    assert_equal_to_one_by_one(cnn, recipes, [batches(seed, 60) for seed in range(3)])


@pytest.mark.parametrize("name", BUILDERS)
def test_so_it_is_with_the_small_networks(name: str) -> None:
    def build(seed: int) -> nn.Module:
        torch.manual_seed(seed)
        return BUILDERS[name](10, SIZE, DROPOUT[seed])

    assert_equal_to_one_by_one(build, THREE[1:], [batches(seed, 3, size=8) for seed in range(2)])


def test_so_it_is_with_clipped_gradients_averaged_weights_and_soft_targets() -> None:
    recipes = [replace(one, gradient_clip=0.3, ema=0.9) for one in THREE]
    feeds = [batches(seed, 60, soft=True) for seed in range(3)]
    assert_equal_to_one_by_one(cnn, recipes, feeds)


def test_a_model_with_labels_stacks_with_one_with_soft_targets() -> None:
    feeds = [batches(0, 20), batches(1, 20, soft=True)]
    assert_equal_to_one_by_one(mlp, THREE[:2], feeds)


def test_frozen_and_tied_parameters_stay_what_they_are() -> None:
    class Tied(nn.Module):
        def __init__(self, seed: int) -> None:
            super().__init__()
            torch.manual_seed(seed)
            self.first, self.second = nn.Linear(192, 192), nn.Linear(192, 192)
            self.second.weight = self.first.weight
            self.head = nn.Linear(192, 10).requires_grad_(False)

        def forward(self, images: Tensor) -> Tensor:
            return self.head(self.second(self.first(images.flatten(1)).tanh()))

    assert_equal_to_one_by_one(Tied, THREE[:2], [batches(seed, 10) for seed in range(2)])


@pytest.mark.parametrize("build", [mlp, cnn])
def test_in_single_precision_the_first_gradients_are_those_of_each_model_alone(
    build: Callable[[int], nn.Module],
) -> None:
    modules = [build(seed) for seed in range(3)]
    feeds = [batches(seed, 1) for seed in range(3)]
    for module, seed in zip(modules, SEEDS, strict=True):
        replace_dropout(module, seed).train()
    recipes = [replace(RECIPE, weight_decay=0.0)] * 3
    learner = stacked(modules, recipes, "fp32")
    learner.step([feed[0] for feed in feeds], [1.0] * 3)
    for module, trained, (batch,) in zip(modules, learner.modules(), feeds, strict=True):
        images = (batch.images - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
        nn.functional.cross_entropy(module(images), batch.labels).backward()
        for (name, before), after in zip(
            module.named_parameters(), trained.parameters(), strict=True
        ):
            # The first update at rate 1 without decay subtracts the gradient itself.
            gap = (before.detach() - after - before.grad).abs().max()
            assert gap < 1e-5, (name, gap)


def test_a_batch_taken_in_pieces_gives_the_same_update_of_a_plain_network() -> None:
    feeds = [batches(seed, 3, size=31) for seed in range(2)]
    whole, cut = (stacked([mlp(0), mlp(0)], THREE[:2]) for _ in range(2))
    cut.pieces = 4
    first, second = (torch.stack(run(one, THREE[:2], feeds)) for one in (whole, cut))
    torch.testing.assert_close(first, second, rtol=0, atol=1e-12)
    torch.testing.assert_close(whole.parameters, cut.parameters, rtol=0, atol=1e-12)


def test_when_memory_runs_out_the_batch_is_halved_until_it_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import lpa.training.stacked as room

    fits = room.batched_forward

    def small(module: nn.Module, own: object, kept: object, images: Tensor) -> Tensor:
        if images.shape[1] > 10:
            raise torch.OutOfMemoryError("out of memory")
        return fits(module, own, kept, images)

    monkeypatch.setattr(room, "batched_forward", small)
    learner = stacked([mlp(0), mlp(1)], THREE[:2])
    learner.step([batches(seed, 1)[0] for seed in range(2)], [0.1, 0.1])
    assert learner.pieces == 4


def test_a_model_that_diverges_leaves_the_others_as_they_were() -> None:
    feeds = [batches(seed, 12) for seed in range(3)]
    calm, wild = (stacked([cnn(number) for number in range(3)], THREE) for _ in range(2))
    for number in range(12):
        step = [feed[number] for feed in feeds]
        calm.step(step, [0.05, 0.05, 0.05])
        losses = wild.step(step, [0.05, float("inf"), 0.05])
    assert not losses[1].isfinite()
    for index in (0, 2):
        assert torch.equal(calm.parameters[index], wild.parameters[index])
        assert torch.equal(
            calm.buffers["1.running_var"][index], wild.buffers["1.running_var"][index]
        )


# ---- what is kept and evaluated --------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_stopped_saved_and_continued_equals_uninterrupted_bit_for_bit(optimizer: str) -> None:
    recipes = [replace(one, optimizer=optimizer, ema=0.8) for one in THREE]
    feeds = [batches(seed, 20) for seed in range(3)]
    whole, first, second = (stacked([cnn(number) for number in range(3)], recipes, "fp32")
                            for _ in range(3))  # fmt: skip
    run(whole, recipes, feeds)
    run(first, recipes, feeds, stop=9)
    file = io.BytesIO()
    torch.save(first.state(), file)
    file.seek(0)
    second.restore(torch.load(file, weights_only=True))
    run(second, recipes, feeds, start=9)
    for one, other in zip(whole.modules(), second.modules(), strict=True):
        for name, tensor in one.state_dict().items():
            assert torch.equal(tensor, other.state_dict()[name]), name
    assert torch.equal(whole.parameters, second.parameters)


def test_state_and_modules_are_copies_that_training_does_not_change() -> None:
    feeds = [batches(seed, 2) for seed in range(2)]
    learner = stacked([cnn(0), cnn(1)], THREE[:2])
    run(learner, THREE[:2], feeds, stop=1)
    state, (module, _) = learner.state(), learner.modules()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    kept = state["weights"][""].clone()
    run(learner, THREE[:2], feeds, start=1)
    assert torch.equal(state["weights"][""], kept)
    assert not torch.equal(learner.parameters, kept)
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_the_models_that_are_given_are_not_changed() -> None:
    modules = [cnn(0), cnn(1)]
    before = [{n: t.clone() for n, t in module.state_dict().items()} for module in modules]
    run(stacked(modules, THREE[:2]), THREE[:2], [batches(seed, 2) for seed in range(2)])
    for module, state in zip(modules, before, strict=True):
        for name, tensor in module.state_dict().items():
            assert tensor.dtype == state[name].dtype
            assert torch.equal(tensor, state[name])


# ---- optimizers ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sgd", "nesterov", "adamw"])
def test_an_optimizer_of_rows_is_torchs_optimizer_of_each_row(kind: str) -> None:
    generator = torch.Generator().manual_seed(1)
    start = torch.randn(3, 5, dtype=torch.float64, generator=generator)
    decay = torch.tensor([[0.0], [0.1], [0.02]], dtype=torch.float64)
    rows = [[row[:3].clone().requires_grad_(), row[3:].clone().requires_grad_()] for row in start]
    ours: StackedAdamW | StackedSGD
    if kind == "adamw":
        ours = StackedAdamW(start, decay, 3)
    else:
        ours = StackedSGD(start, decay, 3, 0.9, kind == "nesterov")
    theirs: list[torch.optim.Optimizer] = []
    for (first, second), own in zip(rows, decay.flatten().tolist(), strict=True):
        groups = [{"params": [first], "weight_decay": own},
                  {"params": [second], "weight_decay": 0.0}]  # fmt: skip
        theirs.append(
            torch.optim.AdamW(groups) if kind == "adamw"
            else torch.optim.SGD(groups, lr=1.0, momentum=0.9, nesterov=kind == "nesterov")
        )  # fmt: skip
    for number in range(50):
        gradients = torch.randn(3, 5, dtype=torch.float64, generator=generator)
        rates = [0.1 / (number + 1), 0.02, 0.3]
        for parts, optimizer, gradient, rate in zip(rows, theirs, gradients, rates, strict=True):
            parts[0].grad, parts[1].grad = gradient[:3].clone(), gradient[3:].clone()
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
        ours.step(start, gradients.clone(), torch.tensor(rates, dtype=torch.float64).view(3, 1))
    expected = torch.stack([torch.cat(parts).detach() for parts in rows])
    torch.testing.assert_close(start, expected, rtol=0, atol=1e-13)


def test_each_models_gradient_is_clipped_by_its_own_norm() -> None:
    gradients = torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]], dtype=torch.float64)
    clip_rows(gradients, 1.0)
    expected = torch.tensor([[0.6, 0.8], [0.3, 0.4], [0.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(gradients, expected, rtol=0, atol=1e-6)


def test_an_overflow_halves_the_loss_scale_of_its_own_model_alone() -> None:
    scale = LossScale(3, CPU)
    gradients = torch.tensor([[65536.0, 0.0], [float("inf"), 1.0], [float("nan"), 1.0]])
    finite = scale.unscale(gradients)
    assert finite.tolist() == [[True], [False], [False]]
    assert gradients[0].tolist() == [1.0, 0.0]
    scale.update(finite)
    assert scale.scale.tolist() == [[65536.0], [32768.0], [32768.0]]


def test_after_2000_updates_without_overflow_the_loss_scale_doubles() -> None:
    scale = LossScale(2, CPU)
    theirs = torch.amp.GradScaler("cpu")
    theirs.scale(torch.zeros(()))
    for number in range(2001):
        finite = torch.tensor([[True], [number != 1000]])
        scale.update(finite)
        if number == 1998:
            assert scale.scale.tolist() == [[65536.0], [32768.0]]
    assert theirs.get_growth_interval() == 2000
    assert scale.scale.tolist() == [[131072.0], [32768.0]]


def test_half_precision_passes_over_the_update_that_overflows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        StackedLearner, "_context", lambda self: torch.autocast("cpu", torch.bfloat16)
    )
    learner = stacked([cnn(0), cnn(1)], [replace(THREE[0], optimizer="adamw")] * 2, "fp16")
    assert learner.scale is not None
    learner.scale.scale[1] = float("inf")  # so that the second model's gradients overflow
    before = learner.parameters.clone()
    for number in range(2):
        learner.step([batches(seed, 2)[number] for seed in range(2)], [0.01, 0.01])
    assert torch.equal(learner.parameters[1], before[1])
    assert not torch.equal(learner.parameters[0], before[0])
    assert learner.optimizer.matrices()["updates"].tolist() == [[2.0], [0.0]]
    assert learner.scale.successes.tolist() == [[2], [0]]


def test_autocast_computes_the_forward_pass_in_the_lower_precision() -> None:
    recipes = THREE[:2]
    losses = {}
    for precision in ("fp32", "bf16"):
        learner = stacked([mlp(0), mlp(1)], recipes, precision)
        (losses[precision],) = run(learner, recipes, [batches(seed, 1) for seed in range(2)])
        assert learner.parameters.dtype == losses[precision].dtype == torch.float32
    gap = (losses["fp32"] - losses["bf16"]).abs()
    assert (gap > 0).all() and (gap < 0.02).all()


# ---- what cannot be stacked ------------------------------------------------------------------


def reason(module: nn.Module, recipes: Sequence[Recipe] = (RECIPE,)) -> str | None:
    error = stackable(module, recipes, SIZE)
    assert error is None or isinstance(error, InputError)
    return None if error is None else str(error)


@pytest.mark.parametrize("name", BUILDERS)
def test_the_small_networks_can_be_stacked(name: str) -> None:
    assert reason(BUILDERS[name](10, SIZE, 0.1), THREE) is None


def test_an_optimizer_that_has_no_stacked_form_is_named() -> None:
    assert reason(mlp(0), [replace(RECIPE, optimizer="lamb")]) == (
        "--optimizer lamb cannot be stacked; expected sgd, nesterov or adamw, or train one after "
        "another with --stack 1"
    )


def test_recipes_that_differ_in_more_than_the_permitted_are_named() -> None:
    assert reason(mlp(0), [*THREE, replace(RECIPE, epochs=3)]) == (
        "trainings that differ in epochs (30 and 3) cannot be stacked; expected differences in "
        "weight_decay, learning_rate, dropout alone, or train one after another with --stack 1"
    )
    assert reason(mlp(0), [RECIPE, replace(RECIPE, dropout=0.5)]) is None


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (nn.Dropout2d(0.2), "Dropout2d, p=0.2"),
        (nn.AlphaDropout(0.1), "AlphaDropout, p=0.1"),
        (timm.layers.DropPath(0.1, scale_by_keep=False), "DropPath, drop_prob=0.1"),
        (torchvision.ops.StochasticDepth(0.3, "batch"), "StochasticDepth, p=0.3"),
    ],
)
def test_layers_that_draw_without_keys_are_named(layer: nn.Module, named: str) -> None:
    attribute = named.split(", ")[1].split("=")[0]
    assert reason(nn.Sequential(cnn(0), layer)) == (
        f"module '1' ({named}) draws random numbers without keys and cannot be stacked; expected "
        f"{attribute}=0 or KeyedDropout, or train one after another with --stack 1"
    )


def test_layers_that_can_have_keys_are_given_them() -> None:
    for layer in (
        nn.Dropout(0.3), timm.layers.DropPath(0.1), torchvision.ops.StochasticDepth(0.3, "row")
    ):  # fmt: skip
        assert reason(nn.Sequential(nn.Flatten(), nn.Linear(192, 10), layer)) is None


def test_the_same_layers_with_probability_zero_are_stacked() -> None:
    for layer in (nn.AlphaDropout(0.0), timm.layers.DropPath(0.0, scale_by_keep=False),
                  torchvision.ops.StochasticDepth(0.0, "batch")):  # fmt: skip
        assert reason(nn.Sequential(nn.Flatten(), nn.Linear(192, 10), layer)) is None


def test_dropout_that_has_no_layer_of_its_own_is_found_by_trying() -> None:
    class Functional(nn.Linear):
        def forward(self, images: Tensor) -> Tensor:
            return nn.functional.dropout(super().forward(images), 0.1, self.training)

    found = reason(nn.Sequential(nn.Flatten(), Functional(192, 10)))
    assert found is not None
    assert found == (
        "module '1' (Functional) cannot be stacked (vmap: called random operation while in "
        "randomness error mode); train one after another with --stack 1"
    )


READING = (
    " (Reading) cannot be stacked (vmap: It looks like you're calling .item() on a Tensor); train "
    "one after another with --stack 1"
)


class Reading(nn.Module):
    """Looks at its numbers, which vmap cannot do."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        return images * self.factor * float(images.sum().item())


def test_a_module_that_cannot_be_batched_is_named_with_its_type() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(192, 10), Reading()))
    found = reason(module)
    assert found == "module '1.1'" + READING
    assert reason(Reading()) == "the model" + READING


def test_trying_leaves_the_model_as_it_was() -> None:
    module = cnn(0).eval()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    assert reason(module) is None
    assert not module.training
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert not any(layer._forward_pre_hooks for layer in module.modules())


def test_models_of_different_shape_are_refused_with_the_parameter() -> None:
    other = mlp(1)
    other[4] = nn.Linear(24, 11)
    with pytest.raises(InputError) as caught:
        stacked([mlp(0), other], THREE[:2])
    assert str(caught.value) == (
        "models 0 and 1 differ in '4.bias' ([10] and [11]) and cannot be stacked; expected one "
        "architecture, or train one after another with --stack 1"
    )


def test_models_whose_code_reads_another_number_are_refused() -> None:
    class Dropping(nn.Sequential):
        def __init__(self, rate: float) -> None:
            super().__init__(nn.Flatten(), nn.Linear(192, 10))
            self.drop_rate = rate

    with pytest.raises(InputError) as caught:
        stacked([Dropping(0.0), Dropping(0.5)], THREE[:2])
    assert str(caught.value) == (
        "models 0 and 1 differ in 'drop_rate' (0.0 and 0.5) and cannot be stacked; expected one "
        "architecture, or train one after another with --stack 1"
    )


# ---- how many --------------------------------------------------------------------------------


def test_auto_stacks_on_cuda_and_where_there_is_no_convolution() -> None:
    cuda = torch.device("cuda")
    assert stack_size("auto", mlp(0), CPU) == 16
    assert stack_size("auto", cnn(0), CPU) == 1
    assert [stack_size("auto", build(0), cuda) for build in (mlp, cnn)] == [16, 16]
    assert stack_size("auto", mlp(0), torch.device("mps")) == 1


def test_a_number_of_models_is_taken_as_it_is() -> None:
    assert stack_size(4, cnn(0), CPU) == 4
    with pytest.raises(InputError) as caught:
        stack_size(0, mlp(0), CPU)
    assert str(caught.value) == "--stack 0 is out of range; expected auto or a number from 1"
