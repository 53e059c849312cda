from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from synthetic import CROP, CUTOUT, write_run

from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.report.omissions import shared_classes
from lpa.report.sources import Sources


def test_classes_are_matched_by_name_whatever_their_order(tmp_path: Path) -> None:
    first = write_run(tmp_path / "a", names=("n0", "n1"), titles=("x", "y"), per_class=[3, 4],
                      pictures=False)  # fmt: skip
    second = write_run(tmp_path / "b", names=("n2", "n1"), titles=("z", "y"), per_class=[5, 6],
                       pictures=False)  # fmt: skip
    sources = Sources([Outcomes(first), Outcomes(second)])
    assert sources.classes == [("n0", "x"), ("n1", "y"), ("n2", "z")]
    assert sources.sizes.tolist() == [[3, 4, 0], [0, 6, 5]]
    assert [at.tolist() for at in sources.positions] == [[0, 1], [2, 1]]
    assert sources.models == ["first · a", "second · a", "first · b", "second · b"]
    assert shared_classes(sources) == ["a and b share 1 of 3 classes; the others have gaps."]


def test_one_run_keeps_its_own_names(tmp_path: Path) -> None:
    sources = Sources([Outcomes(write_run(tmp_path / "a", pictures=False))])
    assert sources.models == ["first", "second"] and sources.axes == ["crop", "cutout"]
    assert sources.say(lambda run: ["sentence"]) == ["sentence"]
    assert shared_classes(sources) == []


def test_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / place / "run", pictures=False) for place in ("a", "b")]
    sources = Sources([Outcomes(run) for run in runs])
    assert [run.name for run in sources.runs] == ["run 1", "run 2"]
    assert sources.say(lambda run: ["sentence"]) == ["run 1: sentence", "run 2: sentence"]


def test_axes_of_one_name_and_different_meaning_stand_apart(tmp_path: Path) -> None:
    other = dataclasses.replace(CROP, unit="side length")
    first = write_run(tmp_path / "a", axes={CROP: (1.0, 0.5)}, pictures=False)
    second = write_run(tmp_path / "b", axes={other: (1.0, 0.5), CUTOUT: (0.0, 0.5)},
                       pictures=False)  # fmt: skip
    sources = Sources([Outcomes(first), Outcomes(second)])
    assert sources.axes == ["crop", "crop (b)", "cutout"]
    assert sources.runs[1].axes == {"crop": "crop (b)", "cutout": "cutout"}


def test_a_run_without_results_beside_another_is_named(tmp_path: Path) -> None:
    first = write_run(tmp_path / "a", pictures=False)
    empty = write_run(tmp_path / "b", pictures=False)
    for unit in (empty / "units").iterdir():
        unit.unlink()
    with pytest.raises(InputError) as caught:
        Sources([Outcomes(first), Outcomes(empty)])
    assert str(caught.value) == (
        f"{empty} has no complete cell to report; run the same command again to go on"
    )
