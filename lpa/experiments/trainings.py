"""From a plan to its trainings: the run's models under each policy, their cells and seeds."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from lpa.axes import format_value
from lpa.errors import InputError
from lpa.experiments.sweep_worker import Training
from lpa.models import load
from lpa.models.loaded import LoadedModel
from lpa.models.untrained import UntrainedModel
from lpa.outcomes import Cell, RunRecord, Samples, cell_id, content_hash
from lpa.plans import Recipe, SweepPlan
from lpa.training.feed import Active
from lpa.training.policies import PolicySpec, build_policy
from lpa.training.policies.context import PolicyContext
from lpa.training.policies.policy import Policy
from lpa.training.regularizers.regularizer import Regularizer
from lpa.training.weights import WeightsFacts

__all__ = ["PlannedTrainings", "policy_models", "training_seed"]


def training_seed(seed: int, model: str, axis: str, value: float, replicate: int) -> int:
    """Return a training's own seed, below 2^60.

    Seeds differ between values, as the run-level tests need (STATISTICS 1), and between policies,
    which are arms of a comparison (3.15).
    """
    return int(content_hash([seed, model, axis, format_value(value), replicate])[:15], 16)


@dataclass(frozen=True)
class PlannedTrainings:
    """What all trainings of a plan share.

    Attributes
    ----------
    plan : SweepPlan
    model : UntrainedModel
    name : str
        The architecture's name in the run.
    swept : Regularizer
    held : sequence of (Regularizer, float)
        Others, at their fixed values.
    record : RunRecord
    train : Samples
        What is trained on, without what is held out.
    held_out : Samples or None
    evaluated : Samples
    """

    plan: SweepPlan
    model: UntrainedModel
    name: str
    swept: Regularizer
    held: Sequence[tuple[Regularizer, float]]
    record: RunRecord
    train: Samples
    held_out: Samples | None
    evaluated: Samples

    def of_policy(self, spec: PolicySpec) -> tuple[str, dict[str, Any], list[Training]]:
        """Return a policy's model in the run: its name, what is known of it, its trainings.

        Raises
        ------
        InputError
            For a policy that cannot be made, and one that cannot move the swept regularizer.
        """
        name = self.name if spec.name == "plain" else f"{self.name}+{spec.text}"
        fresh = _Policies(self, spec)
        policy = fresh.shared(torch.device("cpu"))
        facts = self._facts(spec, policy)
        planned = self.plan.axis
        trainings = []
        for value in planned.values:
            for replicate in range(planned.draws):
                key = cell_id(
                    model=facts["id"], augmentation=dict(planned.augmentation), value=value,
                    replicate=replicate, seed=self.plan.seed, precision=self.record.precision,
                    data=self.record.fingerprint,
                )  # fmt: skip
                cell = Cell(name, planned.axis.name, value, replicate, key)
                trainings.append(self._training(cell, fresh))
        return name, facts, trainings

    def context(self, device: torch.device) -> PolicyContext:
        """Return what a policy is made of."""
        return PolicyContext(
            classes=self.record.classes,
            regularizer=self.swept,
            axis=self.swept.axis,
            values=self.plan.axis.values,
            view=self.model.view,
            device=device,
            evaluated=self.evaluated,
            teacher=_teacher,
            held_out=None if self.held_out is None else self.held_out.label,
        )

    def _training(self, cell: Cell, policy: Callable[[torch.device], Policy]) -> Training:
        assert cell.value is not None and cell.axis is not None
        recipe, active = self._at(cell.value)
        seed = training_seed(self.plan.seed, cell.model, cell.axis, cell.value, cell.replicate)
        kept = WeightsFacts(
            architecture=self.model.architecture,
            classes=self.record.classes,
            view=self.model.view,
            mean=self.model.mean,
            std=self.model.std,
            dropout=recipe.dropout,
            model=cell.model,
            axis=cell.axis,
            value=cell.value,
            replicate=cell.replicate,
            fingerprint=self.record.fingerprint,
        )
        return Training(cell, seed, recipe, active, policy, kept)

    def _at(self, value: float) -> tuple[Recipe, tuple[Active, ...]]:
        """Return recipe and regularizers at a value of the swept axis."""
        recipe = self.plan.recipe
        active = []
        for regularizer, strength in (*self.held, (self.swept, value)):
            # Also at the reference: the recipe's own weight decay is not none.
            recipe = regularizer.configure(recipe, strength)
            if strength != regularizer.axis.reference:
                active.append(Active(regularizer, strength, regularizer is self.swept))
        geometric = [e.regularizer.axis.name for e in active if e.regularizer.place == "geometry"]
        if len(geometric) > 1:
            raise InputError(
                f"{' and '.join(geometric)} both choose what is shown of an image; expected one "
                "of them: leave the other out of --set"
            )
        return recipe, tuple(active)

    def _facts(self, spec: PolicySpec, policy: Policy) -> dict[str, Any]:
        """Return what is known of a model; ``id`` is the hash of all that its outcomes depend on.

        The swept regularizer and its value are in the cell's own id.
        """
        held = [
            {"name": each.axis.name, "revision": each.revision, "value": value}
            for each, value in self.held
        ]
        depends = {
            "architecture": self.model.architecture,
            "outputs": list(self.record.classes.names),
            "view": self.model.view.to_dict(),
            "mean": list(self.model.mean),
            "std": list(self.model.std),
            "recipe": self.plan.recipe.to_dict(),
            "held": held,
            "policy": {"name": spec.name, **policy.record()},
            "training": self.train.fingerprint,
            "held_out": None if self.held_out is None else self.held_out.fingerprint,
        }
        return {
            "id": content_hash(depends),
            "source": self.model.source,
            "spec": self.plan.model,
            "architecture": self.model.architecture,
            "weights": "trained here",
            "preprocessing": str(self.model.preprocessing),
            "recipe": self.plan.recipe.to_dict(),
            "held": held,
            "policy": {
                "name": spec.name,
                "source": spec.source,
                "record": policy.record(),
                "selected_on": list(policy.selected_on),
            },
            "training": self.train.fingerprint,
            "notes": list(policy.notes),
            "members": [],
        }


@dataclass
class _Policies:
    """The policies of one model's trainings; made of parts that other machines can be sent."""

    planned: PlannedTrainings
    spec: PolicySpec
    made: dict[torch.device, Policy] = field(default_factory=dict)

    def shared(self, device: torch.device) -> Policy:
        """Return the one from which those of the trainings are copied."""
        if device not in self.made:
            self.made[device] = build_policy(self.spec, self.planned.context(device))
        return self.made[device]

    def __call__(self, device: torch.device) -> Policy:
        """Return a new policy for one training."""
        # A policy that learns while it trains has a state of its own.
        if self.shared(torch.device("cpu")).hold_out:
            return build_policy(self.spec, self.planned.context(device))
        return copy.copy(self.shared(device))


@functools.cache
def _teacher(text: str) -> LoadedModel:
    """Load a teacher once, for all trainings that ask for it."""
    return load(text)


def policy_models(
    planned: PlannedTrainings, specs: Sequence[PolicySpec]
) -> tuple[dict[str, dict[str, Any]], dict[str, Training]]:
    """Return the run's models with what is known of each, and all trainings by their cells' ids."""
    models: dict[str, dict[str, Any]] = {}
    trainings: dict[str, Training] = {}
    for spec in specs:
        name, facts, own = planned.of_policy(spec)
        models[name] = facts
        trainings |= {training.cell.id: training for training in own}
    return models, trainings
