"""The command, or the Python call, that asks for a probe again: what a run records."""

from __future__ import annotations

import shlex
from typing import Any

from lpa.outcomes import Store
from lpa.plans import ProbePlan

__all__ = ["asking"]


def asking(plan: ProbePlan, store: Store, *, named: bool) -> str:
    """Write what asks for the same again.

    Parameters
    ----------
    plan : ProbePlan
        What was asked.
    store : Store
        The run's folder.
    named : bool
        Whether backbones and data are texts; of anything else a Python call is written, since no
        command can name it.
    """
    # Every number of the recipe is written, so that another version's defaults do not matter.
    options = {
        "model": plan.model,
        "regularizer": plan.regularizer,
        "split": plan.split,
        "train_split": plan.train_split,
        "test_share": plan.test_share,
        "classes": plan.classes,
        "per_class": plan.per_class,
        "limit": plan.limit,
        "seed": plan.seed or None,
        "precision": None if plan.precision == "auto" else plan.precision,
        "store": None if plan.stored == "float16" else plan.stored,
        "aug": plan.aug,
        "views": plan.views,
    }
    return _command(plan, store, options) if named else _call(plan, store, options)


def _command(plan: ProbePlan, store: Store, options: dict[str, Any]) -> str:
    words = ["lpa", "probe", "--backbones", ",".join(plan.backbones), "--data", plan.data]
    for name, value in {**options, **plan.recipe.to_dict(), **plan.overrides}.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        elif isinstance(value, tuple | list):
            words += [f"--{option}", ",".join(map(str, value))]
        elif value is not None:
            words += [f"--{option}", str(value)]
    return shlex.join([*words, "--out", str(store)])


def _call(plan: ProbePlan, store: Store, options: dict[str, Any]) -> str:
    asked = {**options, "recipe": plan.recipe.to_dict(), **plan.overrides, "out": str(store)}
    words = [f"{name}={value!r}" for name, value in asked.items() if value is not None]
    return f"lpa.probe({', '.join(['backbones=...', 'data=...', *words])})"
