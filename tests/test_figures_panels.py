"""Heat map, ranking, small multiples, drift and Table 1 hold the numbers of their tables."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from synthetic import CROP, CUTOUT, write_run
from trained_runs import TAU, write_sweep

from lpa.axes import Axis
from lpa.errors import InputError
from lpa.figures.class_heatmap import class_heatmap
from lpa.figures.drift import drift
from lpa.figures.ranking import ranking
from lpa.figures.small_multiples import small_multiples
from lpa.figures.table1 import table1
from lpa.outcomes import Outcomes
from lpa.runs import Run, open_run
from lpa.statistics import drift as drift_statistic
from lpa.statistics.accuracy import class_accuracy

NAMES = ("n0", "<b>n1</b>", "n2", "n3")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs") / "run"
    return open_run(write_run(folder, names=NAMES, titles=NAMES, per_class=[40, 40, 40, 5],
                              pictures=False))  # fmt: skip


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Run:
    high, low = [0.9] * 10, [0.9] * 5 + [0.3] * 5
    folder = tmp_path_factory.mktemp("runs") / "sweep"
    return open_run(write_sweep(folder, {1.0: high, 0.5: high, 0.08: low}))


def test_the_heat_map_has_a_cell_for_every_class_and_value(run: Run) -> None:
    table = class_accuracy(run.outcomes)
    figure = class_heatmap(table, CROP)
    assert [trace.name for trace in figure.data] == ["first", "second"]
    for trace in figure.data:
        assert list(trace.x) == ["1", "0.8", "0.6", "0.4", "0.3", "0.2", "0.08"]
        assert list(trace.y) == list(NAMES)
        rows = table[(table["model"] == trace.name) & (table["axis"] == "crop")]
        np.testing.assert_array_equal(
            np.asarray(trace.z).T.reshape(-1), rows["accuracy"].to_numpy()
        )
    assert figure.layout.yaxis.ticktext[1] == "&lt;b&gt;n1&lt;/b&gt;"
    titles = [each.text for each in figure.layout.annotations]
    assert titles == ["first", "second"]
    assert figure.layout.title.text == "crop (fraction of the view kept)"


@pytest.mark.browser
@pytest.mark.parametrize(
    "title", ["black and gold garden spider, argiope", "paddle"], ids=["long names", "short names"]
)
def test_the_title_of_a_heat_map_is_not_cut_off_in_print(tmp_path: Path, title: str) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    axis = Axis(
        "blur", "standard deviation in pixels of a 224-pixel view", 0.0, grid=(0.0, 1.0, 2.0)
    )
    run = open_run(write_run(tmp_path / "run", titles=("a", "b", "c", title),
                             axes={axis: axis.grid}, pictures=False))  # fmt: skip
    path = run.save_figure("class_heatmap", tmp_path / "fig.svg", width="3.25in")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page()
        page.set_content(path.read_text())
        box = page.evaluate("""() => {
            const page = document.querySelector("svg.main-svg").getBoundingClientRect();
            const texts = [...document.querySelectorAll("svg text")];
            const text = texts.find((each) => each.textContent.startsWith("blur"));
            const ticks = [...document.querySelectorAll("svg .xtick text")];
            const box = text.getBoundingClientRect();
            return {
                left: box.left - page.left, right: page.right - box.right,
                below: page.bottom - box.bottom, text: text.textContent,
                above: box.top - Math.max(...ticks.map((t) => t.getBoundingClientRect().bottom)),
            };
        }""")
        browser.close()
    assert box.pop("text") == "blur (standard deviation in pixels of a 224-pixel view)"
    assert min(box.values()) >= 0, box


def test_the_heat_map_leaves_what_was_not_measured_empty(run: Run) -> None:
    table = class_accuracy(run.outcomes)
    ragged = table[(table["model"] == "first") | table["value"].isin([1.0, 0.3])]
    second = class_heatmap(ragged, CROP).data[1]
    assert np.isnan(np.asarray(second.z)).sum() == 5 * 4


def test_the_ranking_shows_losses_in_points_with_their_intervals(run: Run) -> None:
    table = run.rank(axes="crop")
    figure = ranking(table, CROP)
    assert [trace.name for trace in figure.data] == ["first", "second"]
    for trace in figure.data:
        rows = table[table["model"] == trace.name]
        np.testing.assert_allclose(trace.x, 100 * rows["loss"])
        np.testing.assert_allclose(trace.x + np.asarray(trace.error_x.array), 100 * rows["high"])
        np.testing.assert_allclose(
            trace.x - np.asarray(trace.error_x.arrayminus), 100 * rows["low"]
        )
        # Rows are those of the tick labels, the models a little apart.
        shown = [figure.layout.yaxis.ticktext[round(place)] for place in trace.y]
        assert shown == [name.replace("<", "&lt;").replace(">", "&gt;") for name in rows["title"]]
    assert figure.layout.xaxis.title.text == "mean loss along crop (accuracy points)"
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]


def test_small_multiples_have_a_panel_for_every_axis_and_model(run: Run) -> None:
    table = run.curves(["n0", "n2"])
    figure = small_multiples(table, {"crop": CROP, "cutout": CUTOUT})
    lines = [trace for trace in figure.data if trace.mode == "lines+markers"]
    panels = [("crop", "first"), ("crop", "second"), ("cutout", "first"), ("cutout", "second")]
    assert len(lines) == 8
    for number, trace in enumerate(lines):
        axis, model = panels[number // 2]
        assert trace.xaxis == ("x" if number < 2 else f"x{number // 2 + 1}")
        rows = table[(table["axis"] == axis) & (table["model"] == model)
                     & (table["title"] == trace.name)]  # fmt: skip
        np.testing.assert_array_equal(trace.y, rows["accuracy"])
    assert [trace.showlegend for trace in lines] == [True, True] + [False] * 6
    assert lines[0].line.color == lines[4].line.color != lines[1].line.color
    texts = [each.text for each in figure.layout.annotations]
    assert texts == [
        "first", "second",
        "crop (fraction of the view kept)", "cutout (fraction of the view erased)",
    ]  # fmt: skip
    # .2 stands too near to .08 for a narrow panel; the ends stay.
    assert figure.layout.xaxis.ticktext[0] == "0.08" and figure.layout.xaxis.ticktext[-1] == "1"
    assert "0.2" not in figure.layout.xaxis.ticktext


def test_a_combination_that_was_not_measured_says_so(run: Run) -> None:
    table = run.curves(["n0"])
    table = table[(table["axis"] == "crop") | (table["model"] == "first")]
    figure = small_multiples(table, {"crop": CROP, "cutout": CUTOUT})
    (note,) = [each for each in figure.layout.annotations if each.text == "not measured"]
    assert note.xref == "x4 domain"


def test_drift_shows_the_flows_as_images(run: Run) -> None:
    table = drift_statistic.drift(run.outcomes, axis="crop")
    table = table[(table["model"] == "first") & (table["label"] == 0)
                  & (table["other_label"] != 0)]  # fmt: skip
    figure = drift(table, CROP)
    (trace,) = figure.data
    np.testing.assert_allclose(trace.x, table["images"])
    np.testing.assert_allclose(trace.x + np.asarray(trace.error_x.array), table["high"] * 40)
    filled = [colour != "white" for colour in trace.marker.color]
    assert filled == table["claimed"].tolist() and any(filled)
    assert figure.layout.annotations[0].text == "n0, 40 images, at crop 0.08"


def test_drift_is_that_of_the_class_that_loses_most_unless_classes_are_named(run: Run) -> None:
    figure = run.figure("drift", models="first", axis="crop", value=0.2)
    outcomes = run.outcomes
    cells = outcomes.cells[
        (outcomes.cells["model"] == "first") & (outcomes.cells["axis"] == "crop")
    ]
    correct = outcomes.correct()[cells.index]
    lost = correct[cells["value"] == 1.0].mean(0) - correct[cells["value"] == 0.2].mean(0)
    worst = np.bincount(outcomes.samples.label, weights=lost).argmax()
    assert figure.layout.annotations[0].text.startswith(
        NAMES[worst].replace("<", "&lt;").replace(">", "&gt;") + ", 40 images, at crop 0.2"
    )
    two = run.figure("drift", ["n0", "n2"], models="first", axis="crop")
    assert [each.text.split(",")[0] for each in two.layout.annotations] == ["n0", "n2"]


def test_table_1_shows_shares_bounds_and_counts(sweep: Run) -> None:
    table = sweep.test()
    figure = table1(table, TAU)
    bars = [trace for trace in figure.data if trace.name.startswith("level")]
    bounds = [trace for trace in figure.data if not trace.name.startswith("level")]
    assert [trace.name for trace in bars] == ["level 0.1", "level 0.05", "level 0.01"]
    for bar, bound, level in zip(bars, bounds, (0.1, 0.05, 0.01), strict=True):
        rows = table[table["significance"] == level]
        assert list(bar.x) == ["0.5 against 1", "0.08 against 1"]
        np.testing.assert_allclose(bar.y, 100 * rows["lower"])
        assert list(bar.text) == [str(int(count)) for count in rows["lower_holm"]]
        np.testing.assert_allclose(bound.y, 100 * level)
    assert [trace.showlegend for trace in bounds] == [True, False, False]


def test_too_few_seeds_are_no_bar_of_zero_without_a_word(tmp_path: Path) -> None:
    high = [0.9] * 4
    run = open_run(write_sweep(tmp_path / "run", {1.0: high, 0.5: high}, runs=2))
    figure = run.figure("table1")
    assert list(figure.data[0].text) == ["no decision"]


def test_too_many_classes_give_way_to_the_most_hurt(tmp_path: Path) -> None:
    names = [f"n{index:02d}" for index in range(40)]
    run = open_run(write_run(tmp_path / "run", names=names, titles=names, models=["m"],
                             pictures=False))  # fmt: skip
    hurt = run.rank(axes="crop")
    means = hurt.set_index("class")["loss"].sort_values(ascending=False)
    curves = run.figure("class_curves", axis="crop")
    drawn = {trace.name for trace in curves.data if trace.mode == "lines+markers"}
    assert drawn == set(means.index[:12])
    assert list(run.figure("class_heatmap", axis="crop", top=3).data[0].y) == list(means.index[:3])
    assert len(run.figure("ranking", axis="crop").data[0].x) == 30


def test_groups_are_drawn_as_means(run: Run) -> None:
    groups = {"few": ["n0", "n2"]}
    figure = run.figure("class_curves", groups=groups, models="first", axis="crop")
    (line,) = [trace for trace in figure.data if trace.mode == "lines+markers"]
    rows = run.curves(["n0", "n2"], models="first", axes="crop")
    np.testing.assert_allclose(line.y, rows.groupby("value")["accuracy"].mean()[list(line.x)])
    assert line.name == "few"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("drift", {"groups": {"a": ["n0"]}}, "drift has no --groups; figures that do: "
         "class_curves, class_heatmap, small_multiples"),
        ("mean_curve", {"classes": ["n0"]}, "mean_curve has no --classes; figures that do: "
         "class_curves, class_heatmap, small_multiples, ranking, drift"),
        ("ranking", {"value": 0.5}, "ranking has no --value; figures that do: drift"),
        ("ranking", {"top": 0}, "the top 0 classes: expected at least 1"),
        ("ranking", {"axis": "blur"}, "unknown axis 'blur': known: crop, cutout (of this run)"),
        ("drift", {"axis": "crop", "value": 0.55}, None),
    ],
)  # fmt: skip
def test_what_a_figure_does_not_have_is_said(
    run: Run, name: str, options: dict[str, object], message: str | None
) -> None:
    with pytest.raises(InputError) as caught:
        run.figure(name, **options)
    expected = message or (
        f"value 0.55 was not measured beside a reference in {run.path}; `lpa show` lists the values"
    )
    assert str(caught.value) == expected


def test_table_1_needs_training_runs(run: Run) -> None:
    with pytest.raises(InputError) as caught:
        run.figure("table1")
    assert str(caught.value) == (
        f"table1 needs training runs, and {run.path} is a scan of fixed models: draw ranking "
        "instead"
    )


def test_an_import_is_called_an_import(tmp_path: Path) -> None:
    imported = open_run(write_run(tmp_path / "run", kind="import", pictures=False))
    for asked, message in (
        (lambda: imported.figure("table1"),
         f"table1 needs training runs, and {imported.path} is an import of fixed models: draw "
         "ranking instead"),
        (lambda: imported.curves(level="run"),
         f"level 'run' needs training runs, and {imported.path} is an import of fixed models: use "
         "level 'image'"),
    ):  # fmt: skip
        with pytest.raises(InputError) as caught:
            asked()
        assert str(caught.value) == message


@pytest.mark.parametrize("function", [class_heatmap, ranking, drift, table1, small_multiples])
def test_a_figure_that_would_be_empty_is_refused(run: Run, function: object) -> None:
    axis = Axis("blur", "pixels", 0.0)
    place = {"blur": axis} if function is small_multiples else axis
    with pytest.raises(InputError, match=f"{function.__name__}.* would be empty: no such model"):
        function(Outcomes(run.path).cells.assign(), place)
