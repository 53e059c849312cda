"""Trained modules on images, against torch one image at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_training import CPU, MEAN, STD, digits, perceptron
from torch import Tensor, nn

from lpa.outcomes import COLUMNS
from lpa.training.evaluation import evaluate, measured_module


def expected(module: nn.Module) -> dict[str, list[float]]:
    images = digits(60)
    found: dict[str, list[float]] = {
        "prediction": [], "prediction_probability": [], "label_rank": [], "label_probability": [],
        "margin": [],
    }  # fmt: skip
    for row in range(60):
        view = images.views(np.array([row])).double() / 255
        for channel in range(3):
            view[:, channel] = (view[:, channel] - MEAN[channel]) / STD[channel]
        with torch.no_grad():
            logits = module(view.float())[0].double().tolist()
        total = sum(np.exp(each) for each in logits)
        label = int(images.labels[row])
        order = sorted(range(10), key=lambda each: -logits[each])
        found["prediction"].append(order[0])
        found["prediction_probability"].append(np.exp(logits[order[0]]) / total)
        found["label_rank"].append(order.index(label))
        found["label_probability"].append(np.exp(logits[label]) / total)
        top = [np.exp(logits[each]) / total for each in order[:2]]
        found["margin"].append(top[0] - top[1])
    return found


@pytest.mark.parametrize("batch_size", [256, 7])
def test_the_columns_are_those_of_each_image_alone(batch_size: int) -> None:
    module = perceptron(3).eval()
    model = measured_module(module, 10, MEAN, STD)
    found, wanted = evaluate(model, digits(60), CPU, batch_size=batch_size), expected(module)
    assert set(found) == {*COLUMNS, "margin"}
    for name in ("prediction", "label_rank"):
        assert found[name].tolist() == wanted[name]
    for name in ("prediction_probability", "label_probability"):
        assert found[name] == pytest.approx(wanted[name], abs=1e-6)
    assert len(set(found["prediction"].tolist())) > 1


def test_half_precision_is_computed_again_where_the_margin_is_small() -> None:
    class Coarse(nn.Module):
        """Two outputs whose difference bfloat16 cannot tell."""

        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(1, 2, bias=False)
            self.head.weight.data = torch.tensor([[1.0], [1.0001]])

        def forward(self, images: Tensor) -> Tensor:
            return self.head(images.mean((1, 2, 3))[:, None] * 0 + 1)

    model = measured_module(Coarse().eval(), 2, MEAN, STD)
    images = digits(60)
    images = images.take(np.flatnonzero(images.labels < 2))
    found = evaluate(model, images, CPU, precision="bf16")
    assert found["prediction"].tolist() == [1] * len(images)


def test_outputs_that_are_no_numbers_have_no_margin() -> None:
    class Broken(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.full((len(images), 10), float("nan"))

    found = evaluate(measured_module(Broken().eval(), 10, MEAN, STD), digits(20), CPU)
    assert np.isnan(found["margin"]).all()
