"""The command, or the Python call, that asks for the same scan again: what a run records."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from lpa.axes import format_value
from lpa.outcomes import Store
from lpa.plans import ScanPlan

__all__ = ["call", "command"]


def command(plan: ScanPlan, store: Store) -> str:
    """Write the command that asks for the same again."""
    words = ["lpa", "scan"]
    for planned in plan.axes:
        mark = "@" if planned.axis.name.startswith("kornia:") else "="
        values = str(planned).removeprefix(planned.axis.name + "=")
        words += ["--aug", f"{planned.axis.name}{mark}{values}"]
    words += ["--models", ",".join(plan.models), "--data", plan.data]
    options: list[tuple[str, Any]] = [
        ("--split", plan.split),
        ("--per-class", plan.per_class),
        ("--limit", plan.limit),
        ("--seed", plan.seed or None),
        ("--precision", None if plan.precision == "auto" else plan.precision),
        ("--draws", max(planned.draws for planned in plan.axes)),
        ("--classes", plan.classes),
        ("--images", None if plan.images else "none"),
    ]
    for name, value in plan.overrides.items():
        numbers = value if isinstance(value, list) else [value]
        options.append((f"--{name.replace('_', '-')}", ",".join(map(str, numbers))))
    for name, value in options:
        if value is not None:
            words += [name, str(value)]
    words += ["--ensemble"] * plan.ensemble + ["--restrict-classes"] * plan.restrict_classes
    return shlex.join([*words, "--out", str(store)])


def call(plan: ScanPlan, store: Store, models: Mapping[str, str | None], data_is_text: bool) -> str:
    """Write the Python call where models or data are objects, which no command can name.

    Parameters
    ----------
    plan : ScanPlan
        What was asked.
    store : Store
        The run's folder.
    models : mapping of str to (str or None)
        Name -> what was asked for; None for an object, which is written ``...``.
    data_is_text : bool
        Whether the data have a name or path, and are no object.
    """
    written = [
        f"{name!r}: {'...' if text is None else repr(text)}" for name, text in models.items()
    ]
    augmentations = [
        f"{planned.axis.name!r}: [{', '.join(map(format_value, planned.values))}]"
        for planned in plan.axes
    ]
    usual: dict[str, Any] = {
        "split": None, "per_class": None, "limit": None, "seed": 0, "precision": "auto",
        "classes": None, "ensemble": False, "restrict_classes": False, "images": True,
    }  # fmt: skip
    options = {name: getattr(plan, name) for name in usual}
    options = {name: value for name, value in options.items() if value != usual[name]}
    words = [
        f"models={{{', '.join(written)}}}",
        f"data={plan.data!r}" if data_is_text else "data=...",
        f"aug={{{', '.join(augmentations)}}}",
        f"draws={max(planned.draws for planned in plan.axes)}",
        *(f"{name}={value!r}" for name, value in {**options, **plan.overrides}.items()),
        f"out={str(store)!r}",
    ]
    return f"lpa.scan({', '.join(words)})"
