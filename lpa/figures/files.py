"""How a figure becomes a file for print: PDF, SVG or PNG, through kaleido and a Chromium."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from lpa.errors import InputError
from lpa.figures.theme import SCREEN_TEXT
from lpa.outcomes import local_path

__all__ = ["SUFFIXES", "check_file", "pixels", "write_figure"]

SUFFIXES = (".pdf", ".svg", ".png")

PER_INCH = 96.0
"""Layout pixels of an inch, in CSS and so in plotly."""

PRINT_DOTS = 300.0
"""Dots per inch of a PNG."""

UNITS = {"in": PER_INCH, "cm": PER_INCH / 2.54, "mm": PER_INCH / 25.4, "pt": PER_INCH / 72.0,
         "px": 1.0}  # fmt: skip

PRINT_TEXT = 8.0 * PER_INCH / 72.0
"""Size of text in print: 8 points."""

FONTS = "Liberation Sans, Arial, Helvetica, DejaVu Sans, sans-serif"
"""TrueType fonts: what a browser picks for a screen may be embedded as Type 3, which journals and
arXiv's readers refuse."""

SHAPE = 0.75
"""Height by width, of figures that do not say otherwise."""


def check_file(path: str | os.PathLike[str], width: str, height: str | None = None) -> None:
    """Refuse a file or a size that cannot be, before anything is computed.

    Raises
    ------
    InputError
        For another suffix, a folder that is a file, and a size without unit or out of range.
    """
    file = local_path(path)
    if file.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"{file} has the suffix {file.suffix!r}; expected a name that ends in .pdf, .svg or "
            ".png"
        )
    for folder in file.absolute().parents:
        # What is not there is made when the figure is written.
        if folder.exists():
            if not folder.is_dir():
                raise InputError(f"{folder} is no directory; give another file with -o")
            break
    for size in (width, height):
        if size is not None:
            pixels(size)


def pixels(size: str) -> float:
    """Read a length such as ``3.25in``, ``8cm``, ``85mm``, ``234pt`` or ``312px``.

    Returns
    -------
    float
        Layout pixels, 96 to the inch.

    Raises
    ------
    InputError
        For anything else, and for less than 1 or more than 40 inches.
    """
    found = re.fullmatch(r"\s*(\d*\.?\d+)\s*(in|cm|mm|pt|px)\s*", size)
    length = float(found[1]) * UNITS[found[2]] if found else 0.0
    if not PER_INCH <= length <= 40.0 * PER_INCH:
        raise InputError(
            f"size {size!r} is no length from 1in to 40in; expected e.g. 3.25in, 8cm, 85mm, 234pt"
        )
    return length


def write_figure(
    figure: go.Figure,
    path: str | os.PathLike[str],
    width: str = "3.25in",
    height: str | None = None,
) -> Path:
    """Write a figure for print and return its path.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        It is left as it is.
    path : path
        Ends in one of :data:`SUFFIXES`; its folder is made where it is missing. Text in PDF and
        SVG stays text.
    width, height : str
        See :func:`pixels`. By default the height keeps the height of rows and panels relative to
        the text, or is three quarters of the width.

    Raises
    ------
    InputError
        As :func:`check_file`; where kaleido or a Chromium is missing or does not start; when the
        file cannot be written; when the machine's fonts would give Type 3 fonts.
    """
    check_file(path, width, height)
    file = Path(path)
    across = pixels(width)
    natural = figure.layout.height
    down = SHAPE * across if natural is None else natural * PRINT_TEXT / SCREEN_TEXT
    if height is not None:
        down = pixels(height)
    kind = file.suffix.lower()[1:]
    scale = PRINT_DOTS / PER_INCH if kind == "png" else 1.0
    options = {"format": kind, "width": round(across), "height": round(down), "scale": scale}
    data = _rendered(_for_print(figure), options)
    if kind == "pdf" and b"/Type3" in data:
        raise InputError(
            f"{file} would hold Type 3 fonts, which publishers refuse: this machine has no "
            "TrueType font for some of its text; install Liberation or DejaVu fonts, or write .svg"
        )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    except OSError as error:
        raise InputError(
            f"cannot write {file} ({(error.strerror or str(error)).lower()}); "
            "expected a file in a writable directory: give another with -o FILE"
        ) from error
    return file


def _for_print(figure: go.Figure) -> go.Figure:
    """Return a copy with text and lines for print."""
    printed = go.Figure(figure)
    ratio = PRINT_TEXT / SCREEN_TEXT
    printed.update_layout(
        font={"family": FONTS, "size": PRINT_TEXT},
        margin={"l": 44, "r": 8, "t": 26, "b": 38},
        height=None,
    )
    text = {"family": FONTS, "size": PRINT_TEXT}
    if printed.layout.title.text:
        printed.update_layout(title_font=text)
    printed.update_annotations(font=text)
    printed.update_xaxes(title_font=text)
    printed.update_yaxes(title_font=text)
    printed.update_coloraxes(colorbar_title_font=text)
    for trace in printed.data:
        if trace.type == "scatter":
            if trace.line.width:
                trace.line.width *= ratio * 0.8
            if trace.marker.size:
                trace.marker.size *= ratio * 0.8
    return printed


def _rendered(figure: go.Figure, options: dict[str, Any]) -> bytes:
    try:
        import kaleido
        from kaleido.errors import BrowserClosedError, BrowserFailedError, ChromeNotFoundError
    except ImportError as error:
        raise InputError(
            "drawing into files needs kaleido, which is not installed; "
            "run: pip install 'lpa[figures]'"
        ) from error
    # Without mathjax nothing is asked of the network.
    arguments = {"opts": options, "kopts": {"mathjax": False}}
    data: bytes
    try:
        try:
            data = kaleido.calc_fig_sync(figure.to_dict(), **arguments)
        except OSError:
            # A browser that is slow to end still writes into the folder that kaleido removes.
            data = kaleido.calc_fig_sync(figure.to_dict(), **arguments)
    except ChromeNotFoundError as error:
        raise InputError(
            "drawing into files needs Chromium or Chrome, and none was found; install one "
            "(apt-get install chromium, or plotly_get_chrome), or set BROWSER_PATH to it"
        ) from error
    except (BrowserFailedError, BrowserClosedError) as error:
        raise InputError(
            "Chromium did not start or stopped at once "
            f"({os.environ.get('BROWSER_PATH', 'the one on the PATH')}); expected one that runs "
            "headless: set BROWSER_PATH to another, or install one with plotly_get_chrome"
        ) from error
    return data
