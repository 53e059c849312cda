"""Plans: what is asked of an experiment, checked when it is made. No torch, no data, no files."""

from lpa.plans.parts import parse_duration, parse_shard
from lpa.plans.planned_axis import PlannedAxis
from lpa.plans.recipe import Recipe
from lpa.plans.scan import PRECISIONS, ScanPlan
from lpa.plans.sweep import SweepPlan

__all__ = [
    "PRECISIONS",
    "PlannedAxis",
    "Recipe",
    "ScanPlan",
    "SweepPlan",
    "parse_duration",
    "parse_shard",
]
