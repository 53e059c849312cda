"""Decode the images of a part and hold them ready: on the device, in memory, or in a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from lpa.datasets.decode import Undecodable, decode
from lpa.datasets.source import Source
from lpa.errors import InputError
from lpa.outcomes import Samples
from lpa.training.decoding import Pixels, decoded, reduced_size, shows_all
from lpa.training.image_memory import Ragged, Stack, free_memory, stacked
from lpa.training.images import TrainingImages
from lpa.training.pixel_cache import (
    Contents,
    PixelFile,
    PixelWriter,
    check_space,
    default_folder,
)
from lpa.user_paths import user_path
from lpa.views import View

__all__ = ["MEMORY_SHARE", "LoadedImages", "load_images"]

MEMORY_SHARE = 0.4
"""Share of the free memory that images may take; putting them together takes as much again."""

PROBES = 32
"""Images by whose sizes the memory for all is estimated."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LoadedImages:
    """What :func:`load_images` returns.

    Attributes
    ----------
    images : TrainingImages
        Those that can be decoded.
    positions : array of int64, shape [images]
        Row of each in the table of samples that was asked for.
    skips : dict of int to str
        Sample -> reason why its bytes cannot be decoded.
    """

    images: TrainingImages
    positions: Integers
    skips: dict[int, str]


def load_images(
    source: Source,
    samples: Samples,
    view: View,
    *,
    device: torch.device | str = "cpu",
    originals: bool = True,
    cache: str | os.PathLike[str] | None = None,
    workers: int = 4,
    progress: Callable[[int], object] | None = None,
) -> LoadedImages:
    """Decode images once and hold them ready.

    They are held on the device where they take at most :data:`MEMORY_SHARE` of its free memory,
    else in the computer's memory by the same rule, else in memory-mapped files
    (:mod:`lpa.training.pixel_cache`), which later calls find again.

    Parameters
    ----------
    source : Source
        Reads ``samples.sample``.
    samples : Samples
        Which images.
    view : View
        The model's evaluation view.
    device : torch.device or str
        Where batches shall be made.
    originals : bool
        Whether :meth:`TrainingImages.crops` will be asked for; otherwise only views are kept.
    cache : path or None
        Folder of the files. None: :func:`lpa.training.pixel_cache.default_folder`, and no files
        where memory suffices; where a folder is given they are made in any case.
    workers : int
        Threads that decode, and that resize where Pillow does it.
    progress : callable or None
        Called with the number of images done since the last call.

    Raises
    ------
    InputError
        Where a file cannot be read or has changed, no image can be decoded, or the cache is of
        other data, damaged, or without room.
    """
    device = torch.device(device)
    needed = _needed(source, samples, view, originals)
    fits, fits_here = (
        sum(needed.values()) <= MEMORY_SHARE * free_memory(place)
        for place in (device, torch.device("cpu"))
    )
    held: Literal["device", "memory", "file"]
    if cache is None and fits_here:
        made = _in_memory(source, samples, view, originals, device, workers, progress)
        held = "device" if fits else "memory"
    else:
        folder = default_folder() if cache is None else user_path(cache)
        task = _Files(source, samples, view, folder, needed)
        made = task.made(device, workers, progress)
        held = "device" if fits else "file"
    if held == "device":
        made = made.moved()
    boxes, sizes = stored_geometry(view, made.full)
    images = TrainingImages(
        samples=samples.take(made.positions),
        view=view,
        view_boxes=boxes,
        sizes=sizes,
        device=device,
        held=held,
        _views=made.views,
        _originals=made.originals,
        _places=np.arange(len(made.positions)),
        _pool=ThreadPoolExecutor(workers) if workers > 1 else None,
    )
    skips = {int(samples.sample[row]): problem for row, problem in made.skips.items()}
    return LoadedImages(images, made.positions, skips)


@dataclass(frozen=True, eq=False)
class _Made:
    """Decoded images: row in the table of samples and full size of each, and their pixels."""

    positions: Integers
    full: Integers
    skips: dict[int, str]
    views: Stack
    originals: Stack | Ragged | None

    def moved(self) -> _Made:
        """Return the same, held on the device; views that are originals too are moved once."""
        views = self.views.moved()
        originals = self.originals
        if originals is not None:
            originals = views if originals is self.views else originals.moved()
        return _Made(self.positions, self.full, self.skips, views, originals)


def _needed(source: Source, samples: Samples, view: View, originals: bool) -> dict[str, int]:
    """Return about how many bytes views and originals take; originals by a few of them."""
    needed = {"views": len(samples) * 3 * view.size[0] * view.size[1]}
    if not originals:
        return needed
    sizes: list[tuple[int, int]] = []
    for row in np.unique(np.linspace(0, len(samples) - 1, PROBES).astype(int)):
        try:
            sizes.append(decode(source.read(int(samples.sample[row]))).size)
        except (Undecodable, OSError):  # whatever is wrong is said when all are read
            continue
    stored = [np.prod(reduced_size(*size)) for size in sizes if not shows_all(view, *size)]
    if stored:
        needed["originals"] = int(3.3 * float(np.sum(stored)) / len(sizes) * len(samples))
    else:
        needed["originals"] = 0
    return needed


