"""The images of a sweep, loaded for a device when there is something to train."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import torch

from lpa.experiments.progress import Progress
from lpa.experiments.sweep_worker import DeviceData
from lpa.outcomes import Samples
from lpa.training.image_loading import LoadedImages, load_images
from lpa.training.splits import Part, Parts
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
        whole = self._load(self.parts.train, device, self.cropped).images
        train, held_out = whole, None
        if self.held_out is not None:
            apart = np.isin(whole.samples.sample, self.held_out.sample)
            train, held_out = whole.take(~apart), whole.take(apart)
        test = self._load(self.parts.test, device, False)
        return DeviceData(train, held_out, test.images), test.skips

    def _load(self, part: Part, device: torch.device, originals: bool) -> LoadedImages:
        shown = self.progress and len(part) > FEW
        with Progress(len(part), "images", "decoding", shown) as counter:
            return load_images(
                part.source,
                part.samples,
                self.view,
                device=device,
                originals=originals,
                cache=self.cache,
                workers=self.workers,
                progress=counter.tick,
            )
