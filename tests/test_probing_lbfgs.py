"""The full-batch reference against scikit-learn's LogisticRegression."""

from __future__ import annotations

import numpy as np
import probed
import pytest
import torch
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from lpa.errors import InputError
from lpa.probing import lbfgs
from lpa.probing.lbfgs import reference_head


def loss(features, labels, weights, bias, decay: float) -> float:
    """Written out for one set of weights [D, C]."""
    logits = features @ weights + bias
    entropy = logsumexp(logits, axis=1) - logits[np.arange(len(labels)), labels]
    return float(entropy.mean() + decay / 2 * (weights**2).sum())


@pytest.mark.parametrize("kind", ["pixels", "rectified"])
@pytest.mark.parametrize("inverse", [0.01, 1.0])
def test_loss_and_probabilities_are_those_of_logistic_regression(kind: str, inverse: float) -> None:
    table = probed.digits(kind).take(np.arange(600))
    features = StandardScaler().fit_transform(table.features.astype(np.float64))
    decay = 1 / (600 * inverse)
    expected = LogisticRegression(C=inverse, tol=1e-8, max_iter=5000).fit(features, table.labels)
    least = loss(features, table.labels, expected.coef_.T, expected.intercept_, decay)
    found = reference_head(table, 10, decay)
    assert found.converged
    assert found.loss == pytest.approx(least, rel=1e-5)
    weights, bias = found.heads.weights[0].numpy(), found.heads.biases[0].numpy()
    assert loss(features, table.labels, weights, bias, decay) == pytest.approx(found.loss, rel=1e-9)
    probabilities = found.heads.logits(torch.from_numpy(table.features))[0].softmax(dim=1)
    assert np.allclose(probabilities.numpy(), expected.predict_proba(features), atol=1e-4)


def test_the_parts_in_which_it_is_computed_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    table = probed.clouds(60)
    whole = reference_head(table, 3, 0.01)
    monkeypatch.setattr(lbfgs, "IMAGES_AT_ONCE", 7)
    parts = reference_head(table, 3, 0.01)
    assert torch.allclose(parts.heads.weights, whole.heads.weights, rtol=0, atol=1e-6)
    assert parts.loss == pytest.approx(whole.loss, rel=1e-9)


def test_too_few_iterations_are_told() -> None:
    assert not reference_head(probed.clouds(60), 3, 0.01, iterations=2).converged


def test_a_negative_weight_decay_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        reference_head(probed.clouds(60), 3, -0.1)
    assert str(caught.value) == "--weight-decays -0.1 is out of range; expected at least 0"
