"""Decode the images of a part and hold them ready: on the device, in memory, or in a file."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from lpa.datasets.source import Source
from lpa.errors import InputError
from lpa.outcomes import Samples
from lpa.training.decoding import Decoded, Pixels, decoded, reduced_size, shows_all
from lpa.training.image_memory import Ragged, Stack, stacked
from lpa.training.images import TrainingImages
from lpa.views import View

__all__ = ["LoadedImages", "load_images"]

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
    workers: int = 4,
    progress: Callable[[int], object] | None = None,
) -> LoadedImages:
    """Decode images once and hold them ready.

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
    workers : int
        Threads that decode, and that resize where Pillow does it.
    progress : callable or None
        Called with the number of images done since the last call.

    Raises
    ------
    InputError
        Where a file cannot be read or has changed, or no image can be decoded.
    """
    device = torch.device(device)
    found: list[Decoded] = []
    skips: dict[int, str] = {}
    for image in decoded(source, samples, view, originals=originals, workers=workers):
        if image.problem:
            skips[int(samples.sample[image.position])] = image.problem
        else:
            found.append(image)
        if progress is not None:
            progress(1)
    if not found:
        raise nothing_decoded(source, skips)
    positions = np.array([image.position for image in found], dtype=np.int64)
    full = np.array([image.size for image in found], dtype=np.int64)
    views = stacked([image.view for image in found if image.view is not None], device).moved()
    kept: Stack | Ragged | None = None
    if originals:
        whole = all(shows_all(view, *size) for size in np.unique(full, axis=0).tolist())
        pixels = [image.pixels for image in found if image.pixels is not None]
        kept = views if whole else _kept(pixels, device).moved()
    boxes, sizes = stored_geometry(view, full)
    images = TrainingImages(
        samples=samples.take(positions),
        view=view,
        view_boxes=boxes,
        sizes=sizes,
        device=device,
        held="device",
        _views=views,
        _originals=kept,
        _places=np.arange(len(found)),
        _pool=ThreadPoolExecutor(workers) if workers > 1 else None,
    )
    return LoadedImages(images, positions, skips)


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


def nothing_decoded(source: Source, skips: dict[int, str]) -> InputError:
    """Make the error for a part without a single image."""
    first = min(skips)
    return InputError(
        f"none of {len(skips)} images of {source.name} can be decoded ({source.names[first]}: "
        f"{skips[first]}); expected image files: check the path"
    )
