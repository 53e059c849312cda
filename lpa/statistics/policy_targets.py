"""Which models were trained with a policy, and which classes a policy was made for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lpa.axes import Axis, format_value

__all__ = ["policy_of", "targeted_classes"]


def policy_of(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a model's facts say of its policy; nothing for the plain training.

    Parameters
    ----------
    facts : mapping
        Of :attr:`lpa.outcomes.Outcomes.models`.

    Returns
    -------
    mapping
        ``name``, ``source``, ``record`` and ``selected_on``, or nothing.
    """
    policy: Mapping[str, Any] = facts.get("policy") or {}
    return {} if policy.get("name", "plain") == "plain" else policy


def targeted_classes(
    record: Mapping[str, Any], classes: Sequence[str], axis: Axis, value: float
) -> list[str]:
    """Return the classes that a policy trains otherwise than the plain training does.

    Parameters
    ----------
    record : mapping
        Of the policy: ``chosen`` (names of the classes that get the value, or value as text ->
        such names) or ``limits`` (name -> last value that the class gets). Without either no class
        is meant more than others.
    classes : sequence of str
        Names of the run's classes.
    axis : Axis
        The swept axis.
    value : float
        The training's value.

    Returns
    -------
    list of str
        In the run's order; empty at the reference.
    """
    if value == axis.reference:
        return []
    if "limits" in record:
        reach = {name: axis.strength(limit) for name, limit in record["limits"].items()}
        return [name for name in classes if reach.get(name, 0.0) < axis.strength(value)]
    if "chosen" not in record:
        return []
    chosen = record["chosen"]
    if isinstance(chosen, Mapping):
        # At a value that the policy does not know it trained nothing.
        chosen = chosen.get(format_value(value), classes)
    return [name for name in classes if name not in set(chosen)]
