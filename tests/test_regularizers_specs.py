"""How regularizers and their values are typed, and what is said of what cannot be read."""

import numpy as np
import pytest

from lpa.errors import InputError
from lpa.statistics.positions import axis_positions
from lpa.training.regularizers import (
    REGULARIZERS,
    list_regularizers,
    parse_regularizer,
    parse_setting,
    parse_values,
    regularizer_spec,
)

CROP, DECAY = REGULARIZERS["random_crop"][0], REGULARIZERS["weight_decay"][0]


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        ("random_crop", "random_crop"),
        (" random_crop( frame = view ) ", "random_crop"),
        ("random_crop(aspect=8/6)", "random_crop(aspect=4/3)"),
        ("random_crop(frame=image)", "random_crop(frame=image)"),
        ("cutout(place=centre,fill=.50)", "cutout(fill=0.5,place=centre)"),
    ],
)
def test_one_regularizer_has_one_name_however_it_is_typed(typed, canonical):
    assert regularizer_spec(typed).name == canonical
    assert parse_regularizer(typed).axis.name == canonical


def test_values_come_out_from_weak_to_strong_with_the_reference_first():
    assert parse_values(".08,.5", CROP) == (1.0, 0.5, 0.08)
    assert parse_values([0.3, 0.5], CROP) == (1.0, 0.5, 0.3)
    assert parse_values(None, CROP) == (1.0, 0.8, 0.6, 0.4, 0.2, 0.08)


def test_a_range_is_evenly_spaced_on_a_linear_axis():
    values = parse_values("1:.08:8", CROP)
    assert len(values) == 8
    assert np.diff(values) == pytest.approx(-0.92 / 7, abs=1e-11)


def test_a_range_is_evenly_spaced_in_logarithms_on_a_logarithmic_axis():
    assert parse_values("1e-5:1e-2:4,.5", DECAY) == (0.0, 1e-5, 1e-4, 1e-3, 1e-2, 0.5)


def test_the_default_grid_of_weight_decay_has_places_on_its_logarithmic_axis():
    places = axis_positions(DECAY, DECAY.grid)
    assert np.diff(places) == pytest.approx(np.log([3, 3, 10 / 3, 3, 10 / 3, 3]))


def test_a_regularizer_is_held_fixed_at_one_value_which_may_be_its_reference():
    spec, value = parse_setting("random_crop(frame=image)=.08")
    assert (spec.name, value) == ("random_crop(frame=image)", 0.08)
    assert parse_setting("dropout = 0")[1] == 0.0


def test_the_list_says_what_there_is_to_know():
    rows = {row["name"]: row for row in list_regularizers()}
    assert list(rows) == list(REGULARIZERS)
    assert rows["random_crop"] == {
        "name": "random_crop",
        "unit": "least share of the area kept",
        "reference": 1.0,
        "minimum": 0.001,
        "maximum": 1.0,
        "grid": [1.0, 0.8, 0.6, 0.4, 0.2, 0.08],
        "description": (
            "each image is cropped to U[tau, 1] of its view (frame=image: torchvision's law)"
        ),
        "options": (
            "frame: view or image (default view); aspect: a number from 1 to 100 (default 1)"
        ),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "randomcrop",
            "unknown regularizer 'randomcrop': did you mean 'random_crop'? "
            "(lpa regularizers lists them)",
        ),
        (
            "zzz",
            "unknown regularizer 'zzz': known: color_jitter, cutmix, cutout, dropout, "
            "label_smoothing, mixup, random_crop, weight_decay (lpa regularizers lists them)",
        ),
        (
            "random_crop=.5",
            "unknown regularizer 'random_crop=.5': did you mean 'random_crop'? "
            "(lpa regularizers lists them)",
        ),
        (
            "random_crop(fram=image)",
            "unknown option of random_crop 'fram': did you mean 'frame'? "
            "(lpa regularizers lists them)",
        ),
        ("dropout(p=.5)", "dropout(p=.5): dropout has no options; write dropout"),
        (
            "random_crop(frame=picture)",
            "random_crop: option frame=picture: expected view or image",
        ),
        (
            "random_crop(frame=image,aspect=2)",
            "random_crop(aspect=2,frame=image): frame=image draws torchvision's aspects, from 3/4 "
            "to 4/3; leave aspect out, or frame=image",
        ),
    ],
)
def test_a_regularizer_that_cannot_be_read_is_answered_in_one_line(text, message):
    with pytest.raises(InputError) as raised:
        parse_regularizer(text)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("axis", "text", "message"),
    [
        (
            CROP,
            "1.5",
            "random_crop: value 1.5 is out of range; expected 0.001 to 1 "
            "(least share of the area kept, reference 1)",
        ),
        (
            DECAY,
            "-.1",
            "weight_decay: value -0.1 is out of range; expected 0 to 1 (coefficient, reference 0)",
        ),
        (CROP, ".5,.5", "random_crop: value 0.5 is given twice; give each once"),
        (CROP, ".5,x", "random_crop: value 'x' is no number; expected e.g. 1,.5 or 1:.08:20"),
        (CROP, "", "random_crop: value '' is no number; expected e.g. 1,.5 or 1:.08:20"),
        (
            CROP,
            "1:.08",
            "range '1:.08': expected start:stop:count with a count of at least 2, e.g. 1:.08:20",
        ),
        (
            DECAY,
            "0:1e-3:4",
            "weight_decay: range '0:1e-3:4': a logarithmic axis has no steps from or to 0; "
            "expected e.g. 1e-05:0.001:5 (the reference 0 is added by itself)",
        ),
        (
            CROP,
            "1",
            "random_crop: no value beside the reference 1; give at least one more, "
            "e.g. random_crop=1,0.8,0.6",
        ),
    ],
)
def test_values_that_cannot_be_used_are_answered_in_one_line(axis, text, message):
    with pytest.raises(InputError) as raised:
        parse_values(text, axis)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "random_crop",
            "setting 'random_crop': expected one value after the name, e.g. random_crop=0.08",
        ),
        (
            "cutout(fill=0)=.1,.2",
            "setting 'cutout(fill=0)=.1,.2': expected one value after the name, "
            "e.g. cutout(fill=0)=0.9",
        ),
        (
            "dropout=1=2",
            "setting 'dropout=1=2': expected one value after the name, e.g. dropout=0.8",
        ),
        (
            "dropout=1",
            "dropout: value 1 is out of range; expected 0 to 0.95 (probability, reference 0)",
        ),
        (
            "random_crop(frame=image",
            "setting 'random_crop(frame=image': a bracket or quote is not closed; close it",
        ),
    ],
)
def test_a_setting_that_cannot_be_read_is_answered_in_one_line(text, message):
    with pytest.raises(InputError) as raised:
        parse_setting(text)
    assert str(raised.value) == message