def _in_memory(
    source: Source,
    samples: Samples,
    view: View,
    originals: bool,
    device: torch.device,
    workers: int,
    progress: Callable[[int], object] | None,
) -> _Made:
    """Decode into the computer's memory."""
    positions: list[int] = []
    full: list[tuple[int, int]] = []
    views: list[Pixels] = []
    stored: list[Pixels] = []
    skips: dict[int, str] = {}
    for image in decoded(source, samples, view, originals=originals, workers=workers):
        if image.view is None:
            skips[image.position] = image.problem
        else:
            positions.append(image.position)
            full.append(image.size)
            views.append(image.view)
            if image.pixels is not None:
                stored.append(image.pixels)
        if progress is not None:
            progress(1)
    if not positions:
        raise _nothing_decoded(source, samples, skips)
    whole = stacked(views, device)
    sizes = np.array(full, dtype=np.int64)
    kept: Stack | Ragged | None = None
    if stored:
        kept = whole if _all_shown(view, sizes) else _kept(stored, device)
    return _Made(np.array(positions, dtype=np.int64), sizes, skips, whole, kept)


def _kept(pixels: list[Pixels], device: torch.device) -> Stack | Ragged:
    """Put originals into one array."""
    if len({image.shape for image in pixels}) == 1:
        return stacked(pixels, device)
    counts = np.array([image.size for image in pixels], dtype=np.int64)
    return Ragged(
        levels=np.concatenate([image.ravel() for image in pixels]),
        starts=np.cumsum(counts) - counts,
        sizes=np.array([image.shape[1::-1] for image in pixels], dtype=np.int64),
        device=device,
    )


def _all_shown(view: View, full: Integers) -> bool:
    """Tell whether the views of images of the sizes [N, 2] are the images themselves."""
    return all(shows_all(view, *size) for size in np.unique(full, axis=0).tolist())


@dataclass(frozen=True, eq=False)
class _Files:
    """The files of some images: those that are there, and those to be made."""

    source: Source
    samples: Samples
    view: View
    folder: Path
    needed: dict[str, int]

    def contents(self, kind: str) -> Contents:
        if kind == "views":
            return Contents.views(self.samples, self.view)
        return Contents.originals(self.samples)

    def made(
        self, device: torch.device, workers: int, progress: Callable[[int], object] | None
    ) -> _Made:
        """Open the files, after making those that are missing."""
        missing = [
            kind for kind in self.needed if not self.contents(kind).path(self.folder).exists()
        ]
        if missing:
            check_space(self.folder, sum(self.needed[kind] for kind in missing))
            self._write(missing, workers, progress)
        files = {kind: PixelFile.open(self.folder, self.contents(kind)) for kind in self.needed}
        views = files["views"]
        shown = views.images(device)
        assert isinstance(shown, Stack)
        originals = files["originals"].images(device) if "originals" in files else None
        if originals is not None and _all_shown(self.view, views.full_sizes):
            originals = shown
        return _Made(views.column("position"), views.full_sizes, views.skips, shown, originals)

    def _write(
        self, missing: list[str], workers: int, progress: Callable[[int], object] | None
    ) -> None:
        """Decode every image once, for all files that are missing."""
        with ExitStack() as stack:
            writers = {
                kind: stack.enter_context(PixelWriter(self.folder, self.contents(kind)))
                for kind in missing
            }
            for image in decoded(
                self.source,
                self.samples,
                self.view,
                originals="originals" in missing,
                views="views" in missing,
                workers=workers,
            ):
                for kind, writer in writers.items():
                    pixels = image.view if kind == "views" else image.pixels
                    if pixels is None:
                        writer.skip(image.position, image.problem)
                    else:
                        writer.add(image.position, image.size, pixels)
                if progress is not None:
                    progress(1)
            for writer in writers.values():
                if not writer.rows:
                    raise _nothing_decoded(self.source, self.samples, writer.skips)
                writer.finish()


def stored_geometry(view: View, full: Integers) -> tuple[Floats, Integers]:
    """Return view boxes [N, 4] and sizes [N, 2] of what is stored of images of the sizes [N, 2].

    The box is the view in the image itself, scaled as the image is reduced.
    """
    unique, where = np.unique(full, axis=0, return_inverse=True)
    stored = np.array([reduced_size(*size) for size in unique.tolist()], dtype=np.int64)
    boxes = np.array([view.box(*size) for size in unique.tolist()], dtype=np.float64)
    # 1 exactly where nothing was reduced.
    scale = stored / unique
    boxes = np.minimum(boxes * np.tile(scale, 2), np.tile(stored, 2))
    where = where.ravel()
    return boxes[where], stored[where]


def _nothing_decoded(source: Source, samples: Samples, skips: dict[int, str]) -> InputError:
    """Make the error for a part without a single image."""
    first = min(skips)
    return InputError(
        f"none of {len(skips)} images of {source.name} can be decoded ({samples.name[first]}: "
        f"{skips[first]}); expected image files: check the path"
    )
