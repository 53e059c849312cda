"""What a model's outputs are called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lpa.class_files import ordered_names, read_classes_file
from lpa.classes import Classes, imagenet
from lpa.errors import InputError
from lpa.models.outputs import named, output_classes


def test_the_users_file_comes_before_the_models_own_names(tmp_path: Path) -> None:
    file = tmp_path / "classes.txt"
    file.write_text("cat\n dog \n\neel\n")
    classes, note = output_classes(3, model="mine", classes_file=file, own=["a", "b", "c"])
    assert (classes.names, note) == (("cat", "dog", "eel"), "")


def test_a_thousand_outputs_without_names_are_imagenets() -> None:
    classes, note = output_classes(1000, model="mine")
    assert classes == imagenet()
    assert note == "1000 outputs taken as ImageNet's classes in their standard order"


def test_1001_outputs_begin_with_a_background_class() -> None:
    classes, _ = output_classes(1001, model="mine")
    assert classes.names[:2] == ("background", "n01440764")
    assert classes.names[1:] == imagenet().names
    assert classes.find(["tench"]).tolist() == [1]


@pytest.mark.parametrize("count", [11221, 11821, 21841, 21842, 21843])
def test_heads_of_imagenet_21k_have_synset_names(count: int) -> None:
    classes, note = output_classes(count, model="mine")
    assert len(classes) == count
    assert all(name.startswith("n") and name[1:].isdigit() for name in classes.names)
    assert note == f"{count} outputs taken as timm's ImageNet subset of that size"
    found = classes.find(imagenet().names, by_index=False)
    assert (found >= 0).sum() > 900
    assert classes.names[found[0]] == "n01440764"


def test_synsets_get_labels_and_other_names_are_kept() -> None:
    assert named(["n01443537", "n01440764"]).labels == ("goldfish", "tench")
    assert named(["n01443537", "mine"]) == Classes(("n01443537", "mine"))


@pytest.mark.parametrize(
    "content",
    [
        "cat\ndog\neel\n",
        "\ufeffcat\r\ndog\r\neel",
        json.dumps(["cat", "dog", "eel"]),
        json.dumps({"eel": 2, "cat": 0, "dog": 1}),
        json.dumps({"2": "eel", "0": "cat", "1": "dog"}),
    ],
)
def test_every_form_of_a_classes_file_gives_names_in_output_order(
    content: str, tmp_path: Path
) -> None:
    file = tmp_path / "classes"
    file.write_text(content, encoding="utf-8")
    assert read_classes_file(file) == ["cat", "dog", "eel"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"cat": 1, "dog": 2}', "the indices are not 0 to 1, each once"),
        ('{"cat": 0, "dog": 0}', "the indices are not 0 to 1, each once"),
        ('{"a": "cat"}', "an index is no whole number"),
        ("{}", "a dict holds no names"),
    ],
)
def test_a_json_file_must_name_each_output_once(content: str, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "classes.json"
    file.write_text(content)
    with pytest.raises(InputError) as caught:
        read_classes_file(file)
    assert str(caught.value) == (
        f"classes file {str(file)!r} does not name each output once ({reason}); expected a JSON "
        "list of names, or name -> index with the indices 0, 1, 2, ..."
    )


def test_a_missing_file_is_named() -> None:
    with pytest.raises(InputError) as caught:
        read_classes_file("none.txt")
    assert str(caught.value) == (
        "classes file 'none.txt' cannot be read (FileNotFoundError); expected text (names in "
        "output order, one a line, or JSON name -> index)"
    )


def test_outputs_without_names_say_how_to_give_them() -> None:
    with pytest.raises(InputError) as caught:
        output_classes(40, model="mine")
    assert str(caught.value) == (
        "model 'mine' has 40 outputs and no class names: give --classes FILE (names in output "
        "order, one a line, or JSON name -> index)"
    )


def test_a_wrong_number_of_names_is_refused_with_both_numbers(tmp_path: Path) -> None:
    file = tmp_path / "two.txt"
    file.write_text("cat\ndog")
    with pytest.raises(InputError) as caught:
        output_classes(3, model="mine", classes_file=file)
    assert str(caught.value) == (
        f"model 'mine' has 3 outputs, but the file {str(file)!r} names 2; expected one name for "
        "each output (names in output order, one a line, or JSON name -> index)"
    )


def test_names_of_a_folder_data_set_keep_torchvisions_order() -> None:
    # torchvision's ImageFolder sorts class10 before class2; the mapping says so, not the name.
    assert ordered_names({"class1": 0, "class10": 1, "class2": 2}) == [
        "class1",
        "class10",
        "class2",
    ]


@pytest.mark.parametrize("record", ['{"a": null}', '{"a": [0]}', '{"a": 1e999}', "[" * 100_000])
def test_indices_that_are_no_numbers_are_refused(tmp_path: Path, record: str) -> None:
    path = tmp_path / "classes.json"
    path.write_text(record)
    with pytest.raises(InputError, match="does not name each output once"):
        read_classes_file(path)


def test_a_zero_byte_in_a_path_is_told_like_a_file_that_is_not_there() -> None:
    with pytest.raises(InputError, match=r"^classes file 'a\\x00b' cannot be read \(ValueError\)"):
        read_classes_file("a\0b")
