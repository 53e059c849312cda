"""A model from Python: a module with its preprocessing and class names.

Importing this module imports no torch, so that :class:`Model` can be a public name of ``lpa``.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lpa.class_files import ordered_names, read_classes_file
from lpa.classes import Classes
from lpa.errors import InputError
from lpa.models.preprocessing import (
    Preprocessing,
    PreprocessingOverrides,
)
from lpa.models.transforms import read_preprocessing
from lpa.views import View

if TYPE_CHECKING:
    import torch

    from lpa.models.loaded import LoadedModel, Request

__all__ = ["Model", "load", "load_object"]


@dataclass(frozen=True)
class Model:
    """A model of your own, for ``lpa.scan(models={"mine": lpa.Model(...)}, ...)``.

    Attributes
    ----------
    module : torch.nn.Module
        Normalized images, float32 of shape [B, 3, height, width] -> logits [B, classes]. It is
        copied; yours stays as it is.
    preprocessing : object
        Its evaluation preprocessing: torchvision's preset (``weights.transforms()``), a
        ``Compose`` of Resize, CenterCrop, ToTensor and Normalize (torchvision's v1 or v2, timm's),
        a timm data config, or a :class:`~lpa.models.preprocessing.Preprocessing`. Transforms are
        converted and compared with the conversion, bit for bit. None: the module's own timm
        config.
    classes : sequence of str, mapping, Classes or path, optional
        Names of the outputs in order, name -> index, or a file of them. None: 1,000 outputs are
        ImageNet's classes.
    name : str, optional
        What a run calls it, where no name is given beside it.
    """

    module: torch.nn.Module
    preprocessing: Any = None
    classes: Sequence[str] | Mapping[str, int] | Classes | str | os.PathLike[str] | None = None
    name: str | None = None


def load(request: Request) -> LoadedModel:
    """Load the object that the request carries."""
    return load_object(request, request.spec.given, source="module")


def load_object(request: Request, given: Any, *, source: str) -> LoadedModel:
    """Load a :class:`Model` or a bare module.

    Raises
    ------
    InputError
        For any other object, and for a module whose preprocessing is not known.
    """
    import torch

    from lpa.models.loaded import finish

    name = request.spec.name
    model = Model(given) if isinstance(given, torch.nn.Module) else given
    if not isinstance(model, Model) or not isinstance(model.module, torch.nn.Module):
        kind = type(getattr(model, "module", model)).__name__
        raise InputError(
            f"model {name!r} is a {kind}; expected a torch.nn.Module or "
            "lpa.Model(module, preprocessing, classes)"
        )
    module = copy.deepcopy(model.module)
    if isinstance(module, torch.nn.DataParallel | torch.nn.parallel.DistributedDataParallel):
        module = module.module
    preprocessing = _preprocessing(model, module, request.overrides, name)
    return finish(
        request,
        module,
        preprocessing,
        source=source,
        weights=type(module).__name__,
        own_classes=_classes(model.classes, name),
        own_source="classes",
    )


def _preprocessing(
    model: Model, module: torch.nn.Module, overrides: PreprocessingOverrides, name: str
) -> Preprocessing:
    if model.preprocessing is not None:
        return read_preprocessing(model.preprocessing, overrides, name=name)
    if getattr(module, "pretrained_cfg", None):
        from lpa.models.from_timm import read_config

        return read_config(module, overrides, name=name)[0]
    if overrides.size and overrides.mean and overrides.std:
        view = View.from_crop_fraction(overrides.size, 1.0, "bilinear")
        return Preprocessing(view, (0, 0, 0), (1, 1, 1), 1.0).overridden(overrides)
    raise InputError(
        f"model {name!r} comes without preprocessing; give lpa.Model(module, preprocessing, "
        "classes), or --img-size, --mean and --std"
    )


def _classes(given: Any, name: str) -> Sequence[str] | Classes | None:
    if given is None or isinstance(given, Classes):
        return given
    if isinstance(given, str | os.PathLike):
        return read_classes_file(os.fspath(given))
    try:
        return ordered_names(given)
    except ValueError as error:
        raise InputError(
            f"classes of model {name!r} do not name each output once ({error}); expected names in "
            "output order, or name -> index"
        ) from error
