"""Drift: to which classes the images of a class go."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lpa.axes import Axis, format_value
from lpa.figures.theme import as_text, dress, empty, line_look, theme

__all__ = ["drift"]

ROW = 20
"""Height of a predicted class, in pixels."""


def drift(table: pd.DataFrame, axis: Axis) -> go.Figure:
    """Draw, for each class, which predictions its images gain and lose at one value.

    Parameters
    ----------
    table : DataFrame
        Of :func:`lpa.statistics.drift.drift`, for the classes and pairs to be drawn; one model,
        value and split.
    axis : Axis
        Which axis.

    Returns
    -------
    plotly.graph_objects.Figure
        One panel per class; bars are images of n, with the intervals of the flow. Filled: claimed
        after correction; hollow: a count without a claim.

    Raises
    ------
    InputError
        When nothing in the table is on the axis.
    """
    rows = table[table["axis"] == axis.name]
    if rows.empty:
        raise empty("drift", axis.name)
    panels = [part for _, part in rows.groupby(["model", "split", "class"], sort=False)]
    heights = [len(part) for part in panels]
    titles = [_title(part, rows, axis) for part in panels]
    figure = make_subplots(
        rows=len(panels), cols=1, row_heights=heights, subplot_titles=titles, shared_xaxes="all",
        vertical_spacing=min(0.3, 1.6 / (sum(heights) + 2)) if len(panels) > 1 else 0.0,
    )  # fmt: skip
    colour = theme()["light"]["palette"][1]
    for number, part in enumerate(panels, start=1):
        claimed = part["claimed"].to_numpy(dtype=bool)
        figure.add_bar(
            orientation="h",
            x=part["images"].tolist(),
            y=[str(name) for name in part["other"]],
            error_x={
                "type": "data", "symmetric": False, "thickness": 1.2, "width": 3,
                "color": theme()["light"]["muted"],
                "array": ((part["high"] * part["n"]) - part["images"]).tolist(),
                "arrayminus": (part["images"] - part["low"] * part["n"]).tolist(),
            },
            marker={
                "color": [colour if each else "white" for each in claimed],
                "line": {"color": colour, "width": 1.2},
            },
            name=as_text(str(part["title"].iloc[0])),
            showlegend=False,
            hovertemplate="%{x:+.1f} images<extra>%{y}</extra>",
            row=number,
            col=1,
        )  # fmt: skip
        figure.update_yaxes(
            type="category", autorange="reversed", automargin=True, tickmode="array",
            tickvals=[str(name) for name in part["other"]],
            ticktext=[as_text(str(title)) for title in part["other_title"]],
            row=number, col=1, **line_look(),
        )  # fmt: skip
    dress(figure)
    figure.update_xaxes(showline=True, **{**line_look(), "zeroline": True})
    figure.update_xaxes(title={"text": "images gained by the prediction"}, row=len(panels), col=1)
    figure.update_layout(height=ROW * sum(heights) + 60 * len(panels) + 60, bargap=0.35)
    return figure


def _title(part: pd.DataFrame, rows: pd.DataFrame, axis: Axis) -> str:
    first = part.iloc[0]
    words = [str(first["title"]), f"{int(first['n'])} images"]
    words += [str(first["model"])] if rows["model"].nunique() > 1 else []
    words += [str(first["split"])] if rows["split"].nunique() > 1 else []
    return as_text(", ".join(words) + f", at {axis.name} {format_value(float(first['value']))}")
