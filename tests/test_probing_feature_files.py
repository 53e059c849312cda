"""A file of features is whole or not there, of these weights and images or refused."""

from __future__ import annotations

import dataclasses
import errno
import os
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lpa.cache_files import HEADER, cache_folder, header
from lpa.errors import InputError
from lpa.probing import feature_files
from lpa.probing.feature_files import FeatureContents, FeatureFile, FeatureWriter

ROWS, DIM, SHARD = 10, 3, 4

CONTENTS = FeatureContents(
    weights="a" * 32, convention="input of head", dim=DIM, fingerprint="b" * 32, split="train",
    count=ROWS, view={"size": [8, 8]}, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25),
    augmentation=None, precision="fp32", stored="float16",
)  # fmt: skip
VALUES = np.random.default_rng(0).normal(size=(ROWS, DIM)).astype(np.float32)


def add(writer: FeatureWriter, number: int) -> None:
    writer.add(VALUES[number * SHARD : (number + 1) * SHARD], {})


def written(folder: Path, contents: FeatureContents = CONTENTS) -> Path:
    with FeatureWriter(folder, contents, SHARD) as writer:
        for number in range(writer.done, 3):
            add(writer, number)
        return writer.finish().path


def refusal(folder: Path, contents: FeatureContents = CONTENTS) -> str:
    with pytest.raises(InputError) as caught:
        FeatureFile.open(folder, contents).verify()
    return str(caught.value)


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(bytes(data))


def test_what_was_written_is_read_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = written(tmp_path)
    file = FeatureFile.open(tmp_path, CONTENTS)
    file.verify()
    assert np.array_equal(file.features, VALUES.astype(np.float16))
    assert file.positions.tolist() == list(range(ROWS))
    assert list(tmp_path.iterdir()) == [path]
    # Another reader finds the same: the features lie after the header, row after row.
    raw = np.fromfile(path, "<f2", ROWS * DIM, offset=HEADER).reshape(ROWS, DIM)
    assert np.array_equal(raw, VALUES.astype("<f2"))


def test_the_usual_place_is_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder("features") == Path("/somewhere/lpa/features")


OTHERS: dict[str, Any] = {
    "weights": "c" * 32, "convention": "input of fc", "dim": 4, "fingerprint": "d" * 32,
    "split": "val", "count": 9, "view": {"size": [9, 9]}, "mean": (0.5, 0.5, 0.4),
    "std": (0.2, 0.2, 0.2), "augmentation": {"name": "crop", "draw": 1}, "precision": "fp16",
    "stored": "float32",
}  # fmt: skip


def test_everything_that_features_depend_on_is_in_the_key() -> None:
    assert set(OTHERS) == {field.name for field in dataclasses.fields(FeatureContents)}
    keys = {dataclasses.replace(CONTENTS, **{name: value}).key for name, value in OTHERS.items()}
    assert len(keys | {CONTENTS.key}) == len(OTHERS) + 1
    assert dataclasses.replace(CONTENTS).key == CONTENTS.key


def test_features_of_other_weights_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    other = dataclasses.replace(CONTENTS, weights="c" * 32)
    path.rename(other.path(tmp_path))
    assert refusal(tmp_path, other) == (
        f"{other.path(tmp_path)} holds features with weights aaaaaaaaaaaa, expected weights "
        "cccccccccccc: they were made of something else; delete it and run the same command "
        "again, or give another folder with --cache"
    )


def test_features_of_another_split_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    other = dataclasses.replace(CONTENTS, split="val")
    path.rename(other.path(tmp_path))
    assert "holds features with split train, expected split val:" in refusal(tmp_path, other)


def test_a_file_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    whole = path.read_bytes()
    for length in (len(whole) - 1, HEADER + 5, HEADER):
        path.write_bytes(whole[:length])
        assert refusal(tmp_path) == (
            f"{path} has {length:,} bytes, expected {len(whole):,}: it was cut short or changed; "
            "delete it and run the same command again"
        )


