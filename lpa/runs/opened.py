"""A run that was opened for reading, and what is chosen of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

import pandas as pd

from lpa.errors import InputError
from lpa.outcomes import FolderStore, Outcomes
from lpa.outcomes.part import Part
from lpa.runs.choices import (
    Groups,
    GroupsOption,
    chosen_part,
    class_groups,
    class_indices,
    omissions,
    unfinished,
)
from lpa.runs.present import with_images

__all__ = ["OpenedRun", "noted"]


class OpenedRun:
    """A run's outcomes, and the parts of them that statistics are asked about.

    Attributes
    ----------
    outcomes : Outcomes
        Its outcomes.
    """

    outcomes: Outcomes

    @property
    def location(self) -> str:
        """The run's folder, or its address in an object store."""
        return self.outcomes.store.location

    @property
    def path(self) -> Path:
        """The run's folder.

        Raises
        ------
        InputError
            For a run in an object store.
        """
        store = self.outcomes.store
        if not isinstance(store, FolderStore):
            raise InputError(f"{store} is no folder of this machine; expected run.location of it")
        return store.root

    def find_classes(self, wanted: str | Sequence[str]) -> list[int]:
        """Return the indices of classes by name, label or index; see :meth:`lpa.Run.curves`.

        Raises
        ------
        InputError
            For a name that is no class of the run, or the label of several.
        """
        return class_indices(self.outcomes.classes, wanted)

    def _chosen(
        self, classes: str | Sequence[str] | None, notes: list[str], split: str | None = None
    ) -> list[int] | None:
        """Return the chosen classes that have images, and note the others."""
        if classes is None:
            return None
        return with_images(self.outcomes, self.find_classes(classes), notes, split)

    def _part(
        self,
        models: str | Sequence[str] | None,
        axes: str | Sequence[str] | None,
        confidence: float,
    ) -> tuple[Part, list[str]]:
        """Return what was chosen of the run, and what its numbers will not cover."""
        _check_confidence(confidence)
        part = chosen_part(self.outcomes, models, axes)
        return part, omissions(part)

    def _counted_part(
        self,
        models: str | Sequence[str] | None,
        axes: str | Sequence[str] | None,
        confidence: float,
    ) -> tuple[Part, list[str]]:
        """Return what was chosen of the run, counts included, and what is unfinished."""
        _check_confidence(confidence)
        part = chosen_part(self.outcomes, models, axes, counted=True)
        return part, [] if part.counts_only else unfinished(part)

    def _beside(
        self,
        others: Sequence[OpenedRun],
        models: str | Sequence[str] | None,
        axes: str | Sequence[str] | None,
        confidence: float,
    ) -> tuple[dict[str, Outcomes], list[str]]:
        runs: dict[str, Outcomes] = {}
        notes: list[str] = []
        for run in (self, *others):
            name = PurePath(run.location).name
            name = name if name not in runs else run.location
            if run.outcomes.counts_only:
                runs[name] = chosen_part(run.outcomes, models, axes, counted=True)
            else:
                runs[name], mine = run._part(models, axes, confidence)
                notes += mine
        return runs, notes

    def _matching(self, other: OpenedRun, labels: Sequence[int] | None) -> list[int] | None:
        """Return another run's indices of this run's classes, matched by name."""
        if labels is None or other is self:
            return None if labels is None else list(labels)
        names = [self.outcomes.classes.names[label] for label in labels]
        found = other.outcomes.classes.find(names, by_index=False)
        return [int(index) for index in found if index >= 0]

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


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise InputError(f"confidence {confidence:g} is out of range; expected e.g. 0.95")


def noted(table: pd.DataFrame, notes: Sequence[str]) -> pd.DataFrame:
    """Put what was left out of the run before what a statistic left out."""
    table.attrs["notes"] = list(dict.fromkeys([*notes, *table.attrs.get("notes", [])]))
    return table
