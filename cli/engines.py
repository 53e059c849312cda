"""Options by which commands choose who runs their work, alike everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = ["ENGINE_OPTIONS", "engine_options", "read_engine"]

Decorated = TypeVar("Decorated", bound=Callable[..., Any] | click.Command)

ENGINE_OPTIONS = ("engine", "address", "unit_time", "worker_cpus", "worker_gpus")

_OPTIONS = (
    click.option(
        "--engine",
        default="local",
        show_default=True,
        metavar="local|ray",
        help="Who runs the work: this process, or a Ray cluster (needs lpa[ray]).",
    ),
    click.option(
        "--address",
        metavar="auto|ray://HOST:PORT|HOST:PORT",
        help="With --engine ray: the cluster. [default: one is started here for the run]",
    ),
    click.option(
        "--unit-time",
        metavar="H:MM:SS",
        help="With --engine ray: end and replace a worker that is so long at one unit.",
    ),
    click.option(
        "--worker-cpus",
        type=float,
        metavar="N",
        help="With --engine ray: processors of each worker. [default: by the models' size]",
    ),
    click.option(
        "--worker-gpus",
        type=float,
        metavar="SHARE",
        help="With --engine ray: GPU of each worker. [default: 0.25 for small models, else 1]",
    ),
)


def engine_options(command: Decorated) -> Decorated:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_engine(asked: dict[str, Any]) -> dict[str, Any]:
    """Take the engine's options out of what was asked, and return them as Python takes them."""
    import lpa

    found = {name: asked.pop(name) for name in ENGINE_OPTIONS}
    if found["unit_time"]:
        found["unit_time"] = lpa.parse_duration(found["unit_time"])
    return found
