"""Models: what is asked for, recognised, loaded and brought into one form.

Torch-free. The register names a loader for each source, imported when it is used. To add a source,
write ``from_*.py`` with ``load(request) -> LoadedModel``, add its line here and teach
:mod:`lpa.models.recognition` how it is written.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from lpa.errors import InputError
from lpa.models.aliases import ALIASES, POPULAR
from lpa.models.preprocessing import PreprocessingOverrides
from lpa.models.specs import ModelSpec, parse_models

if TYPE_CHECKING:
    from lpa.models.loaded import LoadedModel

__all__ = [
    "ALIASES",
    "POPULAR",
    "SOURCES",
    "ModelSpec",
    "PreprocessingOverrides",
    "list_models",
    "load",
    "parse_models",
]

SOURCES: dict[str, str] = {
    "torchvision": "lpa.models.from_torchvision:load",
    "timm": "lpa.models.from_timm:load",
    "package": "lpa.models.from_package:load",
    "checkpoint": "lpa.models.from_checkpoint:load",
    "factory": "lpa.models.from_factory:load",
    "module": "lpa.models.from_module:load",
    "run": "lpa.models.from_run:load",
}
"""Source -> ``"module:function"`` of its loader."""


def load(
    spec: ModelSpec | str,
    *,
    overrides: PreprocessingOverrides | None = None,
    classes_file: str | os.PathLike[str] | None = None,
    named: bool = True,
) -> LoadedModel:
    """Load one model.

    Parameters
    ----------
    spec : ModelSpec or str
        One of :func:`parse_models`, or a text that names one model.
    overrides : PreprocessingOverrides, optional
        What the user sets in place of the model's own preprocessing.
    classes_file : path, optional
        Names of the outputs; as many as the model has outputs.
    named : bool
        Whether outputs must have names; else those without are numbered.

    Returns
    -------
    LoadedModel

    Raises
    ------
    InputError
        For an unknown name, weights that cannot be had or do not fit, a preprocessing that no view
        can express, and outputs without names.
    """
    from lpa.models.loaded import Request
    from lpa.models.recognition import Recognised, recognise

    if isinstance(spec, str):
        (spec,) = parse_models({spec: spec})
    given = spec.given is not None
    found = Recognised("module", spec.text) if given else recognise(spec.text)
    if found.source == "small":
        raise InputError(
            f"model {found.target!r} has no weights before it is trained; expected run:RUN after "
            f"lpa train-sweep --model {found.target}, or a pretrained model such as resnet50"
        )
    module, _, function = SOURCES[found.source].partition(":")
    overrides = overrides or PreprocessingOverrides()
    request = Request(spec, found.target, overrides, classes_file, found.notes, named)
    loaded: LoadedModel = getattr(importlib.import_module(module), function)(request)
    return loaded


def list_models(pattern: str = "*") -> list[dict[str, Any]]:
    """List models by name; see :func:`lpa.models.catalogue.catalogue`."""
    from lpa.models.catalogue import catalogue

    return catalogue(pattern)
