"""Figures hold the numbers of their tables, and their axes say what they show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from synthetic import CROP, CUTOUT, made_up_samples, write_run

from lpa.axes import Axis
from lpa.errors import InputError
from lpa.figures import FIGURES
from lpa.figures.class_curves import class_curves
from lpa.figures.mean_curve import mean_curve
from lpa.figures.small_multiples import small_multiples
from lpa.figures.theme import drawn_at, theme, value_axis
from lpa.outcomes import Outcomes, Samples
from lpa.runs import open_run
from lpa.statistics.accuracy import class_accuracy
from lpa.statistics.aggregates import mean_accuracy
from lpa.statistics.positions import axis_positions, values_at


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    folder = tmp_path_factory.mktemp("runs") / "run"
    names = ["n0", "<b>n1</b>", "n2"]
    return Outcomes(write_run(folder, names=names, titles=names, per_class=[9, 9, 1],
                              pictures=False))  # fmt: skip


def lines(figure: go.Figure) -> dict[str, go.Scatter]:
    return {trace.name: trace for trace in figure.data if trace.mode == "lines+markers"}


def bands(figure: go.Figure) -> dict[str, go.Scatter]:
    return {trace.legendgroup: trace for trace in figure.data if trace.fill == "toself"}


def test_the_mean_curve_holds_the_tables_numbers(outcomes: Outcomes) -> None:
    table = mean_accuracy(outcomes)
    for aggregate in ("overall", "mean of classes"):
        figure = mean_curve(table, CROP, aggregate)
        assert list(lines(figure)) == ["first", "second"]
        for model, trace in lines(figure).items():
            rows = table[(table["model"] == model) & (table["axis"] == "crop")
                         & (table["aggregate"] == aggregate)]  # fmt: skip
            assert list(trace.x) == [1.0, 0.8, 0.6, 0.4, 0.3, 0.2, 0.08]
            np.testing.assert_array_equal(trace.y, rows["accuracy"])
            band = bands(figure)[model]
            np.testing.assert_array_equal(band.y, [*rows["low"], *rows["high"][::-1]])
            np.testing.assert_array_equal(band.x, [*rows["value"], *rows["value"][::-1]])


def test_class_curves_hold_the_tables_numbers_and_one_photograph_has_no_band(
    outcomes: Outcomes,
) -> None:
    table = class_accuracy(outcomes)
    figure = class_curves(table, CUTOUT)
    found = lines(figure)
    assert len(found) == 6
    rows = table[(table["model"] == "second") & (table["axis"] == "cutout")
                 & (table["class"] == "n0")]  # fmt: skip
    np.testing.assert_array_equal(found["n0, second"].y, rows["accuracy"])
    np.testing.assert_array_equal(found["n0, second"].customdata[:, 0], rows["low"])
    assert "n2, second" in found and "n2, second" not in bands(figure)
    np.testing.assert_array_equal(bands(figure)["n0, second"].y[:5], rows["low"])


def test_a_classs_name_is_text_and_no_markup(outcomes: Outcomes) -> None:
    figure = class_curves(class_accuracy(outcomes), CUTOUT)
    assert "&lt;b&gt;n1&lt;/b&gt;, first" in lines(figure)


def test_axes_carry_name_and_unit_and_run_from_weak_to_strong(outcomes: Outcomes) -> None:
    table = mean_accuracy(outcomes)
    crop, cutout = mean_curve(table, CROP), mean_curve(table, CUTOUT)
    assert crop.layout.xaxis.title.text == "crop (fraction of the view kept)"
    assert cutout.layout.xaxis.title.text == "cutout (fraction of the view erased)"
    assert crop.layout.yaxis.title.text == "accuracy (% of images)"
    assert crop.layout.xaxis.range[0] > 1 > 0.08 > crop.layout.xaxis.range[1]
    assert cutout.layout.xaxis.range[0] < 0 < 0.8 < cutout.layout.xaxis.range[1]


def test_a_logarithmic_axis_is_logarithmic_unless_it_holds_zero() -> None:
    axis = Axis("weight_decay", "per step", 1e-4, scale="log")
    layout = value_axis(axis, [1e-4, 1e-3, 1e-2])
    assert layout["type"] == "log"
    assert layout["range"] == pytest.approx([-4.06, -1.94])
    assert value_axis(axis, [0.0, 1e-3])["type"] == "linear"
    assert drawn_at(axis, [0.0, 1e-3]) == [0.0, 1e-3]
    one = value_axis(Axis("crop", "kept", 1.0, "down"), [0.5])
    assert one["autorange"] == "reversed" and "range" not in one


@pytest.mark.parametrize("values", [(0.0, 1e-5, 1e-3, 1e-2), (0.0, 0.02)])
def test_a_reference_of_zero_has_a_place_on_a_logarithmic_axis(values: tuple[float, ...]) -> None:
    axis = Axis("weight_decay", "L2 coefficient", 0.0, scale="log", monotone=False)
    # Where statistics interpolate and weigh it.
    places = values_at(axis, axis_positions(axis, values))
    np.testing.assert_allclose(drawn_at(axis, values), places, rtol=1e-12)
    layout = value_axis(axis, values)
    assert layout["type"] == "log" and layout["ticktext"][0] == "0"
    assert layout["range"][0] < np.log10(places[0]) < np.log10(places[-1]) < layout["range"][1]
    many = value_axis(axis, [0.0, *np.geomspace(1e-5, 1e-2, 16)])
    assert many["ticktext"] == ["0", "1e-05", "0.0001", "0.001", "0.01"]


def test_curves_and_panels_draw_a_reference_of_zero_on_a_logarithmic_axis() -> None:
    axis = Axis("weight_decay", "L2 coefficient", 0.0, scale="log", monotone=False)
    rows = pd.DataFrame({
        "model": "m", "axis": axis.name, "value": [0.0, 1e-3, 1e-2], "split": "val",
        "aggregate": "overall", "accuracy": [0.9, 0.8, 0.7], "low": 0.6, "high": 1.0, "n": 9,
        "draws": 3, "class": "a", "title": "a",
    })  # fmt: skip
    for figure in (
        mean_curve(rows, axis, "overall"), class_curves(rows, axis),
        small_multiples(rows, {axis.name: axis}),
    ):  # fmt: skip
        band, line = figure.data
        assert list(line.x) == pytest.approx([1e-4, 1e-3, 1e-2])
        assert list(band.x) == [*line.x, *line.x[::-1]]


def test_training_images_are_dashed_and_models_differ_in_colour_and_marker(tmp_path: Path) -> None:
    whole = made_up_samples(4, 10)
    split = np.where(np.arange(40) % 2 == 0, "train", "val")
    samples = Samples(whole.sample, whole.key, whole.name, whole.label, split, whole.size)
    outcomes = Outcomes(write_run(tmp_path / "run", samples=samples, pictures=False))
    found = lines(mean_curve(mean_accuracy(outcomes), CROP))
    assert {name: trace.line.dash for name, trace in found.items()} == {
        "first, train": "dash", "first, val": "solid",
        "second, train": "dash", "second, val": "solid",
    }  # fmt: skip
    first, second = found["first, val"], found["second, val"]
    assert first.marker.symbol != second.marker.symbol
    assert first.line.color != second.line.color


def luminance(colour: str) -> float:
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(("mode", "paper"), [("light", "#fdfcfa"), ("dark", "#16161a")])
def test_every_colour_stands_out_from_the_page(mode: str, paper: str) -> None:
    ground = luminance(paper)
    for colour in theme()[mode]["palette"]:
        bright, dim = sorted([luminance(colour), ground], reverse=True)
        # WCAG 2.1, 1.4.11 asks for 3:1; lines also differ in marker.
        assert (bright + 0.05) / (dim + 0.05) >= 2.6, colour


@pytest.mark.parametrize("function", [mean_curve, class_curves])
def test_a_figure_that_would_be_empty_is_refused(outcomes: Outcomes, function: object) -> None:
    table = (mean_accuracy if function is mean_curve else class_accuracy)(outcomes)
    with pytest.raises(InputError) as caught:
        function(table, Axis("blur", "pixels", 0.0))
    assert str(caught.value) == (
        f"{function.__name__} of 'blur' would be empty: no such model, class, split or axis in "
        "the run; `lpa show RUN` lists what there is"
    )


def test_every_registered_figure_can_be_drawn(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run", pictures=False))
    for name in set(FIGURES) - {"table1"}:
        figure = run.figure(name)
        assert len(figure.data) >= 1 and figure.layout.font.size == 13, name
