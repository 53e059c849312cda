"""Which column is what."""

from __future__ import annotations

import pytest

from lpa.errors import InputError
from lpa.importing.columns import find_layout, parse_map


def columns(names: str, **mapping: str) -> dict[str, str]:
    layout = find_layout("f.csv", names.split(), mapping)
    return {target: "+".join(found) for target, found in layout.columns.items()}


def test_the_waists_own_names_need_no_map() -> None:
    names = "model axis value replicate sample label prediction prediction_probability"
    assert columns(names) == dict(zip(names.split(), names.split(), strict=True))


def test_what_the_user_maps_comes_first() -> None:
    assert columns("path label pred prediction", sample="path", prediction="pred") == {
        "label": "label", "prediction": "pred", "sample": "path",
    }  # fmt: skip


def test_the_best_classes_may_stand_in_columns_of_their_own() -> None:
    assert columns("sample top_0 top_1 top_2 top_x", prediction="top") == {
        "sample": "sample", "prediction": "top_0+top_1+top_2",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        # --topk 1; label here is the predicted class
        ("filename label prob", {"sample": "filename", "prediction": "label",
                                 "prediction_probability": "prob"}),
        # --include-index
        ("filename index label prob", {"sample": "filename", "prediction": "index",
                                       "prediction_probability": "prob"}),
        # --topk 2 --results-separate-col --include-index --label-type none
        ("filename index_0 index_1 prob_0 prob_1",
         {"sample": "filename", "prediction": "index_0+index_1",
          "prediction_probability": "prob_0+prob_1"}),
        # --topk 0
        ("filename prob", {"sample": "filename", "probabilities": "prob"}),
        ("filename logit_0 logit_1", {"sample": "filename", "logits": "logit_0+logit_1"}),
        # --output-type logit
        ("filename index logit", {"sample": "filename", "prediction": "index"}),
        ("filename label prob value", {"sample": "filename", "prediction": "label",
                                       "prediction_probability": "prob", "value": "value"}),
    ],
)  # fmt: skip
def test_timms_inference_is_recognised(names: str, expected: dict[str, str]) -> None:
    assert columns(names) == expected
    assert find_layout("f.csv", names.split(), {}).source == "timm's inference.py"


def test_another_column_of_predictions_makes_a_file_the_users_own() -> None:
    assert columns("filename label prob pred", sample="filename", prediction="pred") == {
        "label": "label", "sample": "filename", "prediction": "pred",
    }  # fmt: skip
    # In timm's own file, another of its columns may be chosen.
    assert columns("filename index label prob", prediction="label")["prediction"] == "label"
    assert "label" not in columns("filename index label prob", prediction="label")


def test_counts_are_recognised_by_what_they_count() -> None:
    layout = find_layout("f.csv", ["model", "axis", "value", "class", "accuracy", "n"], {})
    assert layout.kind == "counts"


@pytest.mark.parametrize(
    ("names", "mapping", "message"),
    [
        ("a b", {}, "f.csv has no column of predictions among a, b; expected prediction (or "
         "logits, or class, correct and n): name it with --map prediction=COLUMN"),
        ("a pred", {"prediction": "pret"}, "unknown column of f.csv 'pret': did you mean 'pred'? "
         "(from --map prediction=pret)"),
        ("class correct", {}, "f.csv has no column 'n' among class, correct, which counts need; "
         "name it with --map n=COLUMN, or add it to the file"),
        ("path;pred", {"sample": "path"}, "f.csv, line 1: 'path;pred' is one column; expected "
         "columns separated by commas: save the file with commas"),
    ],
)  # fmt: skip
def test_missing_columns_are_named(names: str, mapping: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as error:
        find_layout("f.csv", names.split(), mapping)
    assert str(error.value) == message


def test_a_map_is_read_in_one_text_or_several() -> None:
    assert parse_map(["sample=path, prediction=pred", "label=y=z"]) == {
        "sample": "path", "prediction": "pred", "label": "y=z",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sample", "--map 'sample': expected TARGET=COLUMN, e.g. sample=path,prediction=pred"),
        ("sample=a,sample=b", "--map sample is given twice; give one column for it"),
        ("path=sample", "--map path=sample: what a column is comes first; write sample=path"),
        ("axes=a", "unknown target of --map 'axes': did you mean 'axis'? (TARGET=COLUMN)"),
    ],
)  # fmt: skip
def test_a_map_that_cannot_be_read_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        parse_map([text])
    assert str(error.value) == message
