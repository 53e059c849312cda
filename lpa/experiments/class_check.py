"""Are the model's outputs matched to the right classes? The confusions at the identity tell."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from lpa.classes import Classes

__all__ = ["Relabelling", "best_relabelling", "suggested_file"]

GAIN = 0.20
"""A relabelling that gains more accuracy than this stops the run."""

DEVIATIONS = 3.0
"""And only a gain that a few images do not make by chance (our choice: one check in a thousand)."""

FEWEST_CLASSES = 3
"""With fewer classes than this, a good relabelling says little."""


@dataclass(frozen=True)
class Relabelling:
    """The best one-to-one relabelling of a model's predictions.

    Attributes
    ----------
    accuracy : float
        As matched, in [0, 1].
    relabelled : float
        With the relabelling, scored on images that did not choose it.
    deviations : float
        The gain in its standard deviations under no gain (McNemar: images that only the
        relabelling gets right against those that only the matching gets right).
    mapping : dict of int to int
        Predicted class -> class that it most often stands for, for the classes seen.
    images : int
        Images that were scored.
    """

    accuracy: float
    relabelled: float
    deviations: float
    mapping: dict[int, int]
    images: int

    @property
    def suspicious(self) -> bool:
        """Whether the classes are probably matched wrongly."""
        return self.relabelled - self.accuracy > GAIN and self.deviations > DEVIATIONS


def best_relabelling(
    labels: npt.NDArray[np.int64], predictions: npt.NDArray[np.int64]
) -> Relabelling | None:
    """Find the one-to-one relabelling that gains most.

    The relabelling is chosen on every second image of each class and scored on the others, and the
    other way round: chosen and scored on the same few images, a weak model would seem to gain.

    Parameters
    ----------
    labels, predictions : array of int64, shape [images]
        Run's classes; -1 is a prediction outside them.

    Returns
    -------
    Relabelling or None
        None where fewer than three classes have two images.
    """
    turn = _turn_within_class(labels)
    counts = np.bincount(labels)
    usable = counts[labels] >= 2
    if len(np.unique(labels[usable])) < FEWEST_CLASSES:
        return None
    labels, predictions, turn = labels[usable], predictions[usable], turn[usable]
    moved = np.empty_like(labels)
    for half in (0, 1):
        mapping = _assign(labels[turn == half], predictions[turn == half])
        moved[turn != half] = _moved(predictions[turn != half], mapping)
    before, after = labels == predictions, labels == moved
    won, lost = int((after & ~before).sum()), int((before & ~after).sum())
    return Relabelling(
        float(before.mean()),
        float(after.mean()),
        (won - lost) / max(won + lost, 1) ** 0.5,
        _assign(labels, predictions),
        len(labels),
    )


def _moved(predictions: npt.NDArray[np.int64], mapping: dict[int, int]) -> npt.NDArray[np.int64]:
    """Return the predictions relabelled; those that the mapping does not speak of stay."""
    values, inverse = np.unique(predictions, return_inverse=True)
    return np.array([mapping.get(int(v), int(v)) for v in values], dtype=np.int64)[inverse]


def _turn_within_class(labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return 0, 1, 0, 1, ... within each class."""
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], labels[order], side="left")
    turn = np.empty(len(labels), dtype=np.int64)
    turn[order] = (np.arange(len(labels)) - starts) % 2
    return turn


def _assign(labels: npt.NDArray[np.int64], predictions: npt.NDArray[np.int64]) -> dict[int, int]:
    """Assign predicted classes to labels, one to one, so that most images agree."""
    inside = predictions >= 0
    rows, row_of = np.unique(predictions[inside], return_inverse=True)
    columns, column_of = np.unique(labels[inside], return_inverse=True)
    confusions = np.zeros((len(rows), len(columns)), dtype=np.int64)
    np.add.at(confusions, (row_of, column_of), 1)
    chosen = zip(*linear_sum_assignment(confusions, maximize=True), strict=True)
    return {int(rows[r]): int(columns[c]) for r, c in chosen if confusions[r, c]}


def suggested_file(
    mapping: dict[int, int],
    outputs: Sequence[int],
    classes: Classes,
    output_names: Sequence[str],
) -> str:
    """Write the classes file that the relabelling suggests: JSON, name -> output index.

    Parameters
    ----------
    mapping : dict of int to int
        From :class:`Relabelling`.
    outputs : sequence of int
        Run's class of each output as it was matched; -1 outside.
    classes : Classes
        The run's classes.
    output_names : sequence of str
        The outputs' own names, which those outside the run's classes keep.

    Returns
    -------
    str
        JSON that names every output. A class that the relabelling does not speak of keeps its
        output where that is still free, else gets the first free one.
    """
    of_class = {cls: output for output, cls in enumerate(outputs) if cls >= 0}
    chosen = {target: of_class[predicted] for predicted, target in mapping.items()}
    taken = set(chosen.values())
    left = [cls for cls in of_class if cls not in chosen]
    for cls in left:
        if of_class[cls] not in taken:
            chosen[cls] = of_class[cls]
            taken.add(of_class[cls])
    free = iter(sorted(set(of_class.values()) - taken))
    for cls in left:
        if cls not in chosen:
            chosen[cls] = next(free)
    names = {classes.names[cls]: output for cls, output in sorted(chosen.items())}
    names |= {output_names[output]: output for output, cls in enumerate(outputs) if cls < 0}
    return json.dumps(names, indent=1, ensure_ascii=False)
