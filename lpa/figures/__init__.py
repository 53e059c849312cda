"""Figures: a table of :mod:`lpa.statistics` -> a plotly Figure. One file per figure."""

from __future__ import annotations

__all__ = ["FIGURES"]

FIGURES: dict[str, str] = {
    "mean_curve": "lpa.figures.mean_curve:mean_curve",
    "class_curves": "lpa.figures.class_curves:class_curves",
    "class_heatmap": "lpa.figures.class_heatmap:class_heatmap",
    "ranking": "lpa.figures.ranking:ranking",
    "small_multiples": "lpa.figures.small_multiples:small_multiples",
    "drift": "lpa.figures.drift:drift",
    "table1": "lpa.figures.table1:table1",
}
"""Name -> "module:function"; imported on use."""
