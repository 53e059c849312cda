from __future__ import annotations

import json
from pathlib import Path

import pytest
from synthetic import CROP, CUTOUT, write_run

from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.runs.choices import chosen_part, class_groups, omissions, placed

EXPECTED = 'expected {"class": "group", ...}, {"group": ["class", ...]}, or CSV lines "class,group"'


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    return Outcomes(write_run(tmp_path_factory.mktemp("runs") / "run", pictures=False))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", json.dumps({"barn spider": "s", "n1": "s", "canoe": "b"})),
        ("b.json", json.dumps({"s": ["n0", "Garden_Spider"], "b": ["n2"]})),
        ("c.csv", "class,group\nn0,s\nn1,s\ncanoe,b\n"),
        ("d.csv", "\ufeffgroup,class,note\ns,n0,\ns,garden spider,x\nb,n2,\n"),
    ],
)
def test_groups_are_read_in_either_direction(
    outcomes: Outcomes, tmp_path: Path, name: str, text: str
) -> None:
    file = tmp_path / name
    file.write_text(text)
    notes: list[str] = []
    assert class_groups(outcomes, file, notes) == {"s": [0, 1], "b": [2]}
    assert notes == ["groups: 1 of 4 classes are in no group and are left out; the first is 'n3'"]


def test_a_class_may_be_in_several_groups(outcomes: Outcomes) -> None:
    groups = {"water": ["canoe", "paddle"], "wood": ["paddle"], "legs": ["n0", "n1"]}
    assert class_groups(outcomes, groups, []) == {"water": [2, 3], "wood": [3], "legs": [0, 1]}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nonsense\n", "are no groups ('group')"),
        ("{", "are no groups (Expecting property name enclosed in double quotes: line 1 column 2 "
              "(char 1))"),
    ],
)  # fmt: skip
def test_another_file_is_no_group(
    outcomes: Outcomes, tmp_path: Path, text: str, reason: str
) -> None:
    file = tmp_path / "groups"
    file.write_text(text + ("x\n" if text[0] == "n" else ""))
    with pytest.raises(InputError) as caught:
        class_groups(outcomes, file, [])
    assert str(caught.value) == f"groups {str(file)!r} {reason}; {EXPECTED}"


def test_a_file_that_is_not_there_and_foreign_classes_are_refused(
    outcomes: Outcomes, tmp_path: Path
) -> None:
    file = tmp_path / "groups.csv"
    with pytest.raises(InputError) as caught:
        class_groups(outcomes, file, [])
    assert str(caught.value) == (
        f"groups {str(file)!r} cannot be read (No such file or directory); {EXPECTED}"
    )
    with pytest.raises(InputError) as caught:
        class_groups(outcomes, {"zebra": "animals", "lion": "animals"}, [])
    assert str(caught.value) == (
        "none of the 2 classes in the groups is a class of the run, such as 'n0'; " + EXPECTED
    )
    with pytest.raises(InputError) as caught:
        class_groups(outcomes, {"canoe": 3}, [])
    assert str(caught.value) == f"groups: 'canoe' has 3; {EXPECTED}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("crop=1,.5", ("crop", [1.0, 0.5])),
        ("1,.5", (None, [1.0, 0.5])),
        ("crop(place=centre)=.3", ("crop(place=centre)", [0.3])),
        (" = 1e-5", (None, [1e-5])),
    ],
)
def test_values_are_read_with_or_without_their_axis(
    text: str, expected: tuple[str | None, list[float]]
) -> None:
    assert placed(text) == expected


def test_unfinished_cells_are_stated(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", missing=[(0, 1), (0, 3)], pictures=False)
    assert omissions(chosen_part(Outcomes(folder))) == [
        "2 of 42 cells are unfinished and left out; the first is first at crop=0.8 with 32 of 48 "
        "images",
    ]


def test_models_with_other_values_are_stated(tmp_path: Path) -> None:
    cutout = list(range(13, 17))
    folder = write_run(tmp_path / "run", shard_size=48, missing=[(0, row) for row in cutout],
                       pictures=False)  # fmt: skip
    part = chosen_part(Outcomes(folder))
    assert omissions(part)[-1] == (
        "cutout: models have different values (first: 3; second: 5); mean losses and ranks are "
        "comparable only between equal ones"
    )
    assert omissions(chosen_part(Outcomes(folder), "second")) == []


def test_a_run_that_has_nothing_yet_is_one_line(tmp_path: Path) -> None:
    axes = {CROP: (1.0, 0.5), CUTOUT: (0.0, 0.5)}
    folder = write_run(tmp_path / "run", axes=axes, shard_size=48, draws=1,
                       missing=[(0, row) for row in range(6)], pictures=False)  # fmt: skip
    with pytest.raises(InputError) as caught:
        chosen_part(Outcomes(folder))
    assert str(caught.value) == (
        f"{folder} has no complete cell yet; run the same command as before to go on"
    )
