"""Right predictions of every training run by class, from outcomes or from a table of counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.axes import Axis
from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.statistics.curve_data import curve_data, levels

__all__ = ["RunHits", "run_hits"]

COUNTS = ("model", "axis", "value", "replicate", "class", "correct", "n")


@dataclass(frozen=True)
class RunHits:
    """Right predictions by training run and class, of one model on one axis and one split.

    Attributes
    ----------
    model, axis, split : str or None
        Which curve; a table of counts may have no split.
    reference : float or None
        The axis's reference value, None where it is not known.
    values : array of float64, shape [values]
        From weak to strong; as they come, in a table of counts without axes.
    replicates : list of arrays of int64, shape [runs]
        Numbers of the training runs of each value.
    hits : list of arrays of int64, shape [runs, classes]
        Right predictions at each value.
    n : array of int64, shape [classes]
        Images of each class.
    names, titles : arrays of object, shape [classes]
        Names of the classes, and what people read.
    labels : array of int64, shape [classes]
        Their indices.
    notes : list of str
        What was left out.
    """

    model: str
    axis: str | None
    split: str | None
    reference: float | None
    values: npt.NDArray[np.float64]
    replicates: list[npt.NDArray[np.int64]]
    hits: list[npt.NDArray[np.int64]]
    n: npt.NDArray[np.int64]
    names: npt.NDArray[Any]
    titles: npt.NDArray[Any]
    labels: npt.NDArray[np.int64]
    notes: list[str] = field(default_factory=list)


def run_hits(
    source: Outcomes | pd.DataFrame,
    split: str | None = None,
    axes: Mapping[str, Axis] | None = None,
) -> Iterator[RunHits]:
    """Yield the curves of a sweep, a probe or a table of counts, run by run.

    Parameters
    ----------
    source : Outcomes or DataFrame
        A run, or a table ``model, axis, value, replicate, class, correct, n`` whose replicates are
        training runs; optionally with ``split``, ``label`` and ``title``.
    split : str, optional
        Only this split; splits are never pooled.
    axes : mapping of str to Axis, optional
        For a table: the order and the reference of its values.

    Raises
    ------
    InputError
        For a run without trainings, a split that is not there, and a table with missing columns,
        with a cell twice, or with counts that are no whole numbers from 0 to n.
    """
    if isinstance(source, pd.DataFrame):
        yield from _from_counts(source, split, axes or {})
    elif source.counts_only:
        if split not in (None, source.record.split):
            raise InputError(
                f"split {split!r} is not in {source.store}; it has "
                f"{source.record.split or 'no splits'}"
            )
        yield from _from_counts(_with_titles(source), None, source.axes)
    else:
        levels(source, "run")
        yield from _from_outcomes(source, split)


def _from_outcomes(outcomes: Outcomes, split: str | None) -> Iterator[RunHits]:
    classes = len(outcomes.classes)
    names = np.array(outcomes.classes.names, dtype=object)
    titles = np.array(outcomes.classes.labels, dtype=object)
    cells = outcomes.cells
    for curve in curve_data(outcomes, split):
        n = np.bincount(curve.labels, minlength=classes)
        present = np.flatnonzero(n)
        rows = np.stack(
            [np.bincount(curve.labels[row], minlength=classes)[present] for row in curve.correct]
        )
        mine = (cells["model"] == curve.model) & (
            cells["axis"].isna() if curve.axis is None else cells["axis"] == curve.axis
        )
        replicates = cells.loc[mine, "replicate"].to_numpy(dtype=np.int64)
        ends = curve.starts[1:]
        axis = outcomes.axes.get(curve.axis) if curve.axis else None
        yield RunHits(
            curve.model, curve.axis, curve.split, axis.reference if axis else None, curve.values,
            np.split(replicates, ends), np.split(rows, ends), n[present],
            names[present], titles[present], present,
        )  # fmt: skip


def _from_counts(
    counts: pd.DataFrame, split: str | None, axes: Mapping[str, Axis]
) -> Iterator[RunHits]:
    counts = _checked(counts, split)
    facts = counts.drop_duplicates("class").set_index("class")
    names = facts.index
    labels = np.asarray(facts.get("label", range(len(names))), dtype=np.int64)
    titles = np.asarray(facts.get("title", names), dtype=object)
    keys = ["model", "axis", *(["split"] if "split" in counts else [])]
    for key, part in counts.groupby(keys, sort=False, dropna=False):
        model, axis = str(key[0]), key[1] if isinstance(key[1], str) else None
        value, run, hits, sizes = _arranged(part, names)
        whole = (sizes == sizes[0]).all(axis=0) & (sizes[0] > 0)
        lost = int((sizes >= 0).any(axis=0).sum() - whole.sum())
        known = axes.get(axis) if axis else None
        values = pd.unique(value)
        if known:
            values = np.array(known.ordered(values))
        places = [np.flatnonzero(value == v) for v in values]
        note = (
            f"{model} on {axis}: {lost} classes have no images, or not the same number in every "
            "training run, and are left out"
        )
        yield RunHits(
            model, axis, str(key[2]) if len(keys) > 2 else None, known.reference if known else None,
            values, [run[place] for place in places], [hits[place][:, whole] for place in places],
            sizes[0][whole], np.asarray(names, dtype=object)[whole], titles[whole], labels[whole],
            [note] if lost else [],
        )  # fmt: skip


def _with_titles(outcomes: Outcomes) -> pd.DataFrame:
    """Return imported counts with the index and the title of each class."""
    counts, classes = outcomes.counts, outcomes.classes
    place = {name: index for index, name in enumerate(classes.names)}
    label = counts["class"].map(place).astype(np.int64)
    titles = np.array(classes.labels, dtype=object)[label.to_numpy()]
    return counts.assign(label=label, title=titles)


def _arranged(
    part: pd.DataFrame, names: pd.Index[Any]
) -> tuple[
    npt.NDArray[np.float64],
    npt.NDArray[np.int64],
    npt.NDArray[np.int64],
    npt.NDArray[np.int64],
]:
    """Return value and replicate of each cell, and right predictions and images [cells, classes].

    What is not in the table is -1.
    """
    if part.duplicated(["value", "replicate", "class"]).any():
        first = part.iloc[0]
        raise InputError(
            f"counts of {first['model']} on {first['axis']}: a class stands twice in one value and "
            "replicate; give each training run its own replicate"
        )
    rows, cells = pd.factorize(pd.MultiIndex.from_frame(part[["value", "replicate"]]))
    table = np.full((2, len(cells), len(names)), -1, dtype=np.int64)
    table[:, rows, names.get_indexer(pd.Index(part["class"]))] = (
        part[["correct", "n"]].to_numpy(np.int64).T
    )
    value = cells.get_level_values(0).to_numpy(dtype=np.float64)
    run = cells.get_level_values(1).to_numpy(dtype=np.int64)
    return value, run, table[0], table[1]


def _checked(counts: pd.DataFrame, split: str | None) -> pd.DataFrame:
    missing = [name for name in COUNTS if name not in counts.columns]
    if missing:
        raise InputError(
            f"a table of counts has no column {missing[0]!r}; expected " + ", ".join(COUNTS)
        )
    if split is not None and "split" in counts:
        counts = counts[counts["split"] == split]
        if counts.empty:
            raise InputError(f"split {split!r} is not in the table of counts")
    correct, n = (counts[name].to_numpy(dtype=np.float64) for name in ("correct", "n"))
    wrong = ~((correct >= 0) & (correct <= n) & (correct == np.floor(correct)) & (n == np.floor(n)))
    if wrong.any():
        row = counts[wrong].iloc[0]
        raise InputError(
            f"counts of class {row['class']!r}: {row['correct']:g} right of {row['n']:g}; "
            "expected whole numbers from 0 to n"
        )
    return counts
