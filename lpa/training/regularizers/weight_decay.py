"""Weight decay (paper, Figure 3: gamma): the recipe's own coefficient."""

from __future__ import annotations

from dataclasses import replace

from lpa.plans.recipe import Recipe
from lpa.training.regularizers.regularizer import Regularizer

__all__ = ["WeightDecay"]


class WeightDecay(Regularizer):
    """Shrink weights with every update.

    Parameters of normalisation layers are excluded, as in the paper (Section 3.1), and what the
    model itself exempts: :mod:`lpa.training.weight_decay` says which.
    """

    place = "recipe"

    def configure(self, recipe: Recipe, value: float) -> Recipe:
        """Return the recipe with this coefficient."""
        return replace(recipe, weight_decay=value)
