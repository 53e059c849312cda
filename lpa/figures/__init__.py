"""Figures: a table of :mod:`lpa.statistics` -> a plotly Figure. One file per figure."""

from __future__ import annotations

__all__ = ["FIGURES"]

FIGURES: dict[str, str] = {
    "mean_curve": "lpa.figures.mean_curve:mean_curve",
    "class_curves": "lpa.figures.class_curves:class_curves",
}
"""Name -> "module:function"; imported on use."""
