"""Tiny models and data, made in a moment: scikit-learn's digits, seen by a convolution."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import Tensor, nn

import lpa
from lpa.models.preprocessing import Preprocessing
from lpa.views import View

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

# Many short passes: threads would only wait for each other.
torch.set_num_threads(1)

MEAN, STD = (0.4, 0.45, 0.5), (0.25, 0.3, 0.35)


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Grey levels [1797, 8, 8] uint8 and labels [1797]."""
    found = load_digits()
    return np.round(found.images * 255 / 16).astype(np.uint8), found.target


class Tiny(nn.Module):
    """A convolution with random weights, and a linear layer that was fitted to the digits."""

    def __init__(self, seed: int, outputs: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.convolution = nn.Conv2d(3, 6, 3, padding=1)
        self.linear = nn.Linear(6 * 64, outputs)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.3

    def features(self, images: Tensor) -> Tensor:
        """Images [B, 3, h, w] -> features [B, 384]."""
        return nn.functional.adaptive_avg_pool2d(self.convolution(images).relu(), 8).flatten(1)

    def forward(self, images: Tensor) -> Tensor:
        """Images -> logits."""
        return self.linear(self.features(images))


@cache
def _fitted(seed: int, side: int) -> tuple[Tensor, Tensor]:
    """Weight and bias of the linear layer, by least squares on 600 digits."""
    images, labels = digits()
    views = [Image.fromarray(image).convert("RGB") for image in images[:600]]
    pixels = [np.array(view.resize((side, side), Image.BILINEAR)) for view in views]
    batch = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 255
    batch = (batch - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    with torch.no_grad():
        features = Tiny(seed, 10).features(batch).double()
    design = torch.cat([features, torch.ones(len(features), 1)], 1)
    wanted = nn.functional.one_hot(torch.from_numpy(labels[:600]), 10).double() * 6
    normal = design.T @ design + 5 * torch.eye(design.shape[1])
    # Rounded, so that the weights are the same to the last bit with any number of threads.
    solution = torch.linalg.solve(normal, design.T @ wanted).mul(4096).round().div(4096).float()
    return solution[:-1].T.contiguous(), solution[-1]


def module(seed: int = 0, side: int = 32, order: Sequence[int] = tuple(range(10))) -> Tiny:
    """A module whose output i speaks of the digit ``order[i]``; -1: of nothing."""
    made = Tiny(seed, len(order))
    weight, bias = _fitted(seed, side)
    for output, digit in enumerate(order):
        made.linear.weight.data[output] = weight[digit] if digit >= 0 else 0
        made.linear.bias.data[output] = bias[digit] if digit >= 0 else 2.0
    return made.eval()


def preprocessing(
    side: int = 32, resize: int | None = None, interpolation: str = "bilinear"
) -> Preprocessing:
    """Resize of the short side, centre crop, normalisation."""
    view = View((side, side), (resize or side,) * 2, "short_side", interpolation)
    return Preprocessing(view, MEAN, STD)


def model(
    seed: int = 0, side: int = 32, *, resize: int | None = None, interpolation: str = "bilinear",
    order: Sequence[int] = tuple(range(10)), classes: Sequence[str] = NAMES, wrapped: Any = None,
) -> lpa.Model:  # fmt: skip
    """A model for ``lpa.scan(models={...})``."""
    made = module(seed, side, order)
    return lpa.Model(
        made if wrapped is None else wrapped(made),
        preprocessing(side, resize, interpolation),
        list(classes),
    )


def first() -> lpa.Model:
    """For the command line: ``tiny:first``."""
    return model(0)


def second() -> lpa.Model:
    """Another one, with another view."""
    return model(1, 24, resize=28, interpolation="bicubic")


def permuted() -> lpa.Model:
    """Names in another order than the outputs."""
    return model(0, order=(3, 1, 4, 0, 5, 9, 2, 6, 8, 7))


def nameless() -> lpa.Model:
    """Forty outputs, and no names."""
    made = module(0, order=(*range(10), *[-1] * 30))
    return lpa.Model(made, preprocessing())


def picture(index: int) -> Image.Image:
    """One digit as a colour picture of its own size, between 40 and 70 pixels a side."""
    images, _ = digits()
    width, height = 40 + index * 7 % 31, 40 + index * 5 % 29
    large = Image.fromarray(images[index]).resize((width, height), Image.BICUBIC)
    tint = np.array([1.0, 0.7 + index % 4 * 0.1, 0.9])
    return Image.fromarray((np.array(large)[:, :, None] * tint).astype(np.uint8))


def folder(
    path: Path, per_class: int = 3, names: Sequence[str] = NAMES, classes: Sequence[int] = range(10)
) -> Path:
    """Write one folder a class; picture i of a class is its i-th digit."""
    _, labels = digits()
    for label in classes:
        (path / names[label]).mkdir(parents=True)
        for number, index in enumerate(np.flatnonzero(labels == label)[:per_class]):
            picture(int(index)).save(path / names[label] / f"{number:03d}.png")
    return path


class Slow(nn.Module):
    """Takes a moment for every pass, and writes down in a file how many there were."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, images: Tensor) -> Tensor:
        if len(images) > 1:  # Loading passes one image.
            time.sleep(0.04)
            with Path(os.environ["TINY_PASSES"]).open("a") as file:
                file.write(".")
        return self.inner(images)


def slow() -> lpa.Model:
    """For the command line: the first model, slowly."""
    return model(0, wrapped=Slow)


def slow_second() -> lpa.Model:
    """The second model, slowly."""
    return model(1, 24, resize=28, interpolation="bicubic", wrapped=Slow)
