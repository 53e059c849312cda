"""Pictures that a run keeps for its report."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from lpa.examples import ExamplePlan, Strips, choose_examples, write_pictures
from lpa.outcomes import Samples, Store
from lpa.streams import Shard
from lpa.views import View


def samples_of(labels: list[int]) -> Samples:
    count = len(labels)
    return Samples(
        sample=np.arange(count) + 100,
        key=np.arange(count, dtype=np.uint64),
        name=tuple(f"{i:04d}" for i in range(count)),
        label=np.array(labels),
        split=np.full(count, "all"),
        size=np.ones(count),
    )


def shard_of(count: int) -> Shard:
    images = [Image.new("RGB", (300, 200), (i * 20, 255 - i * 20, 7)) for i in range(count)]
    return Shard(3, samples_of([0] * count), images, {})


def rows(store: Store, name: str) -> list[dict[str, object]]:
    return pq.read_table(io.BytesIO(store.get(name))).to_pylist()


def test_the_first_nine_of_each_class_are_kept() -> None:
    labels = [4] * 12 + [1] * 3 + [4] * 2
    plan = choose_examples(samples_of(labels))
    assert plan.pictures == {*range(100, 109), 112, 113, 114}
    assert plan.strips == {100, 112}


def test_strips_are_of_at_most_24_classes_spread_evenly() -> None:
    plan = choose_examples(samples_of(list(range(1000))))
    chosen = sorted(sample - 100 for sample in plan.strips)
    assert len(chosen) == 24
    assert (chosen[0], chosen[-1]) == (0, 999)
    assert max(np.diff(chosen)) - min(np.diff(chosen)) <= 1


@pytest.mark.parametrize(("classes", "pixels"), [(500, 128), (501, 48)])
def test_pictures_are_larger_where_they_are_few(classes: int, pixels: int) -> None:
    assert choose_examples(samples_of(list(range(classes)))).picture_pixels == pixels


def test_pictures_are_stored_once_per_shard_as_small_webp(tmp_path: Path) -> None:
    store, shard = Store(tmp_path), shard_of(5)
    plan = ExamplePlan(frozenset({101, 104, 999}), frozenset(), 48)
    write_pictures(store, shard, View((96, 64), (96, 64), "exact"), plan)
    (name,) = store.list("examples")
    assert name == "examples/pictures-000003.parquet"
    found = rows(store, name)
    assert [row["sample"] for row in found] == [101, 104]
    for row, colour in zip(found, ((20, 235, 7), (80, 175, 7)), strict=True):
        image = Image.open(io.BytesIO(row["image"]))  # type: ignore[arg-type]
        assert (image.format, image.size) == ("WEBP", (32, 48))
        assert np.abs(np.array(image.convert("RGB")).mean((0, 1)) - colour).max() < 4
    before = store.get(name)
    write_pictures(store, shard_of(5), View((64, 64), (64, 64), "exact"), plan)
    assert store.get(name) == before


def test_a_shard_without_chosen_samples_writes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    plan = ExamplePlan(frozenset({7}), frozenset({7}), 48)
    write_pictures(store, shard_of(3), View((64, 64), (64, 64)), plan)
    strips = Strips(plan)
    strips.add(shard_of(3), torch.zeros(3, 3, 8, 8), None, None, 0)
    strips.flush(store, "units/000003-abc.parquet")
    assert store.list("examples") == []


def test_a_strip_holds_the_augmented_picture_of_each_condition(tmp_path: Path) -> None:
    store, shard = Store(tmp_path), shard_of(3)
    strips = Strips(ExamplePlan(frozenset(), frozenset({102}), 48, strip_pixels=32))
    grey = torch.full((3, 3, 64, 64), 0.25)
    grey[2] = 0.5
    strips.add(shard, grey, None, None, 0)
    strips.add(shard, grey * 2, "crop", 0.5, 0)
    strips.flush(store, "units/000003-abc.parquet")
    strips.flush(store, "units/000003-def.parquet")
    assert store.list("examples") == ["examples/strips-000003-abc.parquet"]
    found = rows(store, "examples/strips-000003-abc.parquet")
    assert [(r["sample"], r["axis"], r["value"], r["replicate"]) for r in found] == [
        (102, None, None, 0),
        (102, "crop", 0.5, 0),
    ]
    for row, level in zip(found, (128, 255), strict=True):
        image = Image.open(io.BytesIO(row["image"]))  # type: ignore[arg-type]
        assert image.size == (32, 32)
        assert np.abs(np.array(image).astype(int) - level).max() <= 2
