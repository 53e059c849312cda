"""Recipes by architecture and size of the images."""

from __future__ import annotations

import json

import pytest
from lpa_cli.train_sweep import command as train_sweep

from lpa.errors import InputError
from lpa.plans import Recipe
from lpa.training.recipes import recipe_for

LARGE, SMALL = (224, 224), (28, 28)


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [
        # epochs, images per update, optimizer, rate, decay, schedule, warm-up
        ("tv:resnet50", (90, 256, "sgd", 0.1, 1e-4, "step", 0)),
        ("timm:densenet121", (90, 256, "sgd", 0.1, 1e-4, "step", 0)),
        ("tv:vgg16", (90, 256, "sgd", 0.01, 1e-4, "step", 0)),
        ("tv:mobilenet_v2", (300, 256, "sgd", 0.045, 4e-5, "step", 0)),
        ("tv:convnext_tiny", (600, 1024, "adamw", 1e-3, 0.05, "cosine", 5)),
        ("tv:swin_t", (300, 1024, "adamw", 1e-3, 0.05, "cosine", 20)),
        ("timm:vit_small_patch16_224", (300, 4096, "adamw", 3e-3, 0.3, "cosine", 30)),
    ],
)
def test_large_images_have_torchvisions_recipe(
    architecture: str, expected: tuple[object, ...]
) -> None:
    found = recipe_for(architecture, LARGE)
    assert expected == (
        found.epochs, found.batch_size, found.optimizer, found.learning_rate, found.weight_decay,
        found.schedule, found.warmup_epochs,
    )  # fmt: skip
    assert found.flip == 0.5


def test_small_images_have_a_short_recipe_without_flips() -> None:
    convolutions, attention = (recipe_for(name, SMALL) for name in ("small_cnn", "small_vit"))
    assert (convolutions.optimizer, attention.optimizer) == ("sgd", "adamw")
    assert convolutions.flip == attention.flip == 0  # A mirrored 2 is no 2.
    # A large network on small images is trained with the recipe for small images.
    assert recipe_for("tv:resnet50", SMALL) == convolutions
    assert recipe_for("tv:resnet50", (64, 64)) == convolutions
    assert recipe_for("tv:resnet50", (64, 65)).epochs == 90


def test_what_is_given_replaces_the_recipes_own_and_none_does_not() -> None:
    found = recipe_for("tv:resnet50", LARGE, {"epochs": 3, "flip": 0.0, "momentum": None})
    assert (found.epochs, found.flip, found.momentum, found.step_epochs) == (3, 0.0, 0.9, 30)


def test_a_field_that_no_recipe_has_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        recipe_for("small_cnn", SMALL, {"lr": 0.1})
    assert str(caught.value) == (
        "'lr' is no part of a recipe; expected one of " + ", ".join(Recipe.names())
    )


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("epochs", 0, "at least 1"),
        ("batch_size", 0, "at least 1"),
        ("learning_rate", 0.0, "more than 0"),
        ("learning_rate", float("nan"), "more than 0"),
        ("weight_decay", -1e-4, "at least 0"),
        ("dropout", 1.0, "at least 0, less than 1"),
        ("hold_out", -0.1, "at least 0, less than 1"),
        ("ema", 1.0, "at least 0, less than 1"),
        ("flip", 1.5, "0 to 1"),
        ("gradient_clip", 0.0, "more than 0"),
    ],
)
def test_numbers_out_of_range_are_refused(field: str, value: float, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        recipe_for("small_cnn", SMALL, {field: value})
    option = field.replace("_", "-")
    assert str(caught.value) == f"--{option} {value} is out of range; expected {expected}"


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
@pytest.mark.parametrize("field", ["learning_rate", "weight_decay", "warmup_epochs", "momentum"])
def test_numbers_that_are_not_finite_are_refused(field: str, value: float) -> None:
    with pytest.raises(InputError, match=f"^--{field.replace('_', '-')} {value} is out of range"):
        recipe_for("small_cnn", SMALL, {field: value})


def test_the_best_epoch_needs_images_to_choose_it_by() -> None:
    with pytest.raises(InputError) as caught:
        recipe_for("small_cnn", SMALL, {"select": "best"})
    assert str(caught.value) == (
        "--keep best needs images that are not trained on, to choose the epoch by; expected e.g. "
        "--hold-out .1"
    )


@pytest.mark.parametrize("name", ["convnext_tiny", "vit_b_16", "swin_t", "resnet50"])
def test_a_recipe_comes_back_from_the_command_that_a_run_records(name: str) -> None:
    recipe = recipe_for(name, LARGE).to_dict()
    options = {option.name: option for option in train_sweep.params}
    typed = {
        field: options[field].type.convert(str(value), None, None)
        for field, value in recipe.items() if value is not None and field != "select"
    }  # fmt: skip
    # To the last character, since cells are known by a hash of it: 20 and 20.0 are one number.
    assert json.dumps(Recipe(**typed).to_dict()) == json.dumps(recipe)
