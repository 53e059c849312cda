"""The answer to a wrong name."""

from __future__ import annotations

import pytest

from lpa.errors import InputError, unknown

MANY = [f"resnet{depth}" for depth in range(18, 40)]


@pytest.mark.parametrize(
    ("name", "known", "hint", "text"),
    [
        ("crpo", ["crop", "cutout"], "", "unknown thing 'crpo': did you mean 'crop'?"),
        ("CROP", ["crop", "cutout"], "", "unknown thing 'CROP': did you mean 'crop'?"),
        ("zzz", ["b", "a"], "", "unknown thing 'zzz': known: a, b"),
        ("zzz", MANY, "see there", "unknown thing 'zzz': 22 are known (see there)"),
        (
            "ViT_S",
            ["vit_t", "VIT_s"],
            "",
            "unknown thing 'ViT_S': did you mean 'VIT_s' or 'vit_t'?",
        ),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest_or_all_or_the_number(
    name: str, known: list[str], hint: str, text: str
) -> None:
    error = unknown("thing", name, known, hint)
    assert isinstance(error, InputError)
    assert str(error) == text


def test_at_most_three_names_are_suggested() -> None:
    assert str(unknown("model", "resnet20", MANY)).count("'resnet") == 4  # the name and three


def test_a_name_in_a_message_cannot_move_the_cursor_or_end_the_line() -> None:
    error = InputError("no class 'a\nb\x1b[2J\u202e\ud800' in data/é")
    assert str(error) == r"no class 'a\nb\x1b[2J\u202e\ud800' in data/é"
