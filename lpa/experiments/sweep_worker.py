"""One training, or a stacked group of them, on one device: from its cells to stored outcomes."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lpa.errors import InputError
from lpa.experiments.cell_task import DIVERGED, CellSummary, named
from lpa.experiments.threads import FEW_PIXELS, one_thread_where
from lpa.models.untrained import UntrainedModel
from lpa.outcomes import COLUMNS, Cell, Store, WorkUnit, content_hash, put_failure, write_unit
from lpa.plans.recipe import Recipe
from lpa.training.checkpoint import Checkpoint
from lpa.training.distributed import World
from lpa.training.evaluation import Evaluated, evaluate, measured_module
from lpa.training.feed import Active, Feed
from lpa.training.images import TrainingImages
from lpa.training.learner import Learner, SingleLearner
from lpa.training.loop import GroupTraining, UnusableCheckpointError
from lpa.training.policies.policy import Policy
from lpa.training.stacked import StackedLearner
from lpa.training.weights import WeightsFacts, put_weights

__all__ = ["DeviceData", "Training", "TrainingWorker", "group_key"]


@dataclass(frozen=True)
class Training:
    """One training: a cell and everything that it depends on.

    Attributes
    ----------
    cell : Cell
    seed : int
        The training's own seed.
    recipe : Recipe
        At the cell's value.
    active : tuple of Active
        Regularizers that are not at their reference.
    policy : callable
        Device -> a new policy, whose state is this training's alone.
    facts : WeightsFacts
        What is kept beside the weights.
    """

    cell: Cell
    seed: int
    recipe: Recipe
    active: tuple[Active, ...]
    policy: Callable[[torch.device], Policy]
    facts: WeightsFacts


@dataclass(frozen=True)
class DeviceData:
    """The images on one device."""

    train: TrainingImages
    held_out: TrainingImages | None
    evaluated: TrainingImages


class TrainingWorker:
    """Trains groups on one device, evaluates them and stores their outcomes.

    Parameters
    ----------
    trainings : mapping of str to Training
        By the ids of their cells.
    model : UntrainedModel
    data : DeviceData
    classes : int
        Number of the run's classes.
    samples : array of int64
        The evaluated samples' numbers.
    skips : dict of int to str
        Evaluated samples that cannot be decoded.
    store : Store
    device : torch.device
    precision : str
    keep : bool
        Whether weights are kept.
    compiled : bool
    stop : threading.Event
    tick : callable
    world : World
        The processes that share each training.
    """

    def __init__(
        self,
        trainings: dict[str, Training],
        model: UntrainedModel,
        data: DeviceData,
        *,
        classes: int,
        samples: np.ndarray[Any, np.dtype[np.int64]],
        skips: dict[int, str],
        store: Store,
        device: torch.device,
        precision: str,
        keep: bool,
        compiled: bool,
        stop: threading.Event,
        tick: Callable[[int], None],
        world: World,
    ) -> None:
        self.trainings, self.model, self.data = trainings, model, data
        self.classes, self.samples, self.skips = classes, samples, skips
        self.store, self.device, self.precision = store, device, precision
        self.keep, self.compiled = keep, compiled
        self.stop, self.tick, self.world = stop, tick, world

    def prefetch(self, unit: WorkUnit) -> None:
        """Do nothing: the images are there."""

    def __call__(self, unit: WorkUnit) -> CellSummary:
        """Train, evaluate and store a group; what fails is recorded and stops nothing else.

        Raises
        ------
        InputError
            When the store cannot be written, and when one of several processes fails.
        """
        with self._threads():
            return self._done(unit)

    def _done(self, unit: WorkUnit) -> CellSummary:
        group = [self.trainings[cell.id] for cell in unit.cells]
        summary = CellSummary()
        if self.world.agreed(self.stop.is_set()):
            summary.stopped = True
            return summary
        try:
            course, finished = self._trained(unit, group)
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if self.world.size > 1:
                # The others wait for this one's gradients and must not get those of another unit.
                raise InputError(
                    f"{named(unit.cells[0])} failed on process {self.world.rank + 1} of "
                    f"{self.world.size} ({_one_line(error)}); expected that all of them can train "
                    "it: out of memory, give a smaller --batch-size; run the same command again"
                ) from error
            for training in group:
                self._fail(training, _one_line(error), summary)
            return summary
        if not finished:
            summary.stopped = True
            return summary
        if self.world.first:
            self._store(unit, group, course, summary)
        else:
            summary.cells = len(unit.cells)
        course.checkpoint.delete()
        self.world.wait()
        return summary

    # ---- how long, how large -------------------------------------------------------------

    def seconds_per_image(self, unit: WorkUnit, updates: int) -> float:
        """Time a few updates of a group; nothing is stored. The first update is not counted."""
        with self._threads():
            return self._seconds(unit, updates)

    def _seconds(self, unit: WorkUnit, updates: int) -> float:
        group = [self.trainings[cell.id] for cell in unit.cells]
        course = self._course(unit, group)
        for feed in course.feeds:
            feed.begin(0)
        began, images = 0.0, 0
        for update in range(updates + 1):
            batches = [feed.batch(update % course.updates) for feed in course.feeds]
            rates = [training.recipe.learning_rate for training in group]
            course.learner.step(batches, rates).cpu()
            if update == 0:
                began = time.monotonic()
            images += sum(len(batch.rows) for batch in batches) if update else 0
        return (time.monotonic() - began) / max(images, 1)

    def weight_bytes(self) -> int:
        """Return the size of one model's weights."""
        state = self.model.build(0.0).state_dict().values()
        return sum(tensor.numel() * tensor.element_size() for tensor in state)

    # ---- training ------------------------------------------------------------------------

    def _trained(self, unit: WorkUnit, group: Sequence[Training]) -> tuple[GroupTraining, bool]:
        """Train a group; return also whether it came to its end."""
        course = self._course(unit, group)
        try:
            return course, course.run()
        except UnusableCheckpointError:
            course = self._course(unit, group)
            return course, course.run()

    def _threads(self) -> contextlib.AbstractContextManager[None]:
        """Compute tiny batches with one thread."""
        recipe = next(iter(self.trainings.values())).recipe
        pixels = recipe.batch_size * math.prod(self.model.view.size)
        return one_thread_where(pixels <= FEW_PIXELS, self.device)

    def _course(self, unit: WorkUnit, group: Sequence[Training]) -> GroupTraining:
        mean, std = (
            torch.tensor(v, dtype=torch.float32, device=self.device).view(-1, 1, 1)
            for v in (self.model.mean, self.model.std)
        )
        feeds = [
            Feed(
                self.data.train,
                self.data.held_out,
                training.recipe,
                training.active,
                training.policy(self.device),
                self.classes,
                training.seed,
                (self.world.rank, self.world.size),
            )
            for training in group
        ]
        self.world.check(feeds[0].batch_size)
        return GroupTraining(
            self._learner(group),
            feeds,
            [training.recipe for training in group],
            mean,
            std,
            Checkpoint(self.store, group_key(unit), self.device, writes=self.world.first),
            lambda: self.world.agreed(self.stop.is_set()),
            self.tick,
            self.world,
        )

    def _learner(self, group: Sequence[Training]) -> Learner:
        modules = [self._initialised(training) for training in group]
        recipes = [training.recipe for training in group]
        seeds = [training.seed for training in group]
        shared = (self.model.mean, self.model.std, self.device, self.precision)
        if len(group) > 1:
            return StackedLearner(modules, recipes, *shared, seeds, self.classes)
        # Each process sees other images of the batch, and drops other features of them.
        own = seeds[0] + (self.world.rank << 64)
        return SingleLearner(
            modules[0], recipes[0], *shared, own, self.compiled, self.world.wrapped
        )

    def _initialised(self, training: Training) -> torch.nn.Module:
        """Build the model from the training's seed, whatever torch's generator was at."""
        with _INITIALISING, torch.random.fork_rng(devices=[]):
            torch.manual_seed(training.seed)
            return self.model.build(training.recipe.dropout)

    # ---- storing -------------------------------------------------------------------------

    def _store(
        self,
        unit: WorkUnit,
        group: Sequence[Training],
        course: GroupTraining,
        summary: CellSummary,
    ) -> None:
        """Store the outcomes of the trainings that went well, and their weights before them."""
        cells: list[Cell] = []
        found: list[Evaluated] = []
        timings: dict[str, Any] = {"seconds": round(course.seconds, 3), "device": str(self.device)}
        for training, went, module in zip(group, course.courses, course.modules(), strict=True):
            if went.diverged:
                self._fail(training, DIVERGED + went.diverged, summary)
                continue
            measured = measured_module(module, self.classes, self.model.mean, self.model.std)
            outcome = evaluate(measured, self.data.evaluated, self.device)
            if np.isnan(outcome["margin"]).any():
                self._fail(training, DIVERGED + "the trained model's outputs are NaN", summary)
                continue
            if self.keep:
                put_weights(self.store, training.cell.id, module, training.facts)
            cells.append(training.cell)
            found.append(outcome)
            timings[training.cell.id] = {
                name: value for name, value in vars(went).items() if value not in ("", None, [])
            }
        pieces = course.learner.pieces
        if pieces > 1:
            timings["batch_cut_after_out_of_memory"] = pieces
            summary.notes.append(
                f"{named(unit.cells[0])}: out of memory; each batch was computed in {pieces} "
                "parts, whose gradients were added up"
            )
        if cells:
            stacked = {name: np.stack([outcome[name] for outcome in found]) for name in COLUMNS}
            write_unit(self.store, unit.shard, cells, self.samples, stacked, self.skips, timings)
        summary.cells += len(cells)

    def _fail(self, training: Training, reason: str, summary: CellSummary) -> None:
        cell = training.cell
        if self.world.first:
            put_failure(self.store, 0, named(cell), reason, [cell.id])
        summary.failures.append((named(cell), reason))


def group_key(unit: WorkUnit) -> str:
    """Return the name of a group's checkpoint."""
    return content_hash([cell.id for cell in unit.cells])


_INITIALISING = threading.Lock()
"""torch's generator of the CPU belongs to all threads."""


def _one_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:500]
