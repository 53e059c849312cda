"""Time of training many small models as one, beside one after another.

    python benchmarks/stacked_training.py [--device cuda] [--models 16] [--size 28] [--updates 30]

Made-up images that lie on the device; what is timed is the learner's update alone. Each network is
trained both ways in turns, and the shortest of the turns counts. The printed ratio is how many
times as fast the stack is; below 1 it is slower.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from lpa.models.small import BUILDERS
from lpa.plans.recipe import Recipe
from lpa.training.batch import Batch
from lpa.training.learner import Learner, SingleLearner
from lpa.training.stacked import StackedLearner

CLASSES = 10
MEAN = STD = (0.5, 0.5, 0.5)


def build(name: str, side: int) -> nn.Module:
    """Make a network: a perceptron with one hidden layer of 64, or one of lpa's small ones."""
    if name != "mlp":
        return BUILDERS[name](CLASSES, (side, side), 0.0)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(3 * side**2, 64), nn.ReLU(), nn.Linear(64, CLASSES)
    )


def batch(size: int, side: int, device: torch.device) -> Batch:
    """Make up a batch."""
    images = torch.rand(size, 3, side, side, device=device)
    return Batch(np.arange(size), images, torch.randint(CLASSES, (size,), device=device))


def seconds(learners: Sequence[Learner], batches: Sequence[Batch], updates: int) -> float:
    """Return the time of one update of every model."""
    shares = [batches[:1]] * len(learners) if len(learners) > 1 else [batches]
    for learner, share in zip(learners, shares, strict=True):
        learner.step(share, [0.01] * learner.count)
    wait(batches[0].images.device)
    start = time.perf_counter()
    for learner, share in zip(learners, shares, strict=True):
        for _ in range(updates):
            learner.step(share, [0.01] * learner.count)
    wait(batches[0].images.device)
    return (time.perf_counter() - start) / updates


def wait(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def shortest(calls: Sequence[Callable[[], float]], turns: int) -> list[float]:
    """Return the shortest time of each, called in turns."""
    times = [[call() for call in calls] for _ in range(turns)]
    return [min(column) for column in zip(*times, strict=True)]


def main() -> None:
    """Measure each network and print a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--networks", default=",".join(("mlp", *BUILDERS)))
    parser.add_argument("--models", type=int, default=16)
    parser.add_argument("--size", type=int, default=28)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--updates", type=int, default=30)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--optimizer", default="sgd")
    parser.add_argument("--precision", default="fp32")
    arguments = parser.parse_args()
    device, count = torch.device(arguments.device), arguments.models
    torch.manual_seed(0)
    recipe = Recipe(optimizer=arguments.optimizer)
    batches = [batch(arguments.batch_size, arguments.size, device) for _ in range(count)]
    print(
        f"{count} models, {arguments.size} px, batch {arguments.batch_size}, {recipe.optimizer}, "
        f"{arguments.precision}, {device.type}, {torch.get_num_threads()} threads"
    )
    print("network       one after another, ms   stacked, ms   ratio")
    for name in arguments.networks.split(","):
        modules = [build(name, arguments.size) for _ in range(count)]
        shared = (MEAN, STD, device, arguments.precision)
        stacked = StackedLearner(
            modules, [recipe] * count, *shared, seeds=range(count), classes=CLASSES
        )
        alone = [SingleLearner(module, recipe, *shared) for module in modules]
        one, all_at_once = shortest(
            [lambda alone=alone: seconds(alone, batches, arguments.updates),
             lambda stacked=stacked: seconds([stacked], batches, arguments.updates)],
            arguments.turns,
        )  # fmt: skip
        print(
            f"{name:<12}{one * 1000:>23.1f}{all_at_once * 1000:>14.1f}{one / all_at_once:>8.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
