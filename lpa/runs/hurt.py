"""Which classes are hurt: rank, compare and test, as methods of an opened run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import pandas as pd

from lpa.errors import InputError
from lpa.runs.choices import GroupsOption, numbers
from lpa.runs.opened import OpenedRun, noted

if TYPE_CHECKING:
    from lpa.statistics.paired import Paired

__all__ = ["HurtClasses"]


class HurtClasses(OpenedRun):
    """Which classes of a run are hurt. Each method imports its statistics on use."""

    def rank(
        self,
        by: str = "loss",
        drop: float = 0.10,
        *,
        classes: str | Sequence[str] | None = None,
        groups: GroupsOption = None,
        models: str | Sequence[str] | None = None,
        axes: str | Sequence[str] | None = None,
        split: str | None = None,
        level: str | None = None,
        joint: bool = False,
        top: int | None = None,
        confidence: float = 0.95,
    ) -> pd.DataFrame:
        """Return the classes in the order in which they are hurt, the most hurt first.

        Parameters
        ----------
        by : {"loss", "threshold"}
            The mean loss along the axis, or where the augmentation stops preserving the label.
        drop : float
            Loss that counts as no longer preserved, in [0, 1): .1 is 10 accuracy points.
        classes : str or sequence of str, optional
            Show only these, at their ranks among all; see :meth:`lpa.Run.curves`.
        groups : path or mapping, optional
            Class -> group, or group -> classes: the groups' means instead of classes, in the order
            of their losses (``by="loss"``, without ``joint``).
        models, axes : str or sequence of str, optional
            Only these.
        split : str, optional
            Only this split.
        level : {"image", "both"}, optional
            Of the intervals; ``both`` (new images and new trainings) for sweeps and probes.
        joint : bool
            Add ranks that hold for all classes at once (``by="loss"``).
        top : int, optional
            Only the most hurt of each model and axis.
        confidence : float
            Of each interval, in (0, 1).

        Returns
        -------
        DataFrame
            See :func:`~lpa.statistics.ranking.ranking` and
            :func:`~lpa.statistics.threshold.threshold`, whose columns stand side by side; with
            ``groups`` see :func:`~lpa.statistics.group_means.group_loss`. Classes with fewer than
            10 images are shown, not ranked. ``attrs["notes"]`` says what was left out.

        Raises
        ------
        InputError
            For unknown names, and when nothing can be ranked.
        """
        from lpa.runs.ranks import rank_classes, rank_groups

        part, notes = self._part(models, axes, confidence)
        labels = self._chosen(classes, notes, split)
        if groups is not None:
            grouped = self._groups(groups, labels, notes)
            found = rank_groups(part, grouped, by, drop, joint, confidence, split, level, top)
            return noted(found, notes)
        table = rank_classes(part, by, drop, joint, confidence, split, level, labels, top)
        return noted(table, notes)

    def compare(
        self,
        models: str | Sequence[str] | None = None,
        *,
        values: str | Sequence[float] | None = None,
        at: str | None = None,
        axis: str | None = None,
        classes: str | Sequence[str] | None = None,
        groups: GroupsOption = None,
        split: str | None = None,
        fdr: Literal["bh", "by"] = "bh",
        confidence: float = 0.95,
    ) -> Paired:
        """Compare two models, or two values of an axis, on the same images.

        Parameters
        ----------
        models : str or sequence of str, optional
            The old and the new one; with ``values``, whichever models are to be looked at.
        values : str or sequence of float, optional
            Two values, old and new: ``"crop=1,.5"``, or numbers with ``axis``.
        at : str, optional
            Where two models are compared: ``"crop=.5"``; by default the identity.
        axis : str, optional
            The axis; may be left out where the run has one.
        classes : str or sequence of str, optional
            Show only these; corrections remain those for all.
        groups : path or mapping, optional
            Adds the groups' mean differences to ``overall``; see :meth:`rank`.
        split : str, optional
            Only this split.
        fdr : {"bh", "by"}
            Benjamini-Hochberg or Benjamini-Yekutieli.
        confidence : float
            Of each interval, in (0, 1).

        Returns
        -------
        Paired
            Three tables: ``classes``, ``overall`` and ``flips``; see
            :func:`~lpa.statistics.paired.compare_models`. ``overall.attrs["notes"]`` says what was
            left out.

        Raises
        ------
        InputError
            For unknown names and values.
        """
        from lpa.runs.comparisons import compare

        part, notes = self._part(None, None, confidence)
        labels = self._chosen(classes, notes, split)
        grouped = None if groups is None else self._groups(groups, labels, notes)
        found = compare(
            part, models, values, at, axis, grouped, labels, confidence, split, _fdr(fdr)
        )
        noted(found.overall, notes)
        return found

    def test(
        self,
        values: str | Sequence[float] | None = None,
        *,
        value: float | None = None,
        beside: Sequence[OpenedRun] = (),
        by_class: bool | None = None,
        classes: str | Sequence[str] | None = None,
        groups: GroupsOption = None,
        models: str | Sequence[str] | None = None,
        axes: str | Sequence[str] | None = None,
        split: str | None = None,
        family: Literal["one", "all"] = "one",
        fdr: Literal["bh", "by"] = "bh",
        significance: str | Sequence[float] | None = None,
        paired: bool = False,
        looks: int = 1,
        confidence: float = 0.95,
    ) -> pd.DataFrame:
        """Test every class: Table 1 for training runs, drop tests for runs of fixed models.

        Parameters
        ----------
        values : str or sequence of float, optional
            For training runs: the value compared with, and those that are compared; by default the
            reference and all others.
        value : float, optional
            One value beside the reference. Fixed models are tested on their mean loss by default.
        beside : sequence of Run
            Further runs of the same kind, side by side.
        by_class : bool, optional
            The classes' tests, or the counts of classes that are shown to be hurt; by default the
            counts (Table 1) for training runs and the classes for fixed models.
        classes : str or sequence of str, optional
            Show only these; corrections remain those for all.
        groups : path or mapping, optional
            Means and counts by group; see :meth:`rank`.
        models, axes : str or sequence of str, optional
            Only these.
        split : str, optional
            Only this split.
        family : {"one", "all"}
            What is corrected together: each model, axis and value, or all of a direction (of each
            run, for fixed models).
        fdr : {"bh", "by"}
            Benjamini-Hochberg or Benjamini-Yekutieli.
        significance : str or sequence of float, optional
            Levels of the counts, in a text with commas between: .10, .05 and .01 by default,
            .05 for fixed models.
        paired : bool
            Training runs of the same number share their seed.
        looks : int
            How often these runs were tested while seeds were added because of the results. A note
            says where the run's record has more invocations that added some.
        confidence : float
            Of the intervals, in (0, 1).

        Returns
        -------
        DataFrame
            See :func:`~lpa.statistics.run_test.run_test`,
            :func:`~lpa.statistics.run_test_summary.run_test_summary`,
            :func:`~lpa.statistics.drop_test.drop_test` and
            :func:`~lpa.statistics.hurt_helped.hurt_and_helped`; ``run`` is the first column.

        Raises
        ------
        InputError
            For unknown names, for runs of both kinds, and when nothing can be tested.
        """
        from lpa.runs import class_tests as tests
        from lpa.statistics.looks import looks_note

        pair = numbers(values) if isinstance(values, str) else values
        runs, notes = self._beside(beside, models, axes, confidence)
        labels = self._chosen(classes, notes, split)
        method = _fdr(fdr)
        table = tests.class_tests(runs, pair, value, family, method, paired, confidence, split)
        trained = tests.is_trained(self.outcomes)
        if looks != 1 and not trained:
            raise InputError("looks belong to training runs; leave them out")
        if trained:
            notes += [note for name, run in runs.items() for note in looks_note(name, run, looks)]
        if significance is None:
            significance = (0.10, 0.05, 0.01) if trained else (0.05,)
        elif isinstance(significance, str):
            significance = numbers(significance)
        if groups is not None:
            level = 0.05 if 0.05 in significance else significance[0]
            grouped = {
                name: run._groups(groups, self._matching(run, labels), notes)
                for name, run in zip(runs, (self, *beside), strict=True)
            }
            found = tests.group_tests(runs, table, grouped, level, value, confidence, split)
            return noted(found, notes)
        if by_class is None:
            by_class = not trained or labels is not None
        if by_class:
            if looks > 1:
                notes.append(f"{looks} looks: hold p-values against a level divided by {looks}")
            return noted(table if labels is None else self._watched(table, labels), notes)
        if labels is not None:
            raise InputError("counts are of all classes; leave --classes out, or give --by-class")
        return noted(tests.summary(table, significance, looks), notes)

    def _watched(self, table: pd.DataFrame, labels: Sequence[int]) -> pd.DataFrame:
        """Return the rows of the chosen classes, of all runs side by side."""
        # Each run numbers its classes for itself; names are theirs alike.
        names = [self.outcomes.classes.names[label] for label in labels]
        rows = table[table["class"].isin(names)].reset_index(drop=True)
        rows.attrs = table.attrs
        if rows.empty:
            raise InputError(
                "none of the chosen classes could be tested: " + "; ".join(rows.attrs["notes"])
            )
        return rows


def _fdr(name: str) -> Literal["fdr_bh", "fdr_by"]:
    if name not in ("bh", "by"):
        raise InputError(f"correction {name!r} is unknown; expected bh or by")
    return "fdr_bh" if name == "bh" else "fdr_by"
