"""Three small networks for small images, so that whole training sweeps run on a laptop.

Each takes RGB images of any size from 8 pixels and any number of classes; initial weights come
from torch's global generator. Everything in them runs under ``torch.func.vmap`` over stacked
parameters and buffers.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from lpa.models.keyed_dropout import KeyedDropout

__all__ = ["BUILDERS", "MINIMUM", "SmallCnn", "SmallResNet", "SmallVit"]

MINIMUM = 8
"""Smallest side of an image, in pixels."""


class SmallCnn(nn.Module):
    """Three convolutions with BatchNorm, mean over positions, linear head.

    Parameters
    ----------
    outputs : int
        Number of classes.
    size : (int, int)
        Height and width of the images in pixels; this network takes any others as well.
    drop_rate : float
        Dropout before the head, in [0, 1).

    Notes
    -----
    68,890 parameters with 10 classes.
    """

    def __init__(self, outputs: int, size: tuple[int, int] = (28, 28), drop_rate: float = 0.0):
        super().__init__()
        self.features = nn.Sequential(
            *_convolution(3, 32), nn.ReLU(), nn.MaxPool2d(2),
            *_convolution(32, 64), nn.ReLU(), nn.MaxPool2d(2),
            *_convolution(64, 84), nn.ReLU(),
        )  # fmt: skip
        self.drop = KeyedDropout(drop_rate)
        self.head = nn.Linear(84, outputs)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [B, outputs] of images [B, 3, height, width]."""
        logits: Tensor = self.head(self.drop(self.features(images).mean((2, 3))))
        return logits


class SmallResNet(nn.Module):
    """The CIFAR layout of He et al. (2016, Section 4.2) with n = 1: three blocks, 16 to 64 wide.

    Parameters as :class:`SmallCnn`; 78,042 parameters with 10 classes. Where a block narrows the
    image, the shortcut is a 1x1 convolution (their option B).
    """

    def __init__(self, outputs: int, size: tuple[int, int] = (28, 28), drop_rate: float = 0.0):
        super().__init__()
        self.stem = nn.Sequential(*_convolution(3, 16), nn.ReLU())
        self.blocks = nn.Sequential(_Block(16, 16, 1), _Block(16, 32, 2), _Block(32, 64, 2))
        self.drop = KeyedDropout(drop_rate)
        self.head = nn.Linear(64, outputs)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [B, outputs] of images [B, 3, height, width]."""
        logits: Tensor = self.head(self.drop(self.blocks(self.stem(images)).mean((2, 3))))
        return logits


class SmallVit(nn.Module):
    """A tiny Vision Transformer: 64 wide, 4 blocks, 4 heads, mean over tokens.

    Parameters as :class:`SmallCnn`. Patches are an eighth of the shorter side, rounded up, and at
    least 2 pixels, so that a side has at most 8 of them on square images (28 pixels: 7 by 7
    patches of 4); images are padded with zeros to whole patches. Made for one size: the position
    of each patch is learnt. 140,938 parameters at 28 pixels with 10 classes.
    """

    def __init__(self, outputs: int, size: tuple[int, int] = (28, 28), drop_rate: float = 0.0):
        super().__init__()
        patch = max(2, math.ceil(min(size) / 8))
        rows, columns = (math.ceil(side / patch) for side in size)
        self.size = size
        self.padding = (0, columns * patch - size[1], 0, rows * patch - size[0])
        self.patches = nn.Conv2d(3, 64, patch, stride=patch)
        # As large as the patches' own values: a short training does not learn places otherwise
        # (15 epochs of digits: 94 % instead of 89 % with the usual 0.02).
        self.position = nn.Parameter(torch.randn(1, rows * columns, 64) * 0.5)
        self.blocks = nn.Sequential(*(_Transformer(64, 4) for _ in range(4)))
        self.norm = nn.LayerNorm(64)
        self.drop = KeyedDropout(drop_rate)
        self.head = nn.Linear(64, outputs)

    def no_weight_decay(self) -> set[str]:
        """Return the parameters that weight decay leaves out (timm's protocol)."""
        return {"position"}

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [B, outputs] of images [B, 3, height, width] of the size it was made for.

        Raises
        ------
        ValueError
            For images of another size.
        """
        if tuple(images.shape[-2:]) != tuple(self.size):
            raise ValueError(f"made for {self.size[0]}x{self.size[1]} pixels")
        tokens = self.patches(nn.functional.pad(images, self.padding)).flatten(2).transpose(1, 2)
        tokens = self.norm(self.blocks(tokens + self.position))
        logits: Tensor = self.head(self.drop(tokens.mean(1)))
        return logits


BUILDERS: dict[str, Callable[[int, tuple[int, int], float], nn.Module]] = {
    "small_cnn": SmallCnn,
    "small_resnet": SmallResNet,
    "small_vit": SmallVit,
}
"""Name -> class, called with outputs, size and dropout."""


def _convolution(channels: int, width: int, stride: int = 1, side: int = 3) -> list[nn.Module]:
    """Return a convolution that keeps the size (divides it by the stride), and BatchNorm."""
    convolution = nn.Conv2d(channels, width, side, stride, padding=side // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return [convolution, nn.BatchNorm2d(width)]


class _Block(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            *_convolution(channels, width, stride), nn.ReLU(), *_convolution(width, width)
        )
        same = stride == 1 and channels == width
        self.shortcut = nn.Sequential(*([] if same else _convolution(channels, width, stride, 1)))

    def forward(self, images: Tensor) -> Tensor:
        summed: Tensor = self.residual(images) + self.shortcut(images)
        return summed.relu()


class _Transformer(nn.Module):
    """Attention and a two-layer network, each behind a LayerNorm and beside a shortcut."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.joined = nn.Linear(width, width)
        self.layers = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self._attention(self.norm(tokens))
        mapped: Tensor = self.layers(tokens)
        return tokens + mapped

    def _attention(self, tokens: Tensor) -> Tensor:
        """Written out: the fused kernels have no rule for ``vmap`` on every device."""
        batch, count, width = tokens.shape
        joint = self.queries_keys_values(tokens).view(batch, count, 3, self.heads, -1)
        queries, keys, values = joint.permute(2, 0, 3, 1, 4).unbind(0)
        scores = queries @ keys.transpose(-2, -1) / math.sqrt(width // self.heads)
        mixed = scores.softmax(-1) @ values
        joined: Tensor = self.joined(mixed.transpose(1, 2).reshape(batch, count, width))
        return joined
