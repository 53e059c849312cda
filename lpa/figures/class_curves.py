"""Class curves: accuracy of single classes along an axis."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from lpa.axes import Axis
from lpa.figures.theme import add_curve, empty, finish

__all__ = ["class_curves"]


def class_curves(table: pd.DataFrame, axis: Axis) -> go.Figure:
    """Draw the accuracy of each class in the table from weak (left) to strong (right).

    The colour is the class, the marker the model; the split ``train`` is dashed. Paper: Figure 5
    of arXiv 2204.03632, here with intervals.

    Parameters
    ----------
    table : DataFrame
        Of :func:`lpa.statistics.accuracy.class_accuracy`, for the classes to be drawn; one level.
    axis : Axis
        Which axis.

    Returns
    -------
    plotly.graph_objects.Figure
        A class of one image has no band.

    Raises
    ------
    InputError
        When nothing in the table is on the axis.
    """
    rows = table[table["axis"] == axis.name]
    if rows.empty:
        raise empty("class_curves", axis.name)
    figure = go.Figure()
    classes = list(dict.fromkeys(rows["class"]))
    models = list(dict.fromkeys(rows["model"]))
    several = rows["split"].nunique() > 1
    for (name, model, split), part in rows.groupby(["class", "model", "split"], sort=False):
        words = [str(part["title"].iloc[0])]
        words += [str(model)] if len(models) > 1 else []
        words += [str(split)] if several else []
        add_curve(
            figure, part, ", ".join(words), classes.index(name), models.index(model), str(split)
        )
    return finish(figure, axis, rows["value"].tolist())
