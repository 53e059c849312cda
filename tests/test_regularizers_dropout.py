"""Dropout: the recipe's probability, also at the reference."""

from lpa.plans.recipe import Recipe
from lpa.training.regularizers import parse_regularizer


def test_the_reference_trains_without_dropout_whatever_the_recipe_says():
    dropout = parse_regularizer("dropout")
    assert dropout.configure(Recipe(dropout=0.5), 0.0) == Recipe(dropout=0.0)


def test_a_value_is_the_recipes_probability():
    dropout = parse_regularizer("dropout")
    assert dropout.configure(Recipe(epochs=3), 0.4) == Recipe(epochs=3, dropout=0.4)


def test_every_permitted_value_is_one_that_a_recipe_takes():
    dropout = parse_regularizer("dropout")
    for value in (dropout.axis.minimum, dropout.axis.maximum, *dropout.axis.grid):
        assert dropout.configure(Recipe(), value).dropout == value
