"""A sweep's stored outcomes against trainings that are written out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from PIL import Image
from torch import Tensor, nn

import lpa
from lpa.augmentations.randomness import uniforms
from lpa.experiments.trainings import training_seed
from lpa.models.small import SmallCnn
from lpa.outcomes import Samples
from lpa.training.regularizers import parse_regularizer

EPOCHS, BATCH, RATE = 3, 32, 0.05

Seen = Callable[[np.ndarray, int], Tensor]


def sweep(folder: Path, regularizer: str, value: float) -> lpa.Run:
    return lpa.train_sweep(
        regularizer=regularizer, values=[value], seeds=1, limit=300, device="cpu", workers=1,
        recipe={"epochs": EPOCHS, "batch_size": BATCH, "learning_rate": RATE},
        progress=False, out=folder / "run",
    )  # fmt: skip


def normalised(grey: np.ndarray) -> Tensor:
    """Grey levels [B, 8, 8] -> [B, 3, 8, 8], as the run says: mean and deviation .5."""
    return torch.from_numpy(np.repeat(grey[:, None], 3, axis=1)).float().div(255).sub(0.5).div(0.5)


def by_hand(
    train: Samples,
    seed: int,
    seen: Seen,
    weight_decay: float = 5e-4,
    target: Callable[[Tensor], Tensor] = lambda labels: labels,
) -> nn.Module:
    """Train as the README says: SGD with momentum, cosine after one epoch of warm-up."""
    torch.manual_seed(seed)
    model = SmallCnn(10, (8, 8)).to(memory_format=torch.channels_last)
    decaying = [
        parameter for layer in model.modules() if not isinstance(layer, nn.BatchNorm2d)
        for parameter in layer.parameters(recurse=False)
    ]  # fmt: skip
    others = [
        parameter for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)
        for parameter in layer.parameters(recurse=False)
    ]  # fmt: skip
    assert len(others) == 6
    optimizer = torch.optim.SGD(
        [{"params": decaying, "weight_decay": weight_decay}, {"params": others}],
        lr=RATE, momentum=0.9,
    )  # fmt: skip
    updates = len(train) // BATCH
    for epoch in range(EPOCHS):
        order = np.argsort(uniforms(train.key, "training order", 1, seed, epoch)[:, 0])
        for update in range(updates):
            rows = order[update * BATCH : (update + 1) * BATCH]
            number = epoch * updates + update
            rate = RATE * 0.5 * (1 + math.cos(math.pi * number / (EPOCHS * updates)))
            if epoch == 0:
                rate = RATE * (0.01 + 0.99 * update / updates)
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.zero_grad()
            images = seen(rows, epoch).contiguous(memory_format=torch.channels_last)
            wanted = target(torch.from_numpy(train.label[rows].astype(np.int64)))
            nn.functional.cross_entropy(model(images), wanted).backward()
            optimizer.step()
    return model.eval()


def assert_outcomes(run: lpa.Run, value: float, model: nn.Module, tolerance: float) -> None:
    """Compare what is stored at a value with what a model says of the evaluated digits."""
    grey, labels = tiny.digits()
    at = run.outcomes.cells["value"].tolist().index(value)
    samples = run.outcomes.samples
    with torch.no_grad():
        chances = model(normalised(grey[samples.sample])).softmax(1).numpy()
    own = labels[samples.sample]
    stored = run.outcomes.column("label_probability")[at]
    assert np.abs(stored - chances[np.arange(len(own)), own]).max() < tolerance
    clear = np.diff(np.sort(chances, axis=1)[:, -2:], axis=1)[:, 0] > 2 * tolerance
    assert clear.mean() > 0.8
    predictions = run.outcomes.column("prediction")[at]
    assert (predictions == chances.argmax(axis=1))[clear].all()
    ranks = (chances > chances[np.arange(len(own)), own][:, None]).sum(axis=1)
    assert (run.outcomes.column("label_rank")[at] == ranks)[clear & (ranks == 0)].all()
    assert 0.15 < (predictions == own).mean() < 1  # It has learnt something.


def started(folder: Path, regularizer: str, value: float) -> tuple[lpa.Run, Samples, int]:
    """Sweep; return also what was trained on and the seed of the training at the value."""
    run = sweep(folder, regularizer, value)
    train = Samples.from_parquet_bytes((folder / "run/training-samples.parquet").read_bytes())
    # Nothing is both trained on and evaluated.
    assert not set(train.key.tolist()) & set(run.outcomes.samples.key.tolist())
    assert len(train) == 300
    return run, train, training_seed(0, "small_cnn", regularizer, value, 0)


def plain(train: Samples) -> Seen:
    grey = tiny.digits()[0][train.sample]
    return lambda rows, epoch: normalised(grey[rows])


@pytest.mark.parametrize("value", [0.0, 0.02])
def test_weight_decay_acts_on_all_but_the_normalisation(tmp_path: Path, value: float) -> None:
    run, train, _ = started(tmp_path, "weight_decay", 0.02)
    seed = training_seed(0, "small_cnn", "weight_decay", value, 0)
    model = by_hand(train, seed, plain(train), weight_decay=value)
    assert_outcomes(run, value, model, 1e-5)


def test_smoothed_labels_are_the_targets_of_the_paper(tmp_path: Path) -> None:
    run, train, seed = started(tmp_path, "label_smoothing", 0.3)

    def target(labels: Tensor) -> Tensor:
        return 0.7 * nn.functional.one_hot(labels, 10) + 0.03

    assert_outcomes(run, 0.3, by_hand(train, seed, plain(train), target=target), 1e-4)


def test_crops_are_those_of_pillow(tmp_path: Path) -> None:
    run, train, seed = started(tmp_path, "random_crop", 0.3)
    grey = tiny.digits()[0][train.sample]
    crop: Any = parse_regularizer("random_crop")
    whole, sizes = np.tile([0.0, 0.0, 8.0, 8.0], (300, 1)), np.full((300, 2), 8)

    def seen(rows: np.ndarray, epoch: int) -> Tensor:
        drawn = crop.draw(train.key, np.full(300, 0.3), seed=seed, epoch=epoch)
        boxes = crop.boxes(drawn, whole, sizes)[rows]
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) / 64
        assert ((areas > 0.3 - 1e-9) & (areas < 1)).all()
        images = [
            np.array(Image.fromarray(grey[row]).resize((8, 8), Image.BILINEAR, box=tuple(box)))
            for row, box in zip(rows, boxes, strict=True)
        ]
        return normalised(np.stack(images))

    # A grey level more or less here and there moves a training a little.
    assert_outcomes(run, 0.3, by_hand(train, seed, seen), 0.01)
