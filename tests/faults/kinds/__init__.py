"""The kinds of faults: a file each, and a line here."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faults.kinds.kind import Kind

__all__ = ["KINDS", "kind_named"]

KINDS = {
    "driver killed": "killed_driver:KilledDriver",
    "killed twice": "killed_driver:KilledTwice",
    "Ctrl-C": "signals:Interrupted",
    "SIGTERM": "signals:Terminated",
    "SIGUSR1": "signals:Requeued",
    "two signals": "signals:TwoSignals",
    "full disk": "full_disk:FullDisk",
    "read-only output": "read_only:ReadOnly",
    "unit damaged": "damaged_unit:DamagedUnit",
    "checkpoint damaged": "damaged_checkpoint:DamagedCheckpoint",
    "features damaged": "damaged_features:DamagedFeatures",
    "kept weights damaged": "damaged_weights:DamagedWeights",
    "record damaged": "damaged_record:DamagedRecord",
    "clock jumps": "clock_jumps:ClockJumps",
    "two commands": "two_commands:TwoCommands",
    "memory ends": "memory_ends:MemoryEnds",
    "device memory ends once": "device_memory:EndsOnce",
    "device memory ends": "device_memory:Ends",
    "process stands still": "stands_still:StandsStill",
    "store comes back": "object_store:ComesBack",
    "store hangs": "object_store:Hangs",
    "store stays away": "object_store:StaysAway",
    "process of two killed": "shared_training:ProcessKilled",
    "Ray worker killed": "ray_workers:WorkerKilled",
    "Ray worker hangs": "ray_workers:WorkerHangs",
    "Ray node lost": "ray_workers:NodeLost",
}
"""Name -> module and class."""


def kind_named(name: str) -> Kind:
    """Return a kind of fault."""
    module, _, attribute = KINDS[name].partition(":")
    found: Kind = getattr(importlib.import_module(f"faults.kinds.{module}"), attribute)()
    found.name = name
    return found
