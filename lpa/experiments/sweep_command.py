"""The command, or the Python call, that asks for a sweep again: what a run records."""

from __future__ import annotations

import os
import shlex
from typing import Any

from lpa.axes import format_value
from lpa.outcomes import Store
from lpa.plans import SweepPlan

__all__ = ["asking"]


def asking(plan: SweepPlan, store: Store, data: object) -> str:
    """Write what asks for the same again.

    Parameters
    ----------
    plan : SweepPlan
        What was asked.
    store : Store
        The run's folder.
    data : object
        As given: a text, a path or None; of anything else a Python call is written, since no
        command can name it.
    """
    named = data is None or isinstance(data, str | os.PathLike)
    return _command(plan, store) if named else _call(plan, store)


def _command(plan: SweepPlan, store: Store) -> str:
    axis = plan.axis
    words = ["lpa", "train-sweep", "--data", plan.data, "--model", plan.model]
    words += ["--regularizer", axis.axis.name]
    if plan.checkpoints is None:
        values = str(axis).removeprefix(f"{axis.axis.name}=")
        words += ["--values", values, "--seeds", str(axis.draws)]
    for name, value in plan.held.items():
        words += ["--set", f"{name}={format_value(value)}"]
    for policy in plan.policies if plan.policies != ("plain",) else ():
        words += ["--policy", policy]
    options = {"from": plan.checkpoints, **_changed(plan)}
    if plan.checkpoints is None:
        options |= _recipe(plan)
    for name, value in {**options, **plan.overrides}.items():
        if value is not None:
            written = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            words += [f"--{name.replace('_', '-')}", written]
    return shlex.join([*words, "--out", str(store)])


def _call(plan: SweepPlan, store: Store) -> str:
    axis = plan.axis
    asked: dict[str, Any] = {"model": plan.model, "regularizer": axis.axis.name}
    if plan.checkpoints is None:
        asked |= {"values": list(axis.values), "seeds": axis.draws}
    asked |= {"held": dict(plan.held) or None, "checkpoints": plan.checkpoints, **_changed(plan)}
    if plan.policies != ("plain",):
        asked["policies"] = list(plan.policies)
    if plan.checkpoints is None:
        asked["recipe"] = _recipe(plan)
    asked |= {**plan.overrides, "out": str(store)}
    words = [f"{name}={value!r}" for name, value in asked.items() if value is not None]
    return f"lpa.train_sweep({', '.join(['data=...', *words])})"


def _changed(plan: SweepPlan) -> dict[str, Any]:
    """Return the options that are not at their defaults; those that are None are to be left out."""
    return {
        "split": plan.split,
        "train_split": plan.train_split,
        "test_share": plan.test_share,
        "classes": plan.classes,
        "per_class": plan.per_class,
        "limit": plan.limit,
        "seed": plan.seed or None,
        "precision": None if plan.precision == "auto" else plan.precision,
        "keep": None if plan.keep == "last" or plan.checkpoints is not None else plan.keep,
        "stack": None if plan.stack == "auto" else plan.stack,
    }


def _recipe(plan: SweepPlan) -> dict[str, Any]:
    """Return every number of the recipe, so that another version's defaults do not matter.

    What a regularizer sets is not a matter of the recipe.
    """
    left_out = {"select", plan.axis.axis.name, *plan.held}
    recipe = plan.recipe.to_dict()
    return {name: v for name, v in recipe.items() if name not in left_out and v is not None}
