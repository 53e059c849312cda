"""The work of a probe: its backbones, some at a time, so that an image is decoded once for them."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch

from lpa.datasets.taxonomy import groups_csv, taxonomy
from lpa.engines import Worker
from lpa.experiments.cell_task import BYTES_PER_OUTCOME, CellEstimate, CellSummary
from lpa.experiments.crews import check_readable, module_bytes
from lpa.experiments.probe_worker import ExtractionOptions, Probed, ProbeWorker
from lpa.experiments.sweep_work import TRAINING_SAMPLES
from lpa.outcomes import SOURCE, RunRecord, Samples, Store, StoredUnits, WorkUnit, put_counts
from lpa.plans import HeadRecipe
from lpa.probing.feature_files import Features
from lpa.probing.features import SHARD
from lpa.probing.head_training import HeadTraining
from lpa.training.checkpoint import Checkpoint
from lpa.training.splits import Part, Parts

__all__ = ["TAXONOMY", "TOGETHER", "ProbeWork"]

TOGETHER = 8
"""Backbones that are on a device at once: an image is decoded once for so many."""

TAXONOMY = "taxonomy"
"""Folder of the groups of a target whose classes tell their taxonomy."""

TIMED_BATCHES = 4


@dataclass
class ProbeWork:
    """See :class:`lpa.experiments.cell_task.Work`.

    Attributes
    ----------
    store : Store
    record : RunRecord
    probes : dict of str to Probed
        Every planned one, by the id of its cell, in the order of the plan.
    parts : Parts
        Images of the target.
    recipe : HeadRecipe
    options : ExtractionOptions
    source : DataFrame
        Counts of the backbones on the data that they were trained for; may be empty.
    devices : list of torch.device
    """

    store: Store
    record: RunRecord
    probes: dict[str, Probed]
    parts: Parts
    recipe: HeadRecipe
    options: ExtractionOptions
    source: pd.DataFrame
    devices: list[torch.device]
    what: str = "probes"
    title: str = "probing"

    def groups(self) -> list[WorkUnit]:
        """Return units of some backbones; each is stored by itself."""
        cells = [probed.cell for probed in self.probes.values()]
        starts = range(0, len(cells), TOGETHER)
        return [WorkUnit(0, tuple(cells[start : start + TOGETHER])) for start in starts]

    def begin(self, store: Store) -> None:
        """Store which images are trained on, the taxonomy, and how the backbones do at home."""
        if not store.exists(TRAINING_SAMPLES):
            store.put(TRAINING_SAMPLES, self.parts.train.samples.to_parquet_bytes())
        for level, groups in taxonomy(self.record.classes.names).items():
            name = f"{TAXONOMY}/{level}.csv"
            if not store.exists(name):
                store.put(name, groups_csv(groups))
        if len(self.source):
            put_counts(store, self.source, SOURCE)
        if store.list("checkpoints"):
            # A kill between storing outcomes and dropping the checkpoint leaves one.
            for key in StoredUnits(store).present().get(0, set()) & set(self.probes):
                Checkpoint(store, key, self.devices[0]).delete()

    def total(self, units: Sequence[WorkUnit]) -> int:
        """Return the images of all probes, counted once for features and once for heads."""
        return 2 * self.images * sum(len(unit.cells) for unit in units)

    @property
    def images(self) -> int:
        """Images that go through a backbone: to train on, in each view, and to evaluate."""
        return self.rows + len(self.parts.test)

    @property
    def rows(self) -> int:
        """Rows of features to train on: images in each view."""
        return len(self.parts.train) * (1 + len(self.options.augmented))

    def workers(
        self, samples: Samples, stop: threading.Event, tick: Callable[[int], None]
    ) -> list[Worker[WorkUnit, CellSummary]]:
        """Return one worker for each device."""
        return [
            self._worker(device, self.parts.train, replace(self.parts.test, samples=samples),
                         self.options, stop, tick)
            for device in self.devices
        ]  # fmt: skip

    def _worker(
        self,
        device: torch.device,
        train: Part,
        evaluated: Part,
        options: ExtractionOptions,
        stop: threading.Event,
        tick: Callable[[int], None],
    ) -> ProbeWorker:
        return ProbeWorker(
            self.probes,
            train,
            evaluated,
            classes=len(self.record.classes),
            recipe=self.recipe,
            seed=self.record.seed,
            options=options,
            store=self.store,
            device=device,
            stop=stop,
            tick=tick,
        )

    def elsewhere(self, store: Store, device: torch.device, threads: int) -> ProbeWork:
        """Return the work for one device of another machine."""
        options = replace(self.options, workers=min(self.options.workers, threads))
        return replace(self, store=store, devices=[device], options=options)

    def check_here(self) -> None:
        """Raise InputError where an image or the first backbone cannot be read."""
        for part in (self.parts.train, self.parts.test):
            check_readable(part.source, part.samples)
        next(iter(self.probes.values())).backbone.load()

    def weight_bytes(self) -> int:
        """Return the size of the backbones that are on a device at once, all like the first."""
        together = min(TOGETHER, len(self.probes))
        return together * module_bytes(next(iter(self.probes.values())).backbone.load().module)

    # ---- how long ------------------------------------------------------------------------

    def estimate(self, units: Sequence[WorkUnit], samples: Samples) -> CellEstimate:
        """Time features of a few images, as if none were in the cache, and a few updates."""
        cells = [cell for unit in units for cell in unit.cells]
        devices = len(self.devices)
        if not cells:
            return CellEstimate(0, 0, self.what, 0, 0.0, devices, 0)
        images = self.images
        width, each = self._time_features(self.probes[cells[0].id])
        seconds = len(cells) * (images * each + self._time_heads(width))
        row = width * np.dtype(self.options.stored).itemsize
        stored = len(cells) * (len(samples) * BYTES_PER_OUTCOME + images * row)
        return CellEstimate(
            len(units), len(cells), self.what, len(cells) * images, seconds, devices, int(stored)
        )

    def _time_features(self, probed: Probed) -> tuple[int, float]:
        """Return the number of features, and seconds for one image; the first few warm up."""
        timed = self.parts.train.samples
        rows = np.linspace(0, len(timed) - 1, min(len(timed), 2 * SHARD)).astype(int)
        few, more = (
            replace(self.parts.train, samples=timed.take(taken)) for taken in (rows[:2], rows)
        )
        model = probed.backbone.load()
        with tempfile.TemporaryDirectory() as folder:
            options = replace(self.options, cache=folder, augmented=())
            width = 0
            for part in (few, more):
                worker = self._worker(
                    self.devices[0], part, few, options, threading.Event(), lambda images: None
                )
                began = time.monotonic()
                files = worker.extracted([model], lambda images: None)
                seconds = time.monotonic() - began
                assert files is not None
                width = files[0][1].features.shape[1]
        return width, seconds / len(rows)

    def _time_heads(self, width: int) -> float:
        """Return the seconds for the heads of one backbone, by a few updates on random features."""
        classes, size = len(self.record.classes), self.recipe.batch_size
        count = max(2 * classes, (TIMED_BATCHES + 2) * size)
        generator = np.random.default_rng(0)
        features = generator.normal(size=(count, width)).astype(self.options.stored)
        keys = np.arange(count, dtype=np.uint64)
        table = Features(features, np.arange(count) % classes, keys)
        training = HeadTraining(
            table, classes, self.recipe, keys=keys, seed=0, device=self.devices[0]
        )
        ticks: list[float] = []
        training.run(
            lambda: len(ticks) > TIMED_BATCHES, lambda images: ticks.append(time.monotonic())
        )
        each = (ticks[-1] - ticks[0]) / (len(ticks) - 1) / size
        return each * training.total * self.rows / count
