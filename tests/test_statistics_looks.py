from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from trained_runs import TAU, write_sweep

from lpa.outcomes import Outcomes, Store, put_plan
from lpa.runs import open_run
from lpa.statistics.looks import additions, looks_note

ACCURACIES = {1.0: [0.9] * 12, 0.5: [0.5] * 12}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sweep(tmp_path_factory.mktemp("runs") / "sweep", ACCURACIES)


def planned(
    folder: Path, created: str, values: list[float], draws: int, model: str = "rn50"
) -> None:
    put_plan(Store(folder), {
        "command": "lpa train-sweep", "created": created, "models": {model: {}},
        "axes": [{"axis": TAU.to_dict(), "values": values, "draws": draws}],
    })  # fmt: skip


def test_seeds_and_values_added_later_are_counted(sweep: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    shutil.copytree(sweep, folder)
    assert additions(Outcomes(folder)) == 0
    planned(folder, "2026-02-01", [1.0, 0.5], 6)
    planned(folder, "2026-02-02", [1.0, 0.5], 4)
    planned(folder, "2026-02-03", [1.0, 0.5], 3, model="vit")
    assert additions(Outcomes(folder)) == 0
    planned(folder, "2026-02-04", [1.0, 0.5], 10)
    planned(folder, "2026-02-05", [1.0, 0.3], 4)
    assert additions(Outcomes(folder)) == 2


def test_more_additions_than_looks_are_noted_where_trainings_are_tested(
    sweep: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "sweep"
    shutil.copytree(sweep, folder)
    planned(folder, "2026-02-01", [1.0, 0.5], 10)
    run = open_run(folder)
    note = (
        "sweep: seeds or values were added once after the first trainings; if results were looked "
        "at in between, the levels hold with lpa test --looks 2"
    )
    assert note in run.test().attrs["notes"]
    assert note in run.test(by_class=True).attrs["notes"]
    assert note not in run.test(looks=2).attrs["notes"]
    assert run.test(by_class=True, looks=2).attrs["notes"] == [
        "2 looks: hold p-values against a level divided by 2"
    ]
    planned(folder, "2026-02-02", [1.0, 0.5], 20)
    assert "added 2 times" in looks_note("sweep", Outcomes(folder), 2)[0]
    assert looks_note("sweep", Outcomes(folder), 3) == []


def test_a_run_trained_at_once_has_no_note(sweep: Path) -> None:
    assert looks_note("sweep", Outcomes(sweep), 1) == []
