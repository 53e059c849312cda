"""A teacher scores the augmented view, so that the target moves with it (paper, Eq. 1)."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lpa.classes import Classes
from lpa.errors import InputError
from lpa.models.loaded import LoadedModel
from lpa.training.batch import Batch
from lpa.training.policies.context import PolicyContext
from lpa.training.policies.policy import Policy
from lpa.training.policies.specs import PolicySpec

__all__ = ["LabelDistillation"]

Floats = npt.NDArray[np.float64]


class LabelDistillation(Policy):
    """The target is the teacher's softmax on the very view that the student sees.

    Restricted to, and renormalised over, the run's classes, matched by name; in float32, without
    gradient. With ``hard`` = h the target is ``h * label + (1 - h) * teacher``. It is so at every
    value, the reference included, so that the curve holds the strength's effect and not that of
    distilling.

    Source: Hinton, Vinyals and Dean 2015 (arXiv 1503.02531) at temperature 1; the teacher sees the
    student's view, as Beyer et al. 2022 ("Knowledge distillation: A good teacher is patient and
    consistent", CVPR) find best.

    Parameters
    ----------
    teacher : LoadedModel
        Stays as it is; a copy goes to the device.
    outputs : array of int64, shape [outputs]
        Run's class of each of its outputs, -1 for none.
    device : torch.device
        Where the student trains.
    hard : float
        Weight of the label, in [0, 1].
    """

    name = "label_distillation"

    def __init__(
        self,
        teacher: LoadedModel,
        outputs: npt.NDArray[np.int64],
        device: torch.device,
        hard: float = 0.0,
    ) -> None:
        self._teacher, self._hard = teacher, hard
        self._outputs = outputs
        # A copy: the loaded model may be shared with trainings on other devices.
        self._module = copy.deepcopy(teacher.module).to(device).eval().requires_grad_(False)
        kept = np.flatnonzero(outputs >= 0)
        self._kept = torch.from_numpy(kept).to(device)
        self._place = torch.from_numpy(outputs[kept]).to(device)

    @classmethod
    def build(cls, spec: PolicySpec, context: PolicyContext) -> Self:
        """Load the teacher; see :func:`lpa.training.policies.build_policy`."""
        teacher = context.teacher(spec.source)
        if teacher.view.size != context.view.size:
            theirs, ours = (f"{h}x{w}" for h, w in (teacher.view.size, context.view.size))
            raise InputError(
                f"policy {spec.name}: teacher {spec.source!r} sees {theirs} pixels and the trained "
                f"model {ours}; expected one size: give --img-size {teacher.view.size[0]}, or "
                "another teacher"
            )
        outputs = _outputs(spec.source, teacher.classes, context.classes)
        return cls(teacher, outputs, context.device, spec.options["hard"])

    def record(self) -> dict[str, Any]:
        """Return what outcomes depend on; see :meth:`Policy.record`."""
        return {
            "weights": self._teacher.weights_hash,
            "mean": list(self._teacher.mean),
            "std": list(self._teacher.std),
            "outputs": self._outputs.tolist(),
            "hard": self._hard,
        }

    def targets(self, batch: Batch, strengths: Floats | None, classes: int) -> Batch:
        """Put the teacher's probabilities in place of the labels; see :meth:`Policy.targets`."""
        taught = self._probabilities(batch.images, classes)
        if self._hard:
            taught = self._hard * batch.soft(classes) + (1.0 - self._hard) * taught
        batch.targets = taught
        return batch

    def _probabilities(self, images: Tensor, classes: int) -> Tensor:
        with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
            logits = self._module(self._teacher.normalize(images.float())).float()
            kept = logits[:, self._kept].softmax(dim=1)
            placed: Tensor = kept.new_zeros(len(images), classes)
            # Two outputs may be one class: their probabilities add up.
            placed.index_add_(1, self._place, kept)
        return placed


def _outputs(source: str, teacher: Classes, run: Classes) -> npt.NDArray[np.int64]:
    """Match the teacher's outputs with the run's classes, every one of which it must know."""
    outputs = run.find(teacher.names, by_index=False)
    lacking = np.setdiff1d(np.arange(len(run)), outputs)
    if len(lacking):
        names = ", ".join(repr(run.names[index]) for index in lacking[:3])
        names += ", ..." if len(lacking) > 3 else ""
        raise InputError(
            f"policy label_distillation: teacher {source!r} has no output for {len(lacking)} of "
            f"the run's {len(run)} classes ({names}); expected "
            "every class: give a teacher that knows them all"
        )
    return outputs
