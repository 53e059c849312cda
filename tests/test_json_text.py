"""JSON as its standard has it; everything else is a ValueError."""

from __future__ import annotations

import pytest

from lpa.json_text import read_json


def test_values_are_read_from_text_and_from_utf_8() -> None:
    assert read_json('{"a": [1, 2.5, null, "\\u00e9"]}') == {"a": [1, 2.5, None, "é"]}
    assert read_json('"é \\ud83d\\ude00"'.encode()) == "é 😀"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("NaN", "NaN is no number of JSON"),
        ('{"a": -Infinity}', "-Infinity is no number of JSON"),
        ("[" * 100_000, "it is nested too deep"),
        ('{"a":' * 100_000, "it is nested too deep"),
        ('["\\uD83D"]', "a text holds half of a surrogate pair"),
    ],
)
def test_what_the_standard_does_not_have_is_refused(text: str, reason: str) -> None:
    for form in (text, text.encode()):
        with pytest.raises(ValueError) as caught:
            read_json(form)
        assert str(caught.value) == reason


@pytest.mark.parametrize("data", [b"\xff\xfe", b"{", b"", b"1" * 5000])
def test_what_is_no_json_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        read_json(data)
