"""The probes of some backbones on one device: from their cells to stored outcomes."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lpa.errors import InputError
from lpa.experiments.cell_task import CellSummary, named
from lpa.experiments.threads import FEW_PIXELS, one_thread_where
from lpa.forward import MeasuredModel, columns
from lpa.models.loaded import LoadedModel
from lpa.outcomes import COLUMNS, Cell, Samples, Store, WorkUnit, put_failure, write_unit
from lpa.plans import HeadRecipe
from lpa.probing.augmented import AugmentedView
from lpa.probing.backbones import Backbone
from lpa.probing.batches import parts, read
from lpa.probing.feature_files import FeatureFile, Features
from lpa.probing.features import SHARD, extract
from lpa.probing.head_training import HeadTraining
from lpa.probing.joined import joined
from lpa.probing.linear import TrainedHeads
from lpa.probing.pooled import feature_interface
from lpa.probing.table import FeatureTable
from lpa.training.checkpoint import Checkpoint
from lpa.training.splits import Part

__all__ = ["ExtractionOptions", "ProbeWorker", "Probed", "evaluate_head", "mean_head"]

CHECKPOINT_SECONDS = 60.0
"""Checkpoints of heads are at least this far apart: they may take gigabytes."""

FEW_PRODUCTS = 2**27
"""Multiplications of a batch of all heads that one thread computes as fast as several."""

AT_ONCE = 256
"""Images evaluated at once; always the same, since the last bits of a product depend on it."""


TrainingFiles = list[FeatureFile]
"""Features to train on, of each view."""


@dataclass(frozen=True)
class Probed:
    """One probe: a cell and its backbone."""

    cell: Cell
    backbone: Backbone


@dataclass(frozen=True)
class ExtractionOptions:
    """How features are computed and kept; see :func:`lpa.probing.features.extract`."""

    precision: str
    stored: str
    cache: Any
    workers: int
    batch_size: int | None
    augmented: tuple[AugmentedView, ...] = ()
    """Views of the images that heads are trained on, beside the plain one."""


class ProbeWorker:
    """Extracts, trains, evaluates and stores on one device.

    Parameters
    ----------
    probes : mapping of str to Probed
        By the ids of their cells.
    train, evaluated : Part
        Images of the target.
    classes : int
        Number of the run's classes.
    recipe : HeadRecipe
    seed : int
        The run's.
    options : ExtractionOptions
    store : Store
    device : torch.device
    stop : threading.Event
    tick : callable
        A probe counts twice its images: once for features, once for heads.
    """

    def __init__(
        self,
        probes: dict[str, Probed],
        train: Part,
        evaluated: Part,
        *,
        classes: int,
        recipe: HeadRecipe,
        seed: int,
        options: ExtractionOptions,
        store: Store,
        device: torch.device,
        stop: threading.Event,
        tick: Callable[[int], None],
    ) -> None:
        self.probes, self.train, self.evaluated = probes, train, evaluated
        self.classes, self.recipe, self.seed, self.options = classes, recipe, seed, options
        self.store, self.device, self.stop, self.tick = store, device, stop, tick

    def prefetch(self, unit: WorkUnit) -> None:
        """Do nothing: images are decoded when their turn comes."""

    def __call__(self, unit: WorkUnit) -> CellSummary:
        """Probe the backbones of a unit; what fails is recorded and stops nothing else.

        Raises
        ------
        InputError
            When the store cannot be written.
        """
        summary = CellSummary()
        found = self._features([self.probes[cell.id] for cell in unit.cells], summary)
        if found is None:
            summary.stopped = True
            return summary
        for cell, train, evaluated in found:
            if self.stop.is_set() or not self._probe(cell, train, evaluated, summary):
                summary.stopped = True
                break
        return summary

    # ---- features ------------------------------------------------------------------------

    def _features(
        self, probes: Sequence[Probed], summary: CellSummary
    ) -> list[tuple[Cell, TrainingFiles, FeatureFile]] | None:
        """Return the features of the backbones that have some; None when stopped."""
        loaded: list[tuple[Cell, LoadedModel]] = []
        for probed in probes:
            try:
                loaded.append((probed.cell, probed.backbone.load()))
            except InputError as error:
                self._fail(probed.cell, error, summary)
        if not loaded:
            return []
        budget = _Budget(self.tick, len(loaded) * self.images)
        try:
            files = self.extracted([model for _, model in loaded], budget.tick)
        except InputError:
            return self._one_by_one(loaded, budget, summary)
        if files is None:
            return None
        budget.spend()
        return [(cell, *pair) for (cell, _), pair in zip(loaded, files, strict=True)]

    def _one_by_one(
        self, loaded: Sequence[tuple[Cell, LoadedModel]], budget: _Budget, summary: CellSummary
    ) -> list[tuple[Cell, TrainingFiles, FeatureFile]] | None:
        """Find out which backbones fail; what the others have done is not done again."""
        found = []
        for cell, model in loaded:
            try:
                files = self.extracted([model], budget.tick)
            except InputError as error:
                self._fail(cell, error, summary)
                continue
            if files is None:
                return None
            found.append((cell, *files[0]))
        budget.spend()
        return found

    @property
    def images(self) -> int:
        """Images that go through a backbone: to train on, in each view, and to evaluate."""
        return len(self.train) * (1 + len(self.options.augmented)) + len(self.evaluated)

    def extracted(
        self, models: Sequence[LoadedModel], tick: Callable[[int], object]
    ) -> list[tuple[TrainingFiles, FeatureFile]] | None:
        """Return each backbone's features of the training and the evaluated images.

        Those to train on come view by view, the plain one first.

        Raises
        ------
        InputError
            As :func:`lpa.probing.features.extract`.
        """
        found: list[list[list[FeatureFile]]] = []
        pixels = SHARD * max(math.prod(model.view.size) for model in models)
        plain = (None,)
        interfaces = [
            feature_interface(model.module.cpu(), model.view.size, name=model.name)
            for model in models
        ]
        for part, views in (
            (self.train, (*plain, *self.options.augmented)),
            (self.evaluated, plain),
        ):
            with one_thread_where(pixels <= FEW_PIXELS, self.device):
                files = extract(
                    models,
                    part.source,
                    part.samples,
                    interfaces=interfaces,
                    views=views,
                    device=self.device,
                    precision=self.options.precision,
                    stored=self.options.stored,  # type: ignore[arg-type]
                    cache=self.options.cache,
                    workers=self.options.workers,
                    batch_size=self.options.batch_size or SHARD,
                    stop=self.stop.is_set,
                    progress=tick,
                )
            if files is None:
                return None
            found.append(files)
        return [(train, evaluated) for train, (evaluated,) in zip(*found, strict=True)]

    # ---- heads ---------------------------------------------------------------------------

    def _probe(
        self, cell: Cell, train: TrainingFiles, evaluated: FeatureFile, summary: CellSummary
    ) -> bool:
        """Train, evaluate and store the head of one backbone; False when stopped."""
        began = time.monotonic()
        checkpoint = Checkpoint(self.store, cell.id, self.device)
        table = joined([file.table(self.train.samples) for file in train])
        try:
            with one_thread_where(self._tiny(table), self.device):
                trained = self._trained(table, checkpoint)
                if trained is None:
                    return False
                found = evaluate_head(
                    mean_head(trained),
                    evaluated.table(self.evaluated.samples),
                    self.classes,
                    self.device,
                )
        except (InputError, RuntimeError) as error:
            self._fail(cell, error, summary)
            return True
        timings = {
            "seconds": round(time.monotonic() - began, 3),
            "device": str(self.device),
            "heads": [
                {name: getattr(choice, name) for name in ("learning_rate", "weight_decay")}
                | {"held_out_accuracy": choice.accuracy}
                for choice in trained.choices
            ],
            "feature_error": {**evaluated.error, "stored": self.options.stored},
        }
        self._write(cell, found, evaluated, timings)
        checkpoint.delete()
        summary.cells += 1
        return True

    def _tiny(self, table: Features) -> bool:
        heads = len(self.recipe.pairs) * self.recipe.seeds
        products: int = self.recipe.batch_size * table.features.shape[1] * self.classes * heads
        return products <= FEW_PRODUCTS

    def _trained(self, table: Features, checkpoint: Checkpoint) -> TrainedHeads | None:
        """Train from the checkpoint, or from the start where there is none that fits."""
        training, state = self._training(table), checkpoint.load()
        if state is not None:
            try:
                training.restore(state)
            except (KeyError, IndexError, TypeError, ValueError, RuntimeError):
                training = self._training(table)  # of another version
        saved = time.monotonic()

        def save_in_time() -> None:
            nonlocal saved
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                checkpoint.save(training.state())
                saved = time.monotonic()

        budget = _Budget(self.tick, self.images, training.total)
        trained = training.run(self.stop.is_set, budget.tick, save_in_time)
        if trained is None:
            checkpoint.save(training.state())
        else:
            budget.spend()
        return trained

    def _training(self, table: Features) -> HeadTraining:
        return HeadTraining(
            table, self.classes, self.recipe, keys=table.keys, seed=self.seed, device=self.device
        )

    # ---- storing -------------------------------------------------------------------------

    def _write(
        self, cell: Cell, found: dict[str, np.ndarray[Any, Any]], file: FeatureFile, timings: Any
    ) -> None:
        samples: Samples = self.evaluated.samples
        skips = {int(samples.sample[row]): reason for row, reason in file.skips.items()}
        stacked = {name: found[name][None] for name in COLUMNS}
        write_unit(self.store, 0, [cell], samples.sample[file.positions], stacked, skips, timings)

    def _fail(self, cell: Cell, error: Exception, summary: CellSummary) -> None:
        reason = " ".join(str(error).split())[:500]
        put_failure(self.store, 0, named(cell), reason, [cell.id])
        summary.failures.append((named(cell), reason))


class _Budget:
    """Ticks that sum to a number fixed beforehand, however much is really done.

    Parameters
    ----------
    tick : callable
    budget : int
        What is ticked in all.
    work : int or None
        What is counted in all; None: as much as the budget.
    """

    def __init__(self, tick: Callable[[int], None], budget: int, work: int | None = None) -> None:
        self._tick, self._budget, self._work = tick, budget, work or budget
        self._done = self._told = 0

    def tick(self, count: int) -> None:
        """Count some of the work."""
        self._done += count
        self._tell(min(self._budget, self._done * self._budget // self._work))

    def spend(self) -> None:
        """Tick what is left: features that were there, images that cannot be decoded."""
        self._tell(self._budget)

    def _tell(self, total: int) -> None:
        if total > self._told:
            self._tick(total - self._told)
            self._told = total


def mean_head(trained: TrainedHeads) -> TrainedHeads:
    """Average the head seeds of a backbone: one linear head, of the mean weights.

    The head seeds minimise one convex objective from different orders of the images, so their mean
    is nearer to its minimum, and the mean of linear heads is a linear head. Head seeds are no
    replicates: the backbone is what is sampled (STATISTICS 1).
    """
    return TrainedHeads(
        trained.standardisation,
        trained.weights.mean(dim=0, keepdim=True),
        trained.biases.mean(dim=0, keepdim=True),
        trained.choices,
    )


def evaluate_head(
    head: TrainedHeads, table: FeatureTable, classes: int, device: torch.device
) -> dict[str, np.ndarray[Any, Any]]:
    """Evaluate one head on features.

    Parameters
    ----------
    head : TrainedHeads
        Of one seed.
    table : FeatureTable
        Of the images to evaluate; read :data:`AT_ONCE` at a time, so that the logits are never
        wholly in memory.
    classes : int
        Number of the run's classes.
    device : torch.device

    Returns
    -------
    dict of str to array of shape [images]
        The columns of :data:`lpa.outcomes.COLUMNS`.

    Raises
    ------
    InputError
        For outputs that are no numbers.
    """
    outputs = np.arange(classes, dtype=np.int64)
    model = MeasuredModel("", "", outputs, np.ones(classes, dtype=bool))
    pieces: list[dict[str, Tensor]] = []
    for rows in parts(np.arange(len(table.labels)), AT_ONCE):
        features, labels = read(table, rows, device)
        pieces.append(columns(head.logits(features)[0], labels, model))
    found = {
        name: torch.cat([piece[name] for piece in pieces]).cpu().numpy()
        for name in (*COLUMNS, "margin")
    }
    if np.isnan(found.pop("margin")).any():
        raise InputError("the trained head's outputs are NaN; expected finite numbers")
    return found
