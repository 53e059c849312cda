"""One training of a sweep against a bare loop over the same tensors, side by side.

    python benchmarks/training_overhead.py [--data fashion-mnist|digits] [--model small_cnn]
        [--updates 150] [--turns 5] [--regularizer random_crop --value 0.3] [--device cpu]

Both train the same architecture from the same weights with the same batch size, optimizer and
learning rates. The bare loop is what one would write by hand: a shuffled index, a batch gathered
from one resident uint8 tensor, normalised, forward, loss, backward, step. It has no regularizer;
with --regularizer the sweep's side does more work, which is then what is shown. Turns alternate;
printed are the seconds of each turn, and the ratio of the medians, of wall and of processor time.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from lpa.experiments.sweep_preparation import prepare_sweep
from lpa.experiments.sweep_work import TrainingWork
from lpa.training.schedule import LearningRates
from lpa.training.weight_decay import parameter_groups

Times = tuple[float, float]


def timed(action: Callable[[], object]) -> Times:
    """Return seconds of wall and of processor time."""
    wall, processor = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - wall, time.process_time() - processor


def bare(work: TrainingWork, updates: int, device: torch.device) -> Times:
    """Train by hand, over the tensors that the sweep's side has."""
    training = next(iter(work.trainings.values()))
    recipe = training.recipe
    data, _ = work.data(device)
    pixels = data.train.views(torch.arange(len(data.train)).numpy()).contiguous()
    labels = torch.from_numpy(data.train.labels).to(device)
    mean, std = (
        torch.tensor(v, device=device).view(-1, 1, 1) for v in (work.model.mean, work.model.std)
    )
    torch.manual_seed(training.seed)
    module = work.model.build(recipe.dropout).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        parameter_groups(module, recipe.weight_decay),
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
    )
    size = min(recipe.batch_size, len(labels))
    per_epoch = len(labels) // size
    rate = LearningRates(recipe, per_epoch)

    def loop() -> None:
        order = torch.randperm(len(labels), device=device)
        for update in range(updates):
            if update % per_epoch == 0:
                order = torch.randperm(len(labels), device=device)
            rows = order[(update % per_epoch) * size :][:size]
            images = pixels[rows].to(torch.float32).div_(255).sub_(mean).div_(std)
            for group in optimizer.param_groups:
                group["lr"] = rate(update)
            optimizer.zero_grad(set_to_none=True)
            logits = module(images.contiguous(memory_format=torch.channels_last))
            nn.functional.cross_entropy(logits, labels[rows]).backward()
            optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return timed(loop)


def ours(work: TrainingWork, updates: int, device: torch.device, samples: object) -> Times:
    """Train as a sweep does: everything of the loop, checkpoints included."""
    worker = work._worker(device, samples, threading.Event(), lambda images: None)  # type: ignore[arg-type]
    unit = work.groups()[-1]
    course = worker._course(unit, [work.trainings[cell.id] for cell in unit.cells])
    done = 0

    def stop() -> bool:
        nonlocal done
        done += 1
        return done > updates

    course.stop = stop

    def loop() -> None:
        course.run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    found = timed(loop)
    course.checkpoint.delete()
    return found


def main() -> None:
    """Alternate between both and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="fashion-mnist")
    parser.add_argument("--model", default="small_cnn")
    parser.add_argument("--updates", type=int, default=150)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--regularizer", default="weight_decay")
    parser.add_argument("--value", type=float, default=5e-4)
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    device = torch.device(asked.device)
    with tempfile.TemporaryDirectory() as folder:
        task = prepare_sweep(
            data=asked.data, model=asked.model, regularizer=asked.regularizer,
            values=[asked.value], seeds=1, out=Path(folder) / "run", device=asked.device,
            precision="fp32", progress=False, stack=1,
            recipe={"batch_size": asked.batch_size, "epochs": 1000},
        )  # fmt: skip
        work = task.work
        assert isinstance(work, TrainingWork)
        pairs: list[tuple[Times, Times]] = []
        for turn in range(asked.turns + 1):
            pair = (
                bare(work, asked.updates, device),
                ours(work, asked.updates, device, task.samples),
            )
            if turn:  # The first turn warms up.
                pairs.append(pair)
                print(
                    f"turn {turn}: bare {pair[0][0]:6.2f} s ({pair[0][1]:6.2f} s of processor), "
                    f"sweep {pair[1][0]:6.2f} s ({pair[1][1]:6.2f} s), "
                    f"ratio {pair[1][0] / pair[0][0]:.3f}"
                )
    for index, name in ((0, "wall"), (1, "processor")):
        bares, sweeps = ([pair[side][index] for pair in pairs] for side in (0, 1))
        ratio = statistics.median(sweeps) / statistics.median(bares)
        print(f"ratio of medians, {name:9} {ratio:.3f}")


if __name__ == "__main__":
    main()
