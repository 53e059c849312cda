"""The images of a sweep, loaded for a device when there is something to train."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from lpa.datasets import Source
from lpa.experiments.progress import Progress
from lpa.experiments.sweep_worker import DeviceData
from lpa.outcomes import Samples
from lpa.training.image_loading import LoadedImages, load_images
from lpa.training.splits import Parts
from lpa.views import View

__all__ = ["SweepData"]

FEW = 2_000
"""So many images load without a line about it."""


@dataclass(frozen=True)
class SweepData:
    """What is loaded, and how.

    Attributes
    ----------
    parts : Parts
        Sources of the images to train on and to evaluate.
    train : Samples
        Without what is held out.
    held_out : Samples or None
    view : View
        The model's.
    cropped : bool
        Whether some training crops its images, so that the originals are needed.
    workers : int
        Threads that decode.
    cache : path or None
        Folder of the cache of decoded images; None: the user's cache folder.
    progress : bool
    """

    parts: Parts
    train: Samples
    held_out: Samples | None
    view: View
    cropped: bool
    workers: int
    cache: str | os.PathLike[str] | None
    progress: bool

    def __call__(self, device: torch.device) -> tuple[DeviceData, dict[int, str]]:
        """Load the images for a device.

        Returns
        -------
        DeviceData
        dict of int to str
            Evaluated samples that cannot be decoded, and why.

        Raises
        ------
        InputError
            Where a file cannot be read or has changed.
        """
        train = self._load(self.parts.train.source, self.train, device, self.cropped)
        held_out = None
        if self.held_out is not None:
            source = self.parts.train.source
            held_out = self._load(source, self.held_out, device, self.cropped).images
        test = self._load(self.parts.test.source, self.parts.test.samples, device, False)
        return DeviceData(train.images, held_out, test.images), test.skips

    def _load(
        self, source: Source, samples: Samples, device: torch.device, originals: bool
    ) -> LoadedImages:
        shown = self.progress and len(samples) > FEW
        with Progress(len(samples), "images", "decoding", shown) as counter:
            return load_images(
                source,
                samples,
                self.view,
                device=device,
                originals=originals,
                workers=self.workers,
                progress=counter.tick,
            )
