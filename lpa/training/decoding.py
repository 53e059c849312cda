"""Decode the images of a part once: their stored pixels and their views."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from lpa.datasets.decode import Undecodable, decode
from lpa.datasets.selection import sample_key
from lpa.datasets.source import Source
from lpa.errors import InputError
from lpa.outcomes import Samples
from lpa.views import View

__all__ = ["SHORT_SIDE", "Decoded", "Pixels", "decoded", "reduced", "reduced_size", "shows_all"]

SHORT_SIDE = 512
"""Longest short side, in pixels, of what is stored of an image."""

CHUNK = 16
"""Images that a thread decodes before it hands them over."""

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Decoded:
    """One image.

    Attributes
    ----------
    position : int
        Row in the table of samples.
    size : (int, int)
        Width and height of the image, before it was reduced.
    pixels : array of uint8, shape [h, w, 3], or None
        What is stored of the image (:func:`reduced`), where it was asked for.
    view : array of uint8, shape [height, width, 3], or None
        Its view, where it was asked for.
    problem : str
        Why it cannot be decoded; empty where it can.
    """

    position: int
    size: tuple[int, int] = (0, 0)
    pixels: Pixels | None = None
    view: Pixels | None = None
    problem: str = ""


def reduced(image: Image.Image) -> Image.Image:
    """Return an image whose short side is at most :data:`SHORT_SIDE`.

    A larger one is reduced by Pillow's bicubic ``resize`` in one step (``reducing_gap=None``), both
    sides by the same factor, the longer rounded; any other is returned as it is.
    """
    size = reduced_size(*image.size)
    if size == image.size:
        return image
    return image.resize(size, Image.Resampling.BICUBIC, reducing_gap=None)


def reduced_size(width: int, height: int) -> tuple[int, int]:
    """Return width and height of :func:`reduced` for an image of the given size."""
    short = min(width, height)
    if short <= SHORT_SIDE:
        return width, height
    return round(width * SHORT_SIDE / short), round(height * SHORT_SIDE / short)


def shows_all(view: View, width: int, height: int) -> bool:
    """Tell whether a view of an image of that size is what is stored of it, pixel by pixel."""
    size = (width, height)
    own = size == (view.size[1], view.size[0]) == view.resized(width, height)
    return own and reduced_size(width, height) == size


def decoded(
    source: Source,
    samples: Samples,
    view: View,
    *,
    originals: bool = True,
    views: bool = True,
    workers: int = 4,
) -> Iterator[Decoded]:
    """Read and decode images in threads.

    Parameters
    ----------
    source : Source
        Reads ``samples.sample``.
    samples : Samples
        Which images; each must have the bytes that its key tells.
    view : View
        The view to make.
    originals, views : bool
        What is wanted of each image.
    workers : int
        Threads; memory is bounded by a few chunks of images for each.

    Yields
    ------
    Decoded
        In the order of the samples.

    Raises
    ------
    InputError
        Where a file cannot be read, or is another one than when the samples were listed.
    """
    chunks = (
        range(start, min(start + CHUNK, len(samples))) for start in range(0, len(samples), CHUNK)
    )

    def load(chunk: range) -> list[Decoded]:
        return [_load(source, samples, row, view, originals, views) for row in chunk]

    waiting: deque[Future[list[Decoded]]] = deque()
    pool = ThreadPoolExecutor(max(1, workers), thread_name_prefix="decode")
    try:
        for chunk in chunks:
            waiting.append(pool.submit(load, chunk))
            if len(waiting) > 2 * max(1, workers):
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _load(
    source: Source, samples: Samples, row: int, view: View, originals: bool, views: bool
) -> Decoded:
    try:
        raw = source.read(int(samples.sample[row]))
    except OSError as error:
        raise InputError(
            f"{samples.name[row]} of {source.root} cannot be read ({error}); expected a readable "
            "file: check the path and its permissions, then run the same command again"
        ) from error
    if sample_key(raw) != int(samples.key[row]):
        raise InputError(
            f"{samples.name[row]} has changed since the run began; expected the same bytes: "
            "restore the file, or start a new run with --out DIR"
        )
    if isinstance(raw, np.ndarray) and shows_all(view, raw.shape[1], raw.shape[0]):
        # Tens of thousands of small images: three times as fast as by way of Pillow.
        pixels = np.broadcast_to(raw.reshape(*raw.shape[:2], -1), (*raw.shape[:2], 3))
        return Decoded(row, raw.shape[1::-1], pixels if originals else None, pixels)
    try:
        image = decode(raw)
    except Undecodable as reason:
        return Decoded(row, problem=str(reason))
    stored = np.asarray(reduced(image)) if originals else None
    return Decoded(row, image.size, stored, view.render(image) if views else None)
