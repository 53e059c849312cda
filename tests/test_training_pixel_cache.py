"""The file of decoded images: whole or not there, of these data or refused."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from PIL import Image

from lpa.cache_files import HEADER, header
from lpa.datasets import open_data
from lpa.datasets.selection import index_samples
from lpa.errors import InputError
from lpa.outcomes import Samples
from lpa.training import pixel_cache
from lpa.training.image_loading import load_images
from lpa.training.pixel_cache import Contents, PixelFile, PixelWriter, check_space, default_folder
from lpa.views import View

VIEW = View((32, 32), (36, 36))
CPU = torch.device("cpu")


def samples_of(count: int, first: int = 0) -> Samples:
    rows = np.arange(first, first + count)
    return Samples(
        sample=rows,
        key=rows.astype(np.uint64) + 7,
        name=tuple(f"{row}.png" for row in rows),
        label=rows % 2,
        split=np.full(count, "train"),
        size=np.ones(count),
    )


def noise(count: int = 5) -> Iterator[np.ndarray]:
    random = np.random.default_rng(0)
    for row in range(count):
        yield random.integers(0, 256, (20 + row, 30 - 2 * row, 3), dtype=np.uint8)


def written(folder: Path, contents: Contents | None = None) -> Contents:
    """Five images of six samples; the third cannot be decoded."""
    contents = contents or Contents.originals(samples_of(6))
    with PixelWriter(folder, contents) as writer:
        for row, pixels in enumerate(noise()):
            position = row + (row >= 2)
            writer.add(position, (100 + row, 200), pixels)
        writer.skip(2, "the file is empty")
        writer.finish()
    return contents


def refusal(folder: Path, contents: Contents) -> str:
    with pytest.raises(InputError) as caught:
        PixelFile.open(folder, contents)
    return str(caught.value)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    contents = written(tmp_path)
    file = PixelFile.open(tmp_path, contents)
    assert file.column("position").tolist() == [0, 1, 3, 4, 5]
    assert file.full_sizes.tolist() == [[100 + row, 200] for row in range(5)]
    assert file.sizes.tolist() == [[30 - 2 * row, 20 + row] for row in range(5)]
    assert file.skips == {2: "the file is empty"}
    images = file.images(CPU)
    for row, pixels in enumerate(noise()):
        assert np.array_equal(images.image(row), pixels)
        assert file.column("check")[row] == zlib.crc32(pixels.tobytes())
    ticks: list[int] = []
    file.verify(ticks.append)
    assert sum(ticks) == 5
    assert not file.levels.flags.writeable
    assert [path.name for path in tmp_path.iterdir()] == [f"{contents.key}.pixels"]


def test_grey_images_of_one_size_show_one_channel(tmp_path: Path) -> None:
    contents = Contents.views(samples_of(2), VIEW)
    grey = np.random.default_rng(1).integers(0, 256, (2, 4, 6, 1), dtype=np.uint8)
    with PixelWriter(tmp_path, contents) as writer:
        for row in range(2):
            writer.add(row, (6, 4), np.broadcast_to(grey[row], (4, 6, 3)))
        writer.finish()
    stack = PixelFile.open(tmp_path, contents).images(CPU)
    assert np.array_equal(stack.levels, grey)
    assert stack.batch(np.array([1])).shape == (1, 1, 4, 6)


def test_a_key_tells_samples_kind_and_view_apart() -> None:
    samples, other = samples_of(6), samples_of(6, first=1)
    contents = [
        Contents.originals(samples),
        Contents.originals(other),
        Contents.originals(samples.take(np.arange(5))),
        Contents.views(samples, VIEW),
        Contents.views(samples, View((32, 32), (36, 36), interpolation="bicubic")),
    ]
    assert len({each.key for each in contents}) == 5
    assert Contents.originals(samples_of(6)).key == contents[0].key


def test_the_usual_place_is_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert default_folder() == Path("/somewhere/lpa/pixels")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_folder() == Path.home() / ".cache" / "lpa" / "pixels"


def test_images_are_decoded_once(tmp_path: Path) -> None:
    source = open_data(tiny.folder(tmp_path / "data", 2))
    samples = index_samples(source, np.arange(20), np.arange(10))
    first = load_images(source, samples, VIEW, cache=tmp_path / "cache").images
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    ticks: list[int] = []
    again = load_images(
        source, samples, VIEW, cache=tmp_path / "cache", progress=ticks.append
    ).images
    assert ticks == []
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()} == before
    rows = np.arange(20)
    assert torch.equal(again.views(rows), first.views(rows))


@pytest.mark.parametrize("kept", [0, 10, 4_095, 4_096, 6_000, -1])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, kept: int) -> None:
    contents = written(tmp_path)
    path = contents.path(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[:kept])
    left = len(data[:kept])
    again = "delete it and run the same command again"
    if left < 19:
        assert refusal(tmp_path, contents) == (
            f"{path} is no pixel cache of lpa; move it away, or give another folder with --cache"
        )
    elif left < 4_096:
        assert refusal(tmp_path, contents) == f"{path} is damaged in its header; {again}"
    else:
        assert refusal(tmp_path, contents) == (
            f"{path} has {left:,} bytes, expected {len(data):,}: it was cut short or changed; "
            f"{again}"
        )


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    contents = Contents.originals(samples_of(6))
    path = contents.path(tmp_path)
    path.write_bytes(b"\x89PNG" * 3_000)
    assert refusal(tmp_path, contents) == (
        f"{path} is no pixel cache of lpa; move it away, or give another folder with --cache"
    )


def test_a_cache_made_from_other_data_is_refused(tmp_path: Path) -> None:
    made = written(tmp_path)
    wanted = Contents.views(samples_of(1_500, first=3), VIEW)
    made.path(tmp_path).rename(wanted.path(tmp_path))
    assert refusal(tmp_path, wanted) == (
        f"{wanted.path(tmp_path)} is a cache made from other data (originals of 6 samples with "
        f"fingerprint {made.fingerprint[:8]}), expected views of 1,500 samples with fingerprint "
        f"{wanted.fingerprint[:8]}; delete it and run the same command again, or give another "
        "folder with --cache"
    )


def test_a_file_of_another_format_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = Contents.originals(samples_of(6))
    path = contents.path(tmp_path)
    monkeypatch.setattr(pixel_cache, "FORMAT", 2)
    written(tmp_path, contents)
    contents.path(tmp_path).rename(path)
    monkeypatch.undo()
    assert refusal(tmp_path, contents) == (
        f"{path} has format 2, expected 1: another version of lpa made it; delete it and run the "
        "same command again"
    )


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << 4
    path.write_bytes(data)


@pytest.mark.parametrize(("place", "what"), [(60, "header"), (300, "header"), (-200, "index")])
def test_a_bit_flip_in_header_or_index_is_refused(tmp_path: Path, place: int, what: str) -> None:
    contents = written(tmp_path)
    flip(contents.path(tmp_path), place)
    assert refusal(tmp_path, contents) == (
        f"{contents.path(tmp_path)} is damaged in its {what}; delete it and run the same command "
        "again"
    )


def test_a_bit_flip_in_the_pixels_is_found_by_verify(tmp_path: Path) -> None:
    contents = written(tmp_path)
    sizes = [pixels.size for pixels in noise()]
    # The last byte of the second image, the first of the third, which is the fourth sample.
    for place, position in ((sum(sizes[:2]) - 1, 1), (sum(sizes[:2]), 3)):
        flip(contents.path(tmp_path), 4_096 + place)
        file = PixelFile.open(tmp_path, contents)
        with pytest.raises(InputError) as caught:
            file.verify()
        assert str(caught.value) == (
            f"{contents.path(tmp_path)} is damaged in image {position}; delete it and run the same "
            "command again"
        )
        flip(contents.path(tmp_path), 4_096 + place)
    PixelFile.open(tmp_path, contents).verify()


KILLED = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
import test_training_pixel_cache as module
contents = module.Contents.originals(module.samples_of(6))
writer = module.PixelWriter(Path({folder!r}), contents)
for row, pixels in enumerate(module.noise()):
    writer.add(row, (1, 1), pixels)
writer.file.flush()
print("half", flush=True)
time.sleep(60)
"""


