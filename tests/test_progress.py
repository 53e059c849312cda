"""Progress on standard error."""

from __future__ import annotations

import io
import sys
import threading

import pytest

from lpa.experiments import progress
from lpa.experiments.progress import Progress, duration


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(progress.time, "monotonic", lambda: self.now)


def test_plain_lines_say_how_much_how_fast_and_how_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch)
    with Progress(1000, "images", "scan") as counter:
        for _ in range(4):
            clock.now += 5
            counter.tick(50)
        assert capsys.readouterr().err == (
            "scan: 150 of 1000 images (15 %), 10.0 images/s, 85 s left\n"
        )
        clock.now += 80
        counter.tick(800)
    captured = capsys.readouterr()
    assert captured.err == "scan: 1000 of 1000 images (100 %), 10.0 images/s\n"
    assert captured.out == ""


def test_lines_are_seconds_apart(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch)
    with Progress(10_000, "images", "scan") as counter:
        for _ in range(100):
            clock.now += 1
            counter.tick(1)
        assert len(capsys.readouterr().err.splitlines()) == int(100 / progress.LINE_SECONDS)


def test_what_stopped_early_still_says_how_far_it_came(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch)
    with pytest.raises(KeyError), Progress(100, "files", "reading") as counter:
        clock.now += 2
        counter.tick(20)
        raise KeyError
    assert capsys.readouterr().err == ("reading: 20 of 100 files (20 %), 10.0 files/s, 8 s left\n")


@pytest.mark.parametrize(("total", "enabled"), [(10, False), (0, True)])
def test_silence_where_it_is_asked_for_or_nothing_is_to_do(
    total: int, enabled: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress(total, "images", "scan", enabled) as counter:
        counter.tick(total)
        counter.note("a note")
        assert counter.done == total
    assert capsys.readouterr().err == ""


def test_no_tick_is_lost_among_threads() -> None:
    counter = Progress(80_000, "images", "scan", enabled=False)
    threads = [
        threading.Thread(target=lambda: [counter.tick(1) for _ in range(10_000)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.done == 80_000


def test_a_terminal_gets_a_bar_and_notes_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress(100, "images", "scan") as counter:
        counter.tick(60)
        counter.note("failed: one in unit 3")
        counter.tick(40)
    text = terminal.getvalue()
    assert "100/100" in text
    assert "failed: one in unit 3\n" in text
    assert "\r" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (89, "89 s"),
        (90, "2 min"),
        (3600, "60 min"),
        (5400, "1 h 30 min"),
        (12_010, "3 h 20 min"),
    ],
)
def test_a_duration_is_written_as_people_say_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text
