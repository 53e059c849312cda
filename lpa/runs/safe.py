"""Which values are safe: policy and gate, as methods of an opened run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.outcomes.part import Part
from lpa.runs.choices import GroupsOption, chosen_names
from lpa.runs.opened import OpenedRun, noted

if TYPE_CHECKING:
    from lpa.statistics.gate import Gate

__all__ = ["SafeValues"]


class SafeValues(OpenedRun):
    """Which values of a run are safe. Each method imports its statistics on use."""

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
        from lpa.runs.safety import group_verdicts, safety_notes
        from lpa.statistics.policy import STATES, policy

        part, notes = self._part(models, axes, confidence)
        labels = self._chosen(classes, notes, split)
        table = policy(part, drop, confidence, split, level, family)
        if table.empty:
            raise InputError("no range can be given: " + "; ".join(table.attrs["notes"]))
        notes += safety_notes(table)
        if groups is not None:
            grouped = self._groups(groups, labels, notes)
            return noted(group_verdicts(part, table, "state", grouped, STATES), notes)
        if labels is not None:
            attrs = table.attrs
            table = table[table["label"].isin(labels)].reset_index(drop=True)
            table.attrs = attrs
        return noted(table, notes)

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
        from lpa.runs.safety import single
        from lpa.statistics.policy_record import policy_record

        model, axis = single("model", model), single("axis", axis)
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
        from lpa.runs.safety import write_record

        return write_record(self.policy_record(drop, **options), path)

    def gate(
        self,
        max_drop: float = 0.10,
        *,
        against: OpenedRun | str | os.PathLike[str] | None = None,
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
        from lpa.runs.safety import budget_of, limited, safety_notes
        from lpa.statistics.gate import gate

        part, notes = self._part(models, axes, confidence)
        labels = self._chosen(classes, notes, split)
        chosen = chosen_names(self.outcomes, "model", models)
        older = None
        if against is not None:
            run = against.outcomes if isinstance(against, OpenedRun) else Outcomes(against)
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
        noted(found.table, notes)
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
        from lpa.runs.safety import group_verdicts

        notes: list[str] = []
        grouped = self._groups(groups, None, notes)
        table = group_verdicts(
            self.outcomes, found.classes, "verdict", grouped, list(found.counts), means
        )
        return noted(table, [*notes, *found.table.attrs["notes"]])
