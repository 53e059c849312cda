"""Check the names and kinds of options from Python, before anything is loaded."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from lpa.errors import InputError, unknown
from lpa.plans import Recipe

__all__ = ["check_asked"]

_WHOLE = "a whole number, e.g. 8"
_TEXT = "a text"
_PATH = "a path"
_SWITCH = "True or False"
_SETTINGS = "names to values, e.g. {'dropout': 0.2}"

_KINDS: dict[str, tuple[Any, str]] = {
    "out": (str | os.PathLike, _PATH),
    "split": (str, f"{_TEXT}, e.g. 'val'"),
    "draws": (Integral, _WHOLE),
    "per_class": (Integral, _WHOLE),
    "limit": (Integral, _WHOLE),
    "seed": (Integral, _WHOLE),
    "classes": (str | os.PathLike, _PATH),
    "device": (str, f"{_TEXT}, e.g. 'cuda:1'"),
    "batch_size": (Integral, _WHOLE),
    "workers": (Integral, _WHOLE),
    "crop_pct": (Real, "a number, e.g. 0.875"),
    "crop_mode": (str, f"{_TEXT}, e.g. 'center'"),
    "interpolation": (str, f"{_TEXT}, e.g. 'bicubic'"),
    "model": (str, f"{_TEXT}, e.g. 'resnet50'"),
    "regularizer": (str, f"{_TEXT}, e.g. 'random_crop'"),
    "seeds": (Integral, _WHOLE),
    "held": (Mapping | Sequence, _SETTINGS),
    "policies": (Sequence, "a text or several, e.g. ['plain', 'adaptive_strength']"),
    "checkpoints": (str, f"{_TEXT}, e.g. 'ckpt/tau{{value}}_seed{{seed}}.pth'"),
    "test_share": (Real, "a number, e.g. 0.25"),
    "recipe": (Mapping, "names to values, e.g. {'epochs': 15}"),
    "keep": (str, f"{_TEXT}, e.g. 'last'"),
    "cache": (str | os.PathLike, _PATH),
    "compiled": (bool, _SWITCH),
    "retry": (bool, _SWITCH),
    "strict": (bool, _SWITCH),
    "progress": (bool, _SWITCH),
    "max_time": (Real, "a number of seconds, e.g. 3600"),
    "engine": (str, f"{_TEXT}, e.g. 'ray'"),
    "address": (str, f"{_TEXT}, e.g. 'ray://head:10001'"),
    "unit_time": (Real, "a number of seconds, e.g. 3600"),
    "worker_cpus": (Real, "a number, e.g. 4"),
    "worker_gpus": (Real, "a number, e.g. 0.25"),
}
"""Option -> what it may be beside None, and how that is said."""

_SEQUENCES: dict[str, tuple[Any, tuple[int, ...], str]] = {
    "shard": (Integral, (2,), "part and number of parts, e.g. (3, 100)"),
    "mean": (Real, (1, 3), "three numbers, e.g. (0.485, 0.456, 0.406)"),
    "std": (Real, (1, 3), "three numbers, e.g. (0.229, 0.224, 0.225)"),
}
"""Option -> what its entries are, how many there may be, and how that is said."""


def check_asked(function: str, asked: Mapping[str, Any], known: Iterable[str]) -> None:
    """Check options that Python gave.

    Parameters
    ----------
    function : str
        Who was called, for messages: ``"lpa.scan"``.
    asked : mapping
        Option -> value.
    known : iterable of str
        The options that there are.

    Raises
    ------
    InputError
        For an option that there is not, and for a value of the wrong kind.
    """
    names = list(known)
    for name, value in asked.items():
        if name not in names:
            if "recipe" in names and function.endswith("sweep") and name in Recipe.names():
                raise _wrong(function, name, value, f"recipe={{{name!r}: {value!r}}}")
            raise unknown(f"option of {function}", name, names)
        if value is None:
            continue
        if name in _KINDS and not _is(value, _KINDS[name][0]):
            raise _wrong(function, name, value, _KINDS[name][1])
        if name in _SEQUENCES:
            kind, lengths, expected = _SEQUENCES[name]
            entries = list(value) if isinstance(value, Iterable) else []
            if len(entries) not in lengths or not all(isinstance(one, kind) for one in entries):
                raise _wrong(function, name, value, expected)
    size = asked.get("img_size")
    sides = list(size) if isinstance(size, list | tuple) else [size]
    if size is not None and not (
        len(sides) in (1, 2) and all(isinstance(side, Integral) for side in sides)
    ):
        raise _wrong(function, "img_size", size, "pixels, e.g. 224 or (height, width)")


def _is(value: Any, kind: Any) -> bool:
    """Tell whether a value is of a kind; to Python, True is the number 1, and to us it is not."""
    return isinstance(value, kind) and not (isinstance(value, bool) and kind in (Integral, Real))


def _wrong(function: str, name: str, value: Any, expected: str) -> InputError:
    return InputError(f"{function}({name}={value!r}): expected {expected}")
