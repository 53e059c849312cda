"""Streams: decoded shards, views and augmented batches."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from PIL import Image

from lpa.augmentations import build, spec_of
from lpa.datasets.selection import sample_key
from lpa.errors import InputError
from lpa.outcomes import Samples
from lpa.streams import Batches, Shard, ShardReader
from lpa.views import View

CPU = torch.device("cpu")
VIEW = View((32, 32), (36, 36), "short_side", "bilinear")


class Memory:
    """A source in memory that counts its reads."""

    def __init__(self, encoded: list[bytes]) -> None:
        self.encoded = encoded
        self.reads: list[int] = []
        self.fail: set[int] = set()
        self.lock = threading.Lock()

    def read(self, index: int) -> bytes:
        with self.lock:
            self.reads.append(index)
        if index in self.fail:
            raise OSError("connection lost")
        return self.encoded[index]


def png(index: int) -> bytes:
    sink = io.BytesIO()
    tiny.picture(index).save(sink, "PNG")
    return sink.getvalue()


def made(encoded: list[bytes], chosen: list[int] | None = None) -> tuple[Memory, Samples]:
    chosen = list(range(len(encoded))) if chosen is None else chosen
    samples = Samples(
        sample=np.array(chosen),
        key=np.array([sample_key(encoded[i]) for i in chosen], dtype=np.uint64),
        name=tuple(f"{i:03d}.png" for i in chosen),
        label=np.array([i % 3 for i in chosen]),
        split=np.full(len(chosen), "all"),
        size=np.array([len(encoded[i]) for i in chosen]),
    )
    return Memory(encoded), samples


def shard_of(count: int) -> Shard:
    source, samples = made([png(index) for index in range(count)])
    with ShardReader(source, samples, count, 2) as reader:
        return reader.read(0)


def test_a_shard_holds_consecutive_samples_in_order_with_their_own_pixels() -> None:
    chosen = [1, 2, 4, 5, 7, 8, 9]
    source, samples = made([png(index) for index in range(10)], chosen)
    with ShardReader(source, samples, 3, 3) as reader:
        shards = [reader.read(number) for number in range(3)]
    assert [shard.samples.sample.tolist() for shard in shards] == [[1, 2, 4], [5, 7, 8], [9]]
    for shard in shards:
        for sample, image in zip(shard.samples.sample, shard.images, strict=True):
            np.testing.assert_array_equal(np.array(image), np.array(tiny.picture(int(sample))))
    assert sorted(source.reads) == chosen


def test_reading_ahead_reads_each_sample_once() -> None:
    source, samples = made([png(index) for index in range(6)])
    with ShardReader(source, samples, 3, 2) as reader:
        for number in (0, 1, 1):
            reader.prefetch(number)
        reader.read(0)
        reader.read(1)
    assert sorted(source.reads) == list(range(6))


def test_what_cannot_be_decoded_is_skipped_with_its_reason_and_the_rest_stays_aligned() -> None:
    encoded = [png(0), b"", png(2), png(3)[:60], png(4), b"no image at all"]
    source, samples = made(encoded)
    with ShardReader(source, samples, 6, 2) as reader:
        shard = reader.read(0)
    assert shard.samples.sample.tolist() == [0, 2, 4]
    assert sorted(shard.skips) == [1, 3, 5]
    assert shard.skips[1] == "the file is empty"
    np.testing.assert_array_equal(np.array(shard.images[1]), np.array(tiny.picture(2)))


def test_data_that_cannot_be_read_raises_and_can_be_read_again() -> None:
    source, samples = made([png(index) for index in range(4)])
    source.fail = {2}
    with ShardReader(source, samples, 4, 2) as reader:
        with pytest.raises(OSError, match="connection lost"):
            reader.read(0)
        source.fail = set()
        assert len(reader.read(0).images) == 4


def test_a_changed_file_is_named() -> None:
    source, samples = made([png(index) for index in range(3)])
    source.encoded[1] = png(100)
    with ShardReader(source, samples, 3, 1) as reader, pytest.raises(InputError) as caught:
        reader.read(0)
    assert str(caught.value) == (
        "001.png has changed since the run began; expected the same bytes: restore the file, or "
        "start a new run with --out DIR"
    )


def test_the_identity_is_torchvisions_own_view_bit_for_bit() -> None:
    from torchvision.transforms import CenterCrop, Compose, PILToTensor, Resize

    shard = shard_of(5)
    batches = Batches(shard, CPU, 0)
    theirs = Compose([Resize(36), CenterCrop(32), PILToTensor()])
    expected = torch.stack([theirs(image) for image in shard.images])
    assert torch.equal(batches.identity(VIEW), expected)
    assert torch.equal(batches.floats(VIEW), expected / 255)
    rows = torch.tensor([3, 0])
    assert torch.equal(batches.floats(VIEW, rows), expected[rows] / 255)


@pytest.mark.parametrize("name", ["crop", "cutout", "color_jitter", "rotation", "blur"])
@pytest.mark.parametrize("view", [VIEW, View((24, 40), (26, 44), "keep_ratio", "bicubic")])
def test_an_augmented_image_does_not_depend_on_its_batch(name: str, view: View) -> None:
    augmentation = build(spec_of(name))
    value = augmentation.axis.grid[-2]
    shard = shard_of(7)
    batches = Batches(shard, CPU, seed=5)
    whole = batches.augmented(view, augmentation, value, 1)
    assert whole.shape == (7, 3, *view.size)
    assert whole.dtype == torch.float32
    assert float(whole.min()) >= 0 and float(whole.max()) <= 1
    some = batches.augmented(view, augmentation, value, 1, np.array([4, 1]))
    assert torch.equal(some, whole[[4, 1]])
    for row in (0, 6):
        alone = Shard(0, shard.samples.take([row]), [shard.images[row]], {})
        one = Batches(alone, CPU, seed=5).augmented(view, augmentation, value, 1)
        assert torch.equal(one[0], whole[row])


@pytest.mark.parametrize("name", ["crop", "cutout", "color_jitter"])
def test_seed_and_draw_and_value_change_the_batch(name: str) -> None:
    augmentation = build(spec_of(name))
    shard = shard_of(3)

    def batch(seed: int, draw: int, value: float) -> torch.Tensor:
        return Batches(shard, CPU, seed).augmented(VIEW, augmentation, value, draw)

    assert torch.equal(batch(0, 0, 0.5), batch(0, 0, 0.5))
    for other in ((1, 0, 0.5), (0, 1, 0.5), (0, 0, 0.6)):
        assert not torch.equal(batch(0, 0, 0.5), batch(*other))


def test_a_crop_reads_the_original_and_not_the_small_view() -> None:
    """A quarter of a large, finely striped picture keeps stripes that the view cannot show."""
    stripes = np.zeros((320, 320, 3), dtype=np.uint8)
    stripes[:, ::8] = stripes[:, 1::8] = stripes[:, 2::8] = stripes[:, 3::8] = 255
    _, samples = made([png(0)])
    shard = Shard(0, samples, [Image.fromarray(stripes)], {})
    view = View((40, 40), (40, 40))
    augmentation = build(spec_of("crop(place=centre)"))
    cropped = Batches(shard, CPU, 0).augmented(view, augmentation, 1 / 16, 0)
    expected = Image.fromarray(stripes).resize((40, 40), Image.BILINEAR, box=(120, 120, 200, 200))
    difference = (cropped[0] * 255).permute(1, 2, 0).numpy() - np.array(expected).astype(float)
    assert np.abs(difference).max() <= 1.01
    assert float(cropped.std()) > 0.3


def test_threads_change_nothing() -> None:
    shard = shard_of(6)
    augmentation = build(spec_of("crop"))
    alone = Batches(shard, CPU, 3)
    source, samples = made([png(0)])
    with ShardReader(source, samples, 1, 3) as reader:
        pooled = Batches(shard, CPU, 3, reader.pool)
        assert torch.equal(pooled.identity(VIEW), alone.identity(VIEW))
        ours, theirs = (b.augmented(VIEW, augmentation, 0.3, 0) for b in (pooled, alone))
        assert torch.equal(ours, theirs)


def test_a_folder_can_be_read_by_many_threads(tmp_path: Path) -> None:
    from lpa.datasets import open_data
    from lpa.datasets.selection import index_samples, select

    source = open_data(tiny.folder(tmp_path / "data", 4))
    samples = index_samples(source, select(source), np.arange(len(source.classes)))
    with ShardReader(source, samples, 16, 8) as reader:
        for number in range(3):
            reader.prefetch(number)
        shards = [reader.read(number) for number in range(3)]
    for shard in shards:
        for name, image in zip(shard.samples.name, shard.images, strict=True):
            with Image.open(tmp_path / "data" / name) as there:
                np.testing.assert_array_equal(np.array(image), np.array(there.convert("RGB")))
