"""How many threads of the CPU compute."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

__all__ = ["FEW_PIXELS", "one_thread_where"]

FEW_PIXELS = 2**15
"""Pixels of a batch that one thread computes as fast as several (64 images of 22 x 22)."""


@contextlib.contextmanager
def one_thread_where(tiny: bool, device: torch.device) -> Iterator[None]:
    """Compute with one thread of the CPU what is tiny: more would wait for each other.

    Parameters
    ----------
    tiny : bool
        Whether the work is.
    device : torch.device
        Where it is done; nothing changes for another than the CPU.
    """
    before = torch.get_num_threads()
    if tiny and device.type == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
