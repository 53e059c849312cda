"""What a probe says on standard error before it computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lpa.axes import format_value
from lpa.plans import HeadRecipe
from lpa.probing.augmented import AugmentedView
from lpa.probing.backbones import Backbone
from lpa.training.splits import Parts

__all__ = ["say_heads", "say_lone", "say_trained_on", "written_places"]


def written_places(own: Sequence[Backbone]) -> str:
    """Write where the backbones of one model stand: ``15 over random_crop (1, 0.4, 0.08)``."""
    first = own[0]
    if first.axis is None:
        return f"{first.facts['source']} {first.facts['text']}"
    values = dict.fromkeys(one.value for one in own if one.value is not None)
    shown = ", ".join(map(format_value, first.axis.ordered(values)))
    many = f"{len(values)} values" if len(values) > 12 else shown
    return f"{len(own)} over {first.axis.name} ({many})"


def say_lone(say: Callable[[str], None], parts: Parts) -> None:
    """Say which classes have a single image."""
    for part, what in ((parts.train, "to train on"), (parts.test, "to evaluate")):
        lone = np.flatnonzero(np.bincount(part.samples.label, minlength=len(parts.classes)) == 1)
        if len(lone):
            which = "class has" if len(lone) == 1 else "classes have"
            say(
                f"        {len(lone)} {which} one image {what}, first "
                f"{parts.classes.labels[lone[0]]!r}"
            )


def say_trained_on(say: Callable[[str], None], sources: Mapping[str, Any], images: int) -> None:
    """Say how many of the evaluated images the backbones have seen."""
    for run in sources["runs"]:
        if run["trained_on"]:
            say(
                f"        {run['trained_on']} of {images} evaluated images are among those that "
                f"the backbones of {run['name']} were trained on: this is no other data set"
            )


def say_heads(
    say: Callable[[str], None], recipe: HeadRecipe, augmented: Sequence[AugmentedView]
) -> None:
    """Say how heads are trained and chosen."""
    pairs = len(recipe.pairs)
    chosen = (
        f", the best of {pairs} (learning rate, weight decay) on {recipe.hold_out:.0%} of what is "
        "trained on"
        if pairs > 1
        else ""
    )
    seeds = f", mean of {recipe.seeds} seeds" if recipe.seeds > 1 else ""
    say(f"heads: one linear head a backbone{chosen}{seeds}")
    if augmented:
        first = augmented[0]
        draws = "a draw" if len(augmented) == 1 else f"{len(augmented)} draws"
        say(
            f"       trained on the plain view and on {draws} of {first.spec.name} "
            f"{format_value(first.value)}"
        )