def test_a_kill_in_the_middle_of_writing_leaves_nothing_that_is_taken_for_whole(
    tmp_path: Path,
) -> None:
    script = KILLED.format(tests=str(Path(__file__).parent), folder=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half\n"
        process.send_signal(signal.SIGKILL)
    contents = Contents.originals(samples_of(6))
    (left,) = tmp_path.iterdir()
    assert left.stat().st_size > 4_096
    with pytest.raises(FileNotFoundError):
        PixelFile.open(tmp_path, contents)
    # Whoever comes soon leaves it alone, as it may be another's work; later it is removed.
    written(tmp_path)
    PixelFile.open(tmp_path, contents).verify()
    assert left.exists()
    old = time.time() - 7 * 3_600
    os.utime(left, (old, old))
    written(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"{contents.key}.pixels"]


def test_an_error_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    contents = Contents.originals(samples_of(6))
    with pytest.raises(RuntimeError), PixelWriter(tmp_path, contents) as writer:
        writer.add(0, (1, 1), next(noise()))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_two_writers_of_one_file_do_no_harm(tmp_path: Path) -> None:
    contents = Contents.originals(samples_of(6))
    with PixelWriter(tmp_path, contents) as one, PixelWriter(tmp_path, contents) as other:
        for row, pixels in enumerate(noise()):
            one.add(row, (1, 1), pixels)
            if row < 3:
                other.add(row, (1, 1), pixels)
        one.finish()
        file = PixelFile.open(tmp_path, contents)
        for row, pixels in list(enumerate(noise()))[3:]:
            other.add(row, (1, 1), pixels)
        other.finish()
        # The one that was opened first is still whole.
        file.verify()
    PixelFile.open(tmp_path, contents).verify()
    assert len(list(tmp_path.iterdir())) == 1


class Full:
    """A file on a full disk."""

    def __init__(self, error: int) -> None:
        self.error = error

    def write(self, data: Any) -> int:
        raise OSError(self.error, os.strerror(self.error))

    def close(self) -> None:
        raise OSError(self.error, os.strerror(self.error))


def test_a_full_disk_is_told_in_one_line_and_nothing_is_left(tmp_path: Path) -> None:
    contents = Contents.originals(samples_of(6))
    with pytest.raises(InputError) as caught, PixelWriter(tmp_path, contents) as writer:
        writer.file.close()
        writer.file = Full(errno.ENOSPC)  # type: ignore[assignment]
        writer.add(0, (1, 1), next(noise()))
    assert str(caught.value) == (
        f"no space left on the disk of {tmp_path} for the pixel cache; free some space, or give "
        "another folder with --cache"
    )
    assert list(tmp_path.iterdir()) == []


def test_too_little_space_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tiny.folder(tmp_path / "data", 2)
    source = open_data(data)
    samples = index_samples(source, np.arange(20), np.arange(10))
    usage = shutil.disk_usage(tmp_path)._replace(free=50_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    # The views, and the originals with a tenth more for safety.
    areas = [image.width * image.height for image in map(Image.open, data.rglob("*.png"))]
    needed = (20 * 3 * 32 * 32 + 1.1 * 3 * sum(areas)) / 1e6
    with pytest.raises(InputError) as caught:
        load_images(source, samples, VIEW, cache=tmp_path / "cache")
    assert str(caught.value) == (
        f"the pixel cache needs about {needed:.1f} MB in {tmp_path / 'cache'}, where 0.1 MB are "
        "free; free some space, or give another folder with --cache"
    )
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError) as caught:
        check_space(tmp_path / "file", 1)
    assert str(caught.value) == (
        f"cannot write the pixel cache to {tmp_path / 'file'} (file exists); expected a writable "
        "folder: give another with --cache"
    )


@pytest.mark.parametrize(
    "facts", [[], {}, {"format": 1}, {"format": 1, "key": "KEY", "images": "5"}]
)
def test_a_header_that_says_something_else_is_refused(tmp_path: Path, facts: Any) -> None:
    contents = written(tmp_path)
    path = contents.path(tmp_path)
    if "key" in facts:
        facts["key"] = contents.key
    data = path.read_bytes()
    path.write_bytes(header(pixel_cache.MAGIC, facts) + data[HEADER:])
    assert refusal(tmp_path, contents) == (
        f"{path} is damaged in its header; delete it and run the same command again"
    )
