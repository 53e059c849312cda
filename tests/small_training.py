"""Trainings of a moment: scikit-learn's digits, held ready, and a network without convolutions."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import tiny
import torch
from torch import nn

from lpa.datasets import open_data
from lpa.datasets.selection import index_samples
from lpa.plans import Recipe
from lpa.training.feed import Active, Feed
from lpa.training.image_loading import load_images
from lpa.training.images import TrainingImages
from lpa.training.policies.policy import Policy
from lpa.training.regularizers import parse_regularizer
from lpa.views import View

CPU = torch.device("cpu")
VIEW = View((8, 8), (8, 8), "squash", "bilinear")
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
SHORT = Recipe(epochs=3, batch_size=16, learning_rate=0.05, warmup_epochs=0.5)


@cache
def all_digits() -> TrainingImages:
    """The first 400 digits, with the originals for crops."""
    grey, labels = tiny.digits()
    source = open_data((np.repeat(grey[:400, :, :, None], 3, axis=3), labels[:400]))
    samples = index_samples(source, np.arange(400), np.arange(10))
    return load_images(source, samples, VIEW, device=CPU, originals=True, workers=1).images


def digits(count: int, start: int = 0) -> TrainingImages:
    """Some of them."""
    return all_digits().take(np.arange(start, start + count))


def active(text: str, value: float, swept: bool = True) -> Active:
    """A regularizer at a value."""
    return Active(parse_regularizer(text), value, swept)


def feed(count: int = 100, recipe: Recipe = SHORT, *regularizers: Active, **changes: Any) -> Feed:
    """The batches of the first digits; ``changes`` replace Feed's other parameters."""
    other: dict[str, Any] = {"held_out": None, "policy": Policy(), "classes": 10, "seed": 5}
    return Feed(digits(count), recipe=recipe, active=regularizers, **(other | changes))


def perceptron(seed: int = 0, dropout: float = 0.0) -> nn.Module:
    """Two linear layers with a normalisation that looks at one image alone."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(192, 24), nn.LayerNorm(24), nn.ReLU(), nn.Dropout(dropout),
        nn.Linear(24, 10),
    )  # fmt: skip
