"""The ranking, the drift and the tables of a report hold the statistics' own numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic import write_run
from test_report import unpacked, unpacked_floats, unpacked_whole
from trained_runs import TAU, write_sweep

from lpa.outcomes import Outcomes, Store, put_plan
from lpa.report.curves import CurveTables
from lpa.report.drifts import drifts
from lpa.report.findings import find
from lpa.report.rankings import Rankings
from lpa.report.shown_tables import agreements, hurt_counts, oracle_bracket, run_tests
from lpa.report.sources import Sources
from lpa.report.wording import NOTHING
from lpa.runs import open_run
from lpa.statistics.drift import drift
from lpa.statistics.mean_loss import mean_loss
from lpa.statistics.oracle import oracle_gain
from lpa.statistics.threshold import threshold


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    names = [f"n{k}" for k in range(12)]
    sizes = [40] * 10 + [5, 1]
    folder = tmp_path_factory.mktemp("runs") / "run"
    return Outcomes(write_run(folder, names=names, titles=names, per_class=sizes, pictures=False))


def test_ranks_losses_and_thresholds_are_those_of_the_statistics(outcomes: Outcomes) -> None:
    sources = Sources([outcomes])
    looked = [{"crop": 0.4, "cutout": 0.4}]
    states = find(sources, looked, CurveTables(sources).classes).states
    records = Rankings(sources, states).to_list()
    assert len(records) == 4
    losses, thresholds = mean_loss(outcomes), threshold(outcomes)
    for record in records:
        place = {"model": sources.models[record["model"]], "axis": sources.axes[record["axis"]]}
        columns = {name: unpacked_floats(text) for name, text in record["columns"].items()}
        mine = losses[(losses[list(place)] == pd.Series(place)).all(axis=1)]
        np.testing.assert_allclose(columns["loss"], mine["mean_loss"], rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(columns["low"], mine["low"], rtol=1e-6, atol=1e-7)
        # Ten classes have ten images or more, and their ranks are 1 to 10.
        assert record["ranked"] == 10 and sorted(columns["rank"][:10]) == list(range(1, 11))
        assert np.isnan(columns["rank"][10:]).all()
        crossed = thresholds[(thresholds[list(place)] == pd.Series(place)).all(axis=1)]
        for shown, state, value in zip(columns["threshold"], crossed["state"],
                                       crossed["threshold"], strict=True):  # fmt: skip
            if state == "number":
                assert shown == pytest.approx(value)
            else:
                assert {"at once": np.isneginf, "never": np.isposinf,
                        "undefined": np.isnan}[state](shown)  # fmt: skip
        assert record["value"] == 0.4 and np.isnan(columns["thereLow"][11])


def test_drift_shows_the_largest_flows_of_each_class(outcomes: Outcomes) -> None:
    sources = Sources([outcomes])
    table = drift(outcomes, 0.2, "crop", top=None)
    for record in drifts(sources, [{"crop": 0.2}]):
        mine = table[(table["model"] == sources.models[record["model"]]) & (table["flow"] > 0)
                     & (table["label"] != table["other_label"])]  # fmt: skip
        of, to = unpacked_whole(record["of"]), unpacked_whole(record["to"])
        flow = 2 * unpacked(record["flow"]) - 1
        for label in range(12):
            expected = sorted(mine[mine["label"] == label]["flow"], reverse=True)[:5]
            rows = [at for at, each in enumerate(of) if each == label]
            np.testing.assert_allclose(sorted(flow[rows], reverse=True), expected, atol=1e-4)
            assert label not in [to[at] for at in rows]


def test_hurt_classes_are_counted_where_classes_have_ten_images(
    outcomes: Outcomes, tmp_path: Path
) -> None:
    table = hurt_counts(Sources([outcomes]))
    assert [row[:2] for row in table.rows] == [
        ["first", "crop"], ["first", "cutout"], ["second", "crop"], ["second", "cutout"],
    ]  # fmt: skip
    # Of the twelve classes one has a single image.
    assert {row[-1] for row in table.rows} == {"11"}
    few = Outcomes(write_run(tmp_path / "run", per_class=5, pictures=False))
    assert hurt_counts(Sources([few])).rows == []


def test_agreement_needs_two_models_and_three_classes(outcomes: Outcomes, tmp_path: Path) -> None:
    together, pairs = agreements(Sources([outcomes]))
    assert [row[:2] for row in together.rows] == [["crop", "2"], ["cutout", "2"]]
    assert [row[:3] for row in pairs.rows] == [
        ["crop", "first", "second"], ["cutout", "first", "second"],
    ]  # fmt: skip
    alone = Outcomes(write_run(tmp_path / "alone", models=("m",), pictures=False))
    assert agreements(Sources([alone]))[0].notes == [
        "m on crop: no other model has the values 1,0.8,0.6,0.4,0.3,0.2,0.08",
        "m on cutout: no other model has the values 0,0.2,0.4,0.6,0.8",
    ]
    two = Outcomes(write_run(tmp_path / "two", names=("a", "b"), titles=("a", "b"), pictures=False))
    table = agreements(Sources([two]))[0]
    assert table.rows == [] and table.notes == ["Agreement takes 3 classes of 4 images or more"]


def test_table_1_and_the_oracle_of_a_sweep(tmp_path: Path) -> None:
    accuracies = {1.0: [0.9] * 10, 0.5: [0.2, *[0.9] * 9]}
    run = Outcomes(write_sweep(tmp_path / "run", accuracies, runs=6, per_class=40))
    table = run_tests(Sources([run]))
    (row,) = table.rows
    assert row[:4] == ["rn50", "random_crop", "0.5 against 1", "6 and 6"]
    assert float(row[4]) >= float(row[5]) >= float(row[6]) >= 10.0
    assert row[-1] == "Welch t" and int(row[-2]) >= 1
    assert len(table.numbers) == 3
    (bracket,) = [row for row in oracle_bracket(Sources([run])).rows if row[6] == "runs and images"]
    naive = oracle_gain(run).query("estimate == 'naive'")["gain"].item()
    assert bracket[7] == f"{100 * naive:+.1f}"


def test_table_1_says_that_seeds_were_added_as_lpa_test_does(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "run", {1.0: [0.9] * 10, 0.5: [0.5] * 10}, runs=6)
    assert run_tests(Sources([Outcomes(folder)])).notes == []
    put_plan(Store(folder), {
        "command": "lpa train-sweep", "created": "2026-02-01", "models": {"rn50": {}},
        "axes": [{"axis": TAU.to_dict(), "values": [1.0, 0.5], "draws": 10}],
    })  # fmt: skip
    expected = (
        "run: seeds or values were added once after the first trainings; if results were looked "
        "at in between, the levels hold with lpa test --looks 2"
    )
    assert expected in open_run(folder).test().attrs["notes"]
    assert run_tests(Sources([Outcomes(folder)])).notes[0] == expected
    page = open_run(folder).report(tmp_path / "page.html").read_text()
    section = page[page.index('<section id="table-1">') : page.index('<section id="oracle">')]
    assert f'<p class="note">{expected}.</p>' in section


def test_a_sweep_that_cannot_be_tested_says_why(tmp_path: Path) -> None:
    run = Outcomes(write_run(tmp_path / "run", kind="sweep", draws=3, pictures=False))
    table = run_tests(Sources([run]))
    assert table.rows == [] and "value 1 has one training run" in table.notes[0]
    few = write_sweep(tmp_path / "few", {1.0: [0.9] * 4, 0.5: [0.5] * 4}, runs=3)
    (row,) = run_tests(Sources([Outcomes(few)])).rows
    assert row[-1] == "too few seeds, no decision" and row[4] == NOTHING


def test_scans_have_no_table_of_training_runs(outcomes: Outcomes) -> None:
    assert run_tests(Sources([outcomes])).rows == []
    assert oracle_bracket(Sources([outcomes])).rows == []
