"""The contract of an augmentation: parameters from keys, pictures from parameters.

An :class:`Augmentation` is a Kornia module. In a scan it is used in two steps, so that the random
parameters do not depend on batch, order or device::

    module = build(spec)
    params = module.draw(keys, alpha, seed=seed, draw=0, size=(224, 224))
    augmented = module(views, params=params)

Alone, or in :class:`kornia.augmentation.AugmentationSequential`, it draws from torch's generator::

    augment = AugmentationSequential(Crop(0.5), ColorJitter(0.4))
    augmented = augment(views)
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from kornia.augmentation import RigidAffineAugmentationBase2D
from torch import Tensor

from lpa.augmentations.randomness import uniforms
from lpa.augmentations.register import AUGMENTATIONS, OPTIONS, REVISIONS
from lpa.augmentations.specs import AugmentationSpec
from lpa.axes import Axis

__all__ = ["Augmentation", "fill_colour"]


class Augmentation(RigidAffineAugmentationBase2D):
    """Strength and sample keys -> parameters; images and parameters -> images.

    A subclass names its ``family``, writes :meth:`draw` and Kornia's ``apply_transform``, and
    inherits from Kornia's geometric or intensity class as well (second), which says what happens to
    masks, boxes and keypoints in a container.

    Parameters
    ----------
    alpha : float, optional
        Strength when the module is used alone; default: the identity.
    p : float
        Probability with which a sample is augmented when the module is used alone.
    same_on_batch, keepdim : bool
        As in Kornia.

    Attributes
    ----------
    family : str
        Name in the register.
    axis : Axis
        The strength's axis.
    revision : int
        Revision of the implementation.
    reads : {"image", "view"}
        ``view``: call the module on the batch of views. ``image``: pixels come from the original
        images, so the caller gives ``boxes(params, view_boxes)`` to
        :func:`lpa.augmentations.resample.crop_resize`; calling the module on views works too, with
        what resolution they have.
    """

    family: str = ""
    axis: Axis
    revision: int = 1
    reads: Literal["image", "view"] = "view"

    def __init__(
        self,
        alpha: float | None = None,
        *,
        p: float = 1.0,
        same_on_batch: bool = False,
        keepdim: bool = False,
    ) -> None:
        super().__init__(p=p, same_on_batch=same_on_batch, keepdim=keepdim)
        if self.family in AUGMENTATIONS:
            self.axis = AUGMENTATIONS[self.family][0]
            self.revision = REVISIONS.get(self.family, 1)
            self.alpha = self.axis.reference if alpha is None else float(alpha)

    @classmethod
    def from_spec(cls, spec: AugmentationSpec) -> Self:
        """Make the module of a spec: its options become keyword arguments."""
        rules = OPTIONS.get(spec.family, {})
        options: dict[str, Any] = {
            name: rules[name].value(text) for name, text in spec.options.items()
        }
        module = cls(**options)
        module.axis = spec.axis
        return module

    def check_identity(self) -> None:
        """Raise :class:`~lpa.errors.InputError` where the reference value would change images.

        Those of the register do not, which a test shows; what users write is tried.
        """

    @abstractmethod
    def draw(
        self,
        keys: npt.NDArray[np.uint64],
        alpha: float,
        *,
        seed: int = 0,
        draw: int = 0,
        size: tuple[int, int] = (224, 224),
    ) -> dict[str, Tensor]:
        """Draw the parameters of a batch.

        Parameters
        ----------
        keys : array of uint64, shape [B]
            The samples' keys.
        alpha : float
            Strength, in the unit of the axis.
        seed, draw : int
            The run's seed and the number of the draw.
        size : (int, int)
            Height and width of the view in pixels. Only Kornia's own classes look at it; the
            parameters of ours are relative to the view.

        Returns
        -------
        dict of str to Tensor
            Each of shape [B, ...], float64 or int64, on the CPU. A row depends on the sample's
            key, alpha, seed and draw alone.
        """

    def uniforms(
        self, keys: npt.NDArray[np.uint64], count: int, seed: int, draw: int
    ) -> npt.NDArray[np.float64]:
        """Return the family's random numbers for the keys: float64 [B, count] in [0, 1)."""
        return uniforms(keys, self.family, count, seed, draw)

    def generate_parameters(self, batch_shape: tuple[int, ...]) -> dict[str, Tensor]:
        """Draw parameters from keys that torch's own generator gives (Kornia calls this)."""
        count = 1 if self.same_on_batch else batch_shape[0]
        keys = torch.randint(0, 2**63 - 1, (count,)).numpy().astype(np.uint64)
        size = (int(batch_shape[-2]), int(batch_shape[-1]))
        return self.draw(np.resize(keys, batch_shape[0]), self.alpha, size=size)

    def forward(
        self, input: Tensor, params: Mapping[str, Tensor] | None = None, **kwargs: Any
    ) -> Tensor:
        """Augment a batch.

        Parameters
        ----------
        input : Tensor, float, shape [B, 3, H, W]
            Images in [0, 1].
        params : mapping of str to Tensor, optional
            From :meth:`draw`; without them the module draws at its own ``alpha``.

        Returns
        -------
        Tensor
            Of the same shape, dtype and device, in [0, 1].
        """
        # A copy, because Kornia adds its own entries to what it is given.
        augmented: Tensor = super().forward(
            input, None if params is None else dict(params), **kwargs
        )
        return augmented

    @staticmethod
    def per_image(values: Tensor, like: Tensor) -> Tensor:
        """Return one number an image, on the images' device, to be multiplied with them."""
        return values.to(like.device, like.dtype).view(-1, 1, 1, 1)


def fill_colour(images: Tensor, fill: str | float) -> Tensor:
    """Return the fill colour of each image: its channel means, or a constant; [B, 3 or 1, 1, 1]."""
    if fill == "mean":
        return images.mean(dim=(-2, -1), keepdim=True)
    return images.new_full((1, 1, 1, 1), float(fill))
