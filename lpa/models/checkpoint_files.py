"""Checkpoint files as people have them, read without running any code that they hold.

Files of timm (``model_best.pth.tar``), torchvision's reference scripts (``checkpoint.pth``) and
Lightning (``last.ckpt``) keep more than tensors. They load with ``weights_only=True`` and an
allow-list of types that hold data and run nothing.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import importlib
import pathlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lpa.class_files import ordered_names
from lpa.errors import InputError
from lpa.user_paths import is_file, is_folder, user_path

__all__ = ["Checkpoint", "read_checkpoint"]

# Averaged weights first, as timm reads its own files: they are what a run publishes.
_STATE_KEYS = ("state_dict_ema", "model_ema", "state_dict", "model")
_CLASS_KEYS = ("classes", "class_to_idx", "class_names", "idx_to_class")
_ARGUMENT_KEYS = ("args", "hyper_parameters", "hparams", "config")


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds.

    Attributes
    ----------
    state : dict of str to tensor
        The weights, names as in the file.
    key : str
        Where they lay: ``"state_dict_ema"``, ..., or ``""`` for a file of weights alone.
    classes : list of str or None
        Class names in output order, where the file has them.
    classes_key : str
        Where they lay.
    arguments : dict
        Arguments of the training run; empty where the file has none.
    notes : tuple of str
    """

    state: dict[str, torch.Tensor]
    key: str = ""
    classes: list[str] | None = None
    classes_key: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_checkpoint(path: str | Path, key: str = "") -> Checkpoint:
    """Read a checkpoint.

    Parameters
    ----------
    path : path
        A file of ``torch.save`` or safetensors.
    key : str
        Where the weights lie; by default the first present of ``state_dict_ema``, ``model_ema``,
        ``state_dict`` and ``model``, else the file itself.

    Raises
    ------
    InputError
        For a file that is missing, damaged, holds code, or holds no weights.
    """
    path = user_path(path)
    if not is_file(path):
        what = "is a folder" if is_folder(path) else "does not exist"
        raise InputError(
            f"checkpoint {str(path)!r} {what}; expected a file of torch.save or safetensors"
        )
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    if not isinstance(content, Mapping):
        raise InputError(
            f"checkpoint {str(path)!r} holds a {type(content).__name__}; expected a state_dict, or "
            "a mapping with one under " + ", ".join(_STATE_KEYS)
        )
    if key and key not in content:
        raise InputError(
            f"checkpoint {str(path)!r} has no {key!r}; it holds "
            + ", ".join(sorted(map(str, content))[:12])
        )
    key = key or next((known for known in _STATE_KEYS if _is_state(content.get(known))), "")
    state: Any = content[key] if key else content
    if not _is_state(state):
        raise InputError(
            f"checkpoint {str(path)!r} holds no weights{f' under {key!r}' if key else ''}; "
            "expected tensors there, or under one of "
            + ", ".join(_STATE_KEYS)
            + " (name another as FILE#KEY)"
        )
    averaged = key.endswith("_ema")
    others = [other for other in _STATE_KEYS[2:] if averaged and _is_state(content.get(other))]
    notes = [f"averaged weights ({key}) used; #{others[0]} takes the others"] if others else []
    classes, classes_key = _class_names(content, path)
    tensors = {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
    return Checkpoint(tensors, key, classes, classes_key, _arguments(content), tuple(notes))


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except Exception as error:
        raise _damaged(path, error) from error


def _read_torch(path: Path) -> Any:
    try:
        with torch.serialization.safe_globals(_harmless_types()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        blocked = re.search(r"(?:GLOBAL |class ')([\w.]+)", str(error))
        if blocked is None:
            raise _damaged(path, error) from error
        raise InputError(
            f"checkpoint {str(path)!r} was not loaded: it holds {blocked[1]}, which is code or "
            "an object, not plain data; expected tensors: save model.state_dict(), or safetensors"
        ) from error


def _damaged(path: Path, error: Exception) -> InputError:
    reason = (str(error).strip().splitlines() or [""])[0].split(". ")[0][:120]
    return InputError(
        f"checkpoint {str(path)!r} is damaged or no checkpoint ({type(error).__name__}"
        f"{': ' + reason if reason else ''}); expected a file of torch.save or safetensors: copy "
        "or download it again"
    )


def _harmless_types() -> list[Any]:
    """Return types that hold data and whose construction runs nothing."""
    multiarray: Any = importlib.import_module("numpy._core.multiarray")
    scalar, rebuild = multiarray.scalar, multiarray._reconstruct
    dtypes = [getattr(np.dtypes, name) for name in np.dtypes.__all__ if name.endswith("DType")]
    listed: list[Any] = [
        *(argparse.Namespace, collections.OrderedDict, set, dict, list),
        *(tuple, int, float, bool, str, complex, bytearray),
        *(pathlib.PurePath, pathlib.PosixPath, pathlib.PurePosixPath, pathlib.PureWindowsPath),
        *(np.dtype, np.ndarray, scalar, rebuild, *dtypes),
        # numpy 1 wrote these under another module name
        (scalar, "numpy.core.multiarray.scalar"),
        (rebuild, "numpy.core.multiarray._reconstruct"),
        # a path saved on another system, and on Python 3.13
        (pathlib.PurePosixPath, "pathlib.PosixPath"),
        (pathlib.PureWindowsPath, "pathlib.WindowsPath"),
        (pathlib.PurePosixPath, "pathlib._local.PosixPath"),
        (pathlib.PureWindowsPath, "pathlib._local.WindowsPath"),
    ]
    for package in ("lightning.fabric", "lightning_fabric"):  # a dict with attributes
        listed.append((dict, f"{package}.utilities.data.AttributeDict"))
    listed.append((dict, "pytorch_lightning.utilities.parsing.AttributeDict"))
    return listed


def _is_state(value: Any) -> bool:
    return isinstance(value, Mapping) and any(
        isinstance(tensor, torch.Tensor) for tensor in value.values()
    )


def _arguments(content: Mapping[str, Any]) -> dict[str, Any]:
    for key in _ARGUMENT_KEYS:
        value = content.get(key)
        if isinstance(value, argparse.Namespace):
            return vars(value)
        if isinstance(value, Mapping) and not _is_state(value):
            return dict(value)
    return {}


def _class_names(content: Mapping[str, Any], path: Path) -> tuple[list[str] | None, str]:
    for record in (content, _arguments(content)):
        for key in _CLASS_KEYS:
            value = record.get(key)
            if not isinstance(value, list | tuple | Mapping) or not value:
                continue
            with contextlib.suppress(ValueError):
                return ordered_names(value), f"{key!r} of {path.name}"
    return None, ""
