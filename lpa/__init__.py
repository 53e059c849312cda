"""Label-preservation analysis: which classes pay for an augmentation or a regularizer.

The public names are imported on first use, so that ``import lpa`` costs nothing and reading a run
never loads torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lpa.augmentations import list_augmentations
    from lpa.axes import Axis
    from lpa.datasets import list_datasets
    from lpa.errors import InputError
    from lpa.experiments.probe import estimate_probe, probe
    from lpa.experiments.scan import estimate, scan
    from lpa.experiments.train_sweep import estimate_sweep, train_sweep
    from lpa.importing.results import import_results
    from lpa.models import list_models
    from lpa.models.from_module import Model
    from lpa.outcomes import Outcomes
    from lpa.outcomes.overview import overview
    from lpa.plans import parse_duration, parse_shard
    from lpa.runs import Run
    from lpa.runs import open_run as open
    from lpa.training.regularizers import list_regularizers

__all__ = [
    "Axis",
    "InputError",
    "Model",
    "Outcomes",
    "Run",
    "estimate",
    "estimate_probe",
    "estimate_sweep",
    "import_results",
    "list_augmentations",
    "list_datasets",
    "list_models",
    "list_regularizers",
    "open",
    "overview",
    "parse_duration",
    "parse_shard",
    "probe",
    "scan",
    "train_sweep",
]

_HOMES = {
    "Axis": "lpa.axes:Axis",
    "InputError": "lpa.errors:InputError",
    "Model": "lpa.models.from_module:Model",
    "Outcomes": "lpa.outcomes:Outcomes",
    "Run": "lpa.runs:Run",
    "estimate": "lpa.experiments.scan:estimate",
    "estimate_probe": "lpa.experiments.probe:estimate_probe",
    "estimate_sweep": "lpa.experiments.train_sweep:estimate_sweep",
    "import_results": "lpa.importing.results:import_results",
    "list_augmentations": "lpa.augmentations:list_augmentations",
    "list_datasets": "lpa.datasets:list_datasets",
    "list_models": "lpa.models:list_models",
    "list_regularizers": "lpa.training.regularizers:list_regularizers",
    "open": "lpa.runs:open_run",
    "overview": "lpa.outcomes.overview:overview",
    "parse_duration": "lpa.plans:parse_duration",
    "parse_shard": "lpa.plans:parse_shard",
    "probe": "lpa.experiments.probe:probe",
    "scan": "lpa.experiments.scan:scan",
    "train_sweep": "lpa.experiments.train_sweep:train_sweep",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'lpa' has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted({*globals(), *__all__})
