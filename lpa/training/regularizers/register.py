"""Every regularizer by its name: its axis, where it is, what it does. No torch.

A new regularizer is a file in this package and its entry here; the contract tests then pick it up
by themselves. No axis is monotone: how a regularizer moves a class is what a sweep is to find out.
The default grids are our choice, as the paper gives none but the ends of its crop (arXiv
2204.03632, Figure 2: 100 % to 8 %): from no regularization to where the mean over the classes is
past its best in the recipes we know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from lpa.augmentations.register import AUGMENTATIONS, OPTIONS, Option
from lpa.axes import Axis

__all__ = ["REGULARIZERS", "RegisteredRegularizer"]


class RegisteredRegularizer(NamedTuple):
    """One regularizer.

    Attributes
    ----------
    axis : Axis
        Its strength; the reference is no regularization.
    target : str
        ``"module:Class"``, imported on use.
    description : str
        One line.
    options : mapping of str to Option
        What stands in brackets behind the name.
    """

    axis: Axis
    target: str
    description: str
    options: Mapping[str, Option] = {}


REGULARIZERS: dict[str, RegisteredRegularizer] = {
    "random_crop": RegisteredRegularizer(
        Axis(
            "random_crop",
            "least share of the area kept",
            reference=1.0,
            stronger="down",
            minimum=0.001,
            maximum=1.0,
            monotone=False,
            grid=(1.0, 0.8, 0.6, 0.4, 0.2, 0.08),
        ),
        "lpa.training.regularizers.random_crop:RandomCrop",
        "each image is cropped to U[tau, 1] of its view (frame=image: torchvision's law)",
        {"frame": Option("view", ("view", "image")), "aspect": OPTIONS["crop"]["aspect"]},
    ),
    # On a logarithmic axis a reference of 0 has a place of its own (lpa.statistics.positions).
    "weight_decay": RegisteredRegularizer(
        Axis(
            "weight_decay",
            "coefficient",
            reference=0.0,
            scale="log",
            minimum=0.0,
            maximum=1.0,
            monotone=False,
            grid=(0.0, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3),
        ),
        "lpa.training.regularizers.weight_decay:WeightDecay",
        "weights shrink with every update, those of normalisation layers excluded",
    ),
    "dropout": RegisteredRegularizer(
        Axis(
            "dropout",
            "probability",
            reference=0.0,
            minimum=0.0,
            maximum=0.95,
            monotone=False,
            grid=(0.0, 0.1, 0.2, 0.4, 0.6, 0.8),
        ),
        "lpa.training.regularizers.dropout:Dropout",
        "features before the head are dropped (timm's drop_rate)",
    ),
    "color_jitter": RegisteredRegularizer(
        replace(AUGMENTATIONS["color_jitter"][0], monotone=False),
        "lpa.training.regularizers.color_jitter:ColorJitter",
        "brightness, contrast, saturation and hue are drawn, as in the scan",
    ),
    "cutout": RegisteredRegularizer(
        replace(AUGMENTATIONS["cutout"][0], monotone=False),
        "lpa.training.regularizers.cutout:Cutout",
        "a rectangle of this share of the view is erased, as in the scan",
        OPTIONS["cutout"],
    ),
    "label_smoothing": RegisteredRegularizer(
        Axis(
            "label_smoothing",
            "epsilon",
            reference=0.0,
            minimum=0.0,
            maximum=1.0,
            monotone=False,
            grid=(0.0, 0.05, 0.1, 0.2, 0.4),
        ),
        "lpa.training.regularizers.label_smoothing:LabelSmoothing",
        "this share of the target is spread evenly over all classes",
    ),
    "mixup": RegisteredRegularizer(
        Axis(
            "mixup",
            "alpha of Beta(alpha, alpha)",
            reference=0.0,
            minimum=0.0,
            maximum=100.0,
            monotone=False,
            grid=(0.0, 0.1, 0.2, 0.4, 1.0),
        ),
        "lpa.training.regularizers.mixup:Mixup",
        "images and targets are blended with another image's (Zhang et al. 2018)",
    ),
    "cutmix": RegisteredRegularizer(
        Axis(
            "cutmix",
            "alpha of Beta(alpha, alpha)",
            reference=0.0,
            minimum=0.0,
            maximum=100.0,
            monotone=False,
            grid=(0.0, 0.1, 0.2, 0.4, 1.0),
        ),
        "lpa.training.regularizers.cutmix:CutMix",
        "a rectangle comes from another image, targets follow its area (Yun et al. 2019)",
    ),
}
"""Name -> regularizer."""
