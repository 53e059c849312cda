from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate

from lpa.axes import Axis
from lpa.errors import InputError
from lpa.statistics.positions import axis_positions, trapezoid_weights, values_at

CROP = Axis("crop", "fraction", 1.0, "down")
DECAY = Axis("weight_decay", "", 0.0, "up", "log")
QUALITY = Axis("jpeg", "quality", 100.0, "down", "log")


@pytest.mark.parametrize(
    ("axis", "values"),
    [
        (CROP, [1.0, 0.8, 0.3, 0.08]),
        (QUALITY, [100.0, 50.0, 10.0, 1.0]),
        (Axis("blur", "sigma", 1.0, "up", "log"), [1.0, 2.0, 8.0]),
        (Axis("erase", "", 0.0, "up"), [0.0, 0.5]),
    ],
)
def test_weights_are_those_of_scipys_trapezoid_over_the_length(
    axis: Axis, values: list[float]
) -> None:
    weights = trapezoid_weights(axis, values)
    place = np.log(values) if axis.scale == "log" else np.array(values)
    for curve in np.random.default_rng(0).normal(size=(5, len(values))):
        expected = integrate.trapezoid(curve, place) / (place[-1] - place[0])
        assert weights @ curve == pytest.approx(expected)
    assert weights.sum() == pytest.approx(1.0) and (weights > 0).all()


def test_equal_steps_give_half_weights_to_the_ends() -> None:
    weights = trapezoid_weights(CROP, [1.0, 0.75, 0.5, 0.25, 0.0])
    np.testing.assert_allclose(weights, [0.125, 0.25, 0.25, 0.25, 0.125])


@pytest.mark.parametrize(
    ("axis", "values"),
    [(CROP, [1.0, 0.6, 0.1]), (QUALITY, [100.0, 9.0]), (DECAY, [0.0, 1e-5, 1e-3])],
)
def test_positions_grow_with_strength_and_lead_back(axis: Axis, values: list[float]) -> None:
    positions = axis_positions(axis, values)
    assert (np.diff(positions) > 0).all()
    back = values_at(axis, positions)
    np.testing.assert_allclose(back[1:], values[1:])
    if values[0] != 0:
        assert back[0] == pytest.approx(values[0])


def test_a_reference_of_none_on_a_logarithmic_axis_lies_one_step_before_the_weakest() -> None:
    np.testing.assert_allclose(
        np.diff(axis_positions(DECAY, [0.0, 1e-5, 1e-3, 1e-2])), np.log([100.0, 100.0, 10.0])
    )
    np.testing.assert_allclose(np.diff(axis_positions(DECAY, [0.0, 1e-4])), np.log([10.0]))


def test_the_middle_of_two_values_on_a_logarithmic_axis_is_their_geometric_mean() -> None:
    positions = axis_positions(QUALITY, [100.0, 4.0])
    assert values_at(QUALITY, positions.mean()) == pytest.approx(20.0)


def test_a_value_without_a_logarithm_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        axis_positions(DECAY, [0.0, 1e-4, -1.0])
    assert str(caught.value) == (
        "weight_decay: value -1 has no place on a logarithmic axis; expected values above 0 "
        "beside a reference of 0: leave it out, or declare the axis linear"
    )


def test_a_single_value_has_all_the_weight() -> None:
    assert trapezoid_weights(CROP, [1.0]).tolist() == [1.0]
