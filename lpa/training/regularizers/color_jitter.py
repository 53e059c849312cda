"""Colour jitter in training: :class:`lpa.augmentations.color_jitter.ColorJitter` at strength s."""

from __future__ import annotations

from lpa.training.regularizers.scanned_pixels import ScannedPixels

__all__ = ["ColorJitter"]


class ColorJitter(ScannedPixels):
    """Multiply brightness, contrast and saturation by U[1-s, 1+s], turn the hue by U[-s/2, s/2]."""

    scanned = "color_jitter"
