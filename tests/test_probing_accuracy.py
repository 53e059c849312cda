"""The default heads beside scikit-learn's LogisticRegression on features of digits."""

from __future__ import annotations

import numpy as np
import probed
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lpa.plans.head_recipe import HeadRecipe
from lpa.probing.head_training import train_heads

KEYS = probed.keys(1797)


def by_scikit_learn(
    table: probed.Table, train: np.ndarray, test: np.ndarray, inverse: float
) -> float:
    made = make_pipeline(StandardScaler(), LogisticRegression(C=inverse, max_iter=1000))
    made.fit(table.features[train], table.labels[train])
    return made.score(table.features[test], table.labels[test])


def by_heads(table: probed.Table, train: np.ndarray, test: np.ndarray, recipe: HeadRecipe) -> float:
    found = train_heads(table.take(train), 10, recipe, keys=KEYS[train])
    assert found is not None
    predictions = found.logits(torch.from_numpy(table.features[test]))[0].argmax(dim=1)
    return float((predictions.numpy() == table.labels[test]).mean())


@pytest.mark.parametrize("kind", ["pixels", "rectified"])
def test_heads_are_within_half_a_point_of_logistic_regression(kind: str) -> None:
    table = probed.digits(kind)
    same = HeadRecipe(learning_rates=(25.0,), weight_decays=(0.01,))
    found = []
    for train, test in StratifiedKFold(3).split(table.features, table.labels):
        found.append(
            [
                by_heads(table, train, test, HeadRecipe()),
                by_scikit_learn(table, train, test, 1.0),
                by_heads(table, train, test, same),
                by_scikit_learn(table, train, test, 1 / (0.01 * len(train))),
            ]
        )
    # Means over all 1,797 digits, each of which is tested once.
    chosen, by_default, head, same_problem = np.mean(found, axis=0)
    print(kind, np.mean(found, axis=0))
    assert abs(chosen - by_default) <= 0.005
    assert abs(head - same_problem) <= 0.005
    assert min(by_default, same_problem) > 0.95
