"""At which value of each axis a report's findings and drifts are read."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from lpa.axes import Axis
from lpa.report.sources import Source

__all__ = ["MOST_LOST", "LookedAt", "looked_at"]

MOST_LOST = 0.10
"""The mean of the classes may have lost so much where findings are read."""


class LookedAt(NamedTuple):
    """A value of an axis, and whether the average still looks fine there."""

    value: float
    fine: bool


def looked_at(run: Source, means: pd.DataFrame) -> dict[str, LookedAt]:
    """Choose one value per axis, the same for all models and classes.

    It is the strongest value at which the mean over classes and models has lost at most
    :data:`MOST_LOST`: where the average still looks fine, a class that falls is news. Where the
    average falls at once it is the weakest value. Only values that every model has count, or, if
    there are none, those that most models have. No class decides alone where it is looked at.

    Parameters
    ----------
    run : Source
        The run.
    means : DataFrame
        Of ``mean_accuracy``.

    Returns
    -------
    dict of str to LookedAt
        By the run's own name of the axis; without axes that have no reference or one value.
    """
    rows = means[
        (means["aggregate"] == "mean of classes")
        & (means["split"] == run.tested_split)
        & (means["level"] == run.level)
    ]
    found = {}
    for name, part in rows.groupby("axis", sort=False):
        axis = run.axis(str(name))
        chosen = _strongest(axis, part.pivot_table("accuracy", "model", "value"))
        if chosen is not None:
            found[str(name)] = chosen
    return found


def _strongest(axis: Axis, accuracy: pd.DataFrame) -> LookedAt | None:
    """Choose a value from accuracies, models x values."""
    if axis.reference not in accuracy:
        return None
    accuracy = accuracy[accuracy[axis.reference].notna()]
    beside = [v for v in axis.ordered(float(v) for v in accuracy.columns) if axis.strength(v) > 0]
    models = accuracy[beside].notna().sum()
    usable = [value for value in beside if models[value] and models[value] == models.max()]
    if not usable:
        return None
    loss = [float(np.nanmean(accuracy[axis.reference] - accuracy[value])) for value in usable]
    fine = [value for value, lost in zip(usable, loss, strict=True) if lost <= MOST_LOST]
    return LookedAt(float(fine[-1] if fine else usable[0]), bool(fine))
