"""Cutout in training: :class:`lpa.augmentations.cutout.Cutout` of a given share of the view."""

from __future__ import annotations

from lpa.training.regularizers.scanned_pixels import ScannedPixels

__all__ = ["Cutout"]


class Cutout(ScannedPixels):
    """Erase a rectangle of this share of the view's area; options ``place`` and ``fill``."""

    scanned = "cutout"
