"""The record of a loaded model, the same whatever its source."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from PIL import Image

from lpa.classes import Classes
from lpa.errors import InputError
from lpa.models.outputs import output_classes
from lpa.models.preprocessing import (
    Preprocessing,
    PreprocessingOverrides,
    Triple,
    normalize,
)
from lpa.models.specs import ModelSpec
from lpa.views import View

__all__ = ["LoadedModel", "Request", "finish", "hash_weights"]


@dataclass(frozen=True)
class Request:
    """What a source is asked to load.

    Attributes
    ----------
    spec : ModelSpec
        As the user wrote it.
    target : str
        The exact name within the source, aliases and prefixes resolved.
    overrides : PreprocessingOverrides
    classes_file : path, optional
    notes : tuple of str
        What recognising the name has to say (an alias, ...).
    named : bool
        Whether its outputs must have names; a backbone's need none.
    """

    spec: ModelSpec
    target: str
    overrides: PreprocessingOverrides
    classes_file: str | os.PathLike[str] | None = None
    notes: tuple[str, ...] = ()
    named: bool = True


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready to be measured.

    Attributes
    ----------
    name : str
        What the run calls it.
    module : torch.nn.Module
        In evaluation mode, float32, on the CPU, without gradients: normalized images
        [B, 3, height, width] -> logits [B, len(classes)].
    view : View
        What it sees of an image.
    mean, std : tuple of three floats
        Normalization of RGB values in [0, 1].
    classes : Classes
        Its outputs' names in their order; synsets for ImageNet models.
    source, spec : str
        ``"torchvision"``, ``"timm"``, ``"package"``, ``"checkpoint"``, ``"factory"``,
        ``"module"`` or ``"run"``, and what was asked for.
    weights : str
        Readable: ``"ResNet50_Weights.IMAGENET1K_V1"``.
    weights_hash : str
        See :func:`hash_weights`.
    published_accuracy : float or None
        Top-1 accuracy on ImageNet-1k in percent, as the source publishes it.
    preprocessing : str
        One line: ``"224 px, crop .875, bicubic, mean .5 .5 .5, std .5 .5 .5"``.
    notes : tuple of str
        What was decided on the way (EMA weights used, prefixes removed, ...).
    """

    name: str
    module: torch.nn.Module
    view: View
    mean: Triple
    std: Triple
    classes: Classes
    source: str
    spec: str
    weights: str
    weights_hash: str
    published_accuracy: float | None
    preprocessing: str
    notes: tuple[str, ...] = ()

    def normalize(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the module's input for views in [0, 1], shape [B, 3, height, width]."""
        return normalize(batch, self.mean, self.std)

    def prepare(self, image: Image.Image) -> torch.Tensor:
        """Return the module's input for one RGB image: float32, shape [3, height, width]."""
        return Preprocessing(self.view, self.mean, self.std).prepare(image)


def finish(
    request: Request,
    module: torch.nn.Module,
    preprocessing: Preprocessing,
    *,
    source: str,
    weights: str,
    own_classes: Sequence[str] | Classes | None = None,
    own_source: str = "",
    published_accuracy: float | None = None,
    notes: Sequence[str] = (),
) -> LoadedModel:
    """Bring a module into its measured form, run it once and name its outputs.

    Raises
    ------
    InputError
        When the module cannot take its own view, gives something else than logits, or its outputs
        have no names.
    """
    name = request.spec.name
    module = module.cpu().float().eval().requires_grad_(False)
    count = _count_outputs(module, preprocessing, name)
    classes, note = output_classes(
        count,
        model=name,
        classes_file=request.classes_file,
        own=own_classes,
        source=own_source,
        needed=request.named,
    )
    return LoadedModel(
        name=name,
        module=module,
        view=preprocessing.view,
        mean=preprocessing.mean,
        std=preprocessing.std,
        classes=classes,
        source=source,
        spec=request.spec.text,
        weights=weights,
        weights_hash=hash_weights(module),
        published_accuracy=published_accuracy,
        preprocessing=str(preprocessing),
        notes=tuple(part for part in (*request.notes, *notes, note) if part),
    )


def hash_weights(module: torch.nn.Module) -> str:
    """Return 32 hexadecimal digits of BLAKE2b over the state: names, types, shapes and bytes.

    Sorted by name; nothing is excluded. Code is not part of it: two modules of equal state that
    compute differently have equal hashes.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(module.state_dict().items()):
        if not isinstance(tensor, torch.Tensor):  # a module's get_extra_state()
            digest.update(f"{name}|{tensor!r}|".encode())
            continue
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _count_outputs(
    module: Callable[[torch.Tensor], torch.Tensor], preprocessing: Preprocessing, name: str
) -> int:
    height, width = preprocessing.view.size
    blank = normalize(torch.zeros(1, 3, height, width), preprocessing.mean, preprocessing.std)
    try:
        with torch.inference_mode():
            logits = module(blank)
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise InputError(
            f"model {name!r} does not take its view of {height}x{width} pixels ({reason}); give "
            "the size it was made for with --img-size"
        ) from error
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2 or len(logits) != 1:
        shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise InputError(
            f"model {name!r} gives {shape} for one image; expected logits of shape "
            "(1, number of classes): wrap it in a module that returns them"
        )
    return logits.shape[1]
