"""Ranking: the most hurt classes with their mean losses and intervals."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from lpa.axes import Axis
from lpa.figures.theme import as_text, dress, empty, line_look, theme

__all__ = ["ranking"]

ROW = 20
"""Height of a class, in pixels."""

SPREAD = 0.6
"""How much of it the models share."""


def ranking(table: pd.DataFrame, axis: Axis) -> go.Figure:
    """Draw each class's mean loss along the axis, in points, with its interval.

    Parameters
    ----------
    table : DataFrame
        Of :func:`lpa.statistics.ranking.ranking`, by loss, for the classes to be drawn. Classes
        stand from top to bottom in the order in which they come first.
    axis : Axis
        Which axis.

    Returns
    -------
    plotly.graph_objects.Figure
        One colour and marker per model, a little apart in height; a class without interval has no
        bar. Intervals of ranks are in the hover text.

    Raises
    ------
    InputError
        When nothing in the table is on the axis.
    """
    rows = table[table["axis"] == axis.name]
    if rows.empty:
        raise empty("ranking", axis.name)
    look = theme()
    palette, markers = look["light"]["palette"], look["markers"]
    figure = go.Figure()
    titles = rows.drop_duplicates("class").set_index("class")["title"]
    place = {name: number for number, name in enumerate(titles.index)}
    curves = list(rows.groupby(["model", "split"], sort=False))
    several = rows["split"].nunique() > 1
    for number, ((model, split), part) in enumerate(curves):
        colour = palette[number % len(palette)]
        apart = SPREAD * ((number + 0.5) / len(curves) - 0.5)
        figure.add_scatter(
            x=(100 * part["loss"]).tolist(),
            y=[place[name] + apart for name in part["class"]],
            error_x={
                "type": "data", "symmetric": False, "color": colour, "thickness": 1.5, "width": 3,
                "array": (100 * (part["high"] - part["loss"])).tolist(),
                "arrayminus": (100 * (part["loss"] - part["low"])).tolist(),
            },
            customdata=part[["rank", "rank_low", "rank_high", "n"]].astype("float64").to_numpy(),
            mode="markers",
            marker={"color": colour, "symbol": markers[number % len(markers)], "size": 8},
            name=as_text(f"{model}, {split}" if several else str(model)),
            showlegend=len(curves) > 1,
            hovertemplate=(
                "%{x:.1f} points<br>rank %{customdata[0]:.0f} [%{customdata[1]:.0f}, "
                "%{customdata[2]:.0f}], %{customdata[3]:.0f} images"
            ),
        )  # fmt: skip
    dress(figure)
    colours = look["light"]
    figure.update_xaxes(
        title={"text": f"mean loss along {axis.name} (accuracy points)"}, showline=True,
        **{**line_look(), "zeroline": True, "zerolinecolor": colours["line"]},
    )  # fmt: skip
    figure.update_yaxes(
        range=[len(titles) - 0.4, -0.6], tickmode="array", automargin=True,
        tickvals=list(place.values()),
        ticktext=[as_text(str(title)) for title in titles], **line_look(),
    )  # fmt: skip
    figure.update_layout(height=ROW * len(titles) + 110)
    return figure
