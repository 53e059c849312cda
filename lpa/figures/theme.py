"""What all figures look like: colours that colour-blind readers tell apart, axes, bands.

The values lie in ``lpa_assets/plotly_theme.json``, which the report's script reads too.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from lpa.axes import Axis, format_value
from lpa.errors import InputError

__all__ = [
    "SCREEN_TEXT",
    "accuracy_axis",
    "add_curve",
    "as_text",
    "drawn_at",
    "dress",
    "empty",
    "finish",
    "line_look",
    "theme",
    "value_axis",
]

SCREEN_TEXT = 13.0
"""Size of text on a page that is read on a screen, in pixels."""

MANY_TICKS = 12
"""Up to so many values are each marked on the axis."""


@functools.cache
def theme() -> dict[str, Any]:
    """Return palette (Okabe and Ito 2008, darkened where it is pale), markers and dashes."""
    text = importlib.resources.files("lpa_assets").joinpath("plotly_theme.json").read_text()
    found: dict[str, Any] = json.loads(text)
    return found


def value_axis(axis: Axis, values: Sequence[float]) -> dict[str, Any]:
    """Return plotly's layout of the axis of strengths, drawn from weak (left) to strong (right).

    Parameters
    ----------
    axis : Axis
        Its name and unit are the title, its scale the scale.
    values : sequence of float
        The values that are drawn.
    """
    finite = sorted({float(value) for value in values if np.isfinite(value)})
    places = drawn_at(axis, finite)
    logarithmic = axis.scale == "log" and bool(places) and places[0] > 0
    scaled = np.log10(places) if logarithmic else np.asarray(places)
    layout: dict[str, Any] = {
        "title": {"text": f"{axis.name} ({axis.unit})"},
        "type": "log" if logarithmic else "linear",
    }
    if len(finite) > 1:
        margin = 0.03 * (scaled[-1] - scaled[0])
        ends = [float(scaled[0] - margin), float(scaled[-1] + margin)]
        layout["range"] = ends[::-1] if axis.stronger == "down" else ends
    elif axis.stronger == "down":
        layout["autorange"] = "reversed"
    if len(finite) <= MANY_TICKS:
        layout["tickmode"] = "array"
        layout["tickvals"] = places
        layout["ticktext"] = [format_value(value) for value in finite]
    elif places != finite:
        decades = 10.0 ** np.arange(np.ceil(scaled[1]), np.floor(scaled[-1]) + 1)
        layout["tickmode"] = "array"
        layout["tickvals"] = [places[0], *map(float, decades)]
        layout["ticktext"] = ["0", *(format_value(float(f"{value:.3g}")) for value in decades)]
    return layout


def drawn_at(axis: Axis, values: Sequence[float]) -> list[float]:
    """Return where on the axis values are drawn: where they are, but for a reference of 0.

    A logarithmic axis has no place for 0 ("no weight decay"). It stands one step before the weakest
    other value, as :func:`lpa.statistics.positions.axis_positions` has it.

    Parameters
    ----------
    axis : Axis
        Its scale and reference.
    values : sequence of float
        All values that are drawn.
    """
    others = sorted({float(value) for value in values if value != 0})
    if axis.scale != "log" or axis.reference != 0 or not others or others[0] < 0:
        return [float(value) for value in values]
    step = others[1] / others[0] if len(others) > 1 else 10.0
    return [float(value) if value != 0 else others[0] / step for value in values]


def accuracy_axis() -> dict[str, Any]:
    """Return plotly's layout of the axis of accuracies, in percent of the images."""
    return {
        "title": {"text": "accuracy (% of images)"},
        "range": [-0.02, 1.02],
        "tickvals": [0.0, 0.2, 0.4, 0.6, 0.8, 1.0],
        "ticktext": ["0", "20", "40", "60", "80", "100"],
    }


def as_text(name: str) -> str:
    """Escape a name: plotly reads a little HTML, and a class's name is text."""
    return name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def add_curve(
    figure: go.Figure,
    rows: Any,
    name: str,
    colour: int,
    marker: int,
    split: str,
    **place: Any,
) -> None:
    """Add one curve and, where it has intervals, the band behind it.

    Parameters
    ----------
    rows : DataFrame
        ``value``, ``accuracy``, ``low``, ``high``, ``n``, ``draws``; from weak to strong.
    colour, marker : int
        Positions in the theme's lists, which are cycled.
    split : str
        Curves of ``train`` are dashed.
    **place
        Of both traces: ``row`` and ``col`` of a panel, ``showlegend``.
    """
    legend = place.pop("showlegend", True)
    name = as_text(name)
    look = theme()
    hue = look["light"]["palette"][colour % len(look["light"]["palette"])]
    banded = rows[rows["low"].notna() & rows["high"].notna()]
    if len(banded):
        figure.add_scatter(
            x=[*banded["value"], *banded["value"][::-1]],
            y=[*banded["low"], *banded["high"][::-1]],
            fill="toself",
            fillcolor=f"rgba({', '.join(str(int(hue[k : k + 2], 16)) for k in (1, 3, 5))}, 0.15)",
            # Without a mode, a short trace gets markers.
            mode="lines",
            line={"width": 0},
            hoverinfo="skip",
            legendgroup=name,
            showlegend=False,
            name=f"{name}, interval",
            **place,
        )
    figure.add_scatter(
        x=rows["value"].tolist(),
        y=rows["accuracy"].tolist(),
        customdata=rows[["low", "high", "n", "draws"]].to_numpy(),
        mode="lines+markers",
        line={"color": hue, "width": 2, "dash": look["dashes"].get(split, "solid")},
        marker={"symbol": look["markers"][marker % len(look["markers"])], "size": 7},
        legendgroup=name,
        name=name,
        hovertemplate=(
            "%{y:.1%} [%{customdata[0]:.1%}, %{customdata[1]:.1%}]<br>"
            "%{customdata[2]} images, %{customdata[3]} draws"
        ),
        showlegend=legend,
        **place,
    )


def empty(name: str, axis: str) -> InputError:
    """Make the error for a figure that would show nothing."""
    return InputError(
        f"{name} of {axis!r} would be empty: no such model, class, split or axis in the run; "
        "`lpa show RUN` lists what there is"
    )


def line_look() -> dict[str, Any]:
    """Return the look of an axis's lines."""
    colours = theme()["light"]
    return {"gridcolor": colours["grid"], "linecolor": colours["line"], "zeroline": False}


def dress(figure: go.Figure) -> go.Figure:
    """Give a figure its font, colours and margins, and return it."""
    look = theme()
    figure.update_layout(
        font={"family": look["font"], "color": look["light"]["text"], "size": SCREEN_TEXT},
        paper_bgcolor="white",
        plot_bgcolor="white",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        margin={"l": 60, "r": 16, "t": 40, "b": 52},
        hovermode="closest",
    )
    return figure


def finish(figure: go.Figure, axis: Axis, values: Sequence[float]) -> go.Figure:
    """Give a figure of curves its axes and its look, and return it."""
    line = line_look()
    places = dict(zip(values, drawn_at(axis, values), strict=True))
    for trace in figure.data:
        trace.x = [places[value] for value in trace.x]
    figure.update_layout(
        xaxis={**value_axis(axis, values), **line, "showgrid": False, "showline": True},
        yaxis={**accuracy_axis(), **line},
    )
    return dress(figure)
