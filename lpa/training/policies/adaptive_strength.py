"""Each class's strength follows its accuracy on held-out images while the model trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from torch import Tensor

from lpa.axes import Axis
from lpa.errors import InputError
from lpa.training.policies.context import PolicyContext
from lpa.training.policies.policy import Policy
from lpa.training.policies.specs import PolicySpec

__all__ = ["AdaptiveStrength"]

Floats = npt.NDArray[np.float64]
REVISION = 1


class AdaptiveStrength(Policy):
    r"""A level in [0, 1] for each class, between the reference and the training's value.

    A class at level l trains at :math:`r + l (v - r)` on a linear axis and at
    :math:`r (v/r)^l` on a logarithmic one (linear where r or v is 0), r the reference, v the value.
    After each epoch its held-out images are scored at this strength and at the reference: where
    its accuracy at the strength is at most ``tolerance`` below that at the reference the level
    rises by ``step``, else it falls by as much, within [0, 1]. Where no image of the class is
    right at the reference nothing was measured, and the level stays. Classes without held-out
    images stay at the reference.

    Source: from CUDA (Ahn, Ko and Yun 2023, "CUDA: Curriculum of Data Augmentation for Long-tailed
    Recognition", ICLR) we take a level of augmentation per class that goes up or down by one step
    after each epoch, by whether the model recognises augmented images of the class; from Karras et
    al. 2020 ("Training Generative Adversarial Networks with Limited Data", NeurIPS) the fixed step
    within [0, 1] and the measurement on images that are not trained on. Ours: the comparison with
    the same class at the reference (CUDA asks for a fixed share of right answers, on training
    images), and start, step and tolerance.

    Parameters
    ----------
    classes : int
        Number of the run's classes.
    start, step, tolerance : float
        See above; the tolerance is a fraction, .05 is 5 accuracy points.
    """

    name = "adaptive_strength"
    hold_out = True

    def __init__(
        self, classes: int, start: float = 0.5, step: float = 0.1, tolerance: float = 0.05
    ) -> None:
        self._settings = {"start": start, "step": step, "tolerance": tolerance}
        self.levels: Floats = np.full(classes, start, dtype=np.float64)
        self._value: float | None = None

    @classmethod
    def build(cls, spec: PolicySpec, context: PolicyContext) -> Self:
        """Make it for a training; see :func:`lpa.training.policies.build_policy`."""
        if context.regularizer.place not in ("geometry", "pixels"):
            raise InputError(
                f"policy {spec.name} shows held-out images at each class's strength, and "
                f"{context.axis.name} changes no single image; sweep an augmentation"
            )
        made = cls(len(context.classes), **spec.options)
        if context.held_out is not None:
            sizes = np.bincount(context.held_out, minlength=len(context.classes))
            if not sizes.any():
                raise InputError(
                    f"policy {spec.name} measures on images that are not trained on, and none are "
                    "held out; expected e.g. --hold-out .1"
                )
            made.levels[sizes == 0] = 0.0
            alone = [context.classes.names[index] for index in np.flatnonzero(sizes == 0)]
            if alone:
                named = ", ".join(map(repr, alone[:3])) + (", ..." if len(alone) > 3 else "")
                made.notes = (
                    f"adaptive_strength: {len(alone)} of {len(sizes)} classes have no held-out "
                    f"images and stay at the reference: {named}",
                )
        return made

    def record(self) -> dict[str, Any]:
        """Return what outcomes depend on; see :meth:`Policy.record`."""
        return {**self._settings, "revision": REVISION}

    def values(self, labels: npt.NDArray[np.int64], value: float, axis: Axis) -> Floats:
        """Return each image's strength; see :meth:`Policy.values`."""
        self._value = value
        return self._strengths(value, axis)[labels]

    def after_epoch(
        self, score: Callable[[Floats], Tensor], labels: npt.NDArray[np.int64], axis: Axis
    ) -> None:
        """Move each class's level by one step; see :meth:`Policy.after_epoch`."""
        if self._value is None or self._value == axis.reference:
            return
        classes = len(self.levels)
        sizes = np.bincount(labels, minlength=classes)
        shown = (self._strengths(self._value, axis)[labels], np.full(len(labels), axis.reference))
        strong, plain = (
            np.bincount(labels[score(values).cpu().numpy().astype(bool)], minlength=classes)
            for values in shown
        )
        held = strong >= plain - self._settings["tolerance"] * sizes - 1e-9
        moved = np.where(plain > 0, np.where(held, 1.0, -1.0), 0.0) * self._settings["step"]
        # Steps of .1 add up to .30000000000000004: levels that mean the same are the same.
        self.levels = np.where(sizes > 0, np.clip(self.levels + moved, 0.0, 1.0).round(12), 0.0)

    def state(self) -> dict[str, Any]:
        """Return levels and value; see :meth:`Policy.state`."""
        return {"levels": self.levels.tolist(), "value": self._value}

    def restore(self, state: dict[str, Any]) -> None:
        """Take levels and value back; see :meth:`Policy.restore`."""
        self.levels = np.array(state["levels"], dtype=np.float64)
        self._value = state["value"]

    def _strengths(self, value: float, axis: Axis) -> Floats:
        """Return each class's value on the axis; the ends are exact."""
        if axis.scale == "log" and min(value, axis.reference) > 0:
            between = axis.reference * (value / axis.reference) ** self.levels
        else:
            between = axis.reference + self.levels * (value - axis.reference)
        ends = np.where(self.levels >= 1.0, value, between)
        return np.asarray(np.where(self.levels <= 0.0, axis.reference, ends), dtype=np.float64)
