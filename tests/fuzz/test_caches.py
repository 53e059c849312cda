"""Files of the cache that are not what they were: one line that says to delete them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from synthetic import made_up_samples

from fuzz.mutations import json_values, mutated
from fuzz.test_run_folders import GONE, places, with_value
from fuzz.watch import FOLDER, cases, refused_or_read
from lpa.cache_files import HEADER, digest, read_header
from lpa.outcomes import Samples
from lpa.probing.feature_files import MAGIC, FeatureContents, FeatureFile, FeatureWriter
from lpa.training import pixel_cache

CACHE = FOLDER / "cache"
CACHE.mkdir()
CONTENTS = FeatureContents(
    weights="w",
    convention="c",
    dim=3,
    fingerprint="f",
    split="val",
    count=5,
    view={"size": [8, 8]},
    mean=(0.5,),
    std=(0.2,),
    augmentation=None,
    precision="fp32",
    stored="float16",
)
SAMPLES: Samples = made_up_samples(1, 5)


def features() -> bytes:
    with FeatureWriter(CACHE, CONTENTS, 3) as writer:
        writer.add(np.ones((3, 3), np.float32), {})
        writer.add(np.ones((1, 3), np.float32), {3: "not an image"})
        writer.finish()
    return CONTENTS.path(CACHE).read_bytes()


FEATURES = features()


def read_features(data: bytes) -> None:
    CONTENTS.path(CACHE).write_bytes(data)

    def read() -> None:
        found = FeatureFile.open(CACHE, CONTENTS)
        found.verify()
        found.table(SAMPLES)

    refused_or_read(read)


@cases(150)
@given(mutated([FEATURES]) | st.binary(max_size=100))
def test_mutated_features_are_read_or_one_line(data: bytes) -> None:
    read_features(data)


def facts_of(data: bytes, magic: bytes) -> Any:
    return json.loads(data[len(magic) + 33 : HEADER])


@cases(90)
@given(st.data(), json_values() | st.just(GONE))
def test_features_whose_header_lies_are_read_or_one_line(data: st.DataObject, value: Any) -> None:
    facts = facts_of(FEATURES, MAGIC)
    changed = with_value(json.dumps(facts), data.draw(st.sampled_from(places(facts))), value)
    read_features(headed(MAGIC, changed) + FEATURES[HEADER:])


def headed(magic: bytes, text: bytes) -> bytes:
    """A header with the digest of what it says, whatever that is."""
    rest = text[: HEADER - len(magic) - 33].ljust(HEADER - len(magic) - 33)
    return magic + digest(rest).encode() + b"\n" + rest


@cases(60)
@given(
    st.binary(max_size=60)
    | st.builds(lambda v: headed(MAGIC, json.dumps(v).encode()), json_values(False))
)
def test_any_header_is_read_or_one_line(data: bytes) -> None:
    refused_or_read(lambda: read_header(CACHE / "x", data, MAGIC, "feature file"))


@cases(60)
@given(
    st.binary(max_size=200)
    | st.builds(lambda v: json.dumps(v).encode() + b"\n", json_values(False)),
    st.binary(max_size=60),
)
def test_any_progress_of_a_killed_writer_is_gone_on_from_or_begun_anew(
    progress: bytes, partial: bytes
) -> None:
    CONTENTS.path(CACHE).unlink(missing_ok=True)
    start = CACHE / f".{CONTENTS.key}"
    start.with_name(start.name + ".partial").write_bytes(bytes(HEADER) + partial)
    start.with_name(start.name + ".progress").write_bytes(progress)

    def go_on() -> None:
        with FeatureWriter(CACHE, CONTENTS, 5) as writer:
            assert writer.done in (0, 1)
            if not writer.done:
                writer.add(np.ones((5, 3), np.float32), {})
            writer.finish().verify()

    refused_or_read(go_on)


VIEWS = pixel_cache.Contents.originals(SAMPLES)


def pixels() -> bytes:
    with pixel_cache.PixelWriter(CACHE, VIEWS) as writer:
        for row in range(4):
            writer.add(row, (5, 4 + row), np.full((4 + row, 5, 3), row, np.uint8))
        writer.skip(4, "not an image")
        writer.finish()
    return VIEWS.path(CACHE).read_bytes()


PIXELS = pixels()


def read_pixels(data: bytes) -> None:
    VIEWS.path(CACHE).write_bytes(data)

    def read() -> None:
        found = pixel_cache.PixelFile.open(CACHE, VIEWS)
        found.verify()
        found.images(torch.device("cpu"))

    refused_or_read(read)


@cases(90)
@given(mutated([PIXELS]) | st.binary(max_size=100))
def test_mutated_pixels_are_read_or_one_line(data: bytes) -> None:
    read_pixels(data)


@cases(60)
@given(st.data(), json_values() | st.just(GONE))
def test_pixels_whose_header_lies_are_read_or_one_line(data: st.DataObject, value: Any) -> None:
    facts = facts_of(PIXELS, pixel_cache.MAGIC)
    changed = with_value(json.dumps(facts), data.draw(st.sampled_from(places(facts))), value)
    read_pixels(headed(pixel_cache.MAGIC, changed) + PIXELS[HEADER:])
