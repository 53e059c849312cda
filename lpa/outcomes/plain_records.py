"""What the JSON of a run folder may hold: checked where it is read, so that nothing else has to be.

A run's folder may come from anywhere: it is copied between machines and mailed for its report.
Each check raises ValueError with the field and its value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from lpa.axes import Axis

__all__ = [
    "check_cells",
    "check_chosen",
    "check_failure",
    "check_plan",
    "check_policy",
    "check_run",
]

MOST = 2**63
"""Whole numbers lie below: what the columns of a table hold."""

MOST_REPLICATES = 2**31
"""Imports number their replicates as they like, also by seeds."""

MOST_CELLS = 10**7
"""Of one axis in a plan: more than anybody draws or trains."""

KEY = re.compile("[0-9a-f]{16}")


def check_run(record: Any) -> None:
    """Check run.json but for its classes, which check themselves."""
    _mapping(record, "run.json")
    for name in ("kind", "data", "fingerprint", "precision"):
        _text(record[name], name)
    if record["kind"] not in ("scan", "sweep", "probe", "import"):
        raise ValueError(f"kind is {record['kind']!r}")
    if record["split"] is not None:
        _text(record["split"], "split")
    for name, least in (("per_class", 1), ("limit", 1), ("seed", 0), ("shard_size", 1)):
        if record[name] is not None or name in ("seed", "shard_size"):
            _whole(record[name], name, least)
    _mapping(record["reference"], "reference")
    classes = _mapping(record["classes"], "classes")
    for name in ("names", "labels"):
        for each in _list(classes[name], f"classes.{name}"):
            _text(each, f"classes.{name}")


def check_plan(plan: Any) -> None:
    """Check what readers use of a plan: models, axes, versions, and texts."""
    _mapping(plan, "a plan")
    for name in ("command", "created"):
        _text(plan.get(name, ""), name)
    for name, version in _mapping(plan.get("versions", {}), "versions").items():
        _text(version, f"versions.{name}")
    for name, facts in _mapping(plan.get("models", {}), "models").items():
        _mapping(facts, f"models.{name}")
        for key in ("source", "spec", "weights", "weights_hash", "preprocessing"):
            if facts.get(key) is not None:
                _text(facts[key], f"models.{name}.{key}")
        if facts.get("published_accuracy") is not None:
            _number(facts["published_accuracy"], f"models.{name}.published_accuracy")
        if facts.get("policy") is not None:
            _check_trained_with(facts["policy"])
    for planned in _list(plan.get("axes", []), "axes"):
        _check_planned(planned)


def _check_trained_with(policy: Any) -> None:
    _text(_mapping(policy, "policy").get("name", "plain"), "policy.name")
    check_chosen(policy.get("record", {}))
    for each in _list(policy.get("selected_on", []), "policy.selected_on"):
        _text(each, "policy.selected_on")


def check_chosen(record: Any) -> None:
    """Check what a policy does and which images chose it, of a training or a policy's file."""
    _mapping(record, "policy.record")
    for name, limit in _mapping(record.get("limits", {}), "limits").items():
        _number(limit, f"limits.{name}")
    chosen = record.get("chosen", [])
    for names in chosen.values() if isinstance(chosen, Mapping) else [chosen]:
        for each in _list(names, "chosen"):
            _text(each, "chosen")
    if record.get("images"):
        images = _mapping(record["images"], "images")
        _text(images["fingerprint"], "images.fingerprint")
        _whole(images["n"], "images.n", 0)
        for key in _list(images["smallest_keys"], "images.smallest_keys"):
            _text(key, "images.smallest_keys")
            if not KEY.fullmatch(key):
                raise ValueError(f"images.smallest_keys holds {_shown(key)}, expected 16 digits")
        if images["n"] and not images["smallest_keys"]:
            raise ValueError("images.smallest_keys is empty")


