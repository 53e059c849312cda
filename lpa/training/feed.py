"""What one training sees: the batches of each epoch, regularized, and its held-out images.

Every random number is a function of the training's seed, the sample and the epoch, and is drawn
once an epoch for all samples; a batch takes its rows. So nothing depends on where a training was
interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lpa.augmentations.randomness import uniforms
from lpa.plans.recipe import Recipe
from lpa.training.batch import Batch
from lpa.training.images import TrainingImages
from lpa.training.policies.policy import Policy
from lpa.training.regularizers.regularizer import Floats, Parameters, Regularizer

__all__ = ["Active", "Feed"]

Rows = npt.NDArray[np.int64]
_PLACES = ("recipe", "geometry", "pixels", "targets")


@dataclass(frozen=True)
class Active:
    """A regularizer at a value other than its reference.

    Attributes
    ----------
    regularizer : Regularizer
    value : float
    swept : bool
        Whether it is the sweep's own axis, whose values policies move; others are held fixed.
    """

    regularizer: Regularizer
    value: float
    swept: bool


@dataclass
class _Drawn:
    """One regularizer's parameters of an epoch, for all images of a part."""

    active: Active
    values: Floats
    params: Parameters

    def at(self, rows: Rows) -> tuple[Parameters, Floats]:
        return {name: array[rows] for name, array in self.params.items()}, self.values[rows]


class Feed:
    """The batches of one training.

    Parameters
    ----------
    images : TrainingImages
        What is trained on.
    held_out : TrainingImages or None
        What is never trained on, for the best epoch and for policies that measure.
    recipe : Recipe
        Batch size and flips.
    active : sequence of Active
        The regularizers that are not at their reference.
    policy : Policy
    classes : int
        Number of the run's classes.
    seed : int
        The training's own seed.
    share : (int, int)
        Number of this process and of all that share each batch: it gives every n-th row.
    """

    def __init__(
        self,
        images: TrainingImages,
        held_out: TrainingImages | None,
        recipe: Recipe,
        active: Sequence[Active],
        policy: Policy,
        classes: int,
        seed: int,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self.images, self.held_out = images, held_out
        self.recipe, self.policy, self.classes, self.seed = recipe, policy, classes, seed
        self.share = share
        self.active = sorted(
            (entry for entry in active if entry.regularizer.place != "recipe"),
            key=lambda entry: _PLACES.index(entry.regularizer.place),
        )
        self.batch_size = min(recipe.batch_size, len(images))
        self._labels = torch.from_numpy(images.labels).to(images.device)
        self._drawn: list[_Drawn] = []
        self._order: Rows = np.empty(0, dtype=np.int64)
        self._flipped: npt.NDArray[np.bool_] | None = None
        self._epoch = 0

    @property
    def updates(self) -> int:
        """Updates per epoch; a remainder that fills no batch waits for another epoch's order."""
        return len(self.images) // self.batch_size

    def begin(self, epoch: int) -> None:
        """Draw the order and all parameters of an epoch."""
        self._epoch = epoch
        keys = self.images.keys
        places = uniforms(keys, "training order", 1, self.seed, epoch)[:, 0]
        self._order = np.argsort(places, kind="stable")
        self._flipped = None
        if self.recipe.flip:
            self._flipped = uniforms(keys, "flip", 1, self.seed, epoch)[:, 0] < self.recipe.flip
        self._drawn = [self._draw(self.images, entry) for entry in self.active]

    def _draw(self, images: TrainingImages, entry: Active, values: Floats | None = None) -> _Drawn:
        axis = entry.regularizer.axis
        if values is None:
            values = np.full(len(images), entry.value)
            if entry.swept:
                values = self.policy.values(images.labels, entry.value, axis)
        drawn = entry.regularizer.draw(images.keys, values, seed=self.seed, epoch=self._epoch)
        return _Drawn(entry, values, drawn)

    def batch(self, index: int) -> Batch:
        """Return a batch of the present epoch, regularized, its images in [0, 1].

        Parameters
        ----------
        index : int
            From 0 to :attr:`updates` - 1.
        """
        rows = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        rows = rows[self.share[0] :: self.share[1]]
        pixels = _shown(self.images, rows, self._drawn)
        if self._flipped is not None:
            turned = torch.from_numpy(self._flipped[rows]).to(pixels.device)
            pixels = torch.where(turned[:, None, None, None], pixels.flip(-1), pixels)
        where = torch.from_numpy(rows).to(self._labels.device)
        batch = Batch(rows, pixels.to(torch.float32).div_(255), self._labels[where])
        batch = self._applied(batch, rows, self._drawn, "pixels")
        batch = self.policy.targets(batch, self._strengths(rows), self.classes)
        return self._applied(batch, rows, self._drawn, "targets")

    def _applied(self, batch: Batch, rows: Rows, drawn: Sequence[_Drawn], place: str) -> Batch:
        for entry in drawn:
            if entry.active.regularizer.place == place:
                params, values = entry.at(rows)
                batch = entry.active.regularizer.apply(batch, params, values, self.classes)
        return batch

    def _strengths(self, rows: Rows) -> Floats | None:
        """Return what each sample really got of the swept regularizer."""
        for entry in self._drawn:
            if entry.active.swept:
                params, values = entry.at(rows)
                return entry.active.regularizer.realised(params, values)
        return None

    def held_out_images(self, rows: Rows, values: Floats | None) -> Tensor:
        """Return held-out images as float32 [B, 3, height, width] in [0, 1], without flips.

        Parameters
        ----------
        rows : array of int64, shape [B]
            Positions in :attr:`held_out`.
        values : array of float64, shape [held-out images], or None
            Values of the swept regularizer to show them at; None: the plain view.
        """
        assert self.held_out is not None
        drawn = []
        if values is not None:
            swept = [entry for entry in self.active if entry.swept]
            drawn = [self._draw(self.held_out, entry, values) for entry in swept]
        pixels = _shown(self.held_out, rows, drawn).to(torch.float32).div_(255)
        labels = torch.from_numpy(self.held_out.labels[rows]).to(pixels.device)
        return self._applied(Batch(rows, pixels, labels), rows, drawn, "pixels").images


def _shown(images: TrainingImages, rows: Rows, drawn: Sequence[_Drawn]) -> Tensor:
    """Return views or crops, uint8 [B, 3, height, width]."""
    for entry in drawn:
        if entry.active.regularizer.place == "geometry":
            params, _ = entry.at(rows)
            boxes = entry.active.regularizer.boxes(
                params, images.view_boxes[rows], images.sizes[rows]
            )
            return images.crops(rows, boxes)
    return images.views(rows)
