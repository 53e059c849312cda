"""The learning rate of each update, by timm's schedulers."""

from __future__ import annotations

from typing import Any

import timm.scheduler
import torch

from lpa.plans.recipe import Recipe

__all__ = ["LearningRates"]

# timm re-exports without saying so, which a type checker does not follow.
_scheduler: Any = timm.scheduler


class LearningRates:
    """The learning rate of every update of a training.

    timm's schedulers set it on an optimizer of one unused parameter, so that one training and many
    stacked ones read the same numbers.

    Parameters
    ----------
    recipe : Recipe
    updates : int
        Updates per epoch.
    """

    def __init__(self, recipe: Recipe, updates: int) -> None:
        self.recipe = recipe
        self.updates = updates
        unused = torch.nn.Parameter(torch.zeros(()))
        self._optimizer = torch.optim.SGD([unused], lr=recipe.learning_rate)
        self._scheduler = self._timm()

    def _timm(self) -> Any:
        recipe, warmup = self.recipe, round(self.recipe.warmup_epochs * self.updates)
        shared: dict[str, Any] = {
            "warmup_t": warmup,
            "warmup_lr_init": recipe.warmup_factor * recipe.learning_rate,
            "warmup_prefix": False,
            "t_in_epochs": False,
        }
        if recipe.schedule == "cosine":
            return _scheduler.CosineLRScheduler(
                self._optimizer,
                # Of a single update, which has the first rate, timm warns that none follows.
                t_initial=max(recipe.epochs * self.updates, 2),
                lr_min=recipe.minimum_factor * recipe.learning_rate,
                **shared,
            )
        # A constant rate is a step that never comes.
        step = recipe.step_epochs if recipe.schedule == "step" else 10 * recipe.epochs
        return _scheduler.StepLRScheduler(
            self._optimizer, decay_t=step * self.updates, decay_rate=recipe.step_factor, **shared
        )

    def __call__(self, update: int) -> float:
        """Return the learning rate of an update, counted from 0 over all epochs."""
        self._scheduler.step_update(update)
        return float(self._optimizer.param_groups[0]["lr"])
