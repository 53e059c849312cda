"""Weight decay: the recipe's coefficient, also at the reference."""

from lpa.plans.recipe import Recipe
from lpa.training.regularizers import parse_regularizer


def test_the_reference_trains_without_weight_decay_whatever_the_recipe_says():
    decay = parse_regularizer("weight_decay")
    assert decay.configure(Recipe(weight_decay=0.1), 0.0) == Recipe(weight_decay=0.0)


def test_a_value_is_the_recipes_coefficient():
    decay = parse_regularizer("weight_decay")
    assert decay.configure(Recipe(epochs=3), 3e-4) == Recipe(epochs=3, weight_decay=3e-4)


def test_every_permitted_value_is_one_that_a_recipe_takes():
    decay = parse_regularizer("weight_decay")
    for value in (decay.axis.minimum, decay.axis.maximum, *decay.axis.grid):
        assert decay.configure(Recipe(), value).weight_decay == value
