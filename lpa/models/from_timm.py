"""Models of timm: registered names and tags, the Hugging Face hub, and local folders."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path
from typing import Any

import timm
import timm.data
import torch

from lpa.class_files import ordered_names
from lpa.classes import Classes
from lpa.errors import InputError, unknown
from lpa.json_text import read_json
from lpa.models.downloads import downloading, from_network
from lpa.models.loaded import LoadedModel, Request, finish
from lpa.models.outputs import output_classes
from lpa.models.preprocessing import Preprocessing, PreprocessingOverrides
from lpa.models.transforms import read_preprocessing, verify

# timm re-exports without saying so, which a type checker does not follow.
_data: Any = timm.data

__all__ = ["build", "knows", "load", "names", "read_config"]


@functools.cache
def names() -> frozenset[str]:
    """Return timm's architectures, and their names with each pretrained tag."""
    return frozenset((*timm.list_models(), *timm.list_models(pretrained=True)))


def knows(target: str) -> bool:
    """Tell whether timm has an architecture or a tag of that name."""
    return target in names()


def build(
    architecture: str,
    *,
    pretrained: bool = False,
    outputs: int | None = None,
    img_size: int | tuple[int, int] | None = None,
    drop_rate: float | None = None,
) -> torch.nn.Module:
    """Make a model; architectures of a fixed input size are made for ``img_size`` pixels.

    ``img_size`` and ``drop_rate`` are left out where the architecture has no such argument.
    """
    options: dict[str, Any] = {"num_classes": outputs} if outputs is not None else {}
    given: dict[str, Any] = {"img_size": img_size, "drop_rate": drop_rate}
    for names in (("img_size", "drop_rate"), ("drop_rate",), ("img_size",)):
        chosen = {name: given[name] for name in names if given[name] is not None}
        if chosen:
            # A convolutional network takes any size and has no argument for it.
            with contextlib.suppress(TypeError):
                module: torch.nn.Module = timm.create_model(
                    architecture, pretrained=pretrained, **chosen, **options
                )
                return module
    module = timm.create_model(architecture, pretrained=pretrained, **options)
    return module


def read_config(
    module: torch.nn.Module,
    overrides: PreprocessingOverrides,
    *,
    name: str,
    recorded: dict[str, Any] | None = None,
) -> tuple[Preprocessing, str]:
    """Read a timm model's own data config and verify it with timm's own transform.

    Parameters
    ----------
    module : torch.nn.Module
        A timm model.
    overrides : PreprocessingOverrides
    name : str
        For messages.
    recorded : dict, optional
        Arguments of the training run, as timm's ``resolve_data_config`` takes them.

    Returns
    -------
    Preprocessing
    str
        A note where timm also records a larger size for testing, else ``""``.
    """
    arguments = {**(recorded or {}), **overrides.for_timm()}
    config = _data.resolve_model_data_config(module, args=arguments)
    preprocessing = read_preprocessing(config, PreprocessingOverrides(), name=name)
    verify(preprocessing, _data.create_transform(**config), name=name)
    tested = _data.resolve_model_data_config(module, args=arguments, use_test_size=True)
    if (tested["input_size"], tested["crop_pct"]) == (config["input_size"], config["crop_pct"]):
        return preprocessing, ""
    return preprocessing, (
        f"timm also records a test size: --img-size {tested['input_size'][-1]} "
        f"--crop-pct {tested['crop_pct']:g}"
    )


def load(request: Request) -> LoadedModel:
    """Load a pretrained timm model, downloaded where the cache has none."""
    name, target = request.spec.name, request.target
    local = target.startswith("local-dir:")
    if ":" not in target:
        _check_registered(request)
    elif local and not (Path(target.removeprefix("local-dir:")) / "config.json").is_file():
        raise InputError(
            f"model {name!r}: folder {target.removeprefix('local-dir:')!r} holds no config.json; "
            "expected a folder in timm's hub layout (config.json and model.safetensors)"
        )
    with downloading(name, f"timm's weights {target!r}", _architecture(target), hub=not local):
        module = _create(target, request.overrides.img_size, name)
        own, own_source = _own_classes(module, target)
    if not getattr(module, "num_classes", 0):
        raise _without_head(name)
    preprocessing, note = read_config(module, request.overrides, name=name)
    return finish(
        request,
        module,
        preprocessing,
        source="timm",
        weights=target if ":" in target else _full_name(module, target),
        own_classes=own,
        own_source=own_source,
        notes=(note,),
    )


def _check_registered(request: Request) -> None:
    """Refuse before anything is downloaded what has no weights, no view or no class names."""
    name, target = request.spec.name, request.target
    if target not in names():
        raise unknown("timm model", target, names(), hint="lpa models '*part*' lists what matches")
    config = timm.get_pretrained_cfg(target)
    if config is None or not config.has_weights:
        raise InputError(
            f"timm has no pretrained weights for {target!r}; give a tag (lpa models "
            f"'{target}*' lists them) or a file as NAME={target}@FILE"
        )
    if not config.num_classes:
        raise _without_head(name)
    record: dict[str, Any] = config.to_dict()  # type: ignore[no-untyped-call]
    resolved = _data.resolve_data_config(request.overrides.for_timm(), pretrained_cfg=record)
    read_preprocessing(resolved, PreprocessingOverrides(), name=name)
    output_classes(
        config.num_classes,
        model=name,
        classes_file=request.classes_file,
        own=record.get("label_names"),
        needed=request.named,
    )


def _create(target: str, img_size: int | tuple[int, int] | None, name: str) -> torch.nn.Module:
    try:
        return build(target, pretrained=True, img_size=img_size)
    except Exception as error:
        if from_network(error):
            raise
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise InputError(
            f"model {name!r}: timm cannot load {target!r} ({reason}); expected weights that fit "
            "the architecture of its config.json"
        ) from error


def _own_classes(module: Any, target: str) -> tuple[list[str] | Classes | None, str]:
    """Return the names that a model of the hub or of a folder brings itself."""
    config = getattr(module, "pretrained_cfg", {})
    labels = config.get("label_names")
    if labels:
        labels = [str(label) for label in labels]
        described = config.get("label_descriptions") or {}
        if isinstance(described, dict) and all(label in described for label in labels):
            return Classes(tuple(labels), tuple(described[label] for label in labels)), (
                "timm's label_names"
            )
        return labels, "timm's label_names"
    if ":" not in target:
        return None, ""
    file = _config_file(target)
    try:
        record = read_json(file.read_bytes())
        if record.get("id2label"):
            return ordered_names(record["id2label"]), "the config's id2label"
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(
            f"{file} cannot be read as a model's config ({error}); expected the JSON of timm or of "
            "transformers: fetch it again, or give the classes with --classes FILE"
        ) from error
    return None, ""


def _config_file(target: str) -> Path:
    location = target.partition(":")[2]
    if target.startswith("local-dir:"):
        return Path(location) / "config.json"
    from huggingface_hub import hf_hub_download

    repository, _, revision = location.partition("@")
    return Path(hf_hub_download(repository, "config.json", revision=revision or None))


def _full_name(module: Any, target: str) -> str:
    """Add the tag that timm chose to a bare architecture."""
    tag = module.pretrained_cfg.get("tag") or ""
    return target if "." in target or not tag else f"{target}.{tag}"


def _architecture(target: str) -> str:
    return target.partition(":")[2].rpartition("/")[2].split(".")[0] or target.split(".")[0]


def _without_head(name: str) -> InputError:
    return InputError(
        f"model {name!r} has no classification head, only features; expected a model that was "
        "trained or fine-tuned to classify (lpa models '*in1k*' lists some)"
    )
