"""Table 1 as a figure: shares of classes that training with each value leaves lower."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lpa.axes import Axis, format_value
from lpa.figures.theme import as_text, dress, empty, line_look, theme

__all__ = ["table1"]

PANEL = 260
"""Height of a run and model, in pixels."""


def table1(table: pd.DataFrame, axis: Axis) -> go.Figure:
    """Draw the share of classes tested lower, beside what luck alone may give.

    Parameters
    ----------
    table : DataFrame
        Of :func:`lpa.statistics.run_test_summary.run_test_summary`.
    axis : Axis
        Which axis.

    Returns
    -------
    plotly.graph_objects.Figure
        One panel per run, model and split; one group of bars per value, one bar per level of
        significance. The dash on each bar is the upper bound of the share that is expected of
        unaffected classes. The text is the number of classes after Holm's correction. Values
        without a decision (too few seeds) have no bar and say so.

    Raises
    ------
    InputError
        When nothing in the table is on the axis.
    """
    rows = table[table["axis"] == axis.name]
    if rows.empty:
        raise empty("table1", axis.name)
    panels = list(rows.groupby(["run", "model", "split"], sort=False, dropna=False))
    titles = [_title(key, rows) for key, _ in panels]
    figure = make_subplots(
        rows=len(panels), cols=1, subplot_titles=titles,
        vertical_spacing=min(0.12, 0.5 / len(panels)),
    )  # fmt: skip
    palette = theme()["light"]["palette"]
    for number, (_, panel) in enumerate(panels, start=1):
        for place, (level, part) in enumerate(panel.groupby("significance", sort=False)):
            _bars(figure, part, f"level {level:g}", palette[place % len(palette)], number)
    dress(figure)
    figure.update_xaxes(
        type="category",
        showline=True,
        **line_look(),
        title={"text": f"{axis.name} (numbers: classes lower after Holm)"},
    )
    figure.update_yaxes(
        title={"text": "classes tested lower (%)"}, rangemode="tozero", **line_look()
    )
    figure.update_layout(barmode="group", height=PANEL * len(panels) + 80)
    return figure


def _bars(figure: go.Figure, part: pd.DataFrame, name: str, colour: str, row: int) -> None:
    compared = [
        f"{format_value(float(value))} against {format_value(float(reference))}"
        for value, reference in zip(part["value"], part["reference"], strict=True)
    ]
    decided = part["lower"].notna()
    texts = [
        str(int(count)) if known else "no decision"
        for count, known in zip(part["lower_holm"].fillna(0), decided, strict=True)
    ]
    figure.add_bar(
        x=compared,
        y=(100 * part["lower"]).fillna(0.0).tolist(),
        text=texts,
        textposition="outside",
        cliponaxis=False,
        marker={"color": colour},
        name=name,
        legendgroup=name,
        offsetgroup=name,
        showlegend=row == 1,
        hovertemplate="%{y:.1f} % of the classes, %{text} after Holm",
        row=row,
        col=1,
    )
    figure.add_bar(
        x=compared,
        y=(100 * part["nominal_bound"]).tolist(),
        marker={"color": "rgba(0,0,0,0)", "line": {"color": theme()["light"]["text"], "width": 1}},
        name="bound of luck alone",
        legendgroup="bound",
        offsetgroup=name,
        showlegend=row == 1 and not any(each.legendgroup == "bound" for each in figure.data),
        hovertemplate="at most %{y:.1f} % expected of unaffected classes",
        row=row,
        col=1,
    )


def _title(key: tuple[object, ...], rows: pd.DataFrame) -> str:
    words = [
        str(word)
        for word, column in zip(key, ("run", "model", "split"), strict=True)
        if rows[column].nunique(dropna=False) > 1
    ]
    return as_text(", ".join(words))
