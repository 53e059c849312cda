"""What a command ran on: the record of devices and versions in a plan."""

from __future__ import annotations

import platform
from importlib.metadata import version

import torch

__all__ = ["device_name", "versions"]


def device_name(device: torch.device) -> str:
    """Name a device: ``cuda:0 (NVIDIA H200)``, ``cpu (x86_64, 2 threads)``."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"{device} ({platform.machine()}, {torch.get_num_threads()} threads)"


def versions() -> dict[str, str]:
    """Return the versions of Python and of what numbers may depend on."""
    names = ("lpa", "torch", "torchvision", "timm", "kornia", "numpy", "pillow")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}
