"""Colour jitter: brightness, contrast, saturation and hue, in this order.

The operations are torchvision's (``torchvision.transforms.functional.adjust_*`` on float images).
Deviations from ``torchvision.transforms.ColorJitter``, which arXiv 2204.03632 (Section 3.3) uses:
the order is fixed instead of random, and each image of a batch has its own factors.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from kornia.augmentation import IntensityAugmentationBase2D
from torch import Tensor

from lpa.augmentations.augmentation import Augmentation

__all__ = ["ColorJitter"]

# torchvision's luma, so that contrast and saturation equal its own.
_LUMA = (0.2989, 0.587, 0.114)
# Pixels changed at a time on a CPU: few enough to stay in its cache, enough to keep it busy.
_PIXELS_AT_ONCE = 2**15


class ColorJitter(Augmentation, IntensityAugmentationBase2D):
    """Multiply brightness, contrast and saturation by U[1-s, 1+s], turn the hue by U[-s/2, s/2].

    With u uniform in [0, 1), a factor is ``1 + s (2u - 1)`` and the turn of the hue
    ``s/2 (2u - 1)`` of the full circle, so every deviation grows with s (nested along alpha).

    Parameters
    ----------
    alpha : float, optional
        s, 0 to 1, when used alone.
    **kornia : object
        ``p``, ``same_on_batch``, ``keepdim`` as in Kornia.
    """

    family = "color_jitter"

    def draw(
        self,
        keys: npt.NDArray[np.uint64],
        alpha: float | npt.NDArray[np.float64],
        *,
        seed: int = 0,
        draw: int = 0,
        size: tuple[int, int] = (224, 224),
    ) -> dict[str, Tensor]:
        """Draw ``brightness``, ``contrast``, ``saturation`` (factors) and ``hue``, each [B].

        ``alpha`` may be an array of shape [B]: each sample's own strength.
        """
        strength = np.reshape(alpha, (-1, 1))
        deviation = torch.from_numpy((2.0 * self.uniforms(keys, 4, seed, draw) - 1.0) * strength)
        names = ("brightness", "contrast", "saturation")
        params = {name: 1.0 + deviation[:, index] for index, name in enumerate(names)}
        return {**params, "hue": deviation[:, 3] / 2.0}

    def apply_transform(
        self,
        input: Tensor,
        params: dict[str, Tensor],
        flags: dict[str, object],
        transform: Tensor | None = None,
    ) -> Tensor:
        """Change the colours of images [B, 3, H, W]."""
        names = ("brightness", "contrast", "saturation", "hue")
        factors = torch.stack([params[name].cpu() for name in names])
        turned = bool((factors[3] != 0).any())
        factors = factors.to(input.device, input.dtype)
        if input.device.type != "cpu" or input.requires_grad:
            return jittered(input, factors, turned)
        output = torch.empty_like(input)
        at_once = max(2, _PIXELS_AT_ONCE // (input.shape[-2] * input.shape[-1]))
        for start in range(0, len(input), at_once):
            part = slice(start, start + at_once)
            output[part] = jittered(input[part], factors[:, part], turned)
        return output


def jittered(images: Tensor, factors: Tensor, turned: bool = True) -> Tensor:
    """Apply the four operations to a batch.

    Parameters
    ----------
    images : Tensor, shape [B, 3, H, W]
        In [0, 1].
    factors : Tensor, shape [4, B]
        Brightness, contrast, saturation, hue.
    turned : bool
        False leaves the hue alone.

    Returns
    -------
    Tensor, shape [B, 3, H, W]
    """
    brightness, contrast, saturation, hue = factors.view(4, -1, 1, 1)
    # One plane a channel: a third of the memory traffic of interleaved pixels.
    channels = [(channel.contiguous() * brightness).clamp_(max=1.0) for channel in images.unbind(1)]
    middle = _luma(channels).mean(dim=(-2, -1), keepdim=True) * (1.0 - contrast)
    channels = [torch.addcmul(middle, channel, contrast).clamp_(0, 1) for channel in channels]
    grey = _luma(channels).mul_(1.0 - saturation)
    channels = [torch.addcmul(grey, channel, saturation).clamp_(0, 1) for channel in channels]
    if turned:
        channels = _turned(channels, hue)
    return torch.stack(channels, dim=1)


def _luma(channels: list[Tensor]) -> Tensor:
    red, green, blue = channels
    return (red * _LUMA[0]).add_(green, alpha=_LUMA[1]).add_(blue, alpha=_LUMA[2])


def _turned(channels: list[Tensor], hue: Tensor) -> list[Tensor]:
    """Turn the hue by a share of the circle, as through HSV.

    With v and m the largest and smallest channel, c = v - m and h the hue in sixths of the circle,
    the channels are ``m + c clamp(|h - 3| - 1)``, ``m + c clamp(2 - |h - 2|)`` and
    ``m + c clamp(2 - |h - 4|)``, clamped to [0, 1]: the way back from HSV without its six cases.
    """
    red, green, blue = channels
    largest = torch.maximum(torch.maximum(red, green), blue)
    smallest = torch.minimum(torch.minimum(red, green), blue)
    chroma = largest - smallest
    # Ties go to red, then to green, as in torchvision; for greys the hue does not matter.
    is_red, is_green = largest == red, largest == green
    difference = torch.where(is_red, green - blue, torch.where(is_green, blue - red, red - green))
    sector = torch.where(is_red, 0.0, torch.where(is_green, 2.0, 4.0)).to(red.dtype)
    angle = sector.add_(hue * 6.0).addcdiv_(difference, chroma.clamp(min=1e-20))
    angle = angle.sub_((angle / 6.0).floor_(), alpha=6.0)
    weights = (
        (angle - 3.0).abs_().sub_(1.0),
        (angle - 2.0).abs_().neg_().add_(2.0),
        (angle - 4.0).abs_().neg_().add_(2.0),
    )
    return [torch.addcmul(smallest, chroma, weight.clamp_(0.0, 1.0)) for weight in weights]
