"""Every engine: every unit once. The one in this process: ahead in reading, stopping when asked."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import pytest
from crews import crew

from lpa.engines import ENGINES, engine_named
from lpa.engines.in_process import run_units
from lpa.errors import InputError


class Recorder:
    """A worker that writes down what it is asked to do."""

    def __init__(self, log: list[tuple[str, int]], stop_at: int | None = None) -> None:
        self.log = log
        self.stop_at = stop_at
        self.stop = threading.Event()
        self.fail_at: int | None = None

    def prefetch(self, unit: int) -> None:
        self.log.append(("prefetch", unit))

    def __call__(self, unit: int) -> str:
        self.log.append(("begin", unit))
        if unit == self.stop_at:
            self.stop.set()
        if unit == self.fail_at:
            raise RuntimeError(f"unit {unit} broke")
        self.log.append(("end", unit))
        return f"done {unit}"


def begun(log: list[tuple[str, int]]) -> list[int]:
    return [unit for what, unit in log if what == "begin"]


def test_one_worker_takes_the_units_in_order_and_reads_one_ahead() -> None:
    log: list[tuple[str, int]] = []
    results = run_units([3, 1, 2], [Recorder(log)], threading.Event())
    assert list(results) == ["done 3", "done 1", "done 2"]
    assert begun(log) == [3, 1, 2]
    assert log.index(("prefetch", 1)) < log.index(("begin", 3))
    assert log.index(("prefetch", 2)) < log.index(("begin", 1))


def test_one_worker_runs_in_the_calling_thread() -> None:
    seen: list[int] = []

    class Where(Recorder):
        def __call__(self, unit: int) -> str:
            seen.append(threading.get_ident())
            return ""

    list(run_units([1, 2], [Where([])], threading.Event()))
    assert set(seen) == {threading.get_ident()}


@pytest.mark.parametrize("count", [2, 5])
def test_several_workers_do_every_unit_once(count: int) -> None:
    log: list[tuple[str, int]] = []
    workers = [Recorder(log) for _ in range(count)]
    results = list(run_units(range(40), workers, threading.Event()))
    assert sorted(results) == sorted(f"done {unit}" for unit in range(40))
    assert Counter(begun(log)) == Counter(range(40))


def test_several_workers_work_at_the_same_time() -> None:
    together = threading.Barrier(3, timeout=20)

    class Waiting(Recorder):
        def __call__(self, unit: int) -> str:
            together.wait()  # Breaks, and raises, unless all three are here.
            return "met"

    workers = [Waiting([]) for _ in range(3)]
    assert list(run_units(range(3), workers, threading.Event())) == ["met"] * 3


def test_no_units_are_no_work() -> None:
    for count in (1, 3):
        workers = [Recorder([]) for _ in range(count)]
        assert list(run_units([], workers, threading.Event())) == []


@pytest.mark.parametrize("count", [1, 3])
def test_nothing_is_begun_once_stopping_is_asked_for(count: int) -> None:
    log: list[tuple[str, int]] = []
    stop = threading.Event()
    workers = [Recorder(log, stop_at=0) for _ in range(count)]
    for worker in workers:
        worker.stop = stop
    results = list(run_units(range(100), workers, stop))
    # Each worker ends the unit that it is at; what was begun is reported.
    assert len(results) == len(begun(log))
    assert "done 0" in results
    assert len(begun(log)) < 100


@pytest.mark.parametrize("count", [1, 3])
def test_what_a_worker_raises_comes_to_the_caller(count: int) -> None:
    log: list[tuple[str, int]] = []
    workers = [Recorder(log) for _ in range(count)]
    for worker in workers:
        worker.fail_at = 4
    with pytest.raises(RuntimeError, match="unit 4 broke"):
        list(run_units(range(1000), workers, threading.Event()))
    ended = [unit for what, unit in log if what == "end"]
    assert 4 not in ended
    before = threading.active_count()
    assert len(begun(log)) < 1000
    assert threading.active_count() == before


def test_closing_the_results_ends_the_workers() -> None:
    log: list[tuple[str, int]] = []
    threads = threading.active_count()
    results = run_units(range(100_000), [Recorder(log), Recorder(log)], threading.Event())
    next(results)
    results.close()
    assert threading.active_count() == threads
    assert len(begun(log)) < 100_000


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_does_every_unit_once_and_puts_it_into_the_store(
    name: str, tmp_path: Path
) -> None:
    if name != "local":
        pytest.importorskip(name)
    work = crew(tmp_path / "store")
    with engine_named(name) as engine:
        engine.device("cpu")
        units = [("square", number) for number in range(12)]
        found = list(engine.run(units, work, threading.Event()))
        assert list(engine.run([], work, threading.Event())) == []
    assert sorted(found) == [n * n for n in range(12)]
    assert work.ticks == 12
    assert {work.store.get(name) for name in work.store.list("units")} == {
        str(n * n).encode() for n in range(12)
    }


@pytest.mark.parametrize("name", ENGINES)
def test_no_engine_begins_a_unit_once_it_is_stopped(name: str, tmp_path: Path) -> None:
    if name != "local":
        pytest.importorskip(name)
    stop = threading.Event()
    stop.set()
    with engine_named(name) as engine:
        engine.device("cpu")
        assert list(engine.run([("square", 2)], crew(tmp_path), stop)) == []
    assert not (tmp_path / "units").exists()


def test_an_engine_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InputError) as caught:
        engine_named("slurm")
    assert str(caught.value) == "unknown engine 'slurm': known: local, ray"
