"""Which head is best, by the part of the training features that was held out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lpa.errors import InputError
from lpa.probing.linear import Choice

__all__ = ["Head", "Score", "choose"]


@dataclass(frozen=True)
class Head:
    """One head to train.

    Attributes
    ----------
    seed : int
        Which of the heads' seeds, from 0.
    learning_rate, weight_decay : float
        As in :class:`~lpa.plans.head_recipe.HeadRecipe`.
    """

    seed: int
    learning_rate: float
    weight_decay: float

    @property
    def pair(self) -> tuple[float, float]:
        """What is chosen."""
        return self.learning_rate, self.weight_decay


@dataclass(frozen=True)
class Score:
    """How good a head is on the part held out.

    Attributes
    ----------
    right : int
        Images that it has right.
    loss : float
        Mean cross-entropy; not finite for a head that diverged.
    """

    right: int
    loss: float

    @property
    def diverged(self) -> bool:
        """Whether the loss is no number."""
        return not math.isfinite(self.loss)

    @property
    def order(self) -> tuple[float, float]:
        """What is lower the better the head: most images right, then the lowest loss."""
        return (math.inf, math.inf) if self.diverged else (-self.right, self.loss)


def choose(heads: Sequence[Head], scores: Sequence[Score], held_out: int) -> Choice:
    """Choose the best of one seed's heads.

    Parameters
    ----------
    heads, scores : sequence
        Of one seed, in the order of the recipe's pairs.
    held_out : int
        Number of images held out.

    Returns
    -------
    Choice
        Most images right; of equals the lowest loss, then the first.

    Raises
    ------
    InputError
        Where every head diverged.
    """
    best = min(range(len(heads)), key=lambda place: scores[place].order)
    if scores[best].diverged:
        raise InputError(
            f"all {len(heads)} heads diverged; expected learning rates at which at least one does "
            f"not: give less than --learning-rates {min(head.learning_rate for head in heads):g}"
        )
    accuracies = {
        head.pair: math.nan if score.diverged else score.right / held_out
        for head, score in zip(heads, scores, strict=True)
    }
    return Choice(*heads[best].pair, accuracies[heads[best].pair], accuracies)
