"""Which devices compute, in which precision, with which batch and shard size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from lpa.engines import Engine
from lpa.errors import InputError

__all__ = ["batch_size_of", "devices_of", "on_devices_of", "precision_of", "shard_size_of"]


def on_devices_of(engine: Engine, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is asked for, on the kind of device that an engine's machines have."""
    kind = engine.device(asked.get("device") or "auto")
    return dict(asked) if kind is None else {**asked, "device": [torch.device(kind)]}


def devices_of(asked: str | Sequence[torch.device]) -> list[torch.device]:
    """Return the devices to use: all GPUs of the machine for ``auto``, else the CPU.

    Parameters
    ----------
    asked : str or sequence of torch.device
        ``auto``, ``cpu``, ``cuda`` (all GPUs), ``cuda:1`` or ``mps``; devices of other machines are
        taken as they are.

    Raises
    ------
    InputError
        For a device that this machine does not have.
    """
    if not isinstance(asked, str):
        return list(asked)
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if asked == "cpu":
        return [torch.device("cpu")]
    if asked in ("auto", "cuda") and gpus:
        return [torch.device("cuda", index) for index in range(gpus)]
    if asked in ("auto", "mps") and torch.backends.mps.is_available():
        return [torch.device("mps")]
    if asked == "auto":
        return [torch.device("cpu")]
    head, _, index = asked.partition(":")
    if head == "cuda" and index.isdigit() and int(index) < gpus:
        return [torch.device("cuda", int(index))]
    available = ["cpu", *(f"cuda:{number}" for number in range(gpus))]
    if torch.backends.mps.is_available():
        available.append("mps")
    raise InputError(
        f"device {asked!r} is not there; expected auto or one of: " + ", ".join(available)
    )


def precision_of(asked: str, devices: list[torch.device]) -> str:
    """Resolve ``auto``: fp16 on CUDA (eight times the mantissa of bf16 at its speed), else fp32.

    Raises
    ------
    InputError
        For half precision on a CPU, where it is slower and less exact.
    """
    kind = devices[0].type
    if asked == "auto":
        return "fp16" if kind == "cuda" else "fp32"
    if asked == "fp16" and kind == "cpu":
        raise InputError("precision 'fp16' is not for a CPU; expected fp32, or --device cuda")
    return asked


def batch_size_of(asked: int | None, devices: list[torch.device]) -> int:
    """Return the images per forward pass: what was asked, else one shard."""
    return asked or shard_size_of(devices)


def shard_size_of(devices: list[torch.device]) -> int:
    """Return the samples per shard of a new run: 64 on a CPU, 256 on a GPU."""
    return 64 if devices[0].type == "cpu" else 256
