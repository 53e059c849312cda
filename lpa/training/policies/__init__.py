"""Policies: which class gets which strength and which target. Torch-free register.

``parse_policy`` reads what is asked into a :class:`PolicySpec`; ``build_policy`` makes the policy
of one training, and only that imports torch. One file holds one policy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from lpa.training.policies.register import POLICIES, RegisteredPolicy
from lpa.training.policies.specs import PolicySpec, list_policies, parse_policy

if TYPE_CHECKING:
    from lpa.training.policies.context import PolicyContext
    from lpa.training.policies.policy import Policy

__all__ = [
    "POLICIES",
    "PolicySpec",
    "RegisteredPolicy",
    "build_policy",
    "list_policies",
    "parse_policy",
]


def build_policy(spec: PolicySpec, context: PolicyContext) -> Policy:
    """Make the policy of one training; imports torch.

    Each training has its own, since a policy may have a state. What it was made from is read
    anew, so a spec that is built for many trainings is best built once and copied
    (``copy.copy``) where it has no state (:attr:`Policy.hold_out` is False).

    Parameters
    ----------
    spec : PolicySpec
        Of :func:`parse_policy`.
    context : PolicyContext
        What is trained and evaluated.

    Raises
    ------
    InputError
        For a source that cannot be read or does not fit, and for a regularizer that the policy
        cannot move.
    """
    module, _, name = POLICIES[spec.name].target.partition(":")
    policy: type[Policy] = getattr(importlib.import_module(module), name)
    return policy.build(spec, context)
