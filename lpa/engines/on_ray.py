"""Run work units on a Ray cluster: one that is there, or one started for the run.

Each machine gets as many workers as its GPUs or processors hold, each a process of its own. What
is needed to make one is put into the cluster once, and is then once on each machine. Units are
handed out one at a time; what a lost machine, a killed worker or a worker that hangs had under way
is done elsewhere.
"""

from __future__ import annotations

import math
import threading
import uuid
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from lpa.engines.crew import Crew
from lpa.engines.ray_cluster import Node, connect, disconnect, nodes
from lpa.engines.ray_units import Handing, Limits
from lpa.engines.ray_worker import pack
from lpa.errors import InputError

__all__ = ["OnRay", "Share", "share_of"]

U = TypeVar("U")
R = TypeVar("R")

SMALL = 2**24
"""Models of so many bytes in all (4 million parameters) are small: four workers share a GPU, and on
machines without GPUs each has one processor."""

SMALL_SHARE = 0.25

MOST_CPUS = 8
"""Processors that one GPU's worker, which decodes with them, is given at most."""

LARGE_CPUS = 4
"""Processors of a worker that computes large models without a GPU."""


@dataclass(frozen=True)
class Share:
    """What each worker of a machine has of it.

    Attributes
    ----------
    workers : int
        That fit.
    cpus, gpus : float
        Of each.
    """

    workers: int
    cpus: float
    gpus: float


def share_of(
    node: Node, device: str, weight_bytes: int, cpus: float | None, gpus: float | None
) -> Share:
    """Divide a machine among workers.

    Parameters
    ----------
    node : Node
    device : {"cuda", "cpu"}
    weight_bytes : int
        Of the models that a worker holds at once.
    cpus, gpus : float or None
        Of each worker, where the user says so.
    """
    small = weight_bytes <= SMALL
    if device == "cpu":
        each = cpus or (1 if small else max(1, min(LARGE_CPUS, math.floor(node.cpus))))
        return Share(math.floor(node.cpus / each), each, 0)
    part = gpus or (SMALL_SHARE if small else 1)
    # Several GPUs of a worker would be of no use: it computes on one.
    workers = math.floor(node.gpus / part) if part <= 1 else 0
    if workers and cpus is None:
        cpus = max(min(MOST_CPUS, node.cpus // workers), min(1, node.cpus / workers))
    if workers and cpus:
        workers = min(workers, math.floor(node.cpus / cpus + 1e-9))
    return Share(workers, cpus or 0, part)


class OnRay:
    """See :class:`lpa.engines.crew.Engine`.

    Parameters
    ----------
    address : str or None
        Of a cluster; None: start one on this machine.
    unit_time : float or None
        Seconds after which a worker that is still at a unit is ended.
    worker_cpus, worker_gpus : float or None
        Processors and GPUs of each worker; None: by the models' size.

    Raises
    ------
    InputError
        For numbers out of range.
    """

    def __init__(
        self,
        address: str | None = None,
        unit_time: float | None = None,
        worker_cpus: float | None = None,
        worker_gpus: float | None = None,
    ) -> None:
        for name, value in (("unit-time", unit_time), ("worker-cpus", worker_cpus)):
            if value is not None and not 0 < value < math.inf:
                raise InputError(f"--{name} {value:g} is out of range; expected more than 0")
        if worker_gpus is not None and not 0 < worker_gpus <= 1:
            raise InputError(
                f"--worker-gpus {worker_gpus:g} is out of range; expected more than 0, at most 1 "
                "(a worker computes on one GPU)"
            )
        self.address = address
        self.limits = Limits(unit_time)
        self.worker_cpus, self.worker_gpus = worker_cpus, worker_gpus
        self._device = "cpu"
        self._leaves = False

    def __enter__(self) -> OnRay:
        """Connect, or start a cluster.

        Raises
        ------
        InputError
            As :func:`lpa.engines.ray_cluster.connect`.
        """
        self._leaves = connect(self.address)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the cluster, which ends where it was started here."""
        if self._leaves:
            disconnect()

    def device(self, asked: str) -> str:
        """Return ``"cuda"`` where the cluster has GPUs and nothing else is asked for.

        Raises
        ------
        InputError
            For a single device, which no cluster has, and for GPUs where there are none.
        """
        gpus = sum(node.gpus for node in nodes())
        if asked not in ("auto", "cpu", "cuda"):
            raise InputError(
                f"--device {asked} is a device of one machine; with --engine ray expected auto, "
                "cpu or cuda"
            )
        if asked == "cuda" and not gpus:
            raise InputError(
                "--device cuda: no machine of the Ray cluster has a GPU; expected auto or cpu"
            )
        self._device = "cuda" if gpus and asked != "cpu" else "cpu"
        return self._device

    def machines(self) -> list[str]:
        """Return the machines with what they share out."""
        return [
            f"ray: {node.name}, {node.cpus:g} CPUs, {node.gpus:g} GPUs, on {self._device}"
            for node in nodes()
        ]

    def run(
        self, units: Sequence[U], crew: Crew[U, R], stop: threading.Event
    ) -> Generator[R, None, None]:
        """Yield the summaries of units as they are done, in whatever order.

        Raises
        ------
        InputError
            Where no machine can do the work, and what the store raises.
        """
        if not units:
            return
        import ray

        weight_bytes = crew.weight_bytes()
        # Once in the cluster: a machine fetches it once, and its workers share the arrays in it.
        parcel = ray.put(pack(crew.maker()))
        name, content = f".shared-{uuid.uuid4().hex}", uuid.uuid4().hex.encode()
        crew.store.put(name, content)
        try:
            yield from Handing(
                units,
                crew,
                stop,
                parcel=parcel,
                token=(name, content),
                device="cuda:0" if self._device == "cuda" else "cpu",
                share=lambda node: self._share(node, weight_bytes),
                limits=self.limits,
            ).results()
        finally:
            crew.store.delete(name)

    def _share(self, node: Node, weight_bytes: int) -> Share:
        return share_of(node, self._device, weight_bytes, self.worker_cpus, self.worker_gpus)
