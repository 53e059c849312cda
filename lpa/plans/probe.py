"""What is asked of a probe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lpa.axes import Axis
from lpa.errors import InputError
from lpa.plans.checks import check_at_least_one, check_precision, check_seed, check_shard
from lpa.plans.head_recipe import HeadRecipe

__all__ = ["STORED", "ProbePlan", "ProbedAxis", "probed_axes"]

STORED = ("float16", "float32")


@dataclass(frozen=True)
class ProbedAxis:
    """The backbones of some models on one axis, at values that have the same training seeds.

    Attributes
    ----------
    axis : Axis
        What was varied in their pre-training.
    models : tuple of str
        Names of the models in their sweep.
    values : tuple of float
        From weak to strong.
    replicates : tuple of int
        Numbers of the training seeds, ascending; there may be gaps, where a training diverged.
    """

    axis: Axis
    models: tuple[str, ...]
    values: tuple[float, ...]
    replicates: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, as every plan writes its axes."""
        return {
            "axis": self.axis.to_dict(),
            "models": list(self.models),
            "values": list(self.values),
            "replicates": list(self.replicates),
            "draws": 1 + max(self.replicates),
        }


@dataclass(frozen=True)
class ProbePlan:
    """Linear heads on frozen backbones: one for each, on another data set.

    Attributes
    ----------
    backbones : tuple of str
        As asked for: a run, models' names, a pattern of checkpoints.
    axes : tuple of ProbedAxis
        Where the backbones stand; pretrained models by name stand on none.
    data : str
        The target's name.
    model : str or None
        Architecture of checkpoints by pattern.
    regularizer : str or None
        What the values of a pattern are values of.
    split, train_split : str or None
        What is evaluated and what heads are trained on; None for the data set's default.
    test_share : float or None
        Share of data with one split that is evaluated; None for the default.
    classes : str or None
        File with the names of the target's classes.
    per_class, limit : int or None
        Selection of the training images.
    seed : int
        Of the order in which heads see the features.
    precision : str
        One of :data:`~lpa.plans.checks.PRECISIONS`, of the backbones' forward passes; heads are
        trained in float32.
    recipe : HeadRecipe
    stored : {"float16", "float32"}
        Type of the features in the cache.
    overrides : mapping
        What replaces the backbones' own preprocessing.
    aug : str or None
        Augmentation, at one strength, of which draws are trained on beside the plain view.
    views : int or None
        How many draws.
    shard : (int, int) or None
        Part i of n of the work, counted from 1.
    images_at_once : int or None
        Images per forward pass of a backbone; None for the default.
    workers : int
        Threads that read and decode.
    """

    backbones: tuple[str, ...]
    axes: tuple[ProbedAxis, ...]
    data: str
    model: str | None = None
    regularizer: str | None = None
    split: str | None = None
    train_split: str | None = None
    test_share: float | None = None
    classes: str | None = None
    per_class: int | None = None
    limit: int | None = None
    seed: int = 0
    precision: str = "auto"
    recipe: HeadRecipe = field(default_factory=HeadRecipe)
    stored: Literal["float16", "float32"] = "float16"
    overrides: Mapping[str, Any] = field(default_factory=dict)
    aug: str | None = None
    views: int | None = None
    shard: tuple[int, int] | None = None
    images_at_once: int | None = None
    workers: int = 2

    def __post_init__(self) -> None:
        """Check what can be checked without backbones and data."""
        if not self.backbones:
            raise InputError(
                "no backbones are given; expected a run of lpa train-sweep, models' names or a "
                "pattern of checkpoints, e.g. --backbones runs/digits"
            )
        check_at_least_one(
            per_class=self.per_class,
            limit=self.limit,
            images_at_once=self.images_at_once,
            workers=self.workers,
        )
        check_seed(self.seed)
        check_precision(self.precision)
        if self.stored not in STORED:
            raise InputError(
                f"--store {self.stored!r} is unknown; expected one of {', '.join(STORED)}"
            )
        check_shard(self.shard)

    def to_dict(self) -> dict[str, Any]:
        """Return what was asked as plain JSON values; how it is executed is left out."""
        return {
            "kind": "probe",
            "requested_models": list(self.backbones),
            "axes": [planned.to_dict() for planned in self.axes],
            "data": self.data,
            "model": self.model,
            "regularizer": self.regularizer,
            "split": self.split,
            "train_split": self.train_split,
            "test_share": self.test_share,
            "classes": self.classes,
            "per_class": self.per_class,
            "limit": self.limit,
            "seed": self.seed,
            "precision": self.precision,
            "recipe": self.recipe.to_dict(),
            "stored": self.stored,
            "overrides": dict(self.overrides),
            "aug": self.aug,
            "views": self.views,
        }


def probed_axes(
    places: Sequence[tuple[str, Axis | None, float | None, int]],
) -> tuple[ProbedAxis, ...]:
    """Write down where backbones stand: model, axis, value and training seed of each.

    Parameters
    ----------
    places : sequence of (str, Axis or None, float or None, int)
        Those without an axis are left out.
    """
    seeds: dict[tuple[str, str], dict[float, list[int]]] = {}
    axes: dict[str, Axis] = {}
    for model, axis, value, replicate in places:
        if axis is not None and value is not None:
            axes[axis.name] = axis
            seeds.setdefault((model, axis.name), {}).setdefault(value, []).append(replicate)
    alike: dict[tuple[str, str, tuple[int, ...]], list[float]] = {}
    for (model, name), at in seeds.items():
        for value, replicates in at.items():
            alike.setdefault((model, name, tuple(sorted(replicates))), []).append(value)
    return tuple(
        ProbedAxis(axes[name], (model,), axes[name].ordered(values), replicates)
        for (model, name, replicates), values in alike.items()
    )
