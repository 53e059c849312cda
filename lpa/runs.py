"""What ``lpa.open(RUN)`` returns: a run's outcomes, statistics, figures, export and report."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from lpa.axes import Axis
from lpa.classes import Classes
from lpa.errors import InputError, unknown
from lpa.exports import export_table
from lpa.figures import FIGURES
from lpa.outcomes import Outcomes
from lpa.statistics import STATISTICS

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Run", "open_run"]


class Run:
    """A run folder, opened for reading. Needs neither torch nor the data.

    Parameters
    ----------
    path : path
        The run's folder.
    strict : bool
        Refuse a run with incomplete cells instead of leaving them out.

    Raises
    ------
    InputError
        For a folder that is no run, a damaged unit, or (``strict``) incomplete cells.
    """

    def __init__(self, path: str | os.PathLike[str], *, strict: bool = False) -> None:
        self.path = Path(path)
        self.outcomes = Outcomes(path, strict=strict)

    @property
    def classes(self) -> Classes:
        """The run's classes, which ``label`` and ``prediction`` index."""
        return self.outcomes.classes

    @property
    def models(self) -> dict[str, dict[str, Any]]:
        """What is known of each model, by name."""
        return self.outcomes.models

    @property
    def axes(self) -> dict[str, Axis]:
        """The run's axes by canonical name."""
        return self.outcomes.axes

    def curves(
        self,
        classes: str | Sequence[str] | None = None,
        aggregate: bool | None = False,
        *,
        models: str | Sequence[str] | None = None,
        axes: str | Sequence[str] | None = None,
        split: str | None = None,
        level: str | None = None,
        confidence: float = 0.95,
    ) -> pd.DataFrame:
        """Return accuracy along the axes, by class or over all classes.

        Parameters
        ----------
        classes : str or sequence of str, optional
            Only these: names, labels or indices. A text is a file with one name a line, or names
            with commas between.
        aggregate : bool or None
            Over all images and over all classes (:func:`~lpa.statistics.aggregates.mean_accuracy`)
            instead of by class (:func:`~lpa.statistics.accuracy.class_accuracy`). None gives
            both, one below the other; ``aggregate`` is then "class" in the rows of classes.
        models, axes : str or sequence of str, optional
            Only these. In a text, commas stand between names.
        split : str, optional
            Only this split.
        level : {"image", "run"}, optional
            Only intervals of this level.
        confidence : float
            Confidence of the intervals, in (0, 1).

        Returns
        -------
        DataFrame
            See the two functions.

        Raises
        ------
        InputError
            For unknown names, and for ``classes`` together with ``aggregate``.
        """
        if aggregate and classes is not None:
            raise InputError(
                "a mean over all classes cannot be limited to some: give classes or the mean"
            )
        if not 0 < confidence < 1:
            raise InputError(f"confidence {confidence:g} is out of range; expected e.g. 0.95")
        chosen = {"model": self._chosen("model", models), "axis": self._chosen("axis", axes)}
        wanted = None if classes is None else self.find_classes(classes)
        tables = []
        if aggregate or aggregate is None:
            means = _function(STATISTICS["mean_accuracy"])
            tables.append(means(self.outcomes, confidence, split, level))
        if not aggregate:
            by_class = _function(STATISTICS["class_accuracy"])
            table = by_class(self.outcomes, confidence, split, level)
            tables.append(table if wanted is None else table[table["label"].isin(wanted)])
        table = tables[0] if len(tables) == 1 else _stacked(*tables)
        for column, names in chosen.items():
            if names is not None:
                table = table[table[column].isin(names)]
        return pd.DataFrame(table.reset_index(drop=True))

    def _chosen(self, column: str, names: str | Sequence[str] | None) -> list[str] | None:
        if names is None:
            return None
        listed = _split(names) if isinstance(names, str) else list(names)
        present = list(self.outcomes.cells[column].dropna().unique())
        for name in listed:
            if name not in present:
                raise unknown(column, name, present, "of this run")
        return listed

    def find_classes(self, wanted: str | Sequence[str]) -> list[int]:
        """Return the indices of classes by name, label or index; see :meth:`curves`.

        Raises
        ------
        InputError
            For a name that is no class of the run, or the label of several.
        """
        names = _listed(wanted, self.classes) if isinstance(wanted, str) else list(wanted)
        found = self.classes.find(names)
        for name, index in zip(names, found, strict=True):
            if index >= 0:
                continue
            same = [
                other
                for other, label in zip(self.classes.names, self.classes.labels, strict=True)
                if label.casefold() == name.casefold()
            ]
            if len(same) > 1:
                raise InputError(
                    f"class {name!r} is the label of {len(same)} classes: "
                    f"give one of the names {', '.join(same)}"
                )
            raise unknown("class", name, {*self.classes.names, *self.classes.labels}, "of this run")
        return list(dict.fromkeys(int(index) for index in found))

    def figure(
        self,
        name: str,
        classes: str | Sequence[str] | None = None,
        *,
        axis: str | None = None,
        models: str | Sequence[str] | None = None,
        split: str | None = None,
    ) -> go.Figure:
        """Draw a figure.

        Parameters
        ----------
        name : {"mean_curve", "class_curves"}
            Which figure.
        classes : str or sequence of str, optional
            Only these, for ``class_curves``.
        axis : str, optional
            Which axis; the first of the run by default.
        models : str or sequence of str, optional
            Only these.
        split : str, optional
            Only this split.

        Raises
        ------
        InputError
            For unknown names, and when nothing would be drawn.
        """
        if name not in FIGURES:
            raise unknown("figure", name, FIGURES)
        known = list(self.outcomes.cells["axis"].dropna().unique())
        if axis is None:
            if not known:
                raise InputError(
                    f"{self.path} has no axis to draw: only the identity was measured; "
                    "run the scan with --aug"
                )
            axis = next((planned for planned in self.axes if planned in known), known[0])
        level = "run" if self.outcomes.record.kind in ("sweep", "probe") else "image"
        table = self.curves(
            classes, name == "mean_curve", models=models, axes=[axis], split=split, level=level
        )
        return _function(FIGURES[name])(table, self.axes.get(axis) or Axis(axis, "value", 0.0))

    def export(self, path: str | os.PathLike[str]) -> Path:
        """Write the long table, one row per cell and sample, atomically.

        Parameters
        ----------
        path : path
            Ends in ``.parquet`` or ``.csv``. The same run gives the same bytes. In a CSV, text
            that a spreadsheet would run as a formula gets an apostrophe before it.

        Raises
        ------
        InputError
            For another suffix, and when the file cannot be written.
        """
        return export_table(self.outcomes, path)

    def report(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write the report, one HTML page that opens offline, and return its path.

        Parameters
        ----------
        path : path, optional
            ``report.html`` in the run's folder by default. Pictures that would make the page too
            large lie in a folder beside it.
        """
        from lpa.report import write_report

        return write_report(self.outcomes, path or self.path / "report.html")


def open_run(path: str | os.PathLike[str], strict: bool = False) -> Run:
    """Open a run's folder for reading; see :class:`Run`."""
    return Run(path, strict=strict)


def _function(target: str) -> Any:
    module, name = target.split(":")
    return getattr(importlib.import_module(module), name)


def _stacked(means: pd.DataFrame, classes: pd.DataFrame) -> pd.DataFrame:
    """Put the means above the classes; what a row does not have is missing."""
    classes = classes.assign(aggregate="class", label=classes["label"].astype("Int64"))
    columns = [name for name in classes.columns if name != "aggregate"]
    columns.insert(columns.index("class"), "aggregate")
    return pd.concat([means.reindex(columns=columns).astype(classes.dtypes.to_dict()), classes],
                     ignore_index=True)[columns]  # fmt: skip


def _split(text: str) -> list[str]:
    """Split at the commas that stand in no brackets: options of augmentations keep theirs."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def _listed(text: str, classes: Classes) -> list[str]:
    """Read a user's text as one class, a file of classes, or classes with commas between."""
    if classes.find([text], by_index=False)[0] >= 0:
        return [text]
    file = Path(text)
    try:
        is_file = file.is_file()
    except OSError:
        is_file = False
    lines = file.read_text(encoding="utf-8").splitlines() if is_file else text.split(",")
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise InputError(f"{text!r} names no class; expected names with commas between, or a file")
    return names
