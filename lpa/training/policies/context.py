"""What a policy is made for: the sweep's classes, regularizer, values, device and images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lpa.axes import Axis
from lpa.classes import Classes
from lpa.views import View

if TYPE_CHECKING:
    import torch

    from lpa.models.loaded import LoadedModel
    from lpa.outcomes import Samples
    from lpa.training.regularizers.regularizer import Regularizer

__all__ = ["PolicyContext"]


@dataclass(frozen=True, eq=False)
class PolicyContext:
    """What a policy is made for.

    Attributes
    ----------
    classes : Classes
        The run's.
    regularizer : Regularizer
        The swept one.
    axis : Axis
        Its axis.
    values : tuple of float
        Every value of the sweep, from weak to strong, the reference first.
    view : View
        What the trained model sees.
    device : torch.device
        Where it trains.
    evaluated : Samples
        The images that the run evaluates; labels do not matter here.
    teacher : callable
        Text of a model (:func:`lpa.models.parse_models`, or ``run:RUN#...``) -> loaded model. May
        return the same object to every training that asks for the same text.
    held_out : array of int64, shape [N], optional
        Run's class of each image held out from training; None before they are known.
    """

    classes: Classes
    regularizer: Regularizer
    axis: Axis
    values: tuple[float, ...]
    view: View
    device: torch.device
    evaluated: Samples
    teacher: Callable[[str], LoadedModel]
    held_out: npt.NDArray[np.int64] | None = None
