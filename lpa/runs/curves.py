"""``Run.curves``: accuracy along the axes, of all classes together, of each, or of groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.runs.choices import Groups
from lpa.statistics.accuracy import class_accuracy
from lpa.statistics.aggregates import mean_accuracy
from lpa.statistics.counted_accuracy import (
    counted_class_accuracy,
    counted_group_accuracy,
    counted_mean_accuracy,
)
from lpa.statistics.group_means import group_accuracy

__all__ = ["curves", "group_curves"]


def curves(
    outcomes: Outcomes,
    labels: Sequence[int] | None,
    aggregate: bool | None,
    confidence: float,
    split: str | None,
    level: str | None,
) -> pd.DataFrame:
    """Return accuracies over all classes, by class, or both; see ``Run.curves``."""
    counted = outcomes.counts_only
    means: Callable[..., pd.DataFrame] = counted_mean_accuracy if counted else mean_accuracy
    by_class: Callable[..., pd.DataFrame] = counted_class_accuracy if counted else class_accuracy
    tables = []
    if aggregate or aggregate is None:
        tables.append(means(outcomes, confidence, split, level))
    if not aggregate:
        table = by_class(outcomes, confidence, split, level)
        tables.append(table if labels is None else table[table["label"].isin(labels)])
    frame = tables[0] if len(tables) == 1 else _stacked(*tables)
    frame = pd.DataFrame(frame.reset_index(drop=True))
    frame.attrs["notes"] = [note for each in tables for note in each.attrs.get("notes", [])]
    return frame


def group_curves(
    outcomes: Outcomes, groups: Groups, confidence: float, split: str | None, level: str | None
) -> pd.DataFrame:
    """Return the accuracies of groups; see ``Run.curves``.

    Raises
    ------
    InputError
        Where no class of a group has images.
    """
    calculate = counted_group_accuracy if outcomes.counts_only else group_accuracy
    table = calculate(outcomes, groups, confidence, split, level)
    if table.empty:
        raise InputError("no class of the groups has images in this run")
    return table


def _stacked(means: pd.DataFrame, classes: pd.DataFrame) -> pd.DataFrame:
    """Put the means above the classes; what a row does not have is missing."""
    classes = classes.assign(aggregate="class", label=classes["label"].astype("Int64"))
    columns = [name for name in classes.columns if name != "aggregate"]
    columns.insert(columns.index("class"), "aggregate")
    return pd.concat([means.reindex(columns=columns).astype(classes.dtypes.to_dict()), classes],
                     ignore_index=True)[columns]  # fmt: skip
