"""The mean curve: accuracy over all classes along an axis, one curve per model and split."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from lpa.axes import Axis
from lpa.figures.theme import add_curve, empty, finish

__all__ = ["mean_curve"]


def mean_curve(table: pd.DataFrame, axis: Axis, aggregate: str = "mean of classes") -> go.Figure:
    """Draw accuracy over all classes from weak (left) to strong (right).

    Parameters
    ----------
    table : DataFrame
        Of :func:`lpa.statistics.aggregates.mean_accuracy`; one level.
    axis : Axis
        Which axis.
    aggregate : {"mean of classes", "overall"}
        Which mean.

    Returns
    -------
    plotly.graph_objects.Figure
        Bands are the table's intervals; the split ``train`` is dashed, others are solid.

    Raises
    ------
    InputError
        When nothing in the table is on the axis.
    """
    rows = table[(table["axis"] == axis.name) & (table["aggregate"] == aggregate)]
    if rows.empty:
        raise empty("mean_curve", axis.name)
    figure = go.Figure()
    models = list(dict.fromkeys(rows["model"]))
    several = rows["split"].nunique() > 1
    for (model, split), part in rows.groupby(["model", "split"], sort=False):
        position = models.index(model)
        name = f"{model}, {split}" if several else str(model)
        add_curve(figure, part, name, position, position, str(split))
    return finish(figure, axis, rows["value"].tolist())
