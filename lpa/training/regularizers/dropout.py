"""Dropout (paper, Figures 9 and 10): the recipe's own probability."""

from __future__ import annotations

from dataclasses import replace

from lpa.plans.recipe import Recipe
from lpa.training.regularizers.regularizer import Regularizer

__all__ = ["Dropout"]


class Dropout(Regularizer):
    """Drop features before the classification head; timm's ``drop_rate``."""

    place = "recipe"

    def configure(self, recipe: Recipe, value: float) -> Recipe:
        """Return the recipe with this probability."""
        return replace(recipe, dropout=value)
