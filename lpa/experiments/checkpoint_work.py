"""The work of evaluating ready checkpoints: what a group has already trained (paper, Fig. 2)."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lpa.datasets import Source
from lpa.engines import Worker
from lpa.errors import InputError
from lpa.experiments.cell_task import (
    BYTES_PER_OUTCOME,
    CellEstimate,
    CellSummary,
    kept_samples,
    named,
)
from lpa.experiments.matching import measured
from lpa.models import ModelSpec, load
from lpa.models.checkpoint_pattern import ReadyCheckpoint
from lpa.models.loaded import LoadedModel
from lpa.models.preprocessing import PreprocessingOverrides
from lpa.outcomes import (
    COLUMNS,
    Cell,
    RunRecord,
    Samples,
    Store,
    WorkUnit,
    put_failure,
    write_unit,
)
from lpa.training.evaluation import evaluate
from lpa.training.image_loading import load_images
from lpa.training.images import TrainingImages
from lpa.views import View

__all__ = ["CheckpointLoader", "CheckpointWork", "file_print", "pieces_print"]

_PIECES, _PIECE_BYTES = 16, 2**16


def file_print(path: Path) -> str:
    """Return a hash by which a checkpoint file is known again, without reading all of it.

    Its size and sixteen evenly spaced pieces of 64 KiB, the first and the last among them: other
    weights differ everywhere, and 1,860 files of 100 MB are told apart in seconds.

    Raises
    ------
    InputError
        For a file that cannot be read.
    """
    try:
        with path.open("rb") as file:
            return pieces_print(file, path.stat().st_size)
    except OSError as error:
        raise InputError(
            f"checkpoint {str(path)!r} cannot be read ({error.strerror}); expected a readable file"
        ) from error


def pieces_print(file: Any, size: int) -> str:
    """Return :func:`file_print` of an open file of that size in bytes."""
    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    for place in np.linspace(0, max(size - _PIECE_BYTES, 0), _PIECES).astype(int).tolist():
        file.seek(place)
        digest.update(file.read(_PIECE_BYTES))
    return digest.hexdigest()


@dataclass(frozen=True)
class CheckpointLoader:
    """Loads the checkpoints of one architecture.

    Attributes
    ----------
    name, architecture : str
        What the run calls it, and what was asked for.
    overrides : PreprocessingOverrides
    classes_file : path or None
    """

    name: str
    architecture: str
    overrides: PreprocessingOverrides
    classes_file: Any = None

    def __call__(self, path: Path) -> LoadedModel:
        """Load one checkpoint; raise InputError where it does not fit."""
        spec = ModelSpec(self.name, f"{self.architecture}@{path}")
        return load(spec, overrides=self.overrides, classes_file=self.classes_file)


@dataclass
class CheckpointWork:
    """See :class:`lpa.experiments.cell_task.Work`.

    Attributes
    ----------
    store : Store
    record : RunRecord
    ready : dict of Cell to ReadyCheckpoint
        Every checkpoint, in the order of the plan.
    loader : CheckpointLoader
    view : View
        Of the first checkpoint; all must have it.
    source : Source
        Where the evaluated images are.
    devices : list of torch.device
    threads, batch_size : int
        That decode; images per forward pass.
    cache : path or None
        Folder of the cache of decoded images; None: the user's cache folder.
    """

    store: Store
    record: RunRecord
    ready: dict[Cell, ReadyCheckpoint]
    loader: CheckpointLoader
    view: View
    source: Source
    devices: list[torch.device]
    threads: int
    batch_size: int
    cache: Any = None
    what: str = "checkpoints"
    title: str = "evaluating"

    def groups(self) -> list[WorkUnit]:
        """Return one unit per checkpoint."""
        return [WorkUnit(0, (cell,)) for cell in self.ready]

    def begin(self, store: Store) -> None:
        """Store nothing else."""

    def total(self, units: Sequence[WorkUnit]) -> int:
        """Return the images that go through a model."""
        return len(units) * self.record.shard_size

    def workers(
        self, samples: Samples, stop: threading.Event, tick: Callable[[int], None]
    ) -> list[Worker[WorkUnit, CellSummary]]:
        """Decode the images for each device, and return one worker for each."""
        return [self._worker(device, samples, tick) for device in self.devices]

    def _worker(
        self, device: torch.device, samples: Samples, tick: Callable[[int], None]
    ) -> _CheckpointWorker:
        loaded = load_images(
            self.source,
            samples,
            self.view,
            device=device,
            originals=False,
            cache=self.cache,
            workers=self.threads,
        )
        kept = kept_samples(samples, loaded.skips)
        return _CheckpointWorker(self, device, loaded.images, kept, loaded.skips, tick)

    def elsewhere(self, store: Store, device: torch.device, threads: int) -> CheckpointWork:
        """Return the work for one device of another machine."""
        return replace(self, store=store, devices=[device], threads=min(self.threads, threads))

    def check_here(self) -> None:
        """Raise InputError where the first checkpoint cannot be read; all images are at loading."""
        file_print(next(iter(self.ready.values())).path)

    def weight_bytes(self) -> int:
        """Return the size of a checkpoint's file."""
        return next(iter(self.ready.values())).path.stat().st_size

    def estimate(self, units: Sequence[WorkUnit], samples: Samples) -> CellEstimate:
        """Return how much there is to do; the time is not measured."""
        stored = int(len(units) * len(samples) * BYTES_PER_OUTCOME)
        images = self.total(units)
        return CellEstimate(
            len(units), len(units), self.what, images, float("nan"), len(self.devices), stored
        )


@dataclass
class _CheckpointWorker:
    """Evaluates checkpoints on one device."""

    work: CheckpointWork
    device: torch.device
    images: TrainingImages
    samples: Any
    skips: dict[int, str]
    tick: Callable[[int], None]

    def prefetch(self, unit: WorkUnit) -> None:
        """Do nothing: a checkpoint is read when its turn comes."""

    def __call__(self, unit: WorkUnit) -> CellSummary:
        """Load, evaluate and store one checkpoint; what cannot be used is recorded."""
        (cell,) = unit.cells
        work, summary = self.work, CellSummary()
        try:
            outcome = self._outcome(work.ready[cell].path)
        except (InputError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:500]
            put_failure(work.store, 0, named(cell), reason, [cell.id])
            summary.failures.append((named(cell), reason))
            return summary
        columns = {name: outcome[name][None] for name in COLUMNS}
        timings = {"checkpoint": work.ready[cell].path.name, "device": str(self.device)}
        write_unit(work.store, 0, [cell], self.samples, columns, self.skips, timings)
        self.tick(len(self.images))
        summary.cells = 1
        return summary

    def _outcome(self, path: Path) -> dict[str, Any]:
        work = self.work
        loaded = work.loader(path)
        if loaded.view != work.view:
            raise InputError(
                f"checkpoint {path.name!r} has another preprocessing ({loaded.preprocessing}) than "
                "the first one; expected one for all: give it with --img-size and --crop-pct"
            )
        here = np.unique(self.images.labels)
        model = measured(loaded, work.record.classes, here, restrict=False)
        outcome = evaluate(model, self.images, self.device, work.record.precision, work.batch_size)
        if np.isnan(outcome["margin"]).any():
            raise InputError(f"checkpoint {path.name!r} gives outputs that are NaN")
        return outcome
