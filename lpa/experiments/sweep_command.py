"""The command that asks for a sweep again."""

from __future__ import annotations

import shlex
from typing import Any

from lpa.axes import format_value
from lpa.outcomes import Store
from lpa.plans import SweepPlan

__all__ = ["command"]


def command(plan: SweepPlan, store: Store) -> str:
    """Write the command that asks for the same again."""
    axis = plan.axis
    values = str(axis).removeprefix(f"{axis.axis.name}=")
    words = ["lpa", "train-sweep", "--data", plan.data, "--model", plan.model]
    words += ["--regularizer", axis.axis.name, "--values", values, "--seeds", str(axis.draws)]
    for name, value in plan.held.items():
        words += ["--set", f"{name}={format_value(value)}"]
    for policy in plan.policies if plan.policies != ("plain",) else ():
        words += ["--policy", policy]
    options: list[tuple[str, Any]] = [
        ("--from", plan.checkpoints),
        ("--split", plan.split),
        ("--train-split", plan.train_split),
        ("--per-class", plan.per_class),
        ("--limit", plan.limit),
        ("--seed", plan.seed or None),
        ("--precision", None if plan.precision == "auto" else plan.precision),
        ("--keep", None if plan.keep == "last" else plan.keep),
        ("--stack", None if plan.stack == "auto" else plan.stack),
    ]
    if plan.checkpoints is None:
        # Every number of the recipe, so that another version's defaults do not matter.
        options += [
            (f"--{name.replace('_', '-')}", value)
            for name, value in plan.recipe.to_dict().items()
            if name != "select"
        ]
    for name, value in plan.overrides.items():
        numbers = value if isinstance(value, list) else [value]
        options.append((f"--{name.replace('_', '-')}", ",".join(map(str, numbers))))
    for name, value in options:
        if value is not None:
            words += [name, str(value)]
    return shlex.join([*words, "--out", str(store)])
