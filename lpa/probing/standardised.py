"""Mean and standard deviation of features, in one pass over them, a part at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lpa.errors import InputError
from lpa.probing.table import FeatureRows

__all__ = ["IMAGES_AT_ONCE", "Standardisation", "standardisation"]

IMAGES_AT_ONCE = 1024
"""Images whose features are in memory at a time: 16 MB of 2,048 features in double precision."""


@dataclass(frozen=True, eq=False)
class Standardisation:
    """What is done to features before a head sees them.

    Attributes
    ----------
    mean, std : Tensor, shape [D]
        ``(features - mean) / std``; 0 and 1 where features are taken as they are.
    square : float
        Mean over the training features of the squared norm of the result.
    """

    mean: Tensor
    std: Tensor
    square: float

    def apply(self, features: Tensor) -> Tensor:
        """Return standardised features, [..., D], in the precision of the mean."""
        return features.to(self.mean.device, self.mean.dtype).sub(self.mean).div_(self.std)


def standardisation(
    features: FeatureRows,
    *,
    standardise: bool = True,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Standardisation:
    """Measure training features.

    Sums are in double precision and parts are merged as by Chan, Golub and LeVeque, "Updating
    formulae and a pairwise algorithm for computing sample variances" (1979), which keeps what
    ``mean of squares - square of mean`` cancels.

    Parameters
    ----------
    features : array of float, shape [N, D]
        Read once, :data:`IMAGES_AT_ONCE` images at a time.
    standardise : bool
        False: features are taken as they are, and only measured.
    device, dtype
        Of mean and std.

    Returns
    -------
    Standardisation
        The standard deviation is that of all N images (divided by N); 1 for a feature that is the
        same in all of them, which is thus 0 in every training image.

    Raises
    ------
    InputError
        For a feature that is not finite.
    """
    width = features.shape[1]
    mean, spread = np.zeros(width), np.zeros(width)
    for start in range(0, len(features), IMAGES_AT_ONCE):
        part = np.asarray(features[start : start + IMAGES_AT_ONCE], dtype=np.float64)
        with np.errstate(invalid="ignore"):  # of inf - inf, refused in the next line
            own = part.mean(axis=0)
        if not np.isfinite(own).all():
            raise _not_finite(part, start)
        gap, before, count = own - mean, start, len(part)
        mean += gap * (count / (before + count))
        spread += ((part - own) ** 2).sum(axis=0) + gap**2 * (before * count / (before + count))
    variance = spread / len(features)
    std = np.sqrt(variance)
    square = float((variance + mean**2).sum())
    if standardise:
        square = float((std > 0).sum())
        std[std == 0] = 1.0
    else:
        mean, std = np.zeros(width), np.ones(width)
    if square == 0:
        raise InputError(
            "every feature is the same in all training images; expected features that differ: is "
            "this the backbone's pooled output?"
        )
    return Standardisation(
        torch.from_numpy(mean).to(device, dtype), torch.from_numpy(std).to(device, dtype), square
    )


def _not_finite(part: npt.NDArray[np.float64], start: int) -> InputError:
    row, column = np.argwhere(~np.isfinite(part))[0]
    return InputError(
        f"feature {column} of training image {start + row} is {part[row, column]:g}; expected "
        "finite numbers: extract the features again, with --precision fp32"
    )
