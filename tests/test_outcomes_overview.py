"""What ``lpa show`` says of a run."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from lpa_cli.show import command as show
from synthetic import CROP, CUTOUT, write_run

from lpa.errors import InputError
from lpa.importing.results import import_results
from lpa.outcomes import Outcomes, Store, create_or_check, put_failure, put_plan
from lpa.outcomes.counts import put_counts
from lpa.outcomes.overview import overview


def test_a_complete_run_is_said_to_be_complete(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", axes={CROP: (1.0, 0.5, 0.08), CUTOUT: (0.0, 0.4)})
    said = overview(folder)
    draws = int(Outcomes(folder).cells["replicate"].max()) + 1
    rows = said.coverage.set_index(["model", "axis"])
    models = sorted({model for model, _ in rows.index})
    assert said.complete
    for model in models:
        assert rows.loc[(model, "(identity)"), "planned"] == 1
        assert rows.loc[(model, "crop"), "complete"] == 2 * draws
        assert rows.loc[(model, "cutout"), "complete"] == draws
        assert rows.loc[(model, "crop"), "values"] == "0.08,0.5"


def test_a_unit_that_is_gone_is_said_to_be_missing(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", axes={CROP: (1.0, 0.5)})
    store = Store(folder)
    units = store.list("units")
    rows = {unit.name: len(unit.samples) for unit in Outcomes(folder).units}
    store.delete(units[0])
    said = overview(folder)
    share = 100 * rows[units[0]] / sum(rows.values()) if len(units) > 1 else 100.0
    crop = said.coverage[said.coverage["axis"] == "crop"].iloc[0]
    assert not said.complete
    assert crop["complete"] == 0
    assert crop["missing"] == f"{share:.1f} %"


def test_strict_refuses_planned_cells_of_which_nothing_is_stored(tmp_path: Path) -> None:
    folder = write_run(
        tmp_path / "run",
        models=("first",),
        axes={CROP: (1.0, 0.5, 0.08)},
        draws=1,
        shard_size=1000,
        missing=[(0, 2)],
    )
    assert len(Outcomes(folder).cells) == 2
    with pytest.raises(InputError) as caught:
        Outcomes(folder, strict=True)
    assert str(caught.value) == (
        f"{folder} lacks 1 planned cells, first first crop=0.08 replicate 0; "
        "run the scan again to complete them, or leave --strict out"
    )


def test_strict_takes_an_import_as_what_was_read(tmp_path: Path) -> None:
    folder = write_run(
        tmp_path / "run",
        models=("first",),
        axes={CROP: (1.0, 0.5, 0.08)},
        draws=1,
        kind="import",
        shard_size=1000,
        missing=[(0, 2)],
    )
    assert len(Outcomes(folder, strict=True).cells) == 2


def test_a_damaged_unit_is_named_and_does_not_stop_the_overview(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", axes={CROP: (1.0, 0.5)})
    name = Store(folder).list("units")[0]
    path = folder / name
    path.write_bytes(path.read_bytes()[:-20])
    said = overview(folder)
    assert said.damaged == [name]
    assert not said.complete
    assert f"damaged (the same scan with --repair computes them again):\n  {name}" in str(said)


def test_a_failure_is_shown_until_its_cells_are_there(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", axes={CROP: (1.0, 0.5)})
    store = Store(folder)
    there = Outcomes(folder).units[0].cells[0].id
    put_failure(store, 0, "resnet50", "NaN", ["f" * 32])
    put_failure(store, 0, "other", "mended", [there])
    assert overview(folder).failures == [{"shard": 0, "model": "resnet50", "reason": "NaN"}]


def test_the_command_prints_text_or_json(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", axes={CROP: (1.0, 0.5)})
    text = CliRunner().invoke(show, [str(folder)], catch_exceptions=False).output
    record = json.loads(
        CliRunner().invoke(show, [str(folder), "--format", "json"], catch_exceptions=False).output
    )
    assert f"run: {folder}\n" in text
    assert "commands:\n" in text
    assert record["is_complete"] is True
    assert record["images"] == len(Outcomes(folder).declared)
    assert {row["axis"] for row in record["coverage"]} == {"(identity)", "crop"}


def test_a_name_cannot_move_the_cursor_or_begin_a_line(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", models=["m\x1b[2J"], skips={3: "no\nimage"}, data="a\rb",
                       pictures=False)  # fmt: skip
    text = str(overview(folder))
    assert all(line.isprintable() for line in text.split("\n"))
    assert r"data: a\rb" in text and r"no\nimage" in text and r"m\x1b[2J" in text


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc")
def test_nothing_is_left_running_where_the_overview_ends(tmp_path: Path) -> None:
    """A thread that still starts while the command ends would abort it."""
    outcomes = Outcomes(write_run(tmp_path / "run", axes={CROP: (1.0, 0.5)}))
    store = Store(tmp_path / "counts")
    record = replace(outcomes.record, kind="import", reference={"holds": "counts"})
    create_or_check(store, record, outcomes.samples)
    put_plan(store, outcomes.plans[0])
    put_counts(store, outcomes.counts)
    program = """
import os, sys
import pyarrow.dataset, pyarrow.parquet, pandas
from lpa.outcomes.overview import overview

def running():
    tasks = "/proc/self/task"
    names = [open(f"{tasks}/{task}/comm").read().strip() for task in os.listdir(tasks)]
    return sorted(name for name in names if name != "jemalloc_bg_thd")

before = running()
str(overview(sys.argv[1]))
assert running() == before, (before, running())
if len(sys.argv) > 2:
    pyarrow.parquet.read_table(sys.argv[2])
    assert len(running()) > len(before)  # what is counted can be seen
"""
    for arguments in (
        [str(tmp_path / "run"), str(tmp_path / "run" / "samples.parquet")],
        [str(tmp_path / "counts")],
    ):
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_an_import_whose_counts_are_empty_is_shown_as_such(tmp_path: Path) -> None:
    file = tmp_path / "counts.csv"
    file.write_text("class,value,replicate,correct,n\ncat,1,0,3,5\ncat,.5,0,2,5\n")
    import_results(file, tmp_path / "run", model="m", axis="crop")
    (name,) = Store(tmp_path / "run").list("counts")
    table = pq.read_table(tmp_path / "run" / name)
    pq.write_table(table.slice(0, 0), tmp_path / "run" / name)
    assert "nothing is stored yet" in str(overview(tmp_path / "run"))
