"""``Run.policy`` and ``Run.gate``: what is shown to be safe, and what is shown to be hurt."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lpa.axes import format_value
from lpa.errors import InputError
from lpa.outcomes import Outcomes, Store, local_path
from lpa.outcomes.part import Part
from lpa.runs.choices import Groups, split_names
from lpa.statistics.budget import read_budget
from lpa.statistics.group_means import group_loss

__all__ = [
    "budget_of",
    "group_verdicts",
    "limited",
    "safety_notes",
    "single",
    "write_record",
]

CURVE = ["model", "axis", "split"]
SHOWN = 5
"""Budgets that a note counts one by one."""


def group_verdicts(
    outcomes: Outcomes,
    table: pd.DataFrame,
    column: str,
    groups: Groups,
    names: Sequence[str],
    means: bool = True,
) -> pd.DataFrame:
    """Return how many classes of each group have which verdict, and the group's mean loss.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    table : DataFrame
        One row a class and curve, with ``label`` and the verdict in ``column``.
    column : str
        Where the verdict is.
    groups : mapping of str to list of int
        Group -> indices of its classes.
    names : sequence of str
        The verdicts, in their order.
    means : bool
        Whether the mean losses along the axis are wanted.

    Returns
    -------
    DataFrame
        As :func:`~lpa.statistics.group_means.group_loss`, with ``classes`` and one count for each
        verdict.
    """
    grouped = pd.concat(
        [table[table["label"].isin(members)].assign(group=name) for name, members in groups.items()]
    )
    counts = grouped.pivot_table(
        index=[*CURVE, "group"], columns=column, values="label", aggfunc="count", fill_value=0
    )
    counts = counts.reindex(columns=list(names), fill_value=0).reset_index()
    counts["classes"] = counts[list(names)].sum(axis=1)
    counts["level"] = table["level"].iloc[0]
    frame = pd.DataFrame(counts)
    if means:
        losses = group_loss(outcomes, groups, level=str(table["level"].iloc[0]))
        frame = losses.drop(columns=["classes", "level"]).merge(counts, on=[*CURVE, "group"])
    frame.attrs["notes"] = table.attrs.get("notes", [])
    return frame


def safety_notes(table: pd.DataFrame) -> list[str]:
    """Say how many classes have too few images to be shown safe, whatever the model.

    Where a budget allows classes different losses, each loss has its own count, the smallest first.
    """
    drop = "drop" if "drop" in table.columns else "allowed"
    notes = []
    for (model, axis, split), part in table.groupby(CURVE, sort=False):
        few = part[part["n"] < part["needed"]]
        if few.empty:
            continue
        if part[drop].nunique() > 1:
            text = _few_by_budget(part, few, drop)
        else:
            text = (
                f"{len(few)} of {len(part)} classes have fewer than the {few['needed'].iloc[0]} "
                "images without which no value can be shown to lose less than "
                f"{format_value(100 * few[drop].iloc[0])} points"
            )
        notes.append(f"{model} on {axis} ({split}): {text}")
    return notes


def _few_by_budget(part: pd.DataFrame, few: pd.DataFrame, drop: str) -> str:
    """Count the classes with too few images for each loss that is allowed."""
    counts = []
    for allowed in sorted(few[drop].unique().tolist()):
        same = few[few[drop] == allowed]
        counts.append(
            f"{len(same)} of {(part[drop] == allowed).sum()} that may lose "
            f"{format_value(100 * allowed)} points ({same['needed'].iloc[0]} images)"
        )
    more = f", and of {len(counts) - SHOWN} more budgets" if len(counts) > SHOWN else ""
    return (
        "classes with fewer images than those without which no value can be shown safe: "
        f"{', '.join(counts[:SHOWN])}{more}"
    )


def write_record(record: Mapping[str, Any], path: str | os.PathLike[str]) -> Path:
    """Write a record as JSON, atomically.

    Raises
    ------
    InputError
        When the file cannot be written.
    """
    file = local_path(path)
    try:
        text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
        Store(file.absolute().parent).put(file.name, text.encode() + b"\n")
    except OSError as error:
        raise InputError(
            f"cannot write {file} ({(error.strerror or str(error)).lower()}); expected a file in a "
            "writable directory: give another with -o FILE"
        ) from error
    return file


def budget_of(
    budget: str | os.PathLike[str] | Mapping[str, float] | None,
) -> Mapping[str, float] | None:
    """Return a budget by class, read from its file where it is one."""
    return budget if budget is None or isinstance(budget, Mapping) else read_budget(budget)


def single(kind: str, asked: str | None) -> str | None:
    """Return the one model or axis that was asked for; a policy's record is of one.

    Raises
    ------
    InputError
        For several names.
    """
    names = [] if asked is None else split_names(asked)
    if len(names) > 1:
        raise InputError(
            f"a policy is of one {kind}, not of {len(names)} ({', '.join(names)}); "
            f"give --{kind} NAME"
        )
    return names[0] if names else None


def limited(older: Outcomes, outcomes: Outcomes, models: Sequence[str] | None,
            labels: Sequence[int] | None) -> Outcomes:  # fmt: skip
    """Limit an older run to the classes and models to which the newer one is limited."""
    present = set(older.cells["model"])
    kept = [name for name in models or () if name in present] or None
    if labels is None:
        return Part(older, models=kept)
    names = [outcomes.classes.names[label] for label in labels]
    found = older.classes.find(names, by_index=False)
    return Part(older, [int(index) for index in found if index >= 0], kept)
