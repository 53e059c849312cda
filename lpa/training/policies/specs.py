"""What people write to ask for a policy, read without torch.

===================================  ===============================================
``plain``                            the plain training
``class_dependent=classes.txt``      a policy and what it is made from
``label_distillation(hard=.1)=MODEL``  options in brackets, numbers only
===================================  ===============================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lpa.errors import InputError, unknown
from lpa.training.policies.register import POLICIES

__all__ = ["PolicySpec", "list_policies", "parse_policy"]

_HINT = "lpa train-sweep --help lists them"
_FORM = re.compile(r"(?P<name>[^=()]+)(?:\((?P<options>[^()]*)\))?(?:=(?P<source>.*))?", re.DOTALL)


@dataclass(frozen=True)
class PolicySpec:
    """One policy that was asked for.

    Attributes
    ----------
    name : str
        Of :data:`~lpa.training.policies.register.POLICIES`.
    source : str
        What it is made from, as typed; empty where it takes nothing.
    text : str
        Canonical: options sorted, defaults dropped. ``MODEL+text`` is unique in a run.
    options : dict of str to float
        Every option of the policy, defaults filled in.
    """

    name: str
    source: str
    text: str
    options: dict[str, float] = field(default_factory=dict)


def parse_policy(text: str) -> PolicySpec:
    """Read one policy: ``NAME``, ``NAME=SOURCE`` or ``NAME(option=number)=SOURCE``.

    Raises
    ------
    InputError
        For an unknown policy or option, a number out of range, a source that is missing, and one
        that is given to a policy that takes none.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise InputError(f"policy {text!r} cannot be read; expected NAME or NAME=SOURCE")
    name, source = match["name"].strip(), (match["source"] or "").strip()
    if name not in POLICIES:
        raise unknown("policy", name, POLICIES, _HINT)
    entry = POLICIES[name]
    if entry.source and not source:
        raise InputError(
            f"policy {name} needs what it is made from: {entry.source}; write {name}=SOURCE"
        )
    if source and not entry.source:
        raise InputError(f"policy {name} is made from nothing; write {name} without {source!r}")
    given = _given(name, match["options"] or "")
    options = {key: option.default for key, option in entry.options.items()} | given
    written = ",".join(
        f"{key}={value}" for key, value in sorted(given.items())
        if value != entry.options[key].default
    )  # fmt: skip
    canonical = name + (f"({written})" if written else "") + (f"={source}" if source else "")
    numbers = {key: float(entry.options[key].value(value)) for key, value in options.items()}
    return PolicySpec(name, source, canonical, numbers)


def _given(name: str, text: str) -> dict[str, str]:
    """Read ``step=.1,start=0`` into canonical texts."""
    known = POLICIES[name].options
    options: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not known:
            raise InputError(f"{name}({text}): {name} has no options; write {name}")
        if not equals:
            raise InputError(f"{name}({text}): expected option=number, got {part!r}")
        if key not in known:
            raise unknown(f"option of {name}", key, known)
        if key in options:
            raise InputError(f"{name}({text}): option {key} is given twice; give it once")
        options[key] = known[key].canonical(f"{name}: option {key}", value)
    return options


def list_policies() -> list[dict[str, str]]:
    """Return every policy's ``name``, ``source``, ``options`` and ``description``."""
    return [
        {
            "name": name,
            "source": entry.source,
            "options": ", ".join(f"{key}={one.default}" for key, one in entry.options.items()),
            "description": entry.description,
        }
        for name, entry in POLICIES.items()
    ]
