"""Whatever is typed as a path, a question about it has an answer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lpa.class_files import read_classes_file
from lpa.datasets import open_data
from lpa.errors import InputError
from lpa.models.kept_models import find_kept
from lpa.models.specs import parse_models
from lpa.user_paths import exists, is_file, is_folder, user_path


def test_the_home_of_a_user_who_has_one_stands_for_the_sign(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert user_path("~/data") == Path("/home/me/data")
    assert user_path("~no-such-user/data") == Path("~no-such-user/data")


@pytest.mark.parametrize("text", ["x" * 5000, "a\0b", "gone"])
def test_nothing_is_called_by_a_name_that_no_file_can_have(text: str) -> None:
    assert not exists(Path(text)) and not is_file(Path(text)) and not is_folder(Path(text))


def test_a_pipe_is_there_and_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert exists(tmp_path / "pipe") and not is_file(tmp_path / "pipe")


@pytest.mark.parametrize("text", ["~no-such-user/x", f"{'x' * 5000}/y"])
def test_odd_paths_are_refused_in_one_line_wherever_they_are_typed(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lpa.datasets.from_hub._reachable", lambda: False)
    for read in (open_data, find_kept, read_classes_file, lambda name: open_data(f"hub:{name}")):
        with pytest.raises(InputError):
            read(text)
    assert [spec.text for spec in parse_models(f"resnet18@{text}")] == [f"resnet18@{text}"]
