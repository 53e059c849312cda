"""Heat map: accuracy of many classes along an axis, one panel per model."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lpa.axes import Axis, format_value
from lpa.errors import InputError
from lpa.figures.theme import SCREEN_TEXT, as_text, dress, empty, line_look, theme

__all__ = ["class_heatmap"]

ROW = 17
"""Height of a class, in pixels."""


def class_heatmap(table: pd.DataFrame, axis: Axis) -> go.Figure:
    """Draw the accuracy of each class (row) at each value (column), from weak to strong.

    Parameters
    ----------
    table : DataFrame
        Of :func:`lpa.statistics.accuracy.class_accuracy`; one level and one split. Classes stand
        from top to bottom as in the table.
    axis : Axis
        Which axis.

    Returns
    -------
    plotly.graph_objects.Figure
        Columns are equally wide, whatever the values' distances. Cells without a measurement are
        empty.

    Raises
    ------
    InputError
        When nothing in the table is on the axis, and for several splits.
    """
    rows = table[table["axis"] == axis.name]
    if rows.empty:
        raise empty("class_heatmap", axis.name)
    splits = list(dict.fromkeys(rows["split"]))
    if len(splits) > 1:
        raise InputError(f"class_heatmap shows one split of {', '.join(splits)}; give --split")
    models = list(dict.fromkeys(rows["model"]))
    titles = rows.drop_duplicates("class").set_index("class")["title"]
    values = axis.ordered(rows["value"].unique())
    figure = make_subplots(
        rows=1, cols=len(models), shared_yaxes=True, horizontal_spacing=0.02,
        subplot_titles=[as_text(str(model)) for model in models] if len(models) > 1 else None,
    )  # fmt: skip
    for column, model in enumerate(models, start=1):
        mine = rows[rows["model"] == model]
        cells = mine.pivot(index="class", columns="value", values="accuracy")
        cells = cells.reindex(index=titles.index, columns=list(values))
        figure.add_heatmap(
            x=[format_value(value) for value in values],
            y=[str(name) for name in titles.index],
            z=cells.to_numpy(),
            coloraxis="coloraxis",
            name=as_text(str(model)),
            hovertemplate="%{y}<br>" + as_text(axis.name) + " %{x}: %{z:.1%}<extra></extra>",
            row=1,
            col=column,
        )
    dress(figure)
    figure.update_xaxes(type="category", tickangle=0)
    # One title for all panels, in the middle of the figure: where the classes' names leave little
    # room for cells, one below these would be cut off.
    figure.update_layout(
        title={
            "text": as_text(f"{axis.name} ({axis.unit})"), "font": {"size": SCREEN_TEXT},
            "xref": "container", "x": 0.5, "xanchor": "center",
            "yref": "container", "y": 0.0, "yanchor": "bottom", "pad": {"b": 5},
        }
    )  # fmt: skip
    figure.update_yaxes(
        type="category", autorange="reversed", tickmode="array", automargin=True,
        tickvals=[str(name) for name in titles.index],
        ticktext=[as_text(str(title)) for title in titles], **line_look(),
    )  # fmt: skip
    figure.update_layout(
        coloraxis={
            "colorscale": theme()["light"]["heat"], "cmin": 0.0, "cmax": 1.0,
            "colorbar": {"title": {"text": "accuracy"}, "tickformat": ".0%", "thickness": 12},
        },
        height=ROW * len(titles) + 110,
    )  # fmt: skip
    return figure
