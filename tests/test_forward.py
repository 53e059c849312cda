"""Scores -> columns, against plain loops in numpy and scipy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tiny
import torch
from scipy.special import softmax
from torch import Tensor, nn

from lpa.forward import DeviceModel, MeasuredModel, columns, mean_probability, top_margin
from lpa.views import View

CPU = torch.device("cpu")


def measured(
    outputs: list[int], permitted: list[int] | None = None, **changes: Any
) -> MeasuredModel:
    allowed = np.ones(len(outputs), dtype=bool)
    if permitted is not None:
        allowed = np.isin(np.arange(len(outputs)), permitted)
    facts = {"name": "m", "id": "0", "outputs": np.array(outputs), "permitted": allowed}
    return MeasuredModel(**(facts | changes))


def by_hand(
    scores: np.ndarray, label: int, outputs: list[int], permitted: list[int]
) -> tuple[int, float, int, float]:
    """One image: softmax over the permitted outputs, sorted by hand."""
    share = softmax(scores[permitted].astype(np.float64))
    ranked = sorted(range(len(permitted)), key=lambda k: (-scores[permitted[k]], k))
    place = next(k for k, output in enumerate(permitted) if outputs[output] == label)
    best = ranked[0]
    return (
        outputs[permitted[best]],
        float(share[best]),
        ranked.index(place),
        float(share[place]),
    )


@pytest.mark.parametrize(
    ("outputs", "permitted"),
    [
        ([0, 1, 2, 3, 4, 5], None),
        ([3, 1, 5, 0, 2, 4], None),
        ([-1, 4, 0, -1, 2, 1, 3, 5, -1], None),
        ([5, 4, 3, 2, 1, 0], [1, 2, 4]),
        ([-1, 4, 0, 2, 1, 3, 5], [1, 2, 5, 6]),
    ],
)
def test_columns_equal_a_slow_loop(outputs: list[int], permitted: list[int] | None) -> None:
    generator = torch.Generator().manual_seed(len(outputs))
    scores = torch.randn(200, len(outputs), generator=generator) * 3
    allowed = list(range(len(outputs))) if permitted is None else permitted
    possible = [outputs[output] for output in allowed if outputs[output] >= 0]
    labels = torch.tensor([possible[row % len(possible)] for row in range(200)])
    found = columns(scores, labels, measured(outputs, permitted))
    for row in range(200):
        expected = by_hand(scores[row].numpy(), int(labels[row]), outputs, allowed)
        assert int(found["prediction"][row]) == expected[0]
        assert float(found["prediction_probability"][row]) == pytest.approx(expected[1], abs=1e-6)
        assert int(found["label_rank"][row]) == expected[2]
        assert float(found["label_probability"][row]) == pytest.approx(expected[3], abs=1e-6)


def test_rank_zero_is_the_same_as_a_correct_prediction_even_among_ties() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randint(0, 3, (500, 6), generator=generator).float()
    labels = torch.randint(0, 6, (500,), generator=generator)
    found = columns(scores, labels, measured([4, 2, 0, 1, 5, 3]))
    assert torch.equal(found["label_rank"] == 0, found["prediction"] == labels)
    assert 0 < int((found["label_rank"] == 0).sum()) < 500


def test_the_columns_have_the_types_in_which_they_are_stored() -> None:
    found = columns(torch.randn(3, 4), torch.tensor([0, 1, 2]), measured([0, 1, 2, 3]))
    assert {name: values.dtype for name, values in found.items()} == {
        "prediction": torch.int32,
        "prediction_probability": torch.float32,
        "label_rank": torch.int32,
        "label_probability": torch.float32,
        "margin": torch.float32,
    }


def test_the_margin_is_the_best_minus_the_second_best() -> None:
    scores = torch.tensor([[1.0, 5.0, 4.5], [2.0, 2.0, 0.0], [-1.0, -torch.inf, -torch.inf]])
    assert top_margin(scores).tolist() == [0.5, 0.0, torch.inf]


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
@pytest.mark.parametrize("outputs", [1, 2, 5])
def test_the_margin_of_scores_that_are_no_numbers_is_nan(wrong: float, outputs: int) -> None:
    scores = torch.zeros(2, outputs)
    scores[1, -1] = wrong
    assert top_margin(scores).isnan().tolist() == [False, True]


def test_the_mean_of_models_is_the_mean_of_their_probabilities_by_class() -> None:
    one, two = measured([2, 0, 1, -1], name="one"), measured([0, 1, 2], [0, 2], name="two")
    generator = torch.Generator().manual_seed(1)
    logits = {"one": torch.randn(50, 4, generator=generator)}
    logits["two"] = torch.randn(50, 3, generator=generator)
    scores = mean_probability(logits, [one, two], 3)
    labels = torch.tensor([0, 2] * 25)
    found = columns(scores, labels, measured([0, 1, 2]))
    for row in range(50):
        first = softmax(logits["one"][row].double().numpy())
        second = softmax(logits["two"][row].double().numpy()[[0, 2]])
        mean = np.array([first[1] + second[0], first[2], first[0] + second[1]]) / 2
        mean /= mean.sum()
        assert int(found["prediction"][row]) == int(mean.argmax())
        label = int(labels[row])
        assert float(found["label_probability"][row]) == pytest.approx(mean[label], abs=1e-6)
        assert int(found["label_rank"][row]) == int((mean > mean[label]).sum())


# ---- one model on a device -------------------------------------------------------------------


def on_device(module: nn.Module, precision: str = "fp32", batch_size: int = 4) -> DeviceModel:
    model = measured(
        list(range(10)), module=module, view=View((32, 32), (32, 32)), mean=tiny.MEAN, std=tiny.STD
    )
    return DeviceModel(model, CPU, precision, batch_size)


def test_images_are_normalised_as_torchvision_does_and_cut_into_batches() -> None:
    from torchvision.transforms.functional import normalize

    sizes: list[int] = []

    class Watched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = tiny.module()

        def forward(self, images: Tensor) -> Tensor:
            sizes.append(len(images))
            return self.inner(images)

    images = torch.rand(10, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    logits = on_device(Watched()).logits(images)
    assert sizes == [4, 4, 2]
    plain = tiny.module()
    with torch.no_grad():
        for row in range(10):
            alone = plain(normalize(images[row], tiny.MEAN, tiny.STD)[None])[0]
            torch.testing.assert_close(logits[row], alone, atol=1e-5, rtol=0)


class Greedy(nn.Module):
    """Runs out of memory above a number of images."""

    def __init__(self, most: int, message: str | None = None) -> None:
        super().__init__()
        self.inner = tiny.module()
        self.most = most
        self.message = message

    def forward(self, images: Tensor) -> Tensor:
        if len(images) > self.most:
            if self.message is not None:
                raise RuntimeError(self.message)
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.inner(images)


@pytest.mark.parametrize(
    "message", [None, "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"]
)
def test_the_batch_is_halved_until_it_fits_and_stays_so(message: str | None) -> None:
    images = torch.rand(11, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    runner = on_device(Greedy(3, message), batch_size=11)
    logits = runner.logits(images)
    assert (runner.batch_size, runner.halvings) == (2, 2)
    torch.testing.assert_close(logits, on_device(tiny.module()).logits(images), atol=1e-5, rtol=0)
    runner.logits(images)
    assert runner.halvings == 2


def test_a_single_image_that_does_not_fit_is_the_models_failure() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        on_device(Greedy(0)).logits(torch.rand(4, 3, 32, 32))


def test_another_error_of_the_model_is_not_taken_for_lack_of_memory() -> None:
    runner = on_device(Greedy(1, "shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        runner.logits(torch.rand(4, 3, 32, 32))
    assert runner.halvings == 0


@pytest.mark.parametrize(
    ("outputs", "text"),
    [
        (lambda x: (x, x), "the model returns a tuple; expected one tensor [batch, outputs]"),
        (
            lambda x: x,
            "the model returns a tensor of shape [4, 3, 32, 32]; expected one tensor "
            "[batch, outputs]",
        ),
    ],
)
def test_a_module_that_returns_no_logits_is_told_so(outputs: Any, text: str) -> None:
    class Odd(nn.Module):
        def forward(self, images: Tensor) -> Any:
            return outputs(images)

    with pytest.raises(TypeError) as caught:
        on_device(Odd()).logits(torch.rand(4, 3, 32, 32))
    assert str(caught.value) == text


def test_half_precision_is_coarser_and_the_exact_pass_is_not() -> None:
    images = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    fine = on_device(tiny.module()).logits(images)
    runner = on_device(tiny.module(), "bf16")
    coarse = runner.logits(images)
    assert coarse.dtype == torch.float32
    assert 1e-3 < float((coarse - fine).abs().max()) < 1
    assert torch.equal(runner.logits(images, exact=True), fine)
