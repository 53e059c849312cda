"""Regularizers that are an augmentation of the scan, applied to the pixels of a batch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch

from lpa.augmentations import build, spec_of
from lpa.axes import Axis
from lpa.training.batch import Batch
from lpa.training.regularizers.regularizer import Floats, Parameters, Regularizer

__all__ = ["ScannedPixels"]


class ScannedPixels(Regularizer):
    """The scan's own module, each image at its value; a subclass names it in ``scanned``."""

    place = "pixels"

    def __init__(self, axis: Axis, options: Mapping[str, str] | None = None) -> None:
        super().__init__(axis, options)
        written = ",".join(f"{name}={value}" for name, value in self.options.items())
        self._module = build(spec_of(f"{self.scanned}({written})"))

    def draw(
        self, keys: npt.NDArray[np.uint64], values: Floats, *, seed: int, epoch: int
    ) -> Parameters:
        """Draw what the scan draws at these strengths, the epoch being the draw."""
        # Not every augmentation takes a strength for each sample; those that are named here do.
        drawn = self._module.draw(keys, values, seed=seed, draw=epoch)  # type: ignore[arg-type]
        return {name: parameter.numpy() for name, parameter in drawn.items()}

    def apply(self, batch: Batch, params: Parameters, values: Floats, classes: int) -> Batch:
        """Change the images whose value is not the reference."""
        rows = np.flatnonzero(values != self.axis.reference)
        if not len(rows):
            return batch
        given = {name: torch.from_numpy(parameter[rows]) for name, parameter in params.items()}
        if len(rows) == len(values):
            batch.images = self._module(batch.images, params=given)
        else:
            where = torch.from_numpy(rows).to(batch.images.device)
            batch.images[where] = self._module(batch.images[where], params=given)
        return batch
