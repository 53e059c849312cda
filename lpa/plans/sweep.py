"""What is asked of a training sweep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lpa.errors import InputError
from lpa.plans.checks import check_at_least_one, check_precision, check_seed, check_shard
from lpa.plans.planned_axis import PlannedAxis
from lpa.plans.recipe import Recipe

__all__ = ["KEEP", "SweepPlan"]

KEEP = ("last", "best", "none")


@dataclass(frozen=True)
class SweepPlan:
    """Trainings of one architecture over the values of a regularizer and many seeds.

    Attributes
    ----------
    model : str
        The architecture, as asked for.
    axis : PlannedAxis
        The regularizer's axis; its draws are the training seeds. The reference is trained too.
    data : str
        The data set's name.
    held : mapping of str to float
        Other regularizers, held fixed: canonical name -> value.
    policies : tuple of str
        ``plain``, ``class_dependent=policy.json``, ...; each is a model of the run.
    split, train_split : str or None
        What is evaluated and what is trained on; None for the data set's default.
    test_share : float or None
        Share of data with one split that is evaluated; None for the default.
    classes : str or None
        File with the classes' names.
    per_class, limit : int or None
        Selection of the training images: at most so many of each class, and in all.
    seed : int
        Every random number derives from it.
    precision : str
        One of :data:`~lpa.plans.checks.PRECISIONS`, of the training.
    recipe : Recipe
    overrides : mapping
        What replaces the model's own preprocessing: ``img_size``, ``crop_pct``, ... to value.
    checkpoints : str or None
        Pattern of ready checkpoints, which are evaluated instead of training (``--from``).
    keep : {"last", "best", "none"}
        Which weights are kept in the run's folder.
    stack : int or "auto"
        How many small models train as one.
    shard : (int, int) or None
        Part i of n of the trainings, counted from 1.
    workers : int
        Threads that read and decode.
    compiled : bool
        Compile the training's forward pass.
    """

    model: str
    axis: PlannedAxis
    data: str
    held: Mapping[str, float] = field(default_factory=dict)
    policies: tuple[str, ...] = ("plain",)
    split: str | None = None
    train_split: str | None = None
    test_share: float | None = None
    classes: str | None = None
    per_class: int | None = None
    limit: int | None = None
    seed: int = 0
    precision: str = "auto"
    recipe: Recipe = field(default_factory=Recipe)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    checkpoints: str | None = None
    keep: Literal["last", "best", "none"] = "last"
    stack: int | Literal["auto"] = "auto"
    shard: tuple[int, int] | None = None
    workers: int = 2
    compiled: bool = False

    def __post_init__(self) -> None:
        """Check what can be checked without models and data."""
        if self.keep not in KEEP:
            raise InputError(f"--keep {self.keep} is unknown; expected one of {', '.join(KEEP)}")
        check_at_least_one(per_class=self.per_class, limit=self.limit, workers=self.workers)
        check_seed(self.seed)
        check_precision(self.precision)
        family = self.axis.axis.name.partition("(")[0]
        for name in self.held:
            if name.partition("(")[0] == family:
                raise InputError(
                    f"--set {name} holds fixed what is swept; expected another regularizer than "
                    f"{family}"
                )
        if not self.policies:
            raise InputError("no policy is given; expected at least one, e.g. --policy plain")
        if len(set(self.policies)) < len(self.policies):
            raise InputError("a policy is given twice; give each once")
        if self.checkpoints is not None and self.policies != ("plain",):
            raise InputError(
                "--from evaluates ready checkpoints and trains nothing; leave --policy out"
            )
        if self.stack != "auto" and (not isinstance(self.stack, int) or self.stack < 1):
            raise InputError(f"--stack {self.stack} is out of range; expected auto, or at least 1")
        check_shard(self.shard)

    def to_dict(self) -> dict[str, Any]:
        """Return what was asked as plain JSON values; how it is executed is left out."""
        return {
            "kind": "sweep",
            "requested_models": [self.model],
            "axes": [self.axis.to_dict()],
            "data": self.data,
            "held": dict(self.held),
            "policies": list(self.policies),
            "split": self.split,
            "train_split": self.train_split,
            "test_share": self.test_share,
            "classes": self.classes,
            "per_class": self.per_class,
            "limit": self.limit,
            "seed": self.seed,
            "precision": self.precision,
            "recipe": self.recipe.to_dict(),
            "overrides": dict(self.overrides),
            "checkpoints": self.checkpoints,
            "keep": self.keep,
            "stack": self.stack,
        }
