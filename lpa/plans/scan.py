"""What is asked of a scan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lpa.errors import InputError
from lpa.plans.checks import check_at_least_one, check_precision, check_seed, check_shard
from lpa.plans.planned_axis import PlannedAxis

__all__ = ["ScanPlan"]


@dataclass(frozen=True)
class ScanPlan:
    """A scan of pretrained models over augmentation strengths.

    Attributes
    ----------
    models : tuple of str
        As asked for.
    axes : tuple of PlannedAxis
        What varies.
    data : str
        The data set's name.
    split : str or None
        As asked for; None for the data set's default.
    per_class, limit : int or None
        Selection: at most so many images of each class, and in all.
    seed : int
        Seed of every random number, at least 0.
    precision : str
        One of :data:`~lpa.plans.checks.PRECISIONS`.
    ensemble : bool
        Add the mean of the models' probabilities as one more model.
    restrict_classes : bool
        Let models predict only classes that are present in the data.
    classes : str or None
        File with the names of the models' outputs.
    overrides : mapping
        What replaces the models' own preprocessing: ``img_size``, ``crop_pct``, ... to value.
    images : bool
        Store small pictures for the report.
    shard : (int, int) or None
        Part i of n of the work, counted from 1.
    batch_size : int or None
        Images per forward pass; None for the device's default.
    workers : int
        Threads that read and decode.
    """

    models: tuple[str, ...]
    axes: tuple[PlannedAxis, ...]
    data: str
    split: str | None = None
    per_class: int | None = None
    limit: int | None = None
    seed: int = 0
    precision: str = "auto"
    ensemble: bool = False
    restrict_classes: bool = False
    classes: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    images: bool = True
    shard: tuple[int, int] | None = None
    batch_size: int | None = None
    workers: int = 2

    def __post_init__(self) -> None:
        """Check what can be checked without models and data."""
        if not self.models:
            raise InputError("no model is given; expected at least one, e.g. --models resnet50")
        if not self.axes:
            raise InputError("no augmentation is given; expected at least one, e.g. --aug crop")
        check_at_least_one(
            per_class=self.per_class,
            limit=self.limit,
            batch_size=self.batch_size,
            workers=self.workers,
        )
        check_seed(self.seed)
        check_precision(self.precision)
        if self.ensemble and len(self.models) < 2:
            raise InputError(
                "--ensemble needs at least two models, one is given; add another to --models"
            )
        check_shard(self.shard)

    def to_dict(self) -> dict[str, Any]:
        """Return what was asked as plain JSON values; how it is executed is left out."""
        return {
            "kind": "scan",
            "requested_models": list(self.models),
            "axes": [planned.to_dict() for planned in self.axes],
            "data": self.data,
            "split": self.split,
            "per_class": self.per_class,
            "limit": self.limit,
            "seed": self.seed,
            "precision": self.precision,
            "ensemble": self.ensemble,
            "restrict_classes": self.restrict_classes,
            "classes": self.classes,
            "overrides": dict(self.overrides),
            "images": self.images,
        }
