"""How augmentations are typed, and the specs that come of it."""

import json

import numpy as np
import pytest

from lpa.augmentations import AugmentationSpec, from_mapping, list_augmentations, parse
from lpa.errors import InputError

BLUR = "kornia:RandomGaussianBlur(kernel_size=(9,9),sigma=({alpha},{alpha}))"
EXAMPLE = f"{BLUR}@0,1,2,4"


def read(text):
    return [(spec.name, spec.values) for spec in parse(text)]


def test_names_alone_stand_for_the_default_grids():
    assert read("crop, cutout") == [("crop", None), ("cutout", None)]
    assert parse("crop")[0].strengths == (1.0, 0.8, 0.6, 0.4, 0.3, 0.2, 0.08)


def test_values_come_out_from_weak_to_strong_with_the_identity_first():
    assert read("crop=.08,.5") == [("crop", (1.0, 0.5, 0.08))]
    assert read("cutout=.5,0,.3") == [("cutout", (0.0, 0.3, 0.5))]


def test_a_range_includes_both_ends():
    values = parse("crop=1:.08:20")[0].values
    assert len(values) == 20
    assert values == pytest.approx(np.linspace(1, 0.08, 20).tolist(), abs=1e-11)
    assert values[-1] == 0.08
    assert parse("crop=1:.1:10")[0].values == (1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)


def test_a_number_belongs_to_the_name_before_it():
    assert read("crop(place=centre)=1,.5,cutout=0,.3,blur") == [
        ("crop(place=centre)", (1.0, 0.5)),
        ("cutout", (0.0, 0.3)),
        ("blur", None),
    ]


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        ("crop(place=random)", "crop"),
        ("crop()", "crop"),
        ("crop( resample = kornia , place=centre)", "crop(place=centre,resample=kornia)"),
        ("crop(aspect=1.50)", "crop(aspect=1.5)"),
        ("crop(aspect=3/2)", "crop(aspect=1.5)"),
        ("crop(aspect=8/6)", "crop(aspect=4/3)"),
        ("crop(aspect=1.0)", "crop"),
        ("cutout(fill=.50)", "cutout(fill=0.5)"),
        ("cutout(fill=mean)", "cutout"),
    ],
)
def test_one_augmentation_has_one_name_however_it_is_typed(typed, canonical):
    spec = parse(typed)[0]
    assert spec.name == canonical
    assert spec.axis.name == canonical
    assert spec.family == canonical.partition("(")[0]


def test_a_kornia_call_has_one_spelling_and_an_axis_of_its_values():
    spec, crop = parse(
        "kornia:RandomGaussianBlur(sigma=({alpha}, {alpha}), kernel_size=(9, 9))@0,1,2,4,crop"
    )
    assert spec.name == BLUR
    assert spec.family == "kornia:RandomGaussianBlur"
    assert spec.values == spec.axis.grid == (0.0, 1.0, 2.0, 4.0)
    assert (spec.axis.reference, spec.axis.stronger) == (0.0, "up")
    assert spec.options["arguments"] == "kernel_size=(9,9),sigma=({alpha},{alpha})"
    assert spec.options["kornia"]
    assert crop.name == "crop"


def test_the_order_of_kornia_values_gives_the_direction():
    axis = parse("kornia:RandomBrightness(({alpha},{alpha}))@1,.2,.6")[0].axis
    assert (axis.reference, axis.stronger, axis.grid) == (1.0, "down", (1.0, 0.6, 0.2))


@pytest.mark.parametrize("text", ["crop(aspect=4/3)=1,.5", "blur", EXAMPLE])
def test_a_spec_survives_json(text):
    spec = parse(text)[0]
    assert AugmentationSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


