"""Engines: run work units. A new engine is a file here; its outcomes equal ``in_process``'s."""

from __future__ import annotations

import importlib
from typing import Any

from lpa.engines.crew import Crew, Engine, Place, Worker
from lpa.errors import unknown

__all__ = ["ENGINES", "Crew", "Engine", "Place", "Worker", "engine_named"]

ENGINES = {
    "local": "lpa.engines.in_process:InProcess",
    "ray": "lpa.engines.on_ray:OnRay",
}
"""Name -> where its class is; imported on use."""


def engine_named(name: str, **options: Any) -> Engine:
    """Make an engine.

    Parameters
    ----------
    name : str
        Of :data:`ENGINES`.
    **options
        The engine's own: ``address``, ``unit_time``, ``worker_cpus``, ``worker_gpus``; None where
        nothing is asked for.

    Raises
    ------
    InputError
        For a name that is unknown, and for options that the engine does not take.
    """
    if name not in ENGINES:
        raise unknown("engine", name, ENGINES)
    module, _, attribute = ENGINES[name].partition(":")
    engine: Engine = getattr(importlib.import_module(module), attribute)(**options)
    return engine
