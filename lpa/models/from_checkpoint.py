"""``ARCHITECTURE@FILE``: an architecture of torchvision or timm with weights from a checkpoint."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from lpa.errors import InputError
from lpa.models import from_timm, from_torchvision
from lpa.models.checkpoint_files import Checkpoint, read_checkpoint
from lpa.models.loaded import LoadedModel, Request, finish
from lpa.models.preprocessing import Preprocessing
from lpa.models.transforms import read_preprocessing
from lpa.user_paths import is_file, user_path
from lpa.views import View

__all__ = ["load"]

State = dict[str, torch.Tensor]
Build = Callable[[int], torch.nn.Module]

_RECORDED = ("input_size", "img_size", "crop_pct", "crop_mode", "mean", "std")
_LARGEST_SIZE = 10_000

# What training code wraps a model in: DataParallel, torch.compile, Lightning modules.
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")

# torchvision's own densenet files were written before "norm.1" was called "norm1".
_OLD_DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..*)$")


def load(request: Request) -> LoadedModel:
    """Load an architecture with weights from a file.

    The target reads ``tv:ARCHITECTURE@FILE`` or ``timm:ARCHITECTURE@FILE``, with ``#KEY`` after
    the file to choose one of several states. The number of outputs is read off the file; the
    preprocessing is the one recorded in its training arguments (timm's and torchvision's
    reference scripts), else the architecture's own.

    Raises
    ------
    InputError
        When the file cannot be read or does not fit the architecture, tensor names included.
    """
    architecture, path, key = _split(request.target)
    checkpoint = read_checkpoint(path, key)
    library, _, architecture = architecture.partition(":")
    if library == "timm":
        return _load_timm(request, architecture, path, checkpoint)
    return _load_torchvision(request, architecture, path, checkpoint)


def _load_timm(
    request: Request, architecture: str, path: Path, checkpoint: Checkpoint
) -> LoadedModel:
    recorded = {
        key: value for key in _RECORDED if (value := checkpoint.arguments.get(key)) is not None
    }
    if recorded and checkpoint.arguments.get("interpolation"):
        recorded["interpolation"] = checkpoint.arguments["interpolation"]
    for key, value in recorded.items():
        if not _can_be(key, value):
            raise InputError(
                f"checkpoint {path.name!r} records {key} {_short(value)} of its training, which "
                "cannot be; expected what timm's train.py writes: save the weights alone "
                "(model.state_dict()) and give --img-size, --crop-pct, --mean and --std"
            )
    size = request.overrides.img_size or recorded.get("img_size")

    def build(outputs: int) -> torch.nn.Module:
        return from_timm.build(architecture, outputs=outputs, img_size=size)

    module, notes = _fitted(build, checkpoint, architecture, path)
    preprocessing, _ = from_timm.read_config(
        module, request.overrides, name=request.spec.name, recorded=recorded
    )
    if recorded:
        notes.append("preprocessing of the checkpoint's own training arguments")
    return _finish(request, module, preprocessing, path, checkpoint, notes)


def _can_be(key: str, value: Any) -> bool:
    """Tell whether a recorded argument is one of timm's: a file may say anything."""
    listed = value if isinstance(value, list | tuple) else [value]
    if key in ("crop_mode", "interpolation"):
        return isinstance(value, str)
    numbers = [v for v in listed if isinstance(v, int | float) and not isinstance(v, bool)]
    if (
        not listed
        or len(numbers) != len(listed)
        or not all(abs(v) <= _LARGEST_SIZE for v in numbers)
    ):
        return False
    if key in ("img_size", "input_size"):
        if not all(isinstance(v, int) and v >= 1 for v in numbers):
            return False
        one = key == "img_size" and value is listed[0]
        return one or len(numbers) == (2 if key == "img_size" else 3)
    if key == "crop_pct":
        return len(numbers) == 1 and 0 < numbers[0] <= 1
    # timm takes lists alone.
    triple = value is listed and len(numbers) in (1, 3)
    return triple and (key == "mean" or min(numbers) > 0)


def _short(value: Any) -> str:
    text = repr(value) if not isinstance(value, int) or abs(value) < 1e18 else "a long number"
    return text if len(text) <= 40 else text[:37] + "..."


def _load_torchvision(
    request: Request, target: str, path: Path, checkpoint: Checkpoint
) -> LoadedModel:
    architecture, weights, _ = from_torchvision.find_weights(target)
    # A downloaded file of torchvision keeps its name, and with it its preprocessing.
    official = {Path(member.url).name: member for member in type(weights)}.get(path.name)
    weights = official or weights
    options: dict[str, Any] = {}
    if official is not None and architecture in ("googlenet", "inception_v3"):
        options["transform_input"] = True
    if architecture.startswith("vit_"):
        size = request.overrides.size or (official.meta["min_size"] if official else None)
        options.update({"image_size": size[0]} if size else {})

    def build(outputs: int) -> torch.nn.Module:
        return from_torchvision.build(architecture, outputs, **options)

    if architecture.startswith("densenet"):
        state = {_OLD_DENSENET.sub(r"\1\2", name): t for name, t in checkpoint.state.items()}
        checkpoint.state.clear()
        checkpoint.state.update(state)
    module, notes = _fitted(build, checkpoint, architecture, path)
    given: Any = weights.transforms()
    recorded = None if official else _recorded_by_torchvision(checkpoint.arguments)
    if official is not None:
        notes.append(f"recognised by its name as {official}")
    if recorded is not None:
        given = recorded
        notes.append("preprocessing of the checkpoint's own training arguments")
    preprocessing = read_preprocessing(given, request.overrides, name=request.spec.name)
    accuracy = from_torchvision.published_accuracy(official) if official else None
    return _finish(request, module, preprocessing, path, checkpoint, notes, accuracy)


