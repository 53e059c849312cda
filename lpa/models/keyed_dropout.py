"""Dropout whose masks are a function of (seed, step, element), not of a generator's state.

Masks are the same on every device and after resuming, and many models with rates and seeds of
their own can run as one under ``torch.func.vmap``, where :class:`torch.nn.Dropout` raises.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["KeyedDropout"]

# SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014);
# the constants above 2^63 are written as the int64 of the same bits, since torch has no arithmetic
# on uint64. Products wrap around, as they shall.
_GOLDEN = 0x9E3779B97F4A7C15 - 2**64
_FIRST = 0xBF58476D1CE4E5B9 - 2**64
_SECOND = 0x94D049BB133111EB - 2**64
_BITS = 24


class KeyedDropout(nn.Module):
    """Zeroes elements with probability ``p`` and divides the others by ``1 - p``, in training.

    Parameters
    ----------
    p : float
        Probability in [0, 1); exact to 2^-24. With 0 the output is the input, bit for bit.
    seed : int
        In [-2^63, 2^63); layers and models of the same seed draw the same masks.
    rows : bool
        Draw once a sample (the first dimension) instead of once an element: stochastic depth.

    Attributes
    ----------
    p, seed, step : Tensor
        Buffers without dimensions (float32, int64, int64), so that stacked models have values of
        their own; they are no part of ``state_dict()``. ``step`` counts the passes in training
        mode, as BatchNorm counts its batches; :mod:`lpa.training.dropout` reads and sets it.
    rests : bool
        Whether it does nothing at all, for one model whose probability is 0; False when made,
        since a stacked layer's probabilities are not known here.

    Notes
    -----
    In distribution equal to ``torch.nn.Dropout(p)``. Element i of one sample (under ``vmap``, of
    one model's batch) is numbered in the logical order of dimensions, whatever the memory layout.
    """

    p: Tensor
    seed: Tensor
    step: Tensor

    def __init__(self, p: float = 0.5, seed: int = 0, *, rows: bool = False) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout {p} is out of range; expected at least 0, less than 1")
        self.rows = rows
        self.rests = False
        self.register_buffer("p", torch.tensor(float(p)), persistent=False)
        self.register_buffer("seed", torch.tensor(seed, dtype=torch.int64), persistent=False)
        self.register_buffer("step", torch.tensor(0, dtype=torch.int64), persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        """Return the values with some of them dropped: any shape, first dimension the batch."""
        if not self.training or self.rests:
            return values
        self.step.add_(1)
        # Cast explicitly: half precision multiplies with a scale of its own type, under vmap too.
        rate = self.p.float()
        scale = (1 / (1 - rate)).to(values.dtype)
        return torch.where(self.kept(values.shape, values.device), values * scale, 0)

    def kept(self, shape: torch.Size, device: torch.device) -> Tensor:
        """Return which elements stay at the present step: bool, broadcasting to ``shape``."""
        drawn = torch.Size([shape[0], *[1] * (len(shape) - 1)]) if self.rows else shape
        index = torch.arange(1, math.prod(drawn) + 1, device=device).view(drawn)
        key = _mixed(self.seed + self.step * _GOLDEN)
        random = _shifted(_mixed(index * _GOLDEN + key), 64 - _BITS)
        return random.ge((self.p.float() * 2**_BITS).to(torch.int64))

    def extra_repr(self) -> str:
        """Return ``p`` for the module's representation."""
        shown = "" if self.p.dim() or self.p.is_meta else f"p={float(self.p):g}"
        return ", ".join(part for part in (shown, "rows" if self.rows else "") if part)


def _mixed(number: Tensor) -> Tensor:
    """SplitMix64's output function on the bits of int64 numbers."""
    number = (number ^ _shifted(number, 30)) * _FIRST
    number = (number ^ _shifted(number, 27)) * _SECOND
    return number ^ _shifted(number, 31)


def _shifted(number: Tensor, bits: int) -> Tensor:
    """Shift right and fill with zeros; torch's own shift of int64 repeats the sign."""
    return number.bitwise_right_shift(bits).bitwise_and(2 ** (64 - bits) - 1)
