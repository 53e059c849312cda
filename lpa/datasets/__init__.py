"""Data sets: every format becomes a :class:`~lpa.datasets.source.Source`.

A new format is a file ``from_*.py`` with ``recognises(path)`` and ``open_path(path, name, split)``
and a line in :data:`FORMATS`; a data set with a name is a line in :data:`DATASETS`; a service that
is asked by name is a line in :data:`SERVICES`. Nothing heavy is imported before it is used.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lpa.datasets.source import Source
from lpa.errors import InputError, unknown
from lpa.user_paths import exists, user_path

if TYPE_CHECKING:
    from lpa.datasets.selection import index_samples, select

__all__ = [
    "DATASETS",
    "FORMATS",
    "SERVICES",
    "Source",
    "index_samples",
    "list_datasets",
    "open_data",
    "select",
]

DATASETS: dict[str, tuple[str, str]] = {
    "imagenet-sample": (
        "20 ImageNet photographs of 19 classes, in the package foolbox (extra 'sample')",
        "lpa.datasets.from_sample:open_sample",
    ),
    "digits": (
        "1,797 handwritten digits of 8 x 8 pixels, in scikit-learn",
        "lpa.datasets.from_arrays:open_digits",
    ),
    "digits-0-4": (
        "the 901 of them that show 0 to 4: what `lpa probe` trains its backbones on",
        "lpa.datasets.from_arrays:open_digits_0_4",
    ),
    "digits-5-9": (
        "the 896 that show 5 to 9: what `lpa probe` probes them on",
        "lpa.datasets.from_arrays:open_digits_5_9",
    ),
    "fashion-mnist": (
        "70,000 pieces of clothing of 28 x 28 pixels; Debian's dataset-fashion-mnist or =PATH",
        "lpa.datasets.from_idx:open_fashion_mnist",
    ),
    "inat": (
        "iNaturalist 2021, 10,000 species with their taxonomy: =PATH, as torchvision has it",
        "lpa.datasets.from_inaturalist:open_2021",
    ),
    "inat2021": ("the same", "lpa.datasets.from_inaturalist:open_2021"),
    "inat2019": ("iNaturalist 2019: =PATH", "lpa.datasets.from_inaturalist:open_2019"),
    "inat2018": ("iNaturalist 2018: =PATH", "lpa.datasets.from_inaturalist:open_2018"),
    "inat2017": ("iNaturalist 2017: =PATH", "lpa.datasets.from_inaturalist:open_2017"),
}
"""Data sets with a name: description, and the function that opens them with (path, split)."""

FORMATS: dict[str, tuple[str, str]] = {
    "manifest": ("a CSV file with the columns path,label[,split]", "lpa.datasets.from_manifest"),
    "parquet": ("the hub's Parquet files: one, or a folder of them", "lpa.datasets.from_parquet"),
    "idx": ("a folder of MNIST's idx files", "lpa.datasets.from_idx"),
    "inaturalist": ("a folder of iNaturalist's", "lpa.datasets.from_inaturalist"),
    "folder": (
        "a folder with one sub-folder per class, or ImageNet's flat validation folder",
        "lpa.datasets.from_folder",
    ),
}
"""Formats of a path, in the order in which they are tried: description and module."""

SERVICES: dict[str, tuple[str, str, str]] = {
    "hub": (
        "hub:OWNER/NAME[:CONFIGURATION]",
        "a data set of the Hugging Face hub",
        "lpa.datasets.from_hub:open_hub",
    ),
    "torchvision": (
        "torchvision:NAME=PATH",
        "one of torchvision.datasets, e.g. torchvision:CIFAR10=PATH",
        "lpa.datasets.from_torchvision:open_torchvision",
    ),
}
"""Prefixes before a colon: form, description, and the function that opens (text, split)."""


def __getattr__(name: str) -> Any:
    """Import selection on use: it needs the waist, which imports pandas."""
    if name in ("index_samples", "select"):
        return _load(f"lpa.datasets.selection:{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def open_data(
    spec: Any, split: str | None = None, *, classes_file: str | os.PathLike[str] | None = None
) -> Source:
    """Open a data set.

    Parameters
    ----------
    spec : str, path, Source, Dataset or (images, labels)
        ``PATH``, ``NAME``, ``NAME=PATH``, ``hub:owner/name``, ``torchvision:NAME=PATH``; a torch
        Dataset that yields (image, label); a pair of images and labels; a source is returned as
        it is.
    split : str or None
        One split or several with commas. None: the validation split, else the test split, else
        everything.
    classes_file : path or None
        Names for classes that the data call by numbers only.

    Raises
    ------
    InputError
        For a path that does not exist, an unknown name, a missing split, data without images.
    """
    source = _open(spec, split)
    if classes_file is None:
        return source
    named = _load("lpa.datasets.class_names:named")
    result: Source = named(source, Path(classes_file))
    return result


def _open(spec: Any, split: str | None) -> Source:
    if isinstance(spec, Source):
        if split is not None:
            raise InputError(f"{spec.name} is open already; choose the split when it is opened")
        return spec
    if isinstance(spec, str | os.PathLike):
        return _open_text(os.fspath(spec), split)
    opener = "lpa.datasets.from_dataset:open_dataset"
    arguments = [spec]
    pair = isinstance(spec, tuple | list) and len(spec) == 2
    if pair and all(hasattr(part, "__len__") for part in spec):
        opener, arguments = "lpa.datasets.from_arrays:open_arrays", list(spec)
    source: Source = _load(opener)(*arguments, split)
    return source


def _load(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _open_text(text: str, split: str | None) -> Source:
    service, colon, rest = text.partition(":")
    if colon and service in SERVICES:
        source: Source = _load(SERVICES[service][2])(rest, split)
        return source
    if text in DATASETS:
        source = _load(DATASETS[text][1])(None, split)
        return source
    path = user_path(text)
    if text and exists(path):
        return _open_path(path, path.absolute().name, split)
    name, equals, rest = text.partition("=")
    if equals and name and rest:
        path = _existing(rest)
        if name in DATASETS:
            source = _load(DATASETS[name][1])(path, split)
            return source
        return _open_path(path, name, split)
    if name == "imagenet":
        raise InputError("imagenet needs the folder that holds it; write imagenet=PATH")
    if path.suffix or "/" in text or os.sep in text:
        return _open_path(_existing(text), text, split)
    forms = [form for form, _, _ in SERVICES.values()]
    raise unknown("data set", text, DATASETS, f"a path that exists, or {', '.join(forms)}")


def _existing(text: str) -> Path:
    path = user_path(text)
    if not exists(path):
        raise InputError(
            f"data path {text!r} does not exist; expected a folder of images, a CSV manifest or "
            f"Parquet files, or one of {', '.join(DATASETS)}"
        )
    return path


def _open_path(path: Path, name: str, split: str | None) -> Source:
    for _, module in FORMATS.values():
        reader = importlib.import_module(module)
        if reader.recognises(path):
            source: Source = reader.open_path(path, name, split)
            return source
    formats = "; ".join(description for description, _ in FORMATS.values())
    raise InputError(f"{str(path)!r} is in no known format; expected {formats}")


def list_datasets() -> list[dict[str, str]]:
    """Return what can be opened: ``form`` (what to type) and ``description`` of each."""
    rows = [(name, description) for name, (description, _) in DATASETS.items()]
    rows += [("PATH", description) for description, _ in FORMATS.values()]
    rows += [(form, description) for form, description, _ in SERVICES.values()]
    return [{"form": form, "description": description} for form, description in rows]
