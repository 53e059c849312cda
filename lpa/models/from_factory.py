"""``package.module:function``: a function of the user's own that returns a model."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from lpa.errors import InputError
from lpa.models.from_module import load_object
from lpa.models.loaded import LoadedModel, Request

__all__ = ["load"]


def load(request: Request) -> LoadedModel:
    """Import the function, call it without arguments and load what it returns.

    The function returns a :class:`~lpa.models.from_module.Model` or a ``torch.nn.Module``. The
    current folder is searched first.

    Raises
    ------
    InputError
        When the module or the function cannot be imported or fails.
    """
    module_name, _, function_name = request.target.partition(":")
    function = getattr(_import(module_name), function_name, None)
    if not callable(function):
        raise InputError(
            f"module {module_name!r} has no function {function_name!r}; expected "
            "package.module:function that returns a torch.nn.Module or lpa.Model"
        )
    try:
        given = function()
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"model function {request.target!r} failed ({_reason(error)}); expected a function "
            "that needs no arguments and returns a torch.nn.Module or lpa.Model"
        ) from error
    return load_object(request, given, source="factory")


def _import(module_name: str) -> Any:
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        return importlib.import_module(module_name)
    except Exception as error:
        raise InputError(
            f"module {module_name!r} cannot be imported ({_reason(error)}); expected "
            "package.module:function, importable from the current folder or installed"
        ) from error
    finally:
        sys.path.remove(here)


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:160]}"
