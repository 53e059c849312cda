"""Runs that policies are made from: ``RUN`` or ``RUN#MODEL``, one model and one axis of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lpa.axes import Axis
from lpa.errors import InputError, unknown
from lpa.outcomes import Location, Outcomes, Store, is_address
from lpa.statistics.policy_targets import policy_of
from lpa.user_paths import exists, user_path

__all__ = ["SourceRun", "family", "is_run", "source_run"]


@dataclass(frozen=True)
class SourceRun:
    """One model on one axis of a run that a policy is made from.

    Attributes
    ----------
    outcomes : Outcomes
        The run.
    model : str
    axis : Axis
    split : str
        The only one.
    """

    outcomes: Outcomes
    model: str
    axis: Axis
    split: str

    @property
    def cells(self) -> list[str]:
        """Ids of the cells that the policy rests on, sorted."""
        return sorted(
            entry.cell.id
            for entry in self.outcomes.coverage
            if entry.complete
            and entry.cell.model == self.model
            and entry.cell.axis in (None, self.axis.name)
        )


def family(axis: str) -> str:
    """Return the name of an axis without its options."""
    return axis.partition("(")[0]


def is_run(source: str) -> bool:
    """Whether a source names a run's folder (``RUN`` or ``RUN#MODEL``)."""
    return Store(_folder(source)[0]).exists("run.json")


def source_run(policy: str, source: str, axis: str, *, trained: bool) -> SourceRun:
    """Open the run that a policy is made from.

    Parameters
    ----------
    policy : str
        The policy's name, for messages.
    source : str
        ``RUN`` or ``RUN#MODEL``.
    axis : str
        Its axis: this name, or else the one axis of this family.
    trained : bool
        Whether it must hold training runs (a sweep) or fixed models (a scan).

    Raises
    ------
    InputError
        For a folder that is no run, a run of the other kind, one of counts, and where model, axis
        or split are not there or not the only one.
    """
    folder, model = _folder(source)
    outcomes = Outcomes(folder)
    wanted, other = ("training runs", "fixed models")[:: 1 if trained else -1]
    if outcomes.record.trained != trained:
        raise InputError(
            f"policy {policy}: {folder} is a run of {other}; expected a run of {wanted}"
        )
    if not len(outcomes.cells):
        raise InputError(f"policy {policy}: {folder} has no complete cell; finish it first")
    model = _model(policy, outcomes, folder, model)
    found = _axis(policy, outcomes, folder, model, axis)
    splits = np.unique(outcomes.samples.split).tolist()
    if len(splits) > 1:
        raise InputError(
            f"policy {policy}: {folder} has {len(splits)} splits ({', '.join(splits)}), which are "
            "never pooled; expected a run of one split: scan one with --split"
        )
    return SourceRun(outcomes, model, found, str(splits[0]))


def _folder(source: str) -> tuple[Location, str | None]:
    if is_address(source):
        address, _, model = source.partition("#")
        return address, model or None
    whole = user_path(source)
    if exists(whole) or "#" not in source:
        return whole, None
    path, _, model = source.rpartition("#")
    return user_path(path), model


def _model(policy: str, outcomes: Outcomes, folder: Location, asked: str | None) -> str:
    names = [str(name) for name in dict.fromkeys(outcomes.cells["model"])]
    if asked is not None:
        if asked not in names:
            raise unknown("model", asked, names, f"of {folder}")
        return asked
    plain = [name for name in names if not policy_of(outcomes.models.get(name, {}))]
    if len(plain) != 1:
        raise InputError(
            f"policy {policy}: {folder} has {len(plain)} models ({', '.join(plain)}); say which: "
            f"{policy}={folder}#{(plain or names)[0]}"
        )
    return plain[0]


def _axis(policy: str, outcomes: Outcomes, folder: Location, model: str, wanted: str) -> Axis:
    mine = outcomes.cells.loc[outcomes.cells["model"] == model, "axis"].dropna()
    names = [str(name) for name in dict.fromkeys(mine)]
    if wanted in names:
        return outcomes.axes[wanted]
    alike = [name for name in names if family(name) == family(wanted)]
    if len(alike) == 1 and wanted == family(wanted):
        return outcomes.axes[alike[0]]
    raise InputError(
        f"policy {policy}: {model} in {folder} was measured on {', '.join(names) or 'no axis'}; "
        f"expected {wanted}"
    )
