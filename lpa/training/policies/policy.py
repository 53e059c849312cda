"""The contract of a policy: which class gets which strength, and which target.

The plain training gives every class the value of the axis and the label as target. A policy may
give classes values of their own (:meth:`Policy.values`), move the targets (:meth:`Policy.targets`,
paper, Eq. 1), and learn from images held out while it trains (:meth:`Policy.after_epoch`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from torch import Tensor

from lpa.axes import Axis
from lpa.training.batch import Batch

if TYPE_CHECKING:
    from lpa.training.policies.context import PolicyContext
    from lpa.training.policies.specs import PolicySpec

__all__ = ["Policy"]

Floats = npt.NDArray[np.float64]


class Policy:
    """One policy of one training; a training has its own instance, since it may have a state.

    Attributes
    ----------
    name : str
        As in ``--policy NAME``; a policy's models are called ``MODEL+TEXT`` in the run, with the
        spec's text, so that one policy can be asked for with several sources.
    selected_on : tuple of str
        Fingerprints of the images by whose scores the policy was chosen (STATISTICS 3.14); its own
        scores on those are marked and carry no p-value, unless :meth:`record` says which images
        did not choose (``images``, :func:`lpa.statistics.selected_images.scoring_keys`).
    notes : tuple of str
        What the user should know of how it was made; one line each.
    hold_out : bool
        Whether it needs images held out from training (``Recipe.hold_out``).
    """

    name: ClassVar[str] = "plain"
    hold_out: ClassVar[bool] = False
    selected_on: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def build(cls, spec: PolicySpec, context: PolicyContext) -> Self:
        """Make the policy of a spec; see :func:`lpa.training.policies.build_policy`."""
        return cls()

    def record(self) -> dict[str, Any]:
        """Return plain JSON values: everything of the policy that outcomes depend on.

        ``images`` is which images chose it (:mod:`lpa.statistics.selected_images`), ``cells`` the
        ids of the trainings that did; ``chosen`` or
        ``limits`` is which classes it treats otherwise than the plain training does
        (:func:`lpa.statistics.policy_targets.targeted_classes`).
        """
        return {}

    def values(self, labels: npt.NDArray[np.int64], value: float, axis: Axis) -> Floats:
        """Return the value on the axis of each training image for the coming epoch; [N].

        Parameters
        ----------
        labels : array of int64, shape [N]
            Run's class of each training image.
        value : float
            The value of this training.
        axis : Axis
            The swept axis.
        """
        return np.full(len(labels), value, dtype=np.float64)

    def targets(self, batch: Batch, strengths: Floats | None, classes: int) -> Batch:
        """Move the targets of a batch; called after geometry and pixels, before label mixing.

        Parameters
        ----------
        batch : Batch
            May be changed in place.
        strengths : array of float64, shape [B], or None
            What each sample really got (:meth:`Regularizer.realised`) of the swept regularizer;
            None at its reference value.
        classes : int
            Number of the run's classes.
        """
        return batch

    def after_epoch(
        self, score: Callable[[Floats], Tensor], labels: npt.NDArray[np.int64], axis: Axis
    ) -> None:
        """Learn from the images held out, after each epoch.

        Parameters
        ----------
        score : callable
            Values on the axis, one for each held-out image ([N]), -> bool [N], whether the model
            is right when the images are shown at these strengths.
        labels : array of int64, shape [N]
            Run's class of each held-out image.
        axis : Axis
            The swept axis.
        """

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must keep; plain values and tensors."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what :meth:`state` returned."""
