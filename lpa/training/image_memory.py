"""Images held ready for training: many of one size in one array, or of any sizes in a flat one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lpa.training.decoding import Pixels

__all__ = ["Held", "Ragged", "Stack", "free_memory", "stacked"]

Integers = npt.NDArray[np.int64]
Held = Pixels | Tensor
"""Grey levels in the computer's memory or a file (array), or on a device (tensor)."""


@dataclass(frozen=True, eq=False)
class Stack:
    """Images of one size.

    Attributes
    ----------
    levels : array or Tensor, uint8, shape [N, h, w, C]
        C is 1 where all images are grey.
    device : torch.device
        Where :meth:`batch` puts what is asked for.
    """

    levels: Held
    device: torch.device

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.levels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and number of channels kept."""
        height, width, channels = self.levels.shape[1:]
        return height, width, channels

    def batch(self, rows: Integers) -> Tensor:
        """Return images as uint8 [B, C, h, w] on the device."""
        if isinstance(self.levels, Tensor):
            taken = self.levels.index_select(0, torch.from_numpy(rows).to(self.device))
        else:
            taken = torch.from_numpy(self.levels[rows]).to(self.device)
        return taken.permute(0, 3, 1, 2)

    def image(self, row: int) -> Held:
        """Return one image: uint8 [h, w, 3]."""
        image = self.levels[row]
        if self.shape[2] == 3:
            return image
        if isinstance(image, Tensor):
            return image.expand(-1, -1, 3)
        return np.broadcast_to(image, (*self.shape[:2], 3))

    def moved(self) -> Stack:
        """Return the same images, held on the device."""
        return replace(self, levels=on_device(self.levels, self.device))


@dataclass(frozen=True, eq=False)
class Ragged:
    """Images of any sizes.

    Attributes
    ----------
    levels : array or Tensor, uint8, shape [sum of h * w * 3]
        Image after image.
    starts : array of int64, shape [N]
        Where each begins.
    sizes : array of int64, shape [N, 2]
        Width and height.
    device : torch.device
        See :class:`Stack`.
    """

    levels: Held
    starts: Integers
    sizes: Integers
    device: torch.device

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.starts)

    def image(self, row: int) -> Held:
        """Return one image: uint8 [h, w, 3]."""
        start, (width, height) = int(self.starts[row]), self.sizes[row].tolist()
        return self.levels[start : start + 3 * width * height].reshape(height, width, 3)

    def moved(self) -> Ragged:
        """Return the same images, held on the device."""
        return replace(self, levels=on_device(self.levels, self.device))


def on_device(levels: Held, device: torch.device) -> Tensor:
    """Hold grey levels on a device; a file's are copied."""
    if isinstance(levels, Tensor):
        return levels.to(device)
    writable = levels if levels.flags.writeable else levels.copy()
    return torch.from_numpy(writable).to(device)


def stacked(images: Pixels | list[Pixels], device: torch.device) -> Stack:
    """Stack images [h, w, 3] of one size in memory; grey ones keep one channel."""
    levels: Any = np.stack(images) if isinstance(images, list) else images
    if is_grey(levels):
        levels = np.ascontiguousarray(levels[..., :1])
    return Stack(levels, device)


def is_grey(levels: Pixels) -> bool:
    """Tell whether the channels of pixels [..., 3] are all the same."""
    first = levels[..., 0]
    return bool((first == levels[..., 1]).all() and (first == levels[..., 2]).all())


def free_memory(device: torch.device) -> int:
    """Return how many bytes of a device's memory are free now."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    free = _free_here()
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        (
            "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        ),
    ):
        try:
            # "max" where there is no limit.
            free = min(free, int(Path(limit).read_text()) - int(Path(used).read_text()))
        except (OSError, ValueError):
            continue
    return max(free, 0)


def _free_here() -> int:
    """Return the machine's free memory; 2 GB where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        found = dict(line.split(":", 1) for line in lines)
        return int(found["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return 2 * 10**9
