"""Small multiples: class curves, augmentations (rows) by models (columns)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lpa.axes import Axis
from lpa.errors import InputError
from lpa.figures.theme import (
    accuracy_axis,
    add_curve,
    as_text,
    drawn_at,
    dress,
    line_look,
    value_axis,
)

__all__ = ["small_multiples"]

PANEL = 190
"""Height of a panel, in pixels."""

BETWEEN = 62
"""Height between panels, for the lower axis and its title, in pixels."""

CLOSEST = 0.14
"""Ticks stand at least this share of the axis apart."""


def small_multiples(table: pd.DataFrame, axes: Mapping[str, Axis]) -> go.Figure:
    """Draw the curves of the same classes for every axis and model. Paper: Figure 6.

    Parameters
    ----------
    table : DataFrame
        Of :func:`lpa.statistics.accuracy.class_accuracy`, for the classes to be drawn; one level.
    axes : mapping of str to Axis
        The axes, in the order of the rows.

    Returns
    -------
    plotly.graph_objects.Figure
        A class has the same colour in all panels. Panels of combinations that were not measured
        stay empty and say so.

    Raises
    ------
    InputError
        When nothing in the table is on one of the axes.
    """
    rows = table[table["axis"].isin(list(axes))]
    if rows.empty:
        raise InputError(
            "small_multiples would be empty: no such model, class, split or axis in the run; "
            "`lpa show RUN` lists what there is"
        )
    models = list(dict.fromkeys(rows["model"]))
    names = [name for name in axes if (rows["axis"] == name).any()]
    figure = make_subplots(
        rows=len(names), cols=len(models), shared_yaxes=True,
        horizontal_spacing=0.2 / (len(models) + 3), vertical_spacing=BETWEEN / (PANEL * len(names)),
        column_titles=[as_text(model) for model in models],
    )  # fmt: skip
    legend: set[str] = set()
    for row, name in enumerate(names, start=1):
        values = rows.loc[rows["axis"] == name, "value"].tolist()
        places = dict(zip(values, drawn_at(axes[name], values), strict=True))
        for column, model in enumerate(models, start=1):
            part = rows[(rows["axis"] == name) & (rows["model"] == model)]
            part = part.assign(value=part["value"].map(places))
            _panel(figure, rows, part, row, column, legend)
            look = {**value_axis(axes[name], values), **line_look()}
            # One title a row: the axis is the same all along.
            title = look.pop("title")["text"]
            figure.update_xaxes(
                row=row, col=column, showgrid=False, showline=True, **_thinned(look)
            )
        figure.add_annotation(
            text=as_text(title), showarrow=False, xref="paper", x=0.5, yshift=-26, yanchor="top",
            yref=f"y{(row - 1) * len(models) + 1} domain".replace("y1 ", "y "), y=0.0,
        )  # fmt: skip
    dress(figure)
    accuracy = accuracy_axis()
    accuracy.pop("title")
    figure.update_yaxes(**accuracy, **line_look())
    figure.update_yaxes(title={"text": "accuracy (%)"}, col=1)
    # Below all panels: their titles stand where other figures have the legend.
    figure.update_layout(
        height=PANEL * len(names) + 110,
        legend={"y": -BETWEEN / (PANEL * len(names)), "yanchor": "top"},
    )
    return figure


def _thinned(look: dict[str, Any]) -> dict[str, Any]:
    """Leave out ticks that would touch in a narrow panel; the ends stay."""
    if "tickvals" not in look or "range" not in look:
        return look
    logarithmic = look["type"] == "log"
    low, high = look["range"]
    places = [math.log10(value) if logarithmic else value for value in look["tickvals"]]
    shares = [abs(place - low) / abs(high - low) for place in places]
    kept = [0]
    for index in range(1, len(shares) - 1):
        apart = min(abs(shares[index] - shares[kept[-1]]), abs(shares[-1] - shares[index]))
        if apart >= CLOSEST:
            kept.append(index)
    kept = [*kept, len(shares) - 1]
    return {
        **look,
        "tickvals": [look["tickvals"][index] for index in kept],
        "ticktext": [look["ticktext"][index] for index in kept],
        "tickangle": 0,
    }


def _panel(
    figure: go.Figure,
    rows: pd.DataFrame,
    part: pd.DataFrame,
    row: int,
    column: int,
    legend: set[str],
) -> None:
    if part.empty:
        figure.add_annotation(
            text="not measured", showarrow=False, xref="x domain", yref="y domain", x=0.5, y=0.5,
            row=row, col=column,
        )  # fmt: skip
    classes = list(dict.fromkeys(rows["class"]))
    several = rows["split"].nunique() > 1
    for (name, split), curve in part.groupby(["class", "split"], sort=False):
        title = str(curve["title"].iloc[0])
        title = f"{title}, {split}" if several else title
        colour = classes.index(name)
        add_curve(
            figure, curve, title, colour, colour, str(split), row=row, col=column,
            showlegend=title not in legend,
        )  # fmt: skip
        legend.add(title)
