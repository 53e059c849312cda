"""Run by test_training_distributed in each of torchrun's processes: train, write what came out.

    torchrun --nproc-per-node 2 shares_a_training.py FOLDER

Standing alone it trains the same with one process.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from small_training import CPU, MEAN, STD, active, digits, feed, perceptron

from lpa.outcomes import Store
from lpa.plans import Recipe
from lpa.training.checkpoint import Checkpoint
from lpa.training.distributed import World
from lpa.training.learner import SingleLearner
from lpa.training.loop import GroupTraining

RECIPE = Recipe(epochs=2, batch_size=16, learning_rate=0.05, flip=0.5, hold_out=0.1)


def main() -> None:
    """Two epochs of six updates, stopped once by one process alone."""
    world, folder = World.join("cpu"), Path(sys.argv[1])
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        # The last process wants to stop at its ninth update; all do.
        return world.agreed(world.rank == world.size - 1 and asked == 9)

    def course() -> GroupTraining:
        learner = SingleLearner(perceptron(), RECIPE, MEAN, STD, CPU, wrap=world.wrapped)
        made = feed(
            100, RECIPE, active("random_crop", 0.4), held_out=digits(60, 200),
            share=(world.rank, world.size),
        )  # fmt: skip
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
        checkpoint = Checkpoint(Store(folder), "group", CPU, writes=world.first)
        return GroupTraining(learner, [made], [RECIPE], mean, std, checkpoint, stop, world=world)

    first = course()
    assert not first.run()
    where = (first.epoch, first.update)
    world.wait()
    second = course()
    assert second.run()
    (module,), (went,) = second.modules(), second.courses
    torch.save(
        {"weights": module.state_dict(), "losses": went.losses, "held_out": went.held_out,
         "where": where, "mean": world.mean(torch.tensor([world.rank + 1.0])),
         "first": world.from_first(torch.tensor([world.rank == 0]))},
        folder / f"rank{world.rank}.pt",
    )  # fmt: skip
    if world.size > 1:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
