"""The contract of a regularizer: a value on its axis -> what is different in training.

A regularizer acts in one of four places and leaves the others as they are:

``recipe``    :meth:`Regularizer.configure` changes the recipe (weight decay, dropout);
``geometry``  :meth:`Regularizer.boxes` says which part of each image is shown (random crop);
``pixels``    :meth:`Regularizer.apply` changes the images of a batch (colour jitter, cutout);
``targets``   :meth:`Regularizer.apply` changes images and targets (label smoothing, mixup, cutmix).

They are applied in this order. :meth:`Regularizer.configure` is called at every value, because the
recipe's own default need not be the reference (a sweep over weight decay trains its reference
without any); of the others nothing is called at the reference value, so that it changes nothing,
bit for bit. Where a policy gives some samples of a batch the reference, these are left as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from lpa.axes import Axis
from lpa.plans.recipe import Recipe
from lpa.training.batch import Batch

__all__ = ["Floats", "Parameters", "Regularizer"]

Floats = npt.NDArray[np.float64]
Parameters = dict[str, npt.NDArray[Any]]
"""Parameters of many samples: arrays of shape [N, ...], one row a sample."""


class Regularizer:
    """One regularizer with its options.

    Parameters
    ----------
    axis : Axis
        The axis under its canonical name, options included.
    options : mapping of str to str
        Canonical texts of the options that were given.

    Attributes
    ----------
    place : {"recipe", "geometry", "pixels", "targets"}
        Where it acts; see the module.
    revision : int
        Raised by hand whenever the same value would train otherwise than before.
    scanned : str or None
        The augmentation (a family of ``lpa scan``) whose strength :meth:`realised` speaks of.
    """

    place: ClassVar[Literal["recipe", "geometry", "pixels", "targets"]]
    revision: ClassVar[int] = 1
    scanned: str | None = None

    def __init__(self, axis: Axis, options: Mapping[str, str] | None = None) -> None:
        self.axis = axis
        self.options = dict(options or {})

    @classmethod
    def build(cls, axis: Axis, options: Mapping[str, str]) -> Self:
        """Make the regularizer of a spec (:mod:`lpa.training.regularizers`)."""
        return cls(axis, options)

    def configure(self, recipe: Recipe, value: float) -> Recipe:
        """Return the recipe at a value of the axis."""
        return recipe

    def draw(
        self, keys: npt.NDArray[np.uint64], values: Floats, *, seed: int, epoch: int
    ) -> Parameters:
        """Draw the parameters of all training images for one epoch.

        Parameters
        ----------
        keys : array of uint64, shape [N]
            The samples' keys.
        values : array of float64, shape [N]
            Each sample's value on the axis (policies give classes values of their own).
        seed : int
            The training's seed.
        epoch : int
            Number of the epoch, from 0.

        Returns
        -------
        dict of str to array of shape [N, ...]
            A row depends on the sample's key and value, on seed and epoch alone.
        """
        return {}

    def realised(self, params: Parameters, values: Floats) -> Floats:
        """Return the strength that each sample really gets, in the unit of ``scanned``; [N]."""
        return values

    def boxes(self, params: Parameters, view_boxes: Floats, sizes: npt.NDArray[np.int64]) -> Floats:
        """Return which part of each image is shown (``geometry`` only).

        Parameters
        ----------
        params : dict
            From :meth:`draw`, some of the rows.
        view_boxes : array of float64, shape [B, 4]
            The view in each image: left, top, right, bottom in pixels.
        sizes : array of int64, shape [B, 2]
            Width and height of each image in pixels.

        Returns
        -------
        array of float64, shape [B, 4]
            Left, top, right, bottom in pixels, inside of the image.
        """
        raise NotImplementedError

    def apply(self, batch: Batch, params: Parameters, values: Floats, classes: int) -> Batch:
        """Change a batch (``pixels`` and ``targets`` only).

        Parameters
        ----------
        batch : Batch
            May be changed in place.
        params : dict
            From :meth:`draw`, the rows of this batch.
        values : array of float64, shape [B]
            Each sample's value on the axis.
        classes : int
            Number of the run's classes.

        Returns
        -------
        Batch
        """
        raise NotImplementedError
