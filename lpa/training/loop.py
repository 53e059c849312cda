"""The training loop of a group of models, one or many stacked: updates, epochs, checkpoints.

A training is a function of its seed and its cell. It can be stopped after any update and goes on
from there; killed, it goes on from its last checkpoint (at the end of an epoch, at most every five
seconds). On a CPU with the same number of threads the result is the same bit for bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lpa.plans.recipe import Recipe
from lpa.training.checkpoint import Checkpoint
from lpa.training.distributed import World
from lpa.training.evaluation import IMAGES_AT_ONCE
from lpa.training.feed import Feed
from lpa.training.learner import Learner
from lpa.training.regularizers.regularizer import Floats
from lpa.training.schedule import LearningRates

__all__ = ["Course", "GroupTraining", "UnusableCheckpointError"]

CHECKPOINT_SECONDS = 5.0
"""Checkpoints are at least this far apart, so that short epochs are not spent on writing."""

LOOK_EVERY = 100
"""Updates after which the losses are looked at; each look waits for the device."""


class UnusableCheckpointError(Exception):
    """A checkpoint of another version, which is deleted now; models are to be made anew."""


@dataclass
class Course:
    """How one training went.

    Attributes
    ----------
    losses : list of float
        Mean training loss of each epoch.
    held_out : list of float
        Accuracy on the images held out after each epoch; empty where nothing is held out.
    best_epoch : int or None
        Epoch (from 0) whose weights are taken, where the recipe selects the best.
    diverged : str
        What went wrong; empty where nothing did.
    """

    losses: list[float] = field(default_factory=list)
    held_out: list[float] = field(default_factory=list)
    best_epoch: int | None = None
    diverged: str = ""


class GroupTraining:
    """Trains the models of one learner to the end.

    Parameters
    ----------
    learner : Learner
    feeds : sequence of Feed
        One per model; equally many updates an epoch.
    recipes : sequence of Recipe
        One per model; epochs, schedule and selection are the same.
    mean, std : Tensor
        Normalisation, float32 [3, 1, 1] on the device.
    checkpoint : Checkpoint
    stop : callable
        Tells whether to stop after the present update.
    tick : callable
        Called with the number of training images that went through a model.
    world : World
        The processes that share each batch.
    """

    def __init__(
        self,
        learner: Learner,
        feeds: Sequence[Feed],
        recipes: Sequence[Recipe],
        mean: Tensor,
        std: Tensor,
        checkpoint: Checkpoint,
        stop: Callable[[], bool] = lambda: False,
        tick: Callable[[int], None] = lambda images: None,
        world: World | None = None,
    ) -> None:
        self.learner, self.feeds, self.recipes = learner, list(feeds), list(recipes)
        self.mean, self.std = mean, std
        self.checkpoint, self.stop, self.tick = checkpoint, stop, tick
        self.world = world or World()
        self.courses = [Course() for _ in self.feeds]
        self.best: list[dict[str, Tensor] | None] = [None for _ in self.feeds]
        self.updates = self.feeds[0].updates
        self.rates = [LearningRates(recipe, self.updates) for recipe in self.recipes]
        self.batch_images = sum(feed.batch_size for feed in self.feeds)
        self.epoch = self.update = 0
        self.seconds = 0.0
        self._total = torch.zeros(len(self.feeds), dtype=torch.float64)
        self._saved = time.monotonic()

    def run(self) -> bool:
        """Train; return False when it was stopped before the end (its state is saved).

        Raises
        ------
        UnusableCheckpointError
            When there was a checkpoint that does not fit; it is deleted.
        """
        self._restore()
        began = time.monotonic() - self.seconds
        while self.epoch < self.recipes[0].epochs and not self._all_diverged():
            for feed in self.feeds:
                feed.begin(self.epoch)
            while self.update < self.updates:
                if self.stop():
                    self.seconds = time.monotonic() - began
                    # One process writes; on going on each starts from the sum of all.
                    self._total = self.world.mean(self._total)
                    self._save()
                    return False
                self._step()
            self._end_epoch()
            self.seconds = time.monotonic() - began
            if time.monotonic() - self._saved > CHECKPOINT_SECONDS:
                self._save()
        return True

    def modules(self) -> list[nn.Module]:
        """Return the modules to evaluate: the last epoch's, or the best one's."""
        modules = self.learner.modules()
        for module, best in zip(modules, self.best, strict=True):
            if best is not None:
                module.load_state_dict(best)
        return modules

    # ---- one epoch -----------------------------------------------------------------------

    def _step(self) -> None:
        number = self.epoch * self.updates + self.update
        batches = [feed.batch(self.update) for feed in self.feeds]
        losses = self.learner.step(batches, [rate(number) for rate in self.rates])
        # Apple's devices have no float64.
        exact = torch.float32 if losses.device.type == "mps" else torch.float64
        self._total = self._total.to(losses.device, exact)
        self._total += losses
        self.update += 1
        self.tick(self.batch_images)
        if self.update % LOOK_EVERY == 0 or self.update == self.updates:
            self._look()

    def _look(self) -> None:
        """Note the trainings whose loss is no number; the others of the group go on."""
        totals = self.world.mean(self._total).tolist()
        for course, total in zip(self.courses, totals, strict=True):
            if not math.isfinite(total) and not course.diverged:
                course.diverged = f"the loss is {total} in epoch {self.epoch + 1}"

    def _all_diverged(self) -> bool:
        return all(course.diverged for course in self.courses)

    def _end_epoch(self) -> None:
        means = (self.world.mean(self._total) / self.updates).tolist()
        for course, mean in zip(self.courses, means, strict=True):
            course.losses.append(mean)
        self._total = torch.zeros_like(self._total)
        if self.feeds[0].held_out is not None:
            self._hold_out()
        self.epoch, self.update = self.epoch + 1, 0

    # ---- images held out -----------------------------------------------------------------

    def _hold_out(self) -> None:
        for index, module in enumerate(self.learner.modules()):
            feed, course = self.feeds[index], self.courses[index]
            assert feed.held_out is not None
            if course.diverged:
                continue
            right = self._right(module, feed, None)
            course.held_out.append(int(right.sum()) / len(right))
            if self.recipes[index].select == "best" and _is_best(course.held_out):
                course.best_epoch = self.epoch
                self.best[index] = {k: v.clone() for k, v in module.state_dict().items()}
            swept = [entry.regularizer.axis for entry in feed.active if entry.swept]
            if swept:
                score = self._score(module, feed)
                feed.policy.after_epoch(score, feed.held_out.labels, swept[0])

    def _score(self, module: nn.Module, feed: Feed) -> Callable[[Floats], Tensor]:
        return lambda values: self._right(module, feed, values)

    @torch.inference_mode()
    def _right(self, module: nn.Module, feed: Feed, values: Floats | None) -> Tensor:
        """Return whether the module is right on each held-out image: bool [N] on the CPU."""
        assert feed.held_out is not None
        found = []
        for start in range(0, len(feed.held_out), IMAGES_AT_ONCE):
            rows = np.arange(start, min(start + IMAGES_AT_ONCE, len(feed.held_out)))
            images = feed.held_out_images(rows, values).sub(self.mean).div_(self.std)
            labels = torch.from_numpy(feed.held_out.labels[rows]).to(images.device)
            found.append((module(images).argmax(dim=1) == labels).cpu())
        return self.world.from_first(torch.cat(found))

    # ---- checkpoints ---------------------------------------------------------------------

    def _save(self) -> None:
        self.checkpoint.save(
            {
                "learner": self.learner.state(),
                "epoch": self.epoch,
                "update": self.update,
                "seconds": self.seconds,
                "total": self._total,
                "courses": [vars(course) for course in self.courses],
                "best": self.best,
                "policies": [feed.policy.state() for feed in self.feeds],
            }
        )
        self._saved = time.monotonic()

    def _restore(self) -> None:
        state: dict[str, Any] | None = self.checkpoint.load()
        if state is None:
            return
        try:
            self._take(state)
        except torch.OutOfMemoryError:
            raise
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            self.world.wait()  # until each process has read it
            self.checkpoint.delete()
            raise UnusableCheckpointError from error
        self.tick(self.batch_images * (self.epoch * self.updates + self.update))

    def _take(self, state: dict[str, Any]) -> None:
        self.learner.restore(state["learner"])
        self.epoch, self.update = state["epoch"], state["update"]
        self.seconds, self._total = state["seconds"], state["total"]
        self.courses = [Course(**course) for course in state["courses"]]
        self.best = state["best"]
        for feed, kept in zip(self.feeds, state["policies"], strict=True):
            feed.policy.restore(kept)


def _is_best(accuracies: Sequence[float]) -> bool:
    """Whether the last is above all before it; the first of equals stays."""
    return len(accuracies) == 1 or accuracies[-1] > max(accuracies[:-1])
