"""The runs of a report side by side: one list of models, axes, splits and classes for all."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.axes import Axis
from lpa.errors import InputError
from lpa.outcomes import Outcomes

__all__ = ["PLACE", "Source", "Sources"]

PLACE = ["run", "model_at", "axis_at", "split_at"]
"""Columns that :meth:`Sources.gather` adds: positions in the page's lists."""

FEWEST = 10
"""Images that a class must have to be ranked or named in a finding."""


@dataclass(frozen=True)
class Source:
    """One run of a report.

    Attributes
    ----------
    outcomes : Outcomes
        Its outcomes.
    name : str
        Of its folder, different for every run of the page.
    models, axes : dict of str to str
        The run's own names -> the names on the page.
    """

    outcomes: Outcomes
    name: str
    models: dict[str, str]
    axes: dict[str, str]

    @property
    def trained(self) -> bool:
        """Whether replicates are training runs."""
        return self.outcomes.record.trained

    @property
    def counted(self) -> bool:
        """Whether the run holds counts only: right predictions by training run and class."""
        return self.outcomes.counts_only

    @property
    def measured(self) -> pd.DataFrame:
        """What there is: ``model, axis, value, replicate``; a cell has one or more rows."""
        return self.outcomes.counts if self.counted else self.outcomes.cells

    @property
    def level(self) -> str:
        """The level of the bands that are drawn at first."""
        return "run" if self.trained else "image"

    def axis(self, name: str) -> Axis:
        """Return an axis by its own name, or a plain one where no plan describes it."""
        return self.outcomes.axes.get(name) or Axis(name, "no unit recorded", 0.0)

    @functools.cached_property
    def sizes(self) -> npt.NDArray[np.int64]:
        """Images of each of the run's classes."""
        classes = self.outcomes.classes
        if self.counted:
            n = self.outcomes.counts.groupby("class", sort=False)["n"].max()
            return n.reindex(list(classes.names), fill_value=0).to_numpy(dtype=np.int64)
        label = np.asarray(self.outcomes.samples.label)
        return np.bincount(label[label >= 0], minlength=len(classes))

    @property
    def splits(self) -> list[str]:
        """The splits of the images, in the order in which they are stored."""
        if self.counted:
            return [self.outcomes.record.split or "counted"]
        return list(dict.fromkeys(map(str, self.outcomes.samples.split.tolist())))

    @functools.cached_property
    def tested_split(self) -> str:
        """The split that findings speak of: images that no model was trained on, if there are."""
        return next((name for name in self.splits if name != "train"), self.splits[0])


