"""Axes: order, check of values, and the way through JSON."""

from __future__ import annotations

import itertools
import json
import math

import pytest

from lpa.axes import Axis, format_value
from lpa.errors import InputError

CROP = Axis(
    "crop", "fraction kept", 1.0, "down", minimum=0.001, maximum=1.0, grid=(1, 0.5, 0.1, 0.05)
)
BLUR = Axis("blur", "pixels", 0.0, "up", "log", minimum=0.0)


def test_values_come_back_from_weak_to_strong_whatever_their_order() -> None:
    for order in itertools.permutations((1.0, 0.5, 0.08)):
        assert CROP.check(order) == (1.0, 0.5, 0.08)
    assert BLUR.check([4, 1, 2]) == (0.0, 1.0, 2.0, 4.0)


def test_the_reference_is_added_once() -> None:
    assert CROP.check([0.5]) == (1.0, 0.5)
    assert CROP.check([0.5, 1]) == (1.0, 0.5)
    assert BLUR.check([-0.0, 1]) == (0.0, 1.0)


def test_checked_values_are_floats_since_they_enter_a_hash() -> None:
    assert [type(value) for value in BLUR.check([1, 2])] == [float] * 3
    assert all(type(value) is float for value in CROP.grid)


def test_strength_grows_from_zero_at_the_reference() -> None:
    assert [CROP.strength(value) for value in (1.0, 0.75, 0.5)] == [0.0, 0.25, 0.5]
    assert [BLUR.strength(value) for value in (0.0, 2.0)] == [0.0, 2.0]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (
            [1.5],
            "crop: value 1.5 is out of range; expected 0.001 to 1 (fraction kept, identity 1)",
        ),
        ([0], "crop: value 0 is out of range; expected 0.001 to 1 (fraction kept, identity 1)"),
        (
            [math.nan],
            "crop: value nan is out of range; expected 0.001 to 1 (fraction kept, identity 1)",
        ),
        ([0.5, 0.2, 0.50], "crop: value 0.5 is given twice; give each once"),
        ([1, 1.0], "crop: value 1 is given twice; give each once"),
        (
            [1],
            "crop: no value beside the identity 1; give at least one more, e.g. crop=1,0.5,0.1",
        ),
        ([], "crop: no value beside the identity 1; give at least one more, e.g. crop=1,0.5,0.1"),
    ],
)
def test_values_that_cannot_be_are_refused(values: list[float], text: str) -> None:
    with pytest.raises(InputError) as caught:
        CROP.check(values)
    assert str(caught.value) == text


def test_an_infinite_value_is_refused_on_an_axis_without_end() -> None:
    with pytest.raises(InputError) as caught:
        BLUR.check([math.inf])
    assert str(caught.value) == (
        "blur: value inf is out of range; expected 0 to inf (pixels, identity 0)"
    )


@pytest.mark.parametrize("axis", [CROP, BLUR, Axis("a", "u", 0.0, monotone=False)])
def test_an_axis_survives_strict_json(axis: Axis) -> None:
    text = json.dumps(axis.to_dict(), allow_nan=False)
    assert Axis.from_dict(json.loads(text)) == axis


def test_a_renamed_axis_differs_in_its_name_alone() -> None:
    named = CROP.renamed("crop(place=centre)")
    assert named.name == "crop(place=centre)"
    assert named.renamed("crop") == CROP


@pytest.mark.parametrize(
    ("value", "text"), [(0.08, "0.08"), (1.0, "1"), (1e-5, "1e-05"), (0.1 + 0.2, "0.3"), (90, "90")]
)
def test_a_value_is_written_as_people_type_it(value: float, text: str) -> None:
    assert format_value(value) == text