def test_a_flipped_bit_is_found_wherever_it_is(tmp_path: Path) -> None:
    path = written(tmp_path)
    row = DIM * 2
    for place, where in (
        (100, "its header"), (HEADER, "shard 0"), (HEADER + SHARD * row, "shard 1"),
        (HEADER + ROWS * row - 1, "shard 2"), (HEADER + ROWS * row, "its index"),
    ):  # fmt: skip
        flip(path, place)
        expected = f"{path} is damaged in {where}; delete it and run the same command again"
        assert refusal(tmp_path) == expected
        flip(path, place)
    FeatureFile.open(tmp_path, CONTENTS).verify()


def test_another_file_is_left_alone(tmp_path: Path) -> None:
    path = CONTENTS.path(tmp_path)
    path.write_text("my notes")
    assert refusal(tmp_path) == (
        f"{path} is no feature file of lpa; move it away, or give another folder with --cache"
    )


def test_a_file_of_another_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(feature_files, "FORMAT", 2)
        path.rename(CONTENTS.path(tmp_path))
        assert refusal(tmp_path).endswith(
            "has format 1, expected 2: another version of lpa made it; delete it and run the same "
            "command again"
        )


def begun(folder: Path, shards: int = 2) -> tuple[Path, Path]:
    """Leave a file after some shards; return it and its progress."""
    with FeatureWriter(folder, CONTENTS, SHARD) as writer:
        for number in range(shards):
            add(writer, number)
    return folder / f".{CONTENTS.key}.partial", folder / f".{CONTENTS.key}.progress"


def going_on(folder: Path) -> int:
    """Finish what was begun; return how many shards were there."""
    with FeatureWriter(folder, CONTENTS, SHARD) as writer:
        done = writer.done
        for number in range(done, 3):
            add(writer, number)
        writer.finish()
    return done


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    (tmp_path / "whole").mkdir()
    return written(tmp_path / "whole").read_bytes()


def test_what_was_begun_goes_on_to_the_same_bytes(tmp_path: Path, whole: bytes) -> None:
    begun(tmp_path)
    assert going_on(tmp_path) == 2
    assert CONTENTS.path(tmp_path).read_bytes() == whole


@pytest.mark.parametrize("cut", [1, 2, 23, 24, 25])
def test_features_that_were_not_written_though_noted_are_written_again(
    tmp_path: Path, whole: bytes, cut: int
) -> None:
    partial, _ = begun(tmp_path)
    partial.write_bytes(partial.read_bytes()[:-cut])
    assert going_on(tmp_path) == (1 if cut <= 24 else 0)
    assert CONTENTS.path(tmp_path).read_bytes() == whole


def test_features_that_were_written_and_not_noted_are_written_again(
    tmp_path: Path, whole: bytes
) -> None:
    _, progress = begun(tmp_path)
    progress.write_bytes(progress.read_bytes()[:-5])
    assert going_on(tmp_path) == 1
    assert CONTENTS.path(tmp_path).read_bytes() == whole


def test_features_that_were_damaged_half_way_are_written_again(
    tmp_path: Path, whole: bytes
) -> None:
    partial, _ = begun(tmp_path)
    flip(partial, HEADER + SHARD * DIM * 2)
    assert going_on(tmp_path) == 1
    assert CONTENTS.path(tmp_path).read_bytes() == whole


def test_a_beginning_with_other_shards_is_not_gone_on_with(tmp_path: Path, whole: bytes) -> None:
    with FeatureWriter(tmp_path, CONTENTS, 2) as writer:
        writer.add(VALUES[:2], {})
    assert going_on(tmp_path) == 0
    assert CONTENTS.path(tmp_path).read_bytes() == whole


def test_two_writers_of_one_file_do_no_harm(tmp_path: Path, whole: bytes) -> None:
    with FeatureWriter(tmp_path, CONTENTS, SHARD) as one:
        add(one, 0)
        with FeatureWriter(tmp_path, CONTENTS, SHARD) as other:
            assert other.done == 0
            for number in range(3):
                add(other, number)
            other.finish().verify()
        for number in (1, 2):
            add(one, number)
        one.finish().verify()
    (path,) = (path for path in tmp_path.iterdir() if path.is_file())
    assert path.read_bytes() == whole


