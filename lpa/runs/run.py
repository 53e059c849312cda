"""What ``lpa.open(RUN)`` returns: a run's outcomes, statistics, figures, export and report."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from lpa.axes import Axis
from lpa.classes import Classes
from lpa.errors import InputError
from lpa.exports import export_table
from lpa.outcomes import FolderStore, Location, Outcomes
from lpa.runs.choices import GroupsOption
from lpa.runs.hurt import HurtClasses
from lpa.runs.opened import noted
from lpa.runs.policies import ComparedPolicies
from lpa.runs.safe import SafeValues

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from lpa.report.serving import ReportServer

__all__ = ["Run", "open_run"]


class Run(HurtClasses, SafeValues, ComparedPolicies):
    """A run folder, opened for reading. Needs neither torch nor the data.

    Parameters
    ----------
    location : path or str
        The run's folder, or its address in an object store: ``s3://bucket/run``.
    strict : bool
        Refuse a run with incomplete cells instead of leaving them out.

    Raises
    ------
    InputError
        For a folder that is no run, a damaged unit, or (``strict``) incomplete cells.
    """

    def __init__(self, location: Location, *, strict: bool = False) -> None:
        self.outcomes = Outcomes(location, strict=strict)

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
        groups: GroupsOption = None,
        models: str | Sequence[str] | None = None,
        axes: str | Sequence[str] | None = None,
        split: str | None = None,
        level: str | None = None,
        confidence: float = 0.95,
    ) -> pd.DataFrame:
        """Return accuracy along the axes, by class, by group or over all classes.

        Parameters
        ----------
        classes : str or sequence of str, optional
            Only these: names, labels or indices. A text is a file with one name a line, or names
            with commas between.
        aggregate : bool or None
            Over all images and over all classes (:func:`~lpa.statistics.aggregates.mean_accuracy`)
            instead of by class (:func:`~lpa.statistics.accuracy.class_accuracy`). None gives
            both, one below the other; ``aggregate`` is then "class" in the rows of classes.
        groups : path or mapping, optional
            Class -> group, or group -> classes: the means of the groups' classes instead of classes
            (:func:`~lpa.statistics.group_means.group_accuracy`); of ``classes`` alone, if given.
        models, axes : str or sequence of str, optional
            Only these. In a text, commas stand between names.
        split : str, optional
            Only this split.
        level : {"image", "run"}, optional
            Only intervals of this level. Imported counts have level ``run`` alone.
        confidence : float
            Confidence of the intervals, in (0, 1).

        Returns
        -------
        DataFrame
            See the three functions. ``attrs["notes"]`` says what was left out.

        Raises
        ------
        InputError
            For unknown names, where nothing that was chosen has images, and for ``classes`` or
            ``groups`` together with ``aggregate``.
        """
        from lpa.runs.curves import curves, group_curves

        if aggregate and classes is not None:
            raise InputError(
                "a mean over all classes cannot be limited to some: give classes or the mean"
            )
        if aggregate and groups is not None:
            raise InputError("a mean over all classes has no groups: give groups or the mean")
        part, notes = self._counted_part(models, axes, confidence)
        labels = self._chosen(classes, notes, split)
        if groups is not None:
            grouped = self._groups(groups, labels, notes)
            return noted(group_curves(part, grouped, confidence, split, level), notes)
        return noted(curves(part, labels, aggregate, confidence, split, level), notes)

    def figure(
        self,
        name: str,
        classes: str | Sequence[str] | None = None,
        *,
        groups: GroupsOption = None,
        axis: str | None = None,
        models: str | Sequence[str] | None = None,
        split: str | None = None,
        value: float | None = None,
        top: int | None = None,
    ) -> go.Figure:
        """Draw a figure.

        Parameters
        ----------
        name : str
            One of :data:`lpa.figures.FIGURES`: ``mean_curve``, ``class_curves``,
            ``class_heatmap``, ``ranking``, ``small_multiples``, ``drift``, ``table1``.
        classes : str or sequence of str, optional
            Only these; by default the most hurt, where there are too many to be drawn.
        groups : path or mapping, optional
            Means of groups instead of classes, in ``class_curves``, ``class_heatmap`` and
            ``small_multiples``; see :meth:`rank`.
        axis : str, optional
            Which axis; the first of the run by default, all for ``small_multiples``.
        models : str or sequence of str, optional
            Only these.
        split : str, optional
            Only this split.
        value : float, optional
            Where drift is looked at; by default the strongest.
        top : int, optional
            How many classes are drawn where none are named.

        Raises
        ------
        InputError
            For unknown names, and when nothing would be drawn.
        """
        from lpa.runs.drawings import draw

        return draw(self, name, classes, groups, axis, models, split, value, top)

    def save_figure(
        self,
        name: str,
        path: str | os.PathLike[str],
        *,
        width: str = "3.25in",
        height: str | None = None,
        **options: Any,
    ) -> Path:
        """Draw a figure into a file for print, and return its path.

        Parameters
        ----------
        name, options
            As in :meth:`figure`.
        path : path
            Ends in ``.pdf``, ``.svg`` or ``.png`` (300 dots per inch).
        width, height : str
            With a unit: in, cm, mm, pt or px. The height follows from the figure by default.

        Raises
        ------
        InputError
            As :meth:`figure`; for another suffix or size, and where kaleido or Chromium is missing.
        """
        from lpa.figures.files import check_file, write_figure

        check_file(path, width, height)
        return write_figure(self.figure(name, **options), path, width, height)

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

    def report(
        self, path: str | os.PathLike[str] | None = None, beside: Sequence[Run] = ()
    ) -> Path:
        """Write the report, one HTML page that opens offline, and return its path.

        Parameters
        ----------
        path : path, optional
            By default ``report.html`` in the run's folder; for a run in an object store
            ``<run>.html``, and for several runs ``report-of-runs.html``, in the current directory.
            Pictures that would make the page too large lie in a folder beside it.
        beside : sequence of Run
            Other runs on the same page; classes and axes are matched by name.
        """
        from lpa.report import write_report

        store = self.outcomes.store
        if beside:
            usual = Path("report-of-runs.html")
        elif isinstance(store, FolderStore):
            usual = store.root / "report.html"
        else:
            usual = Path(f"{store.name}.html")
        return write_report([self.outcomes, *(run.outcomes for run in beside)], path or usual)

    def view(self, port: int = 8000, beside: Sequence[Run] = ()) -> ReportServer:
        """Make the report and serve it on this machine's loopback address alone.

        Parameters
        ----------
        port : int
            0 for any free one.
        beside : sequence of Run
            Other runs on the same page.

        Returns
        -------
        ReportServer
            Has the ``address`` to open; ``serve()`` answers until it is interrupted.
        """
        from lpa.report.serving import ReportServer

        return ReportServer(lambda page: self.report(page, beside), port)


def open_run(location: Location, strict: bool = False) -> Run:
    """Open a run's folder, or its address in an object store, for reading; see :class:`Run`."""
    return Run(location, strict=strict)