def _recorded_by_torchvision(arguments: Mapping[str, Any]) -> Preprocessing | None:
    """Read the evaluation preset from the arguments of torchvision's reference script."""
    resize, crop = arguments.get("val_resize_size"), arguments.get("val_crop_size")
    if not isinstance(resize, int) or not isinstance(crop, int):
        return None
    if not 1 <= min(resize, crop) <= max(resize, crop) <= _LARGEST_SIZE:
        return None
    interpolation = str(arguments.get("interpolation") or "bilinear")
    view = View((crop, crop), (resize, resize), "short_side", interpolation)
    return Preprocessing(view, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def _finish(
    request: Request,
    module: torch.nn.Module,
    preprocessing: Preprocessing,
    path: Path,
    checkpoint: Checkpoint,
    notes: Iterable[str],
    published_accuracy: float | None = None,
) -> LoadedModel:
    return finish(
        request,
        module,
        preprocessing,
        source="checkpoint",
        weights=f"{path.name}{f' ({checkpoint.key})' if checkpoint.key else ''}",
        own_classes=checkpoint.classes,
        own_source=checkpoint.classes_key,
        published_accuracy=published_accuracy,
        notes=(*checkpoint.notes, *notes),
    )


def _split(target: str) -> tuple[str, Path, str]:
    """Split ``ARCHITECTURE@FILE#KEY``; a ``#`` that belongs to an existing file stays."""
    architecture, _, location = target.partition("@")
    path, separator, key = location.rpartition("#")
    if separator and not is_file(user_path(location)):
        return architecture, user_path(path), key
    return architecture, user_path(location), ""


def _fitted(
    build: Build, checkpoint: Checkpoint, architecture: str, path: Path
) -> tuple[torch.nn.Module, list[str]]:
    """Build the architecture with the file's number of outputs and load the file strictly."""
    shapes, head = _skeleton(build)
    if not head:
        raise InputError(
            f"architecture {architecture!r} has no classification head, only features; expected "
            "one that classifies (lpa models '*in1k*' lists some)"
        )
    state, notes = _without_prefixes(checkpoint.state, shapes)
    found = next((name for name in head if name in state), None)
    if found is None and state.keys() & shapes.keys():
        raise InputError(
            f"checkpoint {path.name!r} has no head ({', '.join(head)} are missing); expected a "
            "classifier: a backbone alone cannot be scanned"
        )
    outputs = 1000
    if found is not None and state[found].ndim > head[found]:
        outputs = state[found].shape[head[found]]
    module = build(outputs)
    expected = module.state_dict()
    _check_fit(state, expected, architecture, path)
    # The layout's version lies in an attribute that the file may have lost; MNASNet insists on it.
    versioned = OrderedDict(state)
    versioned._metadata = expected._metadata  # type: ignore[attr-defined]
    module.load_state_dict(versioned, strict=False)
    return module, notes


def _skeleton(build: Build) -> tuple[dict[str, torch.Size], dict[str, int]]:
    """Return the shapes of an architecture, and its head: tensor name -> dimension of outputs.

    The head is what differs between two sizes, so no list of head names is needed.
    """
    few, more = (_shapes(build, outputs) for outputs in (13, 17))
    head: dict[str, int] = {}
    for name, shape in few.items():
        for dimension, (size, other) in enumerate(zip(shape, more[name], strict=True)):
            if (size, other) == (13, 17):
                head.setdefault(name, dimension)
    return few, head


def _shapes(build: Build, outputs: int) -> dict[str, torch.Size]:
    try:
        with torch.device("meta"):
            module = build(outputs)
    except (NotImplementedError, RuntimeError):  # computes with values while being made (RegNet)
        module = build(outputs)
    return {name: tensor.shape for name, tensor in module.state_dict().items()}


def _without_prefixes(state: State, expected: Mapping[str, Any]) -> tuple[State, list[str]]:
    """Take off wrappers' prefixes until a name is one that the architecture has."""
    notes: list[str] = []
    while not state.keys() & expected.keys():
        prefix = next((p for p in _PREFIXES if any(name.startswith(p) for name in state)), None)
        if prefix is None:
            break
        others = [name for name in state if not name.startswith(prefix)]
        state = {
            name[len(prefix) :]: tensor for name, tensor in state.items() if name not in others
        }
        notes.append(f"prefix {prefix!r} removed")
        if others:
            notes.append(f"{len(others)} tensors outside {prefix!r} ignored ({_first(others)})")
    return state, notes


def _check_fit(state: State, expected: State, architecture: str, path: Path) -> None:
    """Raise one line that names what does not fit, three of each kind and their number."""
    # BatchNorm's counters are missing from old files, and PyTorch lets them be.
    missing = [n for n in expected if n not in state and not n.endswith("num_batches_tracked")]
    unexpected = [name for name in state if name not in expected]
    wrong = [
        f"{name} is {tuple(state[name].shape)}, not {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in state and state[name].shape != tensor.shape
    ]
    found = [
        f"{len(items)} {what} ({_first(items)})"
        for what, items in (
            ("of another shape", wrong),
            ("missing", missing),
            ("unexpected", unexpected),
        )
        if items
    ]
    if found:
        raise InputError(
            f"checkpoint {path.name!r} does not fit {architecture}: of {len(expected)} tensors "
            f"{'; '.join(found)}; expected a checkpoint of this architecture (name it before the @)"
        )


def _first(items: list[str]) -> str:
    return ", ".join(items[:3]) + (", ..." if len(items) > 3 else "")
