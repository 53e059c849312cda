"""What one training sees, epoch by epoch: its order, flips, crops, policies and held-out images."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from PIL import Image
from small_training import SHORT, VIEW, active, digits, feed
from torch import Tensor

from lpa.augmentations.randomness import uniforms
from lpa.training.batch import Batch
from lpa.training.feed import Feed
from lpa.training.policies.policy import Floats, Policy


def batches(made: Feed, epoch: int = 0) -> Iterator[Batch]:
    made.begin(epoch)
    for index in range(made.updates):
        yield made.batch(index)


def seen(made: Feed, epoch: int) -> dict[int, Tensor]:
    """Row -> its pixels in an epoch."""
    return {
        int(row): image
        for batch in batches(made, epoch)
        for row, image in zip(batch.rows, batch.images, strict=True)
    }


def one_by_one(row: int, value: float, seed: int, epoch: int) -> np.ndarray:
    """The crop of one digit by Pillow, from the numbers that its key has."""
    images = digits(100)
    entry = active("random_crop", value).regularizer
    params = entry.draw(images.keys[[row]], np.array([value]), seed=seed, epoch=epoch)
    (box,) = entry.boxes(params, images.view_boxes[[row]], images.sizes[[row]])
    whole = Image.fromarray(images.views(np.array([row]))[0].permute(1, 2, 0).numpy())
    return np.moveaxis(np.array(whole.resize(VIEW.size, Image.BILINEAR, box=tuple(box))), -1, 0)


def test_an_epoch_shows_each_image_at_most_once_and_the_next_in_another_order() -> None:
    made = feed(100)
    assert made.updates == 6  # 100 = 6 * 16 + 4
    orders = [np.concatenate([batch.rows for batch in batches(made, epoch)]) for epoch in range(8)]
    for order in orders:
        assert len(order) == len(set(order.tolist())) == 96
        assert set(order.tolist()) <= set(range(100))
    assert not np.array_equal(orders[0], orders[1])
    # The four left out of an epoch are others each time: all have their turn.
    assert set(np.concatenate(orders).tolist()) == set(range(100))


def test_labels_and_pixels_are_those_of_the_rows() -> None:
    images = digits(100)
    for batch in batches(feed(100)):
        assert batch.labels.tolist() == [images.labels[row] for row in batch.rows]
        for row, image in zip(batch.rows, batch.images, strict=True):
            view = images.views(np.array([row]))[0].numpy()
            assert np.array_equal(image.numpy(), view.astype(np.float32) / np.float32(255))
        assert batch.targets is None


def test_fewer_images_than_a_batch_are_one_batch() -> None:
    made = feed(10)
    assert (made.batch_size, made.updates) == (10, 1)
    (batch,) = batches(made)
    assert sorted(batch.rows.tolist()) == list(range(10))


@pytest.mark.parametrize(
    ("text", "value"), [("random_crop", 0.3), ("color_jitter", 0.4), ("cutout", 0.5)]
)
def test_the_same_seed_epoch_and_row_give_the_same_pixels_whatever_the_batch_size(
    text: str, value: float
) -> None:
    recipes = [dataclasses.replace(SHORT, batch_size=size, flip=0.5) for size in (5, 25)]
    small, large = (feed(100, recipe, active(text, value)) for recipe in recipes)
    first, second = seen(small, 1), seen(large, 1)
    assert sorted(first) == sorted(second) == list(range(100))
    assert all(torch.equal(first[row], second[row]) for row in first)
    other_epoch, other_seed = seen(small, 2), seen(feed(100, SHORT, active(text, value), seed=6), 1)
    for other in (other_epoch, other_seed):
        assert np.mean([not torch.equal(first[row], image) for row, image in other.items()]) > 0.9


def test_the_parts_of_processes_that_share_a_batch_are_the_batch() -> None:
    crop = active("random_crop", 0.3)
    whole = list(batches(feed(100, SHORT, crop)))
    parts = [list(batches(feed(100, SHORT, crop, share=(rank, 2)))) for rank in range(2)]
    for batch, first, second in zip(whole, *parts, strict=True):
        assert len(first.rows) == len(second.rows) == 8
        assert batch.rows[::2].tolist() == first.rows.tolist()
        assert batch.rows[1::2].tolist() == second.rows.tolist()
        assert torch.equal(batch.images[::2], first.images)
        assert torch.equal(batch.labels[1::2], second.labels)


def test_crops_are_those_of_each_key_alone_within_a_grey_level() -> None:
    for row, image in seen(feed(100, SHORT, active("random_crop", 0.3)), 4).items():
        levels = (image * 255).round().numpy().astype(int)
        assert np.abs(levels - one_by_one(row, 0.3, seed=5, epoch=4)).max() <= 1


def test_a_flip_turns_the_images_whose_number_is_below_its_probability() -> None:
    images = digits(100)
    flipped = dataclasses.replace(SHORT, flip=0.3)
    chance = uniforms(images.keys, "flip", 1, 5, 2)[:, 0]
    turned = 0
    for row, image in seen(feed(100, flipped), 2).items():
        view = images.views(np.array([row]))[0].float() / 255
        mirrored = torch.stack([view[:, :, 7 - column] for column in range(8)], dim=2)
        assert torch.equal(image, mirrored if chance[row] < 0.3 else view)
        turned += chance[row] < 0.3
    assert 15 <= turned <= 45


class Halves(Policy):
    """Classes below five get the value, the others the reference; remembers what it was told."""

    def __init__(self) -> None:
        self.strengths: list[Floats | None] = []

    def values(self, labels: np.ndarray, value: float, axis: object) -> Floats:
        return np.where(labels < 5, value, 1.0)

    def targets(self, batch: Batch, strengths: Floats | None, classes: int) -> Batch:
        self.strengths.append(strengths)
        return batch


def test_a_policy_gives_classes_their_own_values_and_is_told_what_each_image_got() -> None:
    policy, images = Halves(), digits(100)
    made = feed(100, SHORT, active("random_crop", 0.3), policy=policy)
    changed = {False: 0, True: 0}
    for batch in batches(made):
        strengths = policy.strengths[-1]
        assert strengths is not None
        for row, image, strength in zip(batch.rows, batch.images, strengths, strict=True):
            low = bool(images.labels[row] < 5)
            same = torch.equal(image, images.views(np.array([row]))[0].float() / 255)
            assert 0.3 <= strength < 1 if low else strength == 1
            assert same or low  # The reference is the view itself, bit for bit.
            changed[low] += not same
    assert changed[True] > 30


def test_what_is_held_fixed_is_not_moved_by_a_policy() -> None:
    policy, images = Halves(), digits(100)
    made = feed(100, SHORT, active("random_crop", 0.3, swept=False), policy=policy)
    found = seen(made, 0)
    changed = [
        not torch.equal(image, images.views(np.array([row]))[0].float() / 255)
        for row, image in found.items()
        if images.labels[row] >= 5
    ]
    assert np.mean(changed) > 0.8
    assert policy.strengths == [None] * 6  # The swept one is at its reference.


def test_places_come_in_their_order_whatever_order_they_are_given_in() -> None:
    given = [active("mixup", 1.0, swept=False), active("cutout", 0.5), active("weight_decay", 0.1)]
    made = feed(100, SHORT, *given)
    assert [entry.regularizer.axis.name for entry in made.active] == ["cutout", "mixup"]
    for batch in batches(made):
        assert batch.targets is not None
        assert torch.allclose(batch.targets.sum(1), torch.ones(16))


def test_held_out_images_are_shown_plainly_or_at_the_strengths_asked_for() -> None:
    held = digits(40, start=200)
    flips = dataclasses.replace(SHORT, flip=1.0)
    made = feed(100, flips, active("random_crop", 0.3), held_out=held)
    made.begin(3)
    rows = np.arange(10, 30)
    plain = made.held_out_images(rows, None)
    assert torch.equal(plain, held.views(rows).float() / 255)
    reference = made.held_out_images(rows, np.ones(40))
    assert torch.equal(reference, plain)
    strong = made.held_out_images(rows, np.full(40, 0.1))
    assert sum(not torch.equal(a, b) for a, b in zip(strong, plain, strict=True)) >= 18
    # Rows taken apart get the same pixels.
    assert torch.equal(made.held_out_images(rows[5:7], np.full(40, 0.1)), strong[5:7])
