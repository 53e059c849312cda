"""Patterns of file names."""

from __future__ import annotations

from pathlib import Path

import pytest

from lpa.errors import InputError
from lpa.importing.files import find_files


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_numbers_in_names_are_read_in_every_spelling(here: Path) -> None:
    touch(here, "p/crop1_s0.csv", "p/crop.5_s12.csv", "p/crop0.08_s1.csv", "p/crop1e-05_s0.csv")
    found = find_files(["p/crop{value}_s{replicate}.csv"], [])
    values = {float(file.fields["value"]): int(file.fields["replicate"]) for file in found}
    assert values == {1.0: 0, 0.5: 12, 0.08: 1, 1e-5: 0}
    assert {file.path for file in found} == {
        "p/crop1_s0.csv", "p/crop.5_s12.csv", "p/crop0.08_s1.csv", "p/crop1e-05_s0.csv"
    }  # fmt: skip


def test_models_and_axes_may_stand_in_folders(here: Path) -> None:
    touch(here, "rn50/jpeg/10.npz", "vit_s/jpeg/10.npz")
    found = find_files(["{model}/{axis}/{value}.npz"], [])
    assert [file.fields for file in found] == [
        {"model": "rn50", "axis": "jpeg", "value": "10"},
        {"model": "vit_s", "axis": "jpeg", "value": "10"},
    ]


def test_a_field_that_stands_twice_is_the_same_twice(here: Path) -> None:
    touch(here, "crop1/crop1.csv", "crop1/crop2.csv")
    notes: list[str] = []
    assert [file.path for file in find_files(["crop{value}/crop{value}.csv"], notes)] == [
        "crop1/crop1.csv"
    ]
    assert notes == [
        "1 files are left out, whose names do not fit 'crop{value}/crop{value}.csv'; the first is "
        "'crop1/crop2.csv'"
    ]


def test_a_file_with_braces_in_its_name_is_itself(here: Path) -> None:
    touch(here, "crop{value}.csv")
    assert find_files(["crop{value}.csv"], [])[0].fields == {}


def test_signs_of_regular_expressions_in_a_pattern_are_plain(here: Path) -> None:
    touch(here, "a+b(1).csv", "aab1.csv")
    assert [file.path for file in find_files(["a+b({value}).csv"], [])] == ["a+b(1).csv"]


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (["none{value}.csv"], "no file fits 'none{value}.csv'; expected files that exist, with "
         "{value} and {replicate} for the numbers in their names"),
        (["crop{value}.csv"], "no file fits 'crop{value}.csv'; 'cropX.csv' does not fit; expected "
         "files that exist, with {value} and {replicate} for the numbers in their names"),
        (["crop{vale}.csv"], "unknown field of a file name 'vale': did you mean 'value'? "
         "(in 'crop{vale}.csv')"),
        (["."], "'.' is a directory; expected files, e.g. './crop{value}_s{replicate}.csv'"),
        (["cropX.csv", "*.csv"], "'cropX.csv' is named twice; name each file once"),
    ],
)  # fmt: skip
def test_what_fits_no_file_is_refused(here: Path, patterns: list[str], message: str) -> None:
    touch(here, "cropX.csv")
    with pytest.raises(InputError) as error:
        find_files(patterns, [])
    assert str(error.value) == message


@pytest.mark.parametrize("name", ["x" * 5000, "~no-such-user/x.csv", "a\0b.csv"])
def test_what_no_file_can_be_called_fits_no_file(name: str) -> None:
    with pytest.raises(InputError, match=r"^no file fits '"):
        find_files([name], [])
