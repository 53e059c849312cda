"""Seeded random halves of images and of training runs: one to choose on, one to score on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["ImageHalves", "image_halves", "run_halves"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ImageHalves:
    """Halves of each class's images.

    Attributes
    ----------
    labels : array of int64, shape [classes]
        The classes that have enough images.
    images : list of arrays of int64, shape [images of the class]
        Where the images of each class are.
    chosen : list of arrays of bool, shape [times, images of the class]
        Whether an image is in the half to choose on; n // 2 of them are.
    left_out : int
        Classes with too few images.
    """

    labels: npt.NDArray[np.int64]
    images: list[npt.NDArray[np.int64]]
    chosen: list[npt.NDArray[np.bool_]]
    left_out: int

    @property
    def n(self) -> npt.NDArray[np.int64]:
        """Images of each class: int64 [classes]."""
        return np.array([len(places) for places in self.images], dtype=np.int64)


def image_halves(
    labels: npt.NDArray[np.int64], times: int, seed: int, fewest: int = 2
) -> ImageHalves:
    """Halve each class's images at random, several times.

    Parameters
    ----------
    labels : array of int64, shape [images]
        Class of each image.
    times : int
        Number of halvings.
    seed : int
        Of the halves; they depend on nothing else but the sizes of the classes.
    fewest : int
        Classes with fewer images are left out.
    """
    generator = np.random.default_rng(seed)
    order = np.argsort(labels, kind="stable")
    present, starts = np.unique(labels[order], return_index=True)
    groups = np.split(order, starts[1:]) if len(present) else []
    enough = [index for index, places in enumerate(groups) if len(places) >= fewest]
    images = [groups[index] for index in enough]
    chosen = [_halves(generator, times, len(places)) for places in images]
    return ImageHalves(present[enough], images, chosen, len(present) - len(enough))


def run_halves(runs: npt.NDArray[np.int64], times: int, seed: int) -> tuple[Floats, Floats]:
    """Halve each value's training runs at random, and return the weights of the runs in each half.

    Parameters
    ----------
    runs : array of int64, shape [values]
        Training runs of each value, at least 2; those of a value are consecutive.
    times : int
        Number of halvings.
    seed : int
        Of the halves.

    Returns
    -------
    choosing, scoring : arrays of float64, shape [times, all runs]
        Summing to 1 over the runs of each value.
    """
    generator = np.random.default_rng([seed, 1])
    blocks = [_halves(generator, times, int(number)) for number in runs]
    choosing = [block / block.sum(axis=1, keepdims=True) for block in blocks]
    scoring = [~block / (~block).sum(axis=1, keepdims=True) for block in blocks]
    return np.concatenate(choosing, axis=1), np.concatenate(scoring, axis=1)


def _halves(generator: np.random.Generator, times: int, number: int) -> npt.NDArray[np.bool_]:
    ranks = generator.random((times, number), dtype=np.float32).argsort(axis=1)
    return np.asarray(ranks < number // 2)
