"""Every policy by its name: where it is, what it takes, what it does. No torch."""

from __future__ import annotations

from dataclasses import dataclass, field

from lpa.augmentations.register import Option

__all__ = ["POLICIES", "RegisteredPolicy"]


@dataclass(frozen=True)
class RegisteredPolicy:
    """One policy.

    Attributes
    ----------
    target : str
        ``"module:Class"``, imported on use.
    description : str
        One line.
    source : str
        What stands behind ``=``; empty for a policy that takes nothing.
    options : dict of str to Option
        Numbers in brackets behind the name.
    """

    target: str
    description: str
    source: str = ""
    options: dict[str, Option] = field(default_factory=dict)


POLICIES: dict[str, RegisteredPolicy] = {
    "plain": RegisteredPolicy(
        "lpa.training.policies.policy:Policy",
        "every class gets the value, and its label as target",
    ),
    "class_dependent": RegisteredPolicy(
        "lpa.training.policies.class_dependent:ClassDependent",
        "the value for some classes only, the reference for the others (Fig. 7)",
        "classes (names or a file), a finished sweep, or the JSON of `lpa policy`",
    ),
    "preservation_targets": RegisteredPolicy(
        "lpa.training.policies.preservation_targets:PreservationTargets",
        "the target's confidence is the preservation that a scan measured at the drawn strength",
        "a scan of one fixed model with the same augmentation",
    ),
    "label_distillation": RegisteredPolicy(
        "lpa.training.policies.label_distillation:LabelDistillation",
        "a teacher scores the augmented view, and its probabilities are the target",
        "a model, as `lpa scan --models` takes it",
        {"hard": Option("0", (), 0.0, 1.0)},
    ),
    "adaptive_strength": RegisteredPolicy(
        "lpa.training.policies.adaptive_strength:AdaptiveStrength",
        "each class's strength follows its accuracy on images held out from training",
        "",
        {
            "start": Option("0.5", (), 0.0, 1.0),
            "step": Option("0.1", (), 0.001, 1.0),
            "tolerance": Option("0.05", (), 0.0, 1.0),
        },
    ),
}
"""Name -> policy. To add one, write a file with a :class:`~.policy.Policy` and its line here."""
