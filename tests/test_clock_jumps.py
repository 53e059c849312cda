"""A clock that jumps changes when things are said to have happened, and nothing else."""

from __future__ import annotations

import datetime
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tiny

import lpa
from lpa.outcomes import stored_units
from lpa.outcomes.stored_units import INDEX

DAY = 86_400


class Clock:
    """What the system's clock says, which jumps by years at every question."""

    def __init__(self) -> None:
        self.asked = 0

    def seconds(self) -> float:
        self.asked += 1
        years = (40, -30, 0, 70, -1)[self.asked % 5]
        return 1_795_000_000.0 + years * 365 * DAY


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    jumping = Clock()

    class Jumping(datetime.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime.datetime:
            return datetime.datetime.fromtimestamp(jumping.seconds(), tz)

    module = type("module", (), {"datetime": Jumping, "UTC": datetime.UTC})
    for name in ("scan_task", "cell_task"):
        monkeypatch.setattr(f"lpa.experiments.{name}.datetime", module)
    monkeypatch.setattr(time, "time", jumping.seconds)
    yield jumping
    assert jumping.asked


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.folder(tmp_path_factory.mktemp("data") / "digits", 7)  # 70 images: two shards


def scan(data: Path, out: Path, aug: dict[str, list[float]], **changes: Any) -> lpa.Run:
    asked = {"aug": aug, "progress": False, "workers": 1, "device": "cpu", "images": False}
    return lpa.scan(models={"a": tiny.first()}, data=data, out=out, **(asked | changes))


def exported(run: lpa.Run, folder: Path) -> bytes:
    return run.export(folder / "outcomes.parquet").read_bytes()


def touch_at_odd_times(folder: Path, clock: Clock) -> None:
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            os.utime(file, (clock.seconds(), clock.seconds()))


def test_a_scan_in_parts_under_a_jumping_clock_is_the_whole_scan(
    data: Path, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_units, "FEWEST", 1)
    out, crop, cutout = tmp_path / "run", {"crop": [1, 0.5]}, {"cutout": [0, 0.3]}
    for part in (
        {"aug": crop, "shard": (1, 2)}, {"aug": cutout}, {"aug": crop, "shard": (2, 2)},
        {"aug": {**crop, **cutout}, "draws": 2},
    ):  # fmt: skip
        run = scan(data, out, **part)
        touch_at_odd_times(out, clock)
    assert (out / INDEX).exists()
    whole = scan(data, tmp_path / "whole", {**crop, **cutout}, draws=2)
    assert exported(run, tmp_path) == exported(whole, tmp_path)
    cells = [(unit.shard, cell.id) for unit in run.outcomes.units for cell in unit.cells]
    assert len(cells) == len(set(cells)) == 2 * (1 + 2 * 2)
    # Whatever order the plans are said to be made in, the numbers are the same.
    before = run.curves(), run.rank(axes="crop"), exported(run, tmp_path)
    for number, file in enumerate(sorted((out / "plans").iterdir(), reverse=True)):
        plan = json.loads(file.read_text())
        file.write_text(json.dumps({**plan, "created": f"{2040 - number}-01-01T00:00:00+00:00"}))
    again = lpa.open(out)
    assert again.curves().equals(before[0])
    assert again.rank(axes="crop").equals(before[1])
    assert exported(again, tmp_path) == before[2]
    names = [unit.name for unit in run.outcomes.units]
    repeated = scan(data, out, {**crop, **cutout}, draws=2)
    assert [unit.name for unit in repeated.outcomes.units] == names


def test_a_sweep_in_parts_under_a_jumping_clock_is_the_whole_sweep(
    tmp_path: Path, clock: Clock
) -> None:
    asked = {
        "data": "digits", "values": [1, 0.3], "limit": 100, "recipe": {"epochs": 1}, "workers": 1,
        "progress": False, "device": "cpu", "stack": 1,
    }  # fmt: skip
    out = tmp_path / "run"
    for part in ({"seeds": 1}, {"seeds": 2, "shard": (2, 2)}, {"seeds": 2}):
        run = lpa.train_sweep(out=out, **asked, **part)
        touch_at_odd_times(out, clock)
    whole = lpa.train_sweep(out=tmp_path / "whole", seeds=2, **asked)
    assert exported(run, tmp_path) == exported(whole, tmp_path)
    assert len(run.outcomes.units) == 4
