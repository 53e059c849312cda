"""A teacher's probabilities as targets."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from policy_context import CLASSES, made, refusal
from torch import nn

from lpa.classes import Classes
from lpa.models.loaded import LoadedModel
from lpa.training.batch import Batch
from lpa.views import View

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.5)


def teacher(names: tuple[str, ...], size: tuple[int, int] = (8, 8)) -> LoadedModel:
    torch.manual_seed(3)
    module = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(3 * size[0] * size[1],
                                                                   len(names)))  # fmt: skip
    return LoadedModel(
        name="t", module=module, view=View(size, size, "short_side", "bilinear"), mean=MEAN,
        std=STD, classes=Classes(names), source="module", spec="t", weights="made up",
        weights_hash="00" * 16, published_accuracy=None, preprocessing="",
    )  # fmt: skip


def asked_for(names: tuple[str, ...], size: tuple[int, int] = (8, 8)):  # type: ignore[no-untyped-def]
    def load(text: str) -> LoadedModel:
        assert text == "run:r#m"
        return teacher(names, size)

    return load


def batch() -> Batch:
    images = torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    return Batch(np.arange(5), images, torch.tensor([0, 3, 2, 1, 1]))


ALL = ("stranger", "c002", "c000", "paddle", "c003", "c001")


def slow_targets(images: torch.Tensor, names: tuple[str, ...]) -> np.ndarray:
    """Softmax over the outputs of the run's classes, image by image, added up by class."""
    linear = teacher(names).module[-1]
    weight, bias = linear.weight.detach().double().numpy(), linear.bias.detach().double().numpy()
    rows = []
    for image in images.double().numpy():
        view = (image - np.reshape(MEAN, (3, 1, 1))) / np.reshape(STD, (3, 1, 1))
        logits = weight @ view.reshape(-1) + bias
        row = np.zeros(4)
        for name, logit in zip(names, logits, strict=True):
            known = CLASSES.names.index(name) if name in CLASSES.names else None
            if name in CLASSES.labels:
                known = CLASSES.labels.index(name)
            if known is not None:
                row[known] += np.exp(logit)
        rows.append(row / row.sum())
    return np.array(rows)


@pytest.mark.parametrize("strengths", [None, np.full(5, 0.3)])
def test_targets_are_the_teachers_softmax_over_the_runs_classes_by_name(
    strengths: np.ndarray | None,
) -> None:
    policy = made("label_distillation=run:r#m", teacher=asked_for(ALL))
    given = batch()
    found = policy.targets(given, strengths, 4)
    assert found.targets is not None and not found.targets.requires_grad
    assert found.targets.dtype == torch.float32 and torch.equal(found.images, batch().images)
    np.testing.assert_allclose(found.targets.numpy(), slow_targets(given.images, ALL), atol=1e-6)


def test_hard_mixes_the_label_in() -> None:
    policy = made("label_distillation(hard=.25)=run:r#m", teacher=asked_for(ALL))
    found = policy.targets(batch(), None, 4).targets
    assert found is not None
    labels = np.eye(4)[[0, 3, 2, 1, 1]]
    expected = 0.25 * labels + 0.75 * slow_targets(batch().images, ALL)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)
    only = made("label_distillation(hard=1)=run:r#m", teacher=asked_for(ALL))
    given = only.targets(batch(), None, 4).targets
    assert given is not None and given.numpy().tolist() == labels.tolist()


def test_targets_are_of_full_precision_within_autocast() -> None:
    policy = made("label_distillation=run:r#m", teacher=asked_for(ALL))
    alone = policy.targets(batch(), None, 4).targets
    with torch.autocast("cpu", dtype=torch.bfloat16):
        within = policy.targets(batch(), None, 4).targets
    assert alone is not None and within is not None and torch.equal(alone, within)


def test_a_teacher_that_is_shared_stays_as_it_is() -> None:
    shared = teacher(ALL)
    shared.module.train()
    policy = made("label_distillation=run:r#m", teacher=lambda text: shared)
    with torch.no_grad():
        shared.module[-1].weight.zero_()
    found = policy.targets(batch(), None, 4).targets
    assert found is not None and shared.module.training
    np.testing.assert_allclose(found.numpy(), slow_targets(batch().images, ALL), atol=1e-6)


def test_what_outcomes_depend_on_is_recorded() -> None:
    record = made("label_distillation=run:r#m", teacher=asked_for(ALL)).record()
    assert json.loads(json.dumps(record)) == record
    assert record["weights"] == "00" * 16 and record["outputs"] == [-1, 2, 0, 2, 3, 1]
    other = made("label_distillation(hard=.5)=run:r#m", teacher=asked_for(ALL))
    assert other.record() != record and other.selected_on == ()


def test_a_teacher_of_another_size_or_without_a_class_is_refused() -> None:
    text = "label_distillation=run:r#m"
    assert refusal(text, teacher=asked_for(ALL, (12, 10))) == (
        "policy label_distillation: teacher 'run:r#m' sees 12x10 pixels and the trained model "
        "8x8; expected one size: give --img-size 12, or another teacher"
    )
    assert refusal(text, teacher=asked_for(("c000", "c002", "x"))) == (
        "policy label_distillation: teacher 'run:r#m' has no output for 2 of the run's 4 classes "
        "('c001', 'c003'); expected every class: give a teacher that knows them all"
    )