class Sources:
    """The runs of a report and what they have in common.

    Parameters
    ----------
    outcomes : sequence of Outcomes
        One or more runs.

    Attributes
    ----------
    runs : list of Source
        In the order given.
    models, axes, splits : list of str
        What curves differ in; a model is named with its run where there are several.
    classes : list of tuple
        (name, title) of every class with images in some run, matched by name.
    sizes : array of int64, shape [runs, classes]
        Images.

    Raises
    ------
    InputError
        For a run without a complete cell or without an axis.
    """

    def __init__(self, outcomes: Sequence[Outcomes]) -> None:
        # One run's page does not depend on where its folder lies.
        alone = len(outcomes) == 1
        folders = [run.store.name for run in outcomes]
        names = ["run"] if alone else _distinct([name or "run" for name in folders])
        self.axis_of: dict[str, Axis] = {}
        self.runs = [self._source(*pair) for pair in zip(outcomes, names, strict=True)]
        if len(self.runs) > 1:
            self.runs = [
                Source(r.outcomes, r.name, {m: f"{m} · {r.name}" for m in r.models}, r.axes)
                for r in self.runs
            ]
        self.models = [shown for run in self.runs for shown in run.models.values()]
        self.model_run = [at for at, run in enumerate(self.runs) for _ in run.models]
        self.axes = list(self.axis_of)
        self.splits = list(dict.fromkeys(split for run in self.runs for split in run.splits))
        self._merge_classes()

    def gather(
        self,
        statistic: Callable[[Source], pd.DataFrame],
        of_counts: Callable[[Source], pd.DataFrame] | None = None,
    ) -> pd.DataFrame:
        """Compute a statistic of every run and say where each row belongs on the page.

        Parameters
        ----------
        statistic : callable
            Source -> table; columns ``model``, ``axis``, ``split`` and ``label`` are understood
            where they are there.
        of_counts : callable, optional
            The same for runs that hold counts only, which are left out otherwise.

        Returns
        -------
        DataFrame
            With :data:`PLACE` and ``class_at``: positions in the lists of the page.
            ``attrs["notes"]`` joins the notes of the runs.
        """
        pieces, notes = [], []
        for at, run in enumerate(self.runs):
            compute = of_counts if run.counted else statistic
            if compute is None:
                continue
            table = compute(run)
            notes += [self._named(run, note) for note in table.attrs.get("notes", [])]
            if len(table):
                pieces.append(self._placed(at, run, table))
        result = pd.concat(pieces, ignore_index=True) if pieces else pd.DataFrame()
        result.attrs = {"notes": list(dict.fromkeys(notes))}
        return result

    def say(self, statements: Callable[[Source], Iterable[str]]) -> list[str]:
        """Collect sentences about every run, each with the run's name where there are several."""
        return [self._named(run, line) for run in self.runs for line in statements(run)]

    def _named(self, run: Source, line: str) -> str:
        return line if len(self.runs) == 1 else f"{run.name}: {line}"

    def _placed(self, at: int, run: Source, table: pd.DataFrame) -> pd.DataFrame:
        columns: dict[str, Any] = {"run": at}
        if run.counted and "split" in table:
            table = table.assign(split=run.tested_split)
        lists = {"model": (run.models, self.models), "axis": (run.axes, self.axes),
                 "split": ({s: s for s in self.splits}, self.splits)}  # fmt: skip
        for column, (shown, positions) in lists.items():
            if column in table:
                codes = {own: positions.index(name) for own, name in shown.items()}
                columns[f"{column}_at"] = table[column].map(codes)
        if "label" in table:
            columns["class_at"] = self.positions[at][table["label"].to_numpy(np.int64)]
        return table.assign(**columns)

    def _source(self, outcomes: Outcomes, name: str) -> Source:
        measured = Source(outcomes, name, {}, {}).measured
        if not len(measured):
            raise InputError(
                f"{outcomes.store} has no complete cell to report; run the same command again to "
                "go on"
            )
        models = _ordered(outcomes.models, measured["model"])
        present = _ordered(outcomes.axes, measured["axis"])
        if not present:
            raise InputError(
                f"{outcomes.store} has no axis to report: only the identity was measured; "
                "run the scan with --aug"
            )
        source = Source(outcomes, name, {model: model for model in models}, {})
        for own in present:
            axis = source.axis(own)
            known = self.axis_of.get(own)
            shown = own if known is None or _alike(known, axis) else f"{own} ({name})"
            source.axes[own] = shown
            self.axis_of.setdefault(shown, axis)
        return source

    def _merge_classes(self) -> None:
        found: dict[str, str] = {}
        for run in self.runs:
            classes = run.outcomes.classes
            for index in np.flatnonzero(run.sizes):
                found.setdefault(classes.names[index], classes.labels[index])
        self.classes = list(found.items())
        at = {name: position for position, name in enumerate(found)}
        # By run: position on the page of each of the run's classes, -1 where none has images.
        self.positions = [
            np.array([at.get(name, -1) for name in run.outcomes.classes.names], dtype=np.int64)
            for run in self.runs
        ]
        self.sizes = np.zeros((len(self.runs), len(found)), dtype=np.int64)
        for row, (run, positions) in enumerate(zip(self.runs, self.positions, strict=True)):
            self.sizes[row, positions[run.sizes > 0]] = run.sizes[run.sizes > 0]


def _ordered(planned: dict[str, Any], found: pd.Series[Any]) -> list[str]:
    present = list(dict.fromkeys(found.dropna()))
    return [name for name in planned if name in present] + [
        name for name in present if name not in planned
    ]


def _alike(first: Axis, second: Axis) -> bool:
    names = ("unit", "reference", "stronger", "scale")
    return all(getattr(first, name) == getattr(second, name) for name in names)


def _distinct(names: list[str]) -> list[str]:
    """Add a number to the names that occur more than once."""
    return [
        name if names.count(name) == 1 else f"{name} {1 + names[:at].count(name)}"
        for at, name in enumerate(names)
    ]
