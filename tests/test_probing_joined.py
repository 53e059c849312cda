"""Several files of features as one table, and what may be asked for as augmented views."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lpa.augmentations.randomness import uniforms
from lpa.errors import InputError
from lpa.outcomes.feature_error import feature_error
from lpa.outcomes.units import Unit
from lpa.probing.augmented import augmented_views
from lpa.probing.batches import epoch_order, read
from lpa.probing.feature_files import Features
from lpa.probing.joined import JoinedRows, joined
from lpa.probing.standardised import standardisation


def pieces(folder: Path) -> list[np.memmap]:
    random = np.random.default_rng(0)
    made = []
    for number, count in enumerate((5, 1, 7)):
        values = random.normal(size=(count, 3)).astype(np.float16)
        mapped = np.memmap(folder / str(number), np.float16, "w+", shape=values.shape)
        mapped[:] = values
        made.append(mapped)
    return made


def test_joined_rows_are_those_of_the_arrays_one_after_the_other(tmp_path: Path) -> None:
    parts = pieces(tmp_path)
    whole, rows = np.concatenate(parts), JoinedRows(parts)
    assert rows.shape == whole.shape == (13, 3) and len(rows) == 13
    for wanted in (slice(0, 4), slice(3, 9), slice(5, 6), slice(11, 40), slice(2, 2)):
        np.testing.assert_array_equal(rows[wanted], whole[wanted])
    for taken in ([0, 4, 5, 6, 12], [12, 5, 0], [3, 3, 8], []):
        at = np.array(taken, dtype=np.int64)
        np.testing.assert_array_equal(rows[at], whole[at])
    assert rows[np.array([6])].dtype == np.float16


def test_joined_tables_are_trained_on_as_one(tmp_path: Path) -> None:
    tables = [
        Features(part, np.arange(len(part)), np.arange(len(part), dtype=np.uint64))
        for part in pieces(tmp_path)
    ]
    whole = joined(tables)
    assert joined(tables[:1]) is tables[0]
    assert whole.labels.tolist() == [*range(5), 0, *range(7)] == whole.keys.tolist()
    own, theirs = (
        standardisation(features)
        for features in (whole.features, np.concatenate([table.features for table in tables]))
    )
    assert own.mean.tolist() == theirs.mean.tolist() and own.std.tolist() == theirs.std.tolist()
    features, labels = read(whole, np.array([12, 5, 0]))
    assert labels.tolist() == [0, 0, 6]
    np.testing.assert_array_equal(
        features.numpy(), np.stack([tables[0].features[0], tables[1].features[0],
                                    tables[2].features[6]])
    )  # fmt: skip


def test_views_of_one_image_stand_apart_in_an_epoch() -> None:
    keys = np.random.default_rng(1).integers(0, 2**63, 200).astype(np.uint64)
    twice = np.concatenate([keys, keys])
    order = epoch_order(twice, 3, 0, 1)
    assert sorted(order.tolist()) == list(range(400))
    place = np.empty(400, dtype=int)
    place[order] = np.arange(400)
    apart = np.abs(place[:200] - place[200:])
    # Neighbours by chance: 2 in 400. The mean distance of two random places is a third.
    assert (apart == 1).sum() < 8 and 100 < apart.mean() < 167
    # Where no key stands twice, the order is that of one number an image.
    alone = uniforms(keys, "probe order 0", 1, 3, 1)[:, 0]
    assert epoch_order(keys, 3, 0, 1).tolist() == np.argsort(alone).tolist()


def test_views_are_draws_of_one_augmentation_at_one_strength() -> None:
    views = augmented_views("crop(place=centre)=.4", 3, seed=7)
    assert [view.draw for view in views] == [0, 1, 2]
    assert {(view.spec.name, view.value, view.seed) for view in views} == {
        ("crop(place=centre)", 0.4, 7)
    }
    assert len(augmented_views("blur=2", None)) == 1 and augmented_views(None, None) == ()


@pytest.mark.parametrize(
    ("asked", "count", "text"),
    [
        ("crop=.5", 0, "--views 0 is out of range; expected at least 1"),
        (None, 2, "--views 2 needs what is drawn; expected e.g. --aug crop=.5 beside it"),
        ("crop=1", 2, "crop: no value beside the identity 1; give at least one more, e.g. "
                      "crop=1,0.8,0.6"),
        ("crop=.5,blur=1", 2, "--aug crop=.5,blur=1 is not one augmentation at one strength; "
                              "expected e.g. --aug crop=.5, and --views for its random draws"),
    ],
)  # fmt: skip
def test_other_views_are_refused(asked: str | None, count: int | None, text: str) -> None:
    with pytest.raises(InputError) as caught:
        augmented_views(asked, count)
    assert str(caught.value) == text


def unit(**timings: object) -> Unit:
    return Unit("units/x", 0, (), np.zeros(0, np.int64), timings=timings)


def test_the_error_of_what_is_stored_is_the_mean_over_all_measured_images() -> None:
    first = {"rows": 10, "mean": 0.0001, "max": 0.0004, "stored": "float16"}
    second = {"rows": 30, "mean": 0.0005, "max": 0.0005, "stored": "float16"}
    assert feature_error([unit(feature_error=first), unit(feature_error=second), unit()]) == (
        "float16, off by 0.04 % on average and 0.05 % at most (measured on 40 features of 2 "
        "backbones)"
    )
    assert feature_error([unit(), unit(feature_error={})]) is None
