"""Streams: samples -> decoded images -> views -> augmented batches.

An image is read and decoded once per shard, ahead of the computing; then every augmentation, value
and draw is made from it, once per distinct view.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from lpa.augmentations.augmentation import Augmentation
from lpa.augmentations.resample import crop_resize
from lpa.datasets.decode import Undecodable, decode
from lpa.datasets.selection import sample_key
from lpa.errors import InputError
from lpa.outcomes import Samples
from lpa.views import View

__all__ = ["Batches", "Shard", "ShardReader"]

Pixels = npt.NDArray[np.uint8]
_Loaded = tuple[Image.Image, list[Pixels]]


class Readable(Protocol):
    """What the reader needs of a data source."""

    def read(self, index: int) -> bytes | npt.NDArray[np.uint8]:
        """Return an item's encoded bytes, or its pixels."""


@dataclass(frozen=True)
class Shard:
    """Decoded samples of one shard.

    Attributes
    ----------
    number : int
        The shard's number.
    samples : Samples
        The samples that could be decoded, in the order of :attr:`images`.
    images : list of PIL.Image.Image
        RGB, original size.
    views : dict of View to array
        Views at the identity that were made ahead: uint8 [images, height, width, 3].
    skips : dict of int to str
        Sample -> reason why its bytes cannot be decoded.
    """

    number: int
    samples: Samples
    images: list[Image.Image]
    skips: dict[int, str]
    views: dict[View, Pixels] = field(default_factory=dict)


class ShardReader:
    """Reads and decodes shards in threads, the next while the present one is being measured.

    Parameters
    ----------
    source : Readable
        The data source; thread-safe.
    samples : Samples
        The run's declared samples.
    shard_size : int
        Consecutive samples per shard.
    workers : int
        Threads; decoding releases the interpreter lock.
    views : sequence of View
        Views of the models, made in the same threads, so that no GPU waits for them.
    """

    def __init__(
        self,
        source: Readable,
        samples: Samples,
        shard_size: int,
        workers: int,
        views: Sequence[View] = (),
    ) -> None:
        self.source = source
        self.samples = samples
        self.shard_size = shard_size
        self.views = tuple(dict.fromkeys(views))
        self.pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
        self._ahead: dict[int, list[Future[_Loaded | Undecodable]]] = {}

    def __enter__(self) -> ShardReader:
        """Return the reader."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the threads; what was read ahead is dropped."""
        self.pool.shutdown(wait=True, cancel_futures=True)

    def positions(self, number: int) -> range:
        """Return the positions in the declared samples that a shard covers."""
        start = number * self.shard_size
        return range(start, min(start + self.shard_size, len(self.samples)))

    def prefetch(self, number: int) -> None:
        """Start reading a shard in the background."""
        if number not in self._ahead:
            self._ahead[number] = [
                self.pool.submit(self._load, position) for position in self.positions(number)
            ]

    def read(self, number: int) -> Shard:
        """Return a shard's decoded samples.

        Raises
        ------
        OSError
            When data cannot be read (network, permissions): the unit fails and is tried again.
        InputError
            When a file is not the one that the run began with.
        """
        self.prefetch(number)
        futures = self._ahead.pop(number)
        images: list[Image.Image] = []
        rendered: list[list[Pixels]] = []
        kept: list[int] = []
        skips: dict[int, str] = {}
        for position, future in zip(self.positions(number), futures, strict=True):
            loaded = future.result()
            if isinstance(loaded, Undecodable):
                skips[int(self.samples.sample[position])] = str(loaded)
            else:
                images.append(loaded[0])
                rendered.append(loaded[1])
                kept.append(position)
        views = {
            view: np.stack([pixels[index] for pixels in rendered])
            for index, view in enumerate(self.views)
            if images
        }
        taken = self.samples.take(np.array(kept, dtype=np.int64))
        return Shard(number, taken, images, skips, views)

    def _load(self, position: int) -> _Loaded | Undecodable:
        raw = self.source.read(int(self.samples.sample[position]))
        if sample_key(raw) != int(self.samples.key[position]):
            raise InputError(
                f"{self.samples.name[position]} has changed since the run began; expected the "
                "same bytes: restore the file, or start a new run with --out DIR"
            )
        try:
            image = decode(raw)
        except Undecodable as reason:
            return reason
        return image, [view.render(image) for view in self.views]


