"""The statistics of an opened run: rank, compare, test, policy and gate, as methods.

Longer than other modules for its docstrings: the methods only choose, call and note.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.outcomes.part import Part
from lpa.runs_choices import (
    Groups,
    GroupsOption,
    chosen_names,
    chosen_part,
    class_groups,
    class_indices,
    numbers,
    omissions,
)

if TYPE_CHECKING:
    from lpa.statistics.gate import Gate
    from lpa.statistics.paired import Paired

__all__ = ["RunStatistics"]


class RunStatistics:
    """What :class:`lpa.Run` answers. Each method imports its statistics on use.

    Attributes
    ----------
    path : Path
        The run's folder.
    outcomes : Outcomes
        Its outcomes.
    """

    path: Path
    outcomes: Outcomes

    def find_classes(self, wanted: str | Sequence[str]) -> list[int]:
        """Return the indices of classes by name, label or index; see :meth:`lpa.Run.curves`.

        Raises
        ------
        InputError
            For a name that is no class of the run, or the label of several.
        """
        return class_indices(self.outcomes.classes, wanted)

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
            Class -> group, or group -> classes: the groups' means instead of classes.
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
        from lpa.runs_rank import rank_classes, rank_groups

        part, notes = self._part(models, axes, confidence)
        labels = None if classes is None else self.find_classes(classes)
        if groups is not None:
            grouped = self._groups(groups, labels, notes)
            return _noted(rank_groups(part, grouped, drop, confidence, split, level), notes)
        table = rank_classes(part, by, drop, joint, confidence, split, level, labels, top)
        return _noted(table, notes)

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
        from lpa.runs_compare import compare

        part, notes = self._part(None, None, confidence)
        labels = None if classes is None else self.find_classes(classes)
        grouped = None if groups is None else self._groups(groups, labels, notes)
        found = compare(
            part, models, values, at, axis, grouped, labels, confidence, split, _fdr(fdr)
        )
        _noted(found.overall, notes)
        return found

    def test(
        self,
        values: str | Sequence[float] | None = None,
        *,
        value: float | None = None,
        beside: Sequence[RunStatistics] = (),
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
            How often these runs were tested while seeds were added because of the results.
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
        from lpa import runs_test as tests

        pair = numbers(values) if isinstance(values, str) else values
        runs, notes = self._beside(beside, models, axes, confidence)
        labels = None if classes is None else self.find_classes(classes)
        method = _fdr(fdr)
        table = tests.class_tests(runs, pair, value, family, method, paired, confidence, split)
        trained = tests.is_trained(self.outcomes)
        if significance is None:
            significance = (0.10, 0.05, 0.01) if trained else (0.05,)
        elif isinstance(significance, str):
            significance = numbers(significance)
        if groups is not None:
            level = 0.05 if 0.05 in significance else significance[0]
            grouped = self._groups(groups, labels, notes)
            return _noted(tests.group_tests(runs, table, grouped, level), notes)
        if by_class is None:
            by_class = not trained or labels is not None
        if by_class:
            if labels is not None:
                table = table[table["label"].isin(labels)].reset_index(drop=True)
            return _noted(table, notes)
        if labels is not None:
            raise InputError("counts are of all classes; leave --classes out, or give --by-class")
        return _noted(tests.summary(table, significance, looks), notes)

    def policy(
        self,
        drop: float = 0.10,
        *,
        classes: str | Sequence[str] | None = None,
        groups: GroupsOption = None,
        models: str | Sequence[str] | None = None,
        axes: str | Sequence[str] | None = None,
        split: str | None = None,
        level: str | None = None,
        family: Literal["one", "all"] = "one",
        confidence: float = 0.95,
    ) -> pd.DataFrame:
        """Return for every class the range of values that is shown to be safe.

        Parameters
        ----------
        drop : float
            Loss that is not to be exceeded, in (0, 1).
        classes, groups, models, axes, split, level
            As in :meth:`rank`; with ``groups``, how many classes of each are safe.
        family : {"one", "all"}
            Whether the promise is for each class, or for all classes of a curve at once.
        confidence : float
            One-sided, in (0, 1).

        Returns
        -------
        DataFrame
            See :func:`~lpa.statistics.policy.policy`.

        Raises
        ------
        InputError
            For unknown names, and when no range can be given.
        """
        from lpa.runs_safety import group_verdicts, safety_notes
        from lpa.statistics.policy import STATES, policy

        part, notes = self._part(models, axes, confidence)
        labels = None if classes is None else self.find_classes(classes)
        table = policy(part, drop, confidence, split, level, family)
        if table.empty:
            raise InputError("no range can be given: " + "; ".join(table.attrs["notes"]))
        notes += safety_notes(table)
        if groups is not None:
            grouped = self._groups(groups, labels, notes)
            return _noted(group_verdicts(part, table, "state", grouped, STATES), notes)
        if labels is not None:
            attrs = table.attrs
            table = table[table["label"].isin(labels)].reset_index(drop=True)
            table.attrs = attrs
        return _noted(table, notes)

    def policy_record(
        self,
        drop: float = 0.10,
        *,
        model: str | None = None,
        axis: str | None = None,
        split: str | None = None,
        level: str | None = None,
        family: Literal["one", "all"] = "one",
        confidence: float = 0.95,
    ) -> dict[str, Any]:
        """Return the policy of one model and axis as plain JSON values, for training sweeps.

        Parameters
        ----------
        drop, split, level, family, confidence
            As in :meth:`policy`.
        model, axis : str, optional
            Which; may be left out where the run has one.

        Returns
        -------
        dict
            See :func:`~lpa.statistics.policy_record.policy_record`.

        Raises
        ------
        InputError
            Where it is not said which of several models or axes is meant.
        """
        from lpa.statistics.policy_record import policy_record

        part, _ = self._part(
            None if model is None else [model], None if axis is None else [axis], confidence
        )
        return policy_record(part, axis, model, drop, confidence, split, level, family)

    def write_policy(
        self, path: str | os.PathLike[str], drop: float = 0.10, **options: Any
    ) -> Path:
        """Write :meth:`policy_record` as JSON and return the path.

        Parameters
        ----------
        path : path
            The file.
        drop, options
            As in :meth:`policy_record`.

        Raises
        ------
        InputError
            As :meth:`policy_record`, and when the file cannot be written.
        """
        from lpa.runs_safety import write_record

        return write_record(self.policy_record(drop, **options), path)

    def gate(
        self,
        max_drop: float = 0.10,
        *,
        against: RunStatistics | str | os.PathLike[str] | None = None,
        require: Literal["not hurt", "safe"] = "not hurt",
        budget: str | os.PathLike[str] | Mapping[str, float] | None = None,
        value: float | None = None,
        classes: str | Sequence[str] | None = None,
        models: str | Sequence[str] | None = None,
        axes: str | Sequence[str] | None = None,
        split: str | None = None,
        level: str | None = None,
        confidence: float = 0.95,
    ) -> Gate:
        """Check that no class is shown to lose more than is allowed.

        Parameters
        ----------
        max_drop : float
            What each class may lose, in (0, 1).
        against : Run or path, optional
            An older run on the same images, in place of the reference.
        require : {"not hurt", "safe"}
            ``safe``: every class must be shown to lose less.
        budget : path or mapping, optional
            Class -> what it may lose, in place of ``max_drop``.
        value : float, optional
            Only this value.
        classes : str or sequence of str, optional
            Check only these, and correct only for these; see :meth:`lpa.Run.curves`.
        models, axes, split, level
            As in :meth:`rank`.
        confidence : float
            One-sided, in (0, 1).

        Returns
        -------
        Gate
            See :func:`~lpa.statistics.gate.gate`. ``table.attrs["notes"]`` says what was left out.

        Raises
        ------
        InputError
            For unknown names, and when nothing can be checked.
        """
        from lpa.runs_safety import budget_of, limited, safety_notes
        from lpa.statistics.gate import gate

        part, notes = self._part(models, axes, confidence)
        labels = None if classes is None else self.find_classes(classes)
        chosen = chosen_names(self.outcomes, "model", models)
        older = None
        if against is not None:
            run = against.outcomes if isinstance(against, RunStatistics) else Outcomes(against)
            older = limited(run, self.outcomes, chosen, labels)
        checked = part if labels is None else Part(part, labels)
        found = gate(
            checked,
            max_drop,
            older,
            require,
            budget_of(budget),
            confidence,
            split,
            level,
            None,
            value,
        )
        notes += safety_notes(found.classes)
        _noted(found.table, notes)
        return found

    def gate_groups(self, found: Gate, groups: GroupsOption, *, means: bool = True) -> pd.DataFrame:
        """Return the verdicts of a gate counted by group.

        Parameters
        ----------
        found : Gate
            Of :meth:`gate`.
        groups : path or mapping
            See :meth:`rank`.
        means : bool
            Add the groups' mean losses along the axis beside the reference, which say nothing of an
            older run.
        """
        from lpa.runs_safety import group_verdicts

        notes: list[str] = []
        grouped = self._groups(groups, None, notes)
        table = group_verdicts(
            self.outcomes, found.classes, "verdict", grouped, list(found.counts), means
        )
        return _noted(table, [*notes, *found.table.attrs["notes"]])

    def _part(
        self,
        models: str | Sequence[str] | None,
        axes: str | Sequence[str] | None,
        confidence: float,
    ) -> tuple[Part, list[str]]:
        """Return what was chosen of the run, and what its numbers will not cover."""
        if not 0 < confidence < 1:
            raise InputError(f"confidence {confidence:g} is out of range; expected e.g. 0.95")
        part = chosen_part(self.outcomes, models, axes)
        return part, omissions(part)

    def _beside(
        self,
        others: Sequence[RunStatistics],
        models: str | Sequence[str] | None,
        axes: str | Sequence[str] | None,
        confidence: float,
    ) -> tuple[dict[str, Outcomes], list[str]]:
        runs: dict[str, Outcomes] = {}
        notes: list[str] = []
        for run in (self, *others):
            name = run.path.name if run.path.name not in runs else str(run.path)
            if run.outcomes.counts_only:
                runs[name] = run.outcomes
            else:
                runs[name], mine = run._part(models, axes, confidence)
                notes += mine
        return runs, notes

    def _groups(
        self, groups: GroupsOption, labels: Sequence[int] | None, notes: list[str]
    ) -> Groups:
        """Return the groups; a watch list limits their members."""
        assert groups is not None
        found = class_groups(self.outcomes, groups, notes)
        if labels is None:
            return found
        kept = {name: [m for m in members if m in labels] for name, members in found.items()}
        kept = {name: members for name, members in kept.items() if members}
        if not kept:
            raise InputError("none of the chosen classes is in a group")
        return kept


def _fdr(name: str) -> Literal["fdr_bh", "fdr_by"]:
    if name not in ("bh", "by"):
        raise InputError(f"correction {name!r} is unknown; expected bh or by")
    return "fdr_bh" if name == "bh" else "fdr_by"


def _noted(table: pd.DataFrame, notes: Sequence[str]) -> pd.DataFrame:
    """Put what was left out of the run before what a statistic left out."""
    table.attrs["notes"] = list(dict.fromkeys([*notes, *table.attrs.get("notes", [])]))
    return table
