"""A probe's page shows source and target side by side, with the statistic's own numbers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from synthetic import write_run
from trained_runs import TAU, write_sweep

from lpa.outcomes import SOURCE, Outcomes, Store, put_counts
from lpa.report import write_report
from lpa.report.source_and_target import compare_with_source
from lpa.report.sources import Sources
from lpa.report.wording import NOTHING
from lpa.statistics.source_and_target import source_and_target

VALUES = (1.0, 0.5, 0.1)


def probe(path: Path, model: str = "rn50") -> Outcomes:
    wanted = {1.0: [0.3, 0.8, 0.7], 0.5: [0.4, 0.9, 0.7], 0.1: [0.95, 0.5, 0.7]}
    write_sweep(path, wanted, runs=5, per_class=40)
    rows = [
        (model, TAU.name, value, run, "dog", 90 + run if value == 0.5 else 70 + run, 100)
        for value in VALUES for run in range(5)
    ]  # fmt: skip
    columns = ["model", "axis", "value", "replicate", "class", "correct", "n"]
    put_counts(Store(path), pd.DataFrame(rows, columns=columns), SOURCE)
    record = json.loads((path / "run.json").read_text())
    del record["digest"]
    record["kind"] = "probe"
    home = {"path": "sweep", "data": "dogs & cats"}
    record["reference"] = {"source": {"runs": [home], "others": []}}
    (path / "run.json").write_text(json.dumps(record))
    return Outcomes(path)


def test_the_tables_hold_the_numbers_of_the_statistic(tmp_path: Path) -> None:
    run = probe(tmp_path / "run")
    found, own = compare_with_source(Sources([run])), source_and_target(run)
    assert found.data == ["dogs & cats"]
    (row,) = found.gains.rows
    naive, split = own.gains.to_dict("records")
    assert row[:4] == ["rn50", "random_crop", "0.5", f"{naive['target_value']:g}"]
    assert row[4] == f"{100 * naive['accuracy']:.1f}"
    assert [row[5], row[7]] == [f"{100 * one['gain']:+.1f}" for one in (split, naive)]
    by_class = {row[0]: row for row in found.classes.rows}
    assert found.classes.rows[0][0] == "c000"  # the surest gain first
    first = own.classes.iloc[0]
    assert by_class["c000"][3:] == [
        "40", f"{100 * first['accuracy']:.1f}", "0.1", f"{100 * first['best_accuracy']:.1f}",
        f"{100 * first['gain']:+.1f}", f"{100 * first['low']:+.1f} to {100 * first['high']:+.1f}",
        "better",
    ]  # fmt: skip
    assert by_class["c001"][5:] == ["0.5", by_class["c001"][4], "0.0", NOTHING, "same value"]
    assert len(found.classes.numbers) == 3 and "model_at" not in found.classes.numbers


def test_the_script_is_given_both_curves_and_each_classes_best_value(tmp_path: Path) -> None:
    run = probe(tmp_path / "run")
    (curve,) = compare_with_source(Sources([run])).curves
    own = source_and_target(run)
    assert curve["home"] == 0.5
    assert curve["best"] == own.classes["best_value"].tolist()
    for of in ("source", "target"):
        mine = own.curves[own.curves["of"] == of]
        assert curve[of]["values"] == list(VALUES) and curve[of]["draws"] == [5, 5, 5]
        for name in ("accuracy", "low", "high"):
            assert curve[of][name] == mine[name].tolist()


def test_the_page_has_a_section_of_source_and_target(tmp_path: Path) -> None:
    text = write_report(probe(tmp_path / "run"), tmp_path / "page.html").read_text()
    assert "<h2>Source and target side by side</h2>" in text
    assert "Source: dogs &amp; cats, for which the backbones were trained." in text
    assert "<dt>Source and target</dt>" in text
    assert "the regularizer of the pre-training random_crop (lower bound of the area)" in text


def test_other_runs_have_no_such_section(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "sweep", {1.0: [0.5] * 3, 0.5: [0.5] * 3})
    for path in (sweep, write_run(tmp_path / "scan", pictures=False)):
        text = write_report(Outcomes(path), tmp_path / "page.html").read_text()
        assert "Source and target side by side" not in text


def test_a_probe_whose_backbones_are_unknown_at_home_has_none(tmp_path: Path) -> None:
    found = compare_with_source(Sources([probe(tmp_path / "run", model="other")]))
    assert found.data == [] and found.curves == [] and found.gains.rows == []
    assert found.gains.notes == [
        "rn50 on random_crop: nothing is known of the backbones on their own data"
    ]


def test_two_probes_on_one_page_keep_their_own_sources(tmp_path: Path) -> None:
    runs = [probe(tmp_path / "a"), probe(tmp_path / "b")]
    found = compare_with_source(Sources(runs))
    assert [row[0] for row in found.gains.rows] == ["rn50 · a", "rn50 · b"]
    assert [curve["run"] for curve in found.curves] == [0, 1]


@pytest.mark.browser
def test_the_page_draws_both_panels_with_a_line_at_home_and_a_star_a_class(tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium on the PATH")
    page = write_report(probe(tmp_path / "run"), tmp_path / "page.html")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for width in (1280, 390):
            tab = browser.new_page(viewport={"width": width, "height": 900})
            errors: list[str] = []
            tab.on("console", lambda message, errors=errors: errors.append(message.text))
            tab.on("pageerror", lambda error, errors=errors: errors.append(str(error)))
            tab.goto(f"{page.as_uri()}#class=c000&class=c001&class=c002")
            tab.wait_for_selector("html[data-drawn]")
            traces, shapes = tab.evaluate(
                "[document.getElementById('source-plot').data.filter(t => !t.fill)"
                ".map(t => [t.xaxis || 'x', t.marker.symbol, t.x, t.y]),"
                "document.getElementById('source-plot').layout.shapes.map(s => [s.xref, s.x0])]"
            )
            assert errors == [] and shapes == [["x", 0.5], ["x2", 0.5]]
            (mean,) = [y for where, _, _, y in traces if where == "x"]
            assert mean == pytest.approx([0.72, 0.92, 0.72])
            stars = [x[0] for where, symbol, x, _ in traces if symbol == "star" and where == "x2"]
            assert sorted(stars) == sorted(
                source_and_target(Outcomes(tmp_path / "run")).classes["best_value"]
            )
            assert tab.evaluate("document.documentElement.scrollWidth") == width
        browser.close()
