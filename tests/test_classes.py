"""Classes are found by name, never by position."""

from __future__ import annotations

import pytest

from lpa.classes import Classes, imagenet
from lpa.errors import InputError

ANIMALS = Classes(
    ("n01", "n02", "n03", "n04"),
    ("tabby cat", "crane", "crane", "Great_Dane"),
    (("tiger cat", "moggy"), ("bird",), ("machine",), ()),
)


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("n03", 2),
        ("N03", 2),
        ("tabby cat", 0),
        ("Tabby_Cat", 0),
        ("tabby-cat ", 0),
        ("great dane", 3),
        ("moggy", 0),
        ("Tiger_cat", 0),
        ("bird", 1),
        ("crane", -1),
        ("dog", -1),
        ("", -1),
    ],
)
def test_a_class_is_found_by_name_label_and_alias_in_any_spelling(name: str, index: int) -> None:
    assert ANIMALS.find([name, "n01"]).tolist() == [index, 0]


def test_the_exact_name_comes_before_another_class_that_is_spelled_alike() -> None:
    classes = Classes(("A b", "a_b"))
    assert classes.find(["a_b", "A b", "a-b"]).tolist() == [1, 0, -1]


def test_the_order_of_sorting_does_not_matter() -> None:
    by_text = Classes(tuple(sorted(f"class{i}" for i in range(12))))
    by_number = [f"class{i}" for i in range(12)]
    found = by_text.find(by_number)
    assert [by_text.names[index] for index in found] == by_number
    assert found[2] != 2


def test_numbers_are_indices_only_where_no_name_fits() -> None:
    assert ANIMALS.find(["3", "0"]).tolist() == [3, 0]
    assert ANIMALS.find(["3", "n01"]).tolist() == [-1, 0]
    assert ANIMALS.find(["3", "0"], by_index=False).tolist() == [-1, -1]
    assert ANIMALS.find(["4", "0"]).tolist() == [-1, -1]
    assert ANIMALS.find(["-1", "0"]).tolist() == [-1, -1]
    assert ANIMALS.find(["²", "0"]).tolist() == [-1, -1]
    assert Classes(("1", "0")).find(["0", "1"]).tolist() == [1, 0]


def test_nothing_wanted_gives_nothing() -> None:
    assert ANIMALS.find([]).shape == (0,)


def test_imagenet_folders_named_by_number_are_taken_by_value_and_not_as_text() -> None:
    folders = sorted(str(index) for index in range(1000))
    assert imagenet().find(folders).tolist() == [int(name) for name in folders]


def test_imagenet_has_a_thousand_synsets_in_their_order() -> None:
    known = imagenet()
    assert len(known) == 1000
    assert list(known.names) == sorted(known.names)
    assert (known.names[0], known.labels[0]) == ("n01440764", "tench")
    assert (known.names[999], known.labels[999]) == ("n15075141", "toilet tissue")


def test_torchvisions_categories_find_their_own_class_wherever_they_are_unique() -> None:
    categories = pytest.importorskip("torchvision.models").ResNet50_Weights.DEFAULT.meta[
        "categories"
    ]
    unique = [i for i, name in enumerate(categories) if categories.count(name) == 1]
    found = imagenet().find([categories[i] for i in unique])
    assert found.tolist() == unique
    assert len(unique) > 990


def test_a_subset_keeps_names_labels_and_aliases_together() -> None:
    some = ANIMALS.subset([3, 0])
    assert some == Classes(
        ("n04", "n01"), ("Great_Dane", "tabby cat"), ((), ("tiger cat", "moggy"))
    )


def test_labels_are_the_names_where_nothing_better_is_known() -> None:
    assert Classes(("a", "b")).labels == ("a", "b")


def test_a_name_that_stands_twice_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        Classes(("a", "b", "a"))
    assert str(caught.value) == (
        "class name 'a' stands 2 times; class names must be unique, since classes are matched by "
        "name"
    )


def test_labels_of_another_number_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        Classes(("a", "b"), ("x",))
    assert str(caught.value) == "2 class names but 1 labels"