def test_the_python_form_says_the_same():
    typed = parse("crop(place=centre)=1,.5,cutout,blur=0:4:3")
    assert from_mapping({"crop(place=centre)": [1, 0.5], "cutout": None, "blur": "0:4:3"}) == typed
    assert from_mapping({BLUR: [0, 1, 2, 4]}) == parse(EXAMPLE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("crp", "unknown augmentation 'crp': did you mean 'crop'? (lpa augmentations lists them)"),
        (
            "",
            "augmentations '': expected a name first, e.g. crop=1,.5,.08 "
            "(lpa augmentations lists them)",
        ),
        (
            "1,.5",
            "augmentations '1,.5': expected a name first, e.g. crop=1,.5,.08 "
            "(lpa augmentations lists them)",
        ),
        (
            "crop=1,.5,.O8",
            "crop: value '.O8' is no number; expected e.g. crop=1,.5,.08 or crop=1:.08:20",
        ),
        (
            "crop=1,-,cutout",
            "crop: value '-' is no number; expected e.g. crop=1,.5,.08 or crop=1:.08:20",
        ),
        (
            "crop=1,.5,cutot",
            "unknown augmentation or number 'cutot': did you mean 'cutout'? "
            "(lpa augmentations lists them)",
        ),
        ("crop,,cutout", "augmentations 'crop,,cutout': nothing stands between two commas"),
        (
            "crop=a",
            "augmentation 'crop=a': expected numbers after the name, e.g. crop=1,.5,.08 "
            "or crop=1:.08:20",
        ),
        (
            "crop=1:.08",
            "range '1:.08': expected start:stop:count with a count of at least 2, e.g. 1:.08:20",
        ),
        (
            "crop=1.5",
            "crop: value 1.5 is out of range; expected 0.001 to 1 "
            "(fraction of the view kept, identity 1)",
        ),
        ("crop=.5,.5", "crop: value 0.5 is given twice; give each once"),
        ("crop=.5,crop", "augmentation 'crop' is given twice; give it once, with all its values"),
        ("crop(place=left)", "crop: option place=left: expected random or centre"),
        ("crop(aspect=.5)", "crop: option aspect=.5: expected a number from 1 to 100"),
        ("cutout(fill=red)", "cutout: option fill=red: expected mean or a number from 0 to 1"),
        (
            "cutout(plaze=centre)",
            "unknown option of cutout 'plaze': did you mean 'place'? "
            "(lpa augmentations lists them)",
        ),
        ("crop(centre)", "crop(centre): expected option=value, got 'centre'"),
        (
            "crop(place=centre,place=centre)",
            "crop(place=centre,place=centre): option place is given twice; give it once",
        ),
        ("blur(x=1)", "blur(x=1): blur has no options; write blur"),
        (
            "crop(place=centre",
            "augmentations 'crop(place=centre': a bracket or quote is not closed; close it",
        ),
        (
            "kornia:RandomGamma",
            "kornia:RandomGamma: no argument holds {alpha}; write it where the strength goes, "
            f"e.g. {EXAMPLE}",
        ),
        (
            "kornia:RandomGamma(({alpha},{alpha}))",
            "kornia:RandomGamma(({alpha},{alpha})): expected values after @, the identity first, "
            "e.g. kornia:RandomGamma(({alpha},{alpha}))@0,1,2,4",
        ),
        (
            "kornia:RandomGamma(({alpha},{alpha}))@1,2,.5",
            "kornia:RandomGamma(({alpha},{alpha})): values lie on both sides of the identity 1 "
            "(the first value); give one direction at a time",
        ),
        (
            "kornia:RandomGamma(print(1),{alpha})@1,2",
            "kornia:RandomGamma: argument print(1) is no plain value; expected numbers, strings, "
            "True, False, None, tuples and {alpha}",
        ),
        (
            "kornia:RandomGamma(*{alpha})@1,2",
            "kornia:RandomGamma: argument *{alpha} is no plain value; expected numbers, strings, "
            "True, False, None, tuples and {alpha}",
        ),
        (
            "kornia:RandomGamma(**{})@1,2",
            "kornia:RandomGamma: ** is not read; write each argument out",
        ),
        (
            "kornia:a.b({alpha})@1,2",
            "kornia:a.b({alpha}): expected a class and its arguments, e.g. " + EXAMPLE,
        ),
        (
            "kornia:ColorJitter({alpha})@0,1",
            "kornia:ColorJitter cannot be scanned: it draws the order of its operations once per "
            "batch; use color_jitter",
        ),
        (
            "kornia:RandomRotation3D({alpha})@0,1",
            "kornia:RandomRotation3D cannot be scanned: it is for volumes or videos; "
            "use a 2-D class such as kornia:RandomGaussianBlur",
        ),
    ],
)
def test_what_cannot_be_read_is_answered_in_one_line(text, message):
    with pytest.raises(InputError) as caught:
        parse(text)
    assert str(caught.value) == message


def test_python_values_that_are_no_numbers_are_named():
    with pytest.raises(InputError) as caught:
        from_mapping({"crop": "strong"})
    assert str(caught.value) == (
        "crop: value 'strong' is no number; expected e.g. 1,.5 or 1:.08:20"
    )


@pytest.mark.parametrize(
    ("values", "wrong"), [([1, "a"], "'a'"), ([None], "None"), ([[1.0]], "[1.0]"), (["1"], "'1'")]
)
def test_python_lists_with_what_is_no_number_are_refused(values, wrong):
    with pytest.raises(InputError) as caught:
        from_mapping({"crop": values})
    assert str(caught.value) == (f"crop: value {wrong} is no number; expected e.g. [1, 0.5, 0.08]")


def test_a_name_from_python_that_is_no_text_is_refused():
    with pytest.raises(InputError) as caught:
        from_mapping({3: [1, 0.5]})
    assert str(caught.value) == (
        "augmentation 3: expected a name, e.g. 'crop' (lpa augmentations lists them)"
    )


def test_one_number_from_python_is_one_value():
    assert from_mapping({"crop": 0.5})[0].strengths == (1.0, 0.5)


def test_the_list_tells_unit_identity_range_grid_and_options():
    rows = {row["name"]: row for row in list_augmentations()}
    assert list(rows) == ["crop", "cutout", "color_jitter", "rotation", "blur", "grayscale"]
    assert rows["cutout"] == {
        "name": "cutout",
        "unit": "fraction of the view erased",
        "identity": 0.0,
        "minimum": 0.0,
        "maximum": 1.0,
        "grid": [0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9],
        "options": "place: random or centre (default random); "
        "fill: mean or a number from 0 to 1 (default mean)",
    }
