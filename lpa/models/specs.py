"""What people write to ask for models, read without torch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lpa.errors import InputError
from lpa.models.aliases import POPULAR
from lpa.models.kept_models import find_kept, run_location
from lpa.user_paths import exists, user_path

__all__ = ["ModelSpec", "parse_models"]

_NAMED = re.compile(r"(?P<name>[^=@:/\\,#]+)=(?P<text>.+)", re.DOTALL)
_WITH_PATH = re.compile(r"(?:[^@,]+@|local-dir:|run:)(?P<path>.+)", re.DOTALL)
_SUFFIXES = re.compile(r"(\.(pth|pt|tar|ckpt|bin|safetensors))+$")


@dataclass(frozen=True)
class ModelSpec:
    """One model that was asked for.

    Attributes
    ----------
    name : str
        What the run calls it; unique in a run.
    text : str
        What was asked for: ``"resnet50"``, ``"resnet50@best.pth"``, ``"pkg.module:function"``.
        For an object from Python, its name.
    given : object
        A :class:`~lpa.models.from_module.Model` (or a bare module) from Python, else None.
    """

    name: str
    text: str
    given: Any = None


def parse_models(asked: Any) -> list[ModelSpec]:
    """Read which models are asked for.

    Parameters
    ----------
    asked : str, Model, sequence of these, or mapping
        ``"resnet50,vit_s,mine=resnet50@best.pth"``; a :class:`~lpa.models.from_module.Model` with
        a name; several of these; or a mapping from names to texts, models or modules.
        ``popular`` stands for six models (:data:`~lpa.models.aliases.POPULAR`), ``run:PATH`` (or
        a run's folder alone) for all models that a training sweep kept,
        ``run:PATH#random_crop=0.3`` for those at a value, ``run:PATH#random_crop=0.3#2`` for the
        one of seed 2. A comma inside a path is kept where the file exists.

    Returns
    -------
    list of ModelSpec
        In the order asked for, names unique.

    Raises
    ------
    InputError
        For no model at all, an empty part, a name that stands twice, a value of a wrong type, and
        a run without kept weights of what is asked for.
    """
    if isinstance(asked, Mapping):
        specs = [_from_item(str(name), value) for name, value in asked.items()]
    else:
        listed = list(asked) if isinstance(asked, list | tuple) else [asked]
        specs = [spec for item in listed for spec in _from_listed(item)]
    if not specs:
        raise InputError("no model is given; expected e.g. --models resnet50,vit_s")
    seen: set[str] = set()
    for spec in specs:
        if spec.name in seen:
            raise InputError(
                f"model {spec.name!r} is given twice; give each once, or name them: "
                f"first={spec.text},second={spec.text}"
            )
        seen.add(spec.name)
    return specs


def _from_listed(item: Any) -> list[ModelSpec]:
    if isinstance(item, str):
        return [spec for part in _parts(item) for spec in _from_text(part)]
    name = getattr(item, "name", None)
    if not isinstance(name, str) or not name:
        raise InputError(
            f"model {type(item).__name__} has no name; expected {{name: model}}, or "
            "lpa.Model(module, preprocessing, classes, name=...)"
        )
    return [ModelSpec(name, name, given=item)]


def _parts(text: str) -> Iterable[str]:
    """Split at commas, except at those that belong to a path that exists."""
    pieces = text.split(",")
    position = 0
    while position < len(pieces):
        end = position + 1
        if _WITH_PATH.fullmatch(_unnamed(pieces[position])):
            for longer in range(len(pieces), position + 1, -1):
                if _path_exists(",".join(pieces[position:longer])):
                    end = longer
                    break
        yield ",".join(pieces[position:end]).strip()
        position = end


def _unnamed(part: str) -> str:
    match = _NAMED.fullmatch(part.strip())
    return match["text"] if match else part.strip()


def _path_exists(part: str) -> bool:
    match = _WITH_PATH.fullmatch(_unnamed(part))
    if match is None:
        return False
    # Behind a "#" stand a checkpoint's key, or parts that choose models of a run.
    pieces = match["path"].split("#")
    candidates = [
        "#".join(pieces[:end])
        for end in range(len(pieces), 0, -1)
        if "," not in "".join(pieces[end:])
    ]
    return any(exists(user_path(candidate)) for candidate in candidates)


def _from_text(part: str) -> list[ModelSpec]:
    if part == "popular":
        return [ModelSpec(name, name) for name in POPULAR]
    match = _NAMED.fullmatch(part)
    name, text = (match["name"].strip(), match["text"].strip()) if match else ("", part)
    if not text or (match and not name):
        raise InputError(
            f"model {part!r} is empty; expected a name such as resnet50, "
            "ARCHITECTURE@CHECKPOINT or NAME=MODEL, separated by commas"
        )
    if text == "popular":
        raise InputError(
            f"{part!r} gives one name to six models; expected popular alone, or NAME=MODEL"
        )
    kept = run_location(text)
    if kept is not None:
        return _from_run(name, kept)
    return [ModelSpec(name or _default_name(text), text)]


def _from_run(name: str, location: str) -> list[ModelSpec]:
    """Name each kept model of a training sweep; a name of the user's goes with one of them."""
    kept = find_kept(location)
    if name and len(kept) > 1:
        raise InputError(
            f"{name}=run:{location} gives one name to {len(kept)} models; expected run:{location} "
            f"alone, or {name}={kept[0].text}"
        )
    return [ModelSpec(name or model.name, model.text) for model in kept]


def _default_name(text: str) -> str:
    """Name a model after its architecture and file, leaving folders out."""
    if text.startswith("local-dir:"):
        return Path(text.removeprefix("local-dir:")).name
    if "@" not in text or text.startswith(("hf-hub:", "hf_hub:")):
        return text
    architecture, _, path = text.partition("@")
    file, _, key = Path(path).name.partition("#")
    return f"{architecture}@{_SUFFIXES.sub('', file)}" + (f"#{key}" if key else "")


def _from_item(name: str, value: Any) -> ModelSpec:
    if isinstance(value, str):
        return ModelSpec(name, value.strip())
    if value is None or isinstance(value, int | float | bytes | list | tuple | dict):
        raise InputError(
            f"model {name!r} is {value!r}; expected a name, or lpa.Model(module, preprocessing, "
            "classes)"
        )
    return ModelSpec(name, name, given=value)
