"""What makes an experiment's workers on other machines, and what it refuses there."""

from __future__ import annotations

import pickle
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch

from lpa.engines import Place
from lpa.errors import InputError
from lpa.experiments.crews import CellCrew, ScanCrew, settle
from lpa.experiments.machine import versions
from lpa.experiments.preparation import prepare
from lpa.experiments.progress import Progress
from lpa.experiments.sweep_preparation import prepare_sweep
from lpa.outcomes import Store, StoredUnits

QUIET = Progress(0, "images", "", enabled=False)


def scan(tmp_path: Path, **asked: Any) -> ScanCrew:
    data = tmp_path / "photos"
    if not data.exists():
        tiny.folder(data)
    task = prepare(
        models="tiny:first,tiny:second", data=str(data), aug="crop=1,.5", out=tmp_path / "run",
        progress=False, device="cpu", **asked,
    )  # fmt: skip
    return ScanCrew(task, threading.Event(), QUIET)


def sweep(tmp_path: Path, stack: int = 1) -> CellCrew:
    task = prepare_sweep(
        values="1,.3", seeds=2, limit=100, recipe={"epochs": 1}, stack=stack, device="cpu",
        out=tmp_path / "run", progress=False,
    )  # fmt: skip
    return CellCrew(task, threading.Event(), QUIET)


def place(tmp_path: Path, ticks: list[int] | None = None) -> Place:
    count = (lambda images: None) if ticks is None else ticks.append
    return Place(Store(tmp_path / "there"), "cpu", 1, threading.Event(), count)


def sent(maker: Any) -> Any:
    return pickle.loads(pickle.dumps(maker))


def test_a_worker_made_from_what_is_sent_stores_what_the_plan_asks_for_in_its_own_store(
    tmp_path: Path,
) -> None:
    for number, crew in enumerate((scan(tmp_path / "a"), sweep(tmp_path / "b"))):
        ticks: list[int] = []
        folder = tmp_path / str(number)
        worker = sent(crew.maker())(place(folder, ticks))
        unit = crew.task.units[0]
        worker.prefetch(unit)
        summary = worker(unit)
        assert summary.failures == []
        (stored,) = StoredUnits(Store(folder / "there")).units
        assert stored.cells == unit.cells
        assert not crew.store.entries()
        assert sum(ticks) > 0


def test_what_is_stored_of_a_lost_unit_is_not_done_again(tmp_path: Path) -> None:
    first = scan(tmp_path).task
    first.run()
    longer = scan(tmp_path, draws=3)
    # As a worker has it that was lost after it had stored the first draw.
    unit = first.cells()
    whole = type(longer.task.units[0])(0, (*unit, *longer.task.units[0].cells))
    left = longer.unfinished(whole)
    assert left is not None
    assert left.cells == longer.task.units[0].cells
    assert longer.unfinished(type(whole)(0, tuple(unit))) is None


def test_a_unit_that_is_given_up_is_recorded_for_every_cell(tmp_path: Path) -> None:
    crew = sweep(tmp_path, stack=2)
    unit = crew.task.units[0]
    assert len(unit.cells) == 2
    summary = crew.named(crew.lost(unit, "3 workers were lost at it"), "gpu07 (10.0.0.7)")
    assert summary.failures == [
        (f"small_cnn random_crop=1 seed {n}", "3 workers were lost at it [on gpu07 (10.0.0.7)]")
        for n in range(2)
    ]
    assert len(crew.store.list("failures")) == 2
    one = scan(tmp_path / "scan")
    assert one.lost(one.task.units[0], "why").failures == [("unit", "why")]
    assert len(one.store.list("failures")) == 1


def test_a_machine_without_the_images_is_refused_before_it_gets_work(tmp_path: Path) -> None:
    maker = sent(scan(tmp_path).maker())
    shutil.rmtree(tmp_path / "photos")
    with pytest.raises(InputError) as caught:
        maker(place(tmp_path))
    file = tmp_path / "photos" / "eight" / "000.png"
    assert str(caught.value) == (
        f"{tmp_path / 'photos'} cannot be read there ([Errno 2] No such file or directory: "
        f"'{file}'); expected the data at the same path on every machine"
    )


def test_a_machine_with_another_version_is_refused_and_threads_are_its_own(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    here = place(tmp_path)
    with pytest.raises(InputError) as caught:
        settle(here, versions() | {"torch": "1.0"})
    assert str(caught.value) == (
        f"torch {versions()['torch']} is installed there; expected 1.0, as here"
    )
    try:
        settle(Place(here.store, "cpu", 2, here.stop, here.tick), versions())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_the_weights_of_a_worker_are_those_of_all_that_it_holds_at_once(tmp_path: Path) -> None:
    # Of a convolution 3 x 6 x 3 x 3 and a layer 384 x 10 with their biases, in float32.
    each = 4 * (6 * 27 + 6 + 3840 + 10)
    assert scan(tmp_path / "scan").weight_bytes() == 2 * each
    one, two = (sweep(tmp_path / str(n), stack=n).weight_bytes() for n in (1, 2))
    assert two == 2 * one > 4 * 10_000
