"""The data's classes and the models' outputs meet the run's classes by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tiny
import torch

from lpa.classes import Classes, imagenet
from lpa.errors import InputError
from lpa.experiments.matching import data_labels, measured, measured_mean, run_classes
from lpa.models.loaded import LoadedModel
from lpa.views import View


def loaded(named: Classes, name: str = "mine", **changes: Any) -> LoadedModel:
    facts: dict[str, Any] = {
        "name": name,
        "module": torch.nn.Identity(),
        "view": View((32, 32), (36, 36)),
        "mean": tiny.MEAN,
        "std": tiny.STD,
        "classes": named,
        "source": "module",
        "spec": name,
        "weights": "",
        "weights_hash": "abc",
        "published_accuracy": None,
        "preprocessing": "",
    }
    return LoadedModel(**(facts | changes))


ANIMALS = Classes(("n1", "n2", "n3"), ("ant", "bee", "cat"), (("emmet",), (), ()))


# ---- the classes of a run --------------------------------------------------------------------


def test_models_of_imagenet_give_a_run_imagenets_classes_whatever_their_order() -> None:
    known = imagenet()
    shuffled = known.subset(np.random.default_rng(0).permutation(1000).tolist())
    assert run_classes(loaded(shuffled)) is known
    by_label = Classes(("background", *known.names), ("background", *known.labels))
    assert run_classes(loaded(by_label)) is known


def test_another_model_gives_its_own_classes() -> None:
    assert run_classes(loaded(ANIMALS)) is ANIMALS
    some = imagenet().subset(range(999))
    assert run_classes(loaded(some)) is some


def test_a_run_keeps_its_classes() -> None:
    stored = Classes(ANIMALS.names, ANIMALS.labels)
    other = Classes(("x", "y"))
    assert run_classes(loaded(other), stored) is stored
    assert run_classes(loaded(other), Classes(imagenet().names)) is imagenet()


def test_a_run_that_goes_on_knows_the_aliases_that_it_began_with() -> None:
    """run.json keeps names and labels; a folder called by an alias must be found again."""
    stored = Classes(ANIMALS.names, ANIMALS.labels)
    again = run_classes(loaded(ANIMALS), stored)
    assert data_labels(Classes(("emmet",)), again, "mine").tolist() == [0]


# ---- the data's labels -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (("n3", "n1"), [2, 0]),
        (("Cat", "bee"), [2, 1]),
        (("0", "2"), [0, 2]),
        (("emmet", "n2"), [0, 1]),
    ],
)
def test_folders_by_synset_name_index_and_alias_find_their_class(
    folders: tuple[str, ...], expected: list[int]
) -> None:
    assert data_labels(Classes(folders), ANIMALS, "mine").tolist() == expected


def test_the_datas_labels_help_where_its_names_do_not() -> None:
    data = Classes(("n1", "folder-7"), ("n1", "bee"))
    assert data_labels(data, ANIMALS, "mine").tolist() == [0, 1]


def test_folders_that_are_no_classes_are_refused_with_an_example() -> None:
    with pytest.raises(InputError) as caught:
        data_labels(Classes(("n1", "dog", "cow", "emu", "elk")), ANIMALS, "mine")
    assert str(caught.value) == (
        "4 of the data's 5 classes are no classes of model 'mine' ('dog', 'cow', 'emu', ...); "
        "expected folders named by class, synset or index, e.g. 'n1': rename them, or name the "
        "model's outputs with --classes FILE"
    )


def test_an_index_beyond_the_classes_is_refused() -> None:
    with pytest.raises(InputError, match=r"2 of the data's 2 classes .* \('0', '3'\); expected"):
        data_labels(Classes(("0", "3")), ANIMALS, "mine")


def test_two_folders_of_one_class_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        data_labels(Classes(("n1", "ant")), ANIMALS, "mine")
    assert str(caught.value) == (
        "the data's classes 'n1' and 'ant' are both 'ant'; expected one folder a class: join or "
        "rename them"
    )


# ---- the model's outputs ---------------------------------------------------------------------


def test_outputs_are_mapped_by_name_and_strangers_lie_outside() -> None:
    model = loaded(Classes(("n3", "sky", "n1", "n2", "7")))
    made = measured(model, ANIMALS, np.array([0, 1]), restrict=False)
    assert made.outputs.tolist() == [2, -1, 0, 1, -1]
    assert made.permitted.all()


def test_outputs_are_never_taken_by_index() -> None:
    with pytest.raises(InputError, match="has no output for 1 of the 1 classes"):
        measured(loaded(Classes(("0", "1", "2"))), ANIMALS, np.array([0]), restrict=False)


def test_restricting_permits_the_outputs_of_present_classes_only() -> None:
    model = loaded(Classes(("n3", "sky", "n1", "n2")))
    made = measured(model, ANIMALS, np.array([0, 2]), restrict=True)
    assert made.permitted.tolist() == [True, False, True, False]


def test_a_class_with_images_and_no_output_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        measured(loaded(Classes(("n1", "x"))), ANIMALS, np.array([0, 1, 2]), restrict=False)
    assert str(caught.value) == (
        "model 'mine' has no output for 2 of the 3 classes of the data ('bee', 'cat'); expected "
        "every class: name its outputs with --classes FILE, or scan it in a run of its own with "
        "--out DIR"
    )


def test_a_class_without_images_needs_no_output() -> None:
    made = measured(loaded(Classes(("n2", "n1"))), ANIMALS, np.array([0, 1]), restrict=False)
    assert made.outputs.tolist() == [1, 0]


def test_two_outputs_of_one_class_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        measured(loaded(Classes(("n1", "Ant", "n2", "n3"))), ANIMALS, np.array([0]), False)
    assert str(caught.value) == (
        "two outputs of model 'mine' are the class 'ant'; expected one each: name its outputs "
        "with --classes FILE"
    )


def test_the_identity_of_a_model_is_all_that_its_outcomes_depend_on_and_not_its_name() -> None:
    here = np.array([0, 1, 2])
    plain = measured(loaded(ANIMALS), ANIMALS, here, restrict=False).id
    assert measured(loaded(ANIMALS, "other"), ANIMALS, here, restrict=False).id == plain
    assert measured(loaded(ANIMALS), ANIMALS, here, restrict=True).id == plain
    changed = [
        measured(loaded(ANIMALS, **change), ANIMALS, here, restrict=False).id
        for change in (
            {"weights_hash": "def"},
            {"view": View((32, 32), (37, 37))},
            {"view": View((32, 32), (36, 36), interpolation="bicubic")},
            {"mean": (0.5, 0.5, 0.5)},
            {"std": (0.5, 0.5, 0.5)},
            {"classes": ANIMALS.subset([1, 0, 2])},
        )
    ]
    changed.append(measured(loaded(ANIMALS), ANIMALS, np.array([0, 1]), restrict=True).id)
    assert len({plain, *changed}) == 8


def test_a_mean_of_models_is_named_after_them_and_speaks_of_the_runs_classes() -> None:
    here = np.array([0, 1, 2])
    one = measured(loaded(ANIMALS, "a"), ANIMALS, here, restrict=False)
    two = measured(loaded(ANIMALS, "b", weights_hash="def"), ANIMALS, here, restrict=False)
    mean = measured_mean([one, two], 3)
    assert (mean.name, mean.members) == ("mean(a,b)", ("a", "b"))
    assert mean.module is None
    assert mean.outputs.tolist() == [0, 1, 2]
    assert mean.id not in {one.id, two.id, measured_mean([two, one], 3).id}
