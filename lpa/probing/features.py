"""Features of frozen backbones: every image decoded once, seen by all of them, kept in files.

Work goes shard by shard; on a GPU the next one is decoded while the present one is computed. A
batch never reaches over the end of a shard, so that a kill and a new start change no batch, and
with that no bit of the features.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lpa.augmentations import build
from lpa.augmentations.augmentation import Augmentation
from lpa.cache_files import cache_folder, check_space
from lpa.datasets.source import Source
from lpa.errors import InputError
from lpa.forward import DeviceModel, MeasuredModel
from lpa.models.loaded import LoadedModel
from lpa.outcomes import Samples
from lpa.probing.augmented import AugmentedView
from lpa.probing.feature_files import (
    LARGEST,
    WHAT,
    FeatureContents,
    FeatureFile,
    FeatureWriter,
)
from lpa.probing.pooled import FeatureInterface, feature_interface
from lpa.streams import Batches, Shard, ShardReader

__all__ = ["SHARD", "contents_of", "extract"]

SHARD = 128
"""Consecutive samples of a shard: what a kill loses at most."""

MEASURED_SHARDS, MEASURED_ROWS = 16, 16
"""The error is measured on the first rows of one shard among so many."""


def contents_of(
    model: LoadedModel,
    interface: FeatureInterface,
    samples: Samples,
    augmented: AugmentedView | None = None,
    *,
    precision: str = "fp32",
    stored: Literal["float16", "float32"] = "float16",
) -> FeatureContents:
    """Say what a file of features depends on; its key is a hash of this."""
    return FeatureContents(
        weights=model.weights_hash,
        convention=interface.convention,
        dim=interface.dim,
        fingerprint=samples.fingerprint,
        split=",".join(dict.fromkeys(samples.split.tolist())),
        count=len(samples),
        view=model.view.to_dict(),
        mean=tuple(model.mean),
        std=tuple(model.std),
        augmentation=None if augmented is None else augmented.record,
        precision=precision,
        stored=stored,
    )


def extract(
    models: Sequence[LoadedModel],
    source: Source,
    samples: Samples,
    *,
    interfaces: Sequence[FeatureInterface] | None = None,
    views: Sequence[AugmentedView | None] = (None,),
    device: torch.device | str = "cpu",
    precision: str | None = None,
    stored: Literal["float16", "float32"] = "float16",
    cache: str | os.PathLike[str] | None = None,
    workers: int = 2,
    batch_size: int = SHARD,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[int], object] = lambda images: None,
) -> list[list[FeatureFile]] | None:
    """Return the features of some backbones, extracting those that are not there yet.

    Parameters
    ----------
    models : sequence of LoadedModel
        All are on the device at once: give as many as fit. They are moved there.
    source : Source
        Reads ``samples.sample``.
    samples : Samples
        Of one part: what is trained on, or what is evaluated.
    interfaces : sequence of FeatureInterface or None
        The models' :func:`~lpa.probing.pooled.feature_interface`, where it is known already.
    views : sequence of AugmentedView or None
        None is the model's own evaluation view; draws of an augmentation beside it are for what is
        trained on.
    device : torch.device or str
    precision : {"fp32", "fp16", "bf16"} or None
        Of the forward passes. None: fp16 on CUDA, else fp32.
    stored : {"float16", "float32"}
        Type in the files.
    cache : path or None
        Their folder; None: :func:`lpa.cache_files.cache_folder` for ``features``.
    workers : int
        Threads that decode.
    batch_size : int
        Images per forward pass; halved where memory runs out.
    stop : callable
        Tells whether to stop after the present shard.
    progress : callable
        Called with the number of images that were computed, counted once a model and view.

    Returns
    -------
    list of list of FeatureFile, or None
        By model and view; their checksums were verified. None when stopped: what is done is kept.

    Raises
    ------
    InputError
        For a backbone without a pooled feature, features that are no numbers or too large for
        float16, files that are damaged or made of something else, images that cannot be read or
        have changed, and a disk without room.
    """
    device = torch.device(device)
    precision = precision or ("fp16" if device.type == "cuda" else "fp32")
    folder = cache_folder("features") if cache is None else Path(cache).expanduser()
    if interfaces is None:
        interfaces = [
            feature_interface(model.module.cpu(), model.view.size, name=model.name)
            for model in models
        ]
    tasks = []
    for model, interface in zip(models, interfaces, strict=True):
        for augmented in views:
            contents = contents_of(
                model, interface, samples, augmented, precision=precision, stored=stored
            )
            tasks.append(_Task(model, interface, augmented, contents))
    missing = {task.contents.key: task for task in tasks if not _found(task, folder)}
    if missing:
        needed = sum(task.contents.count * task.contents.row_bytes for task in missing.values())
        check_space(folder, needed, WHAT)
        extraction = _Extraction(list(missing.values()), folder, device, precision, batch_size)
        with ShardReader(source, samples, SHARD, workers, extraction.views) as reader:
            if not extraction.run(reader, workers, stop, progress):
                return None
    files = {key: FeatureFile.open(folder, task.contents) for key, task in _by_key(tasks).items()}
    for file in files.values():
        file.verify()
    found = [files[task.contents.key] for task in tasks]
    return [found[start : start + len(views)] for start in range(0, len(found), len(views))]


@dataclass(frozen=True, eq=False)
class _Task:
    """One file: a model and a view."""

    model: LoadedModel
    interface: FeatureInterface
    augmented: AugmentedView | None
    contents: FeatureContents


def _by_key(tasks: Sequence[_Task]) -> dict[str, _Task]:
    return {task.contents.key: task for task in tasks}


def _found(task: _Task, folder: Path) -> bool:
    """Tell whether a file is there; refuse one that is not what its name says."""
    try:
        FeatureFile.open(folder, task.contents)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


class _Extraction:
    """The passes over the shards for the files that are missing."""

    def __init__(
        self,
        tasks: list[_Task],
        folder: Path,
        device: torch.device,
        precision: str,
        batch_size: int,
    ) -> None:
        self.tasks, self.folder, self.device, self.precision = tasks, folder, device, precision
        self.views = tuple({task.model.view: None for task in tasks if task.augmented is None})
        self.forward: dict[int, DeviceModel] = {}
        self.augmentations: dict[str, Augmentation] = {}
        for task in tasks:
            if id(task.model) not in self.forward:
                measured = _measured(task)
                self.forward[id(task.model)] = DeviceModel(measured, device, precision, batch_size)
            if task.augmented is not None:
                spec = task.augmented.spec
                self.augmentations.setdefault(spec.name, build(spec))

    def run(
        self,
        reader: ShardReader,
        workers: int,
        stop: Callable[[], bool],
        progress: Callable[[int], object],
    ) -> bool:
        """Go through the shards; False when stopped."""
        with ExitStack() as stack:
            pool = stack.enter_context(ThreadPoolExecutor(workers)) if workers > 1 else None
            writers = [
                stack.enter_context(FeatureWriter(self.folder, task.contents, SHARD))
                for task in self.tasks
            ]
            for number in range(min(writer.done for writer in writers), writers[0].shards):
                if stop():
                    return False
                shard = self._read(reader, number, writers[0].shards)
                waiting = [
                    (task, writer)
                    for task, writer in zip(self.tasks, writers, strict=True)
                    if writer.done == number
                ]
                self._compute(shard, reader, waiting, pool, progress)
            for writer in writers:
                writer.finish()
        return True

    def _read(self, reader: ShardReader, number: int, shards: int) -> Shard:
        reader.prefetch(number)
        # On a CPU both want the same cores, and threads that wait for each other cost more than
        # decoding: there a shard is decoded by all workers, then computed by all threads.
        if number + 1 < shards and self.device.type != "cpu":
            reader.prefetch(number + 1)
        try:
            return reader.read(number)
        except OSError as error:
            raise InputError(
                f"an image cannot be read ({error}); expected readable files: what is done is "
                "kept, run the same command again"
            ) from error

    def _compute(
        self,
        shard: Shard,
        reader: ShardReader,
        waiting: Sequence[tuple[_Task, FeatureWriter]],
        pool: ThreadPoolExecutor | None,
        progress: Callable[[int], object],
    ) -> None:
        """Compute a shard for each file that lacks it."""
        place = {int(reader.samples.sample[row]): row for row in reader.positions(shard.number)}
        skips = {place[sample]: problem for sample, problem in shard.skips.items()}
        batches: dict[int, Batches] = {}
        for task, writer in waiting:
            if not shard.images:
                writer.add(np.empty((0, task.interface.dim), np.float32), skips)
                continue
            seed = task.augmented.seed if task.augmented is not None else 0
            if seed not in batches:
                batches[seed] = Batches(shard, self.device, seed, pool)
            features, exact = self._features(task, batches[seed], shard.number)
            _check_numbers(task, features, shard)
            writer.add(features, skips, exact)
            progress(len(shard.images))

    def _features(
        self, task: _Task, batches: Batches, number: int
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32] | None]:
        images = self._images(task, batches)
        forward = self.forward[id(task.model)]
        try:
            features = forward.logits(images).cpu().numpy()
            if number % MEASURED_SHARDS:
                return features, None
            if self.precision == "fp32":
                return features, features[:MEASURED_ROWS]
            return features, forward.logits(images[:MEASURED_ROWS], exact=True).cpu().numpy()
        except torch.OutOfMemoryError as error:
            raise InputError(
                f"backbone {task.model.name!r} does not fit the memory of {self.device} with a "
                "single image; expected a smaller one, or --device cpu"
            ) from error

    def _images(self, task: _Task, batches: Batches) -> Tensor:
        if task.augmented is None:
            return batches.floats(task.model.view)
        augmentation = self.augmentations[task.augmented.spec.name]
        return batches.augmented(
            task.model.view, augmentation, task.augmented.value, task.augmented.draw
        )


def _measured(task: _Task) -> MeasuredModel:
    """Let the feature be what the forward pass calls outputs."""
    model, dim = task.model, task.interface.dim
    return MeasuredModel(
        name=model.name,
        id=model.weights_hash,
        outputs=np.arange(dim),
        permitted=np.ones(dim, dtype=bool),
        module=task.interface.module,
        view=model.view,
        mean=model.mean,
        std=model.std,
    )


def _check_numbers(task: _Task, features: npt.NDArray[np.float32], shard: Shard) -> None:
    most = np.abs(features).max(axis=1)
    for row in np.flatnonzero(~np.isfinite(most))[:1]:
        raise InputError(
            f"backbone {task.model.name!r} gives features that are no numbers for "
            f"{shard.samples.name[row]}; expected finite ones: check its weights"
            + (", or compute with --precision fp32" if task.contents.precision != "fp32" else "")
        )
    if task.contents.stored == "float16" and float(most.max()) > LARGEST:
        raise InputError(
            f"backbone {task.model.name!r} gives features up to {float(most.max()):.3g}; expected "
            f"at most {LARGEST:g}, which float16 holds: store them as float32 (--store float32)"
        )