def check_policy(record: Any) -> None:
    """Check the file of a policy."""
    check_chosen(record)
    _mapping(record["images"] or None, "images")
    for name in ("model", "split", "family", "level"):
        _text(record[name], name)
    for name in ("drop", "confidence"):
        _number(record[name], name)
    axis = Axis.from_dict(dict(_mapping(record["axis"], "axis")))
    values = _list(record["values"], "values")
    for value in values:
        _number(value, "values")
    for name, found in _mapping(record["classes"], "classes").items():
        _mapping(found, f"classes.{name}")
        if found["range"] is not None:
            if len(_list(found["range"], f"classes.{name}.range")) != 2:
                raise ValueError(f"classes.{name}.range is {_shown(found['range'])}")
            for value in found["range"]:
                _number(value, f"classes.{name}.range")
        if len(_list(found["states"], f"classes.{name}.states")) != len(values):
            raise ValueError(f"classes.{name}.states does not have a state for each of {axis.name}")
        for state in found["states"]:
            _text(state, f"classes.{name}.states")
        _whole(found["n"], f"classes.{name}.n", 0)


def _check_planned(planned: Any) -> None:
    _mapping(planned, "axes")
    name = Axis.from_dict(dict(_mapping(planned["axis"], "axis"))).name
    for value in _list(planned.get("values", []), f"values of {name}"):
        _number(value, f"a value of {name}")
    for model in _list(planned.get("models", []), f"models of {name}"):
        _text(model, f"a model of {name}")
    _whole(planned.get("draws", 0), f"draws of {name}", 0, MOST_REPLICATES)
    for replicate in _list(planned.get("replicates", []), f"replicates of {name}"):
        _whole(replicate, f"a replicate of {name}", 0, MOST_REPLICATES)


def check_extent(plan: Mapping[str, Any]) -> None:
    """Check that the cells of a plan can be counted one by one; an import's are not."""
    for planned in plan.get("axes", []):
        cells = planned.get("draws", 0) * len(planned.get("values", []))
        if cells > MOST_CELLS:
            raise ValueError(f"it asks for {cells:.0g} cells on {planned['axis']['name']}")


def check_failure(failure: Any) -> None:
    """Check the record of a failure."""
    _mapping(failure, "a failure")
    _whole(failure["shard"], "shard", 0)
    if failure["model"] is not None:
        _text(failure["model"], "model")
    _text(failure["reason"], "reason")
    for cell in _list(failure["cells"], "cells"):
        _text(cell, "cells")


def check_cells(columns: Any) -> None:
    """Check the columns of a unit's cells."""
    _mapping(columns, "cells")
    for name in ("model", "id"):
        for each in _list(columns[name], name):
            _text(each, name)
    for replicate in _list(columns["replicate"], "replicate"):
        _whole(replicate, "replicate", 0, MOST_REPLICATES)
    axes, values = _list(columns["axis"], "axis"), _list(columns["value"], "value")
    for axis, value in zip(axes, values, strict=True):
        if axis is None and value is None:
            continue
        _text(axis, "axis")
        _number(value, "value")


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is {_shown(value)}, expected an object")
    return value


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{name} is {_shown(value)}, expected a list")
    return value


def _text(value: Any, name: str) -> None:
    if not isinstance(value, str):
        raise ValueError(f"{name} is {_shown(value)}, expected text")


def _number(value: Any, name: str) -> None:
    # Whole numbers of JSON have any size; floats end at 1.8e308.
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < MOST
    if not whole and not (isinstance(value, float) and math.isfinite(value)):
        raise ValueError(f"{name} is {_shown(value)}, expected a finite number")


def _whole(value: Any, name: str, least: int, most: int = MOST) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < most:
        raise ValueError(f"{name} is {_shown(value)}, expected a whole number from {least}")


def _shown(value: Any) -> str:
    text = "a long number" if isinstance(value, int) and abs(value) >= MOST else repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