class Batches:
    """Batches of one shard on one device.

    Parameters
    ----------
    shard : Shard
        Decoded samples; at least one.
    device : torch.device
        Where batches are made and left.
    seed : int
        The run's seed.
    pool : ThreadPoolExecutor or None
        Threads for the resizing on a CPU.
    """

    def __init__(
        self, shard: Shard, device: torch.device, seed: int, pool: ThreadPoolExecutor | None = None
    ) -> None:
        self.shard = shard
        self.device = device
        self.seed = seed
        self.pool = pool
        self._views: dict[View, Tensor] = {}
        self._originals: Sequence[Any] | None = None

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.shard.images)

    def identity(self, view: View) -> Tensor:
        """Return the views at the identity: uint8 [B, 3, height, width], channels last.

        The pixels are those of the model's own evaluation transform, bit for bit.
        """
        if view not in self._views:
            rendered = self.shard.views.get(view)
            if rendered is None:
                rendered = np.stack([view.render(image) for image in self.shard.images])
            pixels = torch.from_numpy(rendered).to(self.device, non_blocking=True)
            self._views[view] = pixels.permute(0, 3, 1, 2)
        return self._views[view]

    def floats(self, view: View, rows: Tensor | None = None) -> Tensor:
        """Return the views at the identity as float32 in [0, 1]."""
        pixels = self.identity(view)
        return (pixels if rows is None else pixels[rows]).to(torch.float32).div_(255)

    def augmented(
        self,
        view: View,
        augmentation: Augmentation,
        value: float,
        draw: int,
        rows: npt.NDArray[np.int64] | None = None,
    ) -> Tensor:
        """Return the batch at one strength in one draw.

        Parameters
        ----------
        view : View
            The model's view.
        augmentation : Augmentation
            What is applied.
        value : float
            Its strength.
        draw : int
            Number of the random draw.
        rows : array of int64, optional
            Only these images of the shard, in this order; default: all.

        Returns
        -------
        Tensor
            float32 [B or len(rows), 3, height, width] in [0, 1] on the device. An image's pixels
            do not depend on which others are in the batch.
        """
        chosen = np.arange(len(self)) if rows is None else rows
        keys = self.shard.samples.key[chosen]
        params = augmentation.draw(keys, value, seed=self.seed, draw=draw, size=view.size)
        if augmentation.reads == "image":
            boxes = augmentation.boxes(params, self._view_boxes(view)[chosen])  # type: ignore[operator]
            originals = self._device_originals()
            pixels = crop_resize(
                [originals[index] for index in chosen],
                boxes,
                view.size,
                view.interpolation,
                self.device,
                pool=self.pool,
            )
            return pixels.to(torch.float32).div_(255)
        index = None if rows is None else torch.from_numpy(rows).to(self.device)
        with torch.inference_mode():
            changed: Tensor = augmentation(self.floats(view, index), params=params)
        return changed

    def _view_boxes(self, view: View) -> npt.NDArray[np.float64]:
        return np.array([view.box(*image.size) for image in self.shard.images], dtype=np.float64)

    def _device_originals(self) -> Sequence[Any]:
        """Return what the resize reads: PIL images on a CPU, uint8 tensors [3, H, W] elsewhere."""
        if self._originals is None:
            if self.device.type == "cpu":
                self._originals = self.shard.images
            else:
                self._originals = [
                    torch.from_numpy(np.array(image))
                    .to(self.device, non_blocking=True)
                    .permute(2, 0, 1)
                    for image in self.shard.images
                ]
        return self._originals
