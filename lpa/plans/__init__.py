"""Plans: what is asked of an experiment, checked when it is made. No torch, no data, no files."""

from lpa.plans.checks import PRECISIONS
from lpa.plans.head_recipe import HeadRecipe
from lpa.plans.parts import parse_duration, parse_shard
from lpa.plans.planned_axis import PlannedAxis
from lpa.plans.probe import ProbedAxis, ProbePlan, probed_axes
from lpa.plans.recipe import Recipe
from lpa.plans.scan import ScanPlan
from lpa.plans.sweep import SweepPlan

__all__ = [
    "PRECISIONS",
    "HeadRecipe",
    "PlannedAxis",
    "ProbePlan",
    "ProbedAxis",
    "Recipe",
    "ScanPlan",
    "SweepPlan",
    "parse_duration",
    "parse_shard",
    "probed_axes",
]