def test_a_second_writer_that_is_given_up_leaves_nothing_of_its_own(tmp_path: Path) -> None:
    with FeatureWriter(tmp_path, CONTENTS, SHARD) as one:
        add(one, 0)
        with pytest.raises(RuntimeError), FeatureWriter(tmp_path, CONTENTS, SHARD) as other:
            add(other, 0)
            raise RuntimeError
        assert {path.suffix for path in tmp_path.iterdir()} == {".partial", ".progress"}
    left = tmp_path / f".{CONTENTS.key}.0123.writing"
    left.write_bytes(b"killed")
    old = time.time() - 7 * 3_600
    os.utime(left, (old, old))
    assert going_on(tmp_path) == 1
    assert not left.exists()


def test_skipped_images_have_no_row_and_keep_their_reason(tmp_path: Path) -> None:
    with FeatureWriter(tmp_path, CONTENTS, SHARD) as writer:
        writer.add(VALUES[:3], {1: "the file is empty"})
        writer.add(VALUES[3:7], {})
        writer.add(np.empty((0, DIM), np.float32), {8: "no image", 9: "no image"})
        file = writer.finish()
    assert file.positions.tolist() == [0, 2, 3, 4, 5, 6, 7]
    assert file.skips == {1: "the file is empty", 8: "no image", 9: "no image"}
    assert np.array_equal(file.features, VALUES[:7].astype(np.float16))
    file.verify()


def test_the_error_is_the_mean_and_the_largest_of_the_rows_that_were_given(
    tmp_path: Path,
) -> None:
    exact = np.array([[1 + 2**-12, 0, 0], [0, 2, 0], [0, 0, 0]], dtype=np.float32)
    with FeatureWriter(tmp_path, dataclasses.replace(CONTENTS, count=3), SHARD) as writer:
        writer.add(exact, {}, exact)
        file = writer.finish()
    # 1 + 2^-12 is not among the float16, whose step there is 2^-10: it becomes 1.
    error = 2**-12 / (1 + 2**-12)
    assert file.error == {"rows": 3, "mean": pytest.approx(error / 3), "max": pytest.approx(error)}


class Full:
    """A file on a full disk."""

    def write(self, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        pass


def test_a_full_disk_is_told_in_one_line_and_what_was_done_is_kept(
    tmp_path: Path, whole: bytes
) -> None:
    with pytest.raises(InputError) as caught, FeatureWriter(tmp_path, CONTENTS, SHARD) as writer:
        add(writer, 0)
        writer._file.close()
        writer._file = Full()  # type: ignore[assignment]
        add(writer, 1)
    assert str(caught.value) == (
        f"no space left on the disk of {tmp_path} for the feature file; free some space, or give "
        "another folder with --cache"
    )
    assert going_on(tmp_path) == 1
    assert CONTENTS.path(tmp_path).read_bytes() == whole


def test_checksums_are_those_of_the_stored_bytes(tmp_path: Path) -> None:
    path = written(tmp_path)
    file = FeatureFile.open(tmp_path, CONTENTS)
    body = path.read_bytes()[HEADER:]
    assert [check for _, check in file._checks] == [
        zlib.crc32(body[start * 6 : min(start + SHARD, ROWS) * 6]) for start in (0, 4, 8)
    ]


@pytest.mark.parametrize("facts", [[], {}, {"format": 1}, {"format": 1, "key": "KEY", "rows": "5"}])
def test_a_header_that_says_something_else_is_refused(tmp_path: Path, facts: Any) -> None:
    path = written(tmp_path)
    if "key" in facts:
        facts["key"] = CONTENTS.key
    path.write_bytes(header(feature_files.MAGIC, facts) + path.read_bytes()[HEADER:])
    assert refusal(tmp_path) == (
        f"{path} is damaged in its header; delete it and run the same command again"
    )
