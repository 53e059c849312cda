"""The same tiny images through every format give the same data set."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
import json
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from lpa.classes import Classes
from lpa.datasets import FORMATS, Source, index_samples, open_data
from lpa.datasets.decode import decode
from lpa.datasets.selection import sample_key

LABELS = [0, 0, 1, 1, 1, 2]
NAMES = ["0", "1", "2"]


def pixels(mode: str) -> list[np.ndarray]:
    random = np.random.default_rng(3)
    shape = (9, 11) if mode == "L" else (9, 11, 3)
    return [random.integers(0, 256, shape, dtype=np.uint8) for _ in LABELS]


def png(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def write_folder(root: Path, images: list[np.ndarray]) -> Path:
    for index, (label, array) in enumerate(zip(LABELS, images, strict=True)):
        (root / NAMES[label]).mkdir(parents=True, exist_ok=True)
        (root / NAMES[label] / f"{index}.png").write_bytes(png(array))
    return root


SPECIES = [f"0000{name}_Fungi_B_C_D_E_F_{name}" for name in NAMES]


def write_inaturalist(root: Path, images: list[np.ndarray]) -> Path:
    write_folder(root / "val", images)
    for name, species in zip(NAMES, SPECIES, strict=True):
        (root / "val" / name).rename(root / "val" / species)
    return root


def open_inaturalist(root: Path, images: list[np.ndarray]) -> Source:
    """Its classes have names that no other format writes."""
    source = open_data(write_inaturalist(root, images))
    assert source.classes.names == tuple(SPECIES)
    return dataclasses.replace(source, classes=Classes(tuple(NAMES)))


def write_manifest(root: Path, images: list[np.ndarray]) -> Path:
    root.mkdir()
    with (root / "list.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label"])
        for index, (label, array) in enumerate(zip(LABELS, images, strict=True)):
            (root / f"{index}.png").write_bytes(png(array))
            rows.writerow([f"{index}.png", NAMES[label]])
    return root / "list.csv"


def write_parquet(root: Path, images: list[np.ndarray]) -> Path:
    """Write two shards in the hub's layout, the schema's record as `datasets` writes it."""
    features = {
        "image": {"_type": "Image"},
        "label": {"names": NAMES, "_type": "ClassLabel"},
    }
    record = json.dumps({"info": {"features": features}})
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema([("image", kind), ("label", pa.int64())], metadata={"huggingface": record})
    (root / "data").mkdir(parents=True)
    rows = [
        {"image": {"bytes": png(array), "path": f"{index}.png"}, "label": label}
        for index, (label, array) in enumerate(zip(LABELS, images, strict=True))
    ]
    for shard, part in enumerate((rows[:4], rows[4:])):
        path = root / "data" / f"validation-{shard:05d}-of-00002.parquet"
        pq.write_table(pa.Table.from_pylist(part, schema=schema), path, row_group_size=3)
    return root


def write_idx(root: Path, images: list[np.ndarray]) -> Path:
    root.mkdir()
    stack = np.stack(images)
    head = struct.pack(">HBB3I", 0, 8, 3, *stack.shape)
    with gzip.open(root / "t10k-images-idx3-ubyte.gz", "wb") as file:
        file.write(head + stack.tobytes())
    labels = struct.pack(">HBBI", 0, 8, 1, len(LABELS)) + bytes(LABELS)
    (root / "t10k-labels-idx1-ubyte").write_bytes(labels)
    return root


class Items(torch.utils.data.Dataset):
    """Yields whatever it is given, with labels."""

    classes = NAMES

    def __init__(self, images: list[Any]) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return self.images[index], LABELS[index]


def as_tensor(array: np.ndarray) -> torch.Tensor:
    planes = torch.from_numpy(array if array.ndim == 3 else array[:, :, None]).permute(2, 0, 1)
    return planes.float() / 255


def open_hub_folder(root: Path, images: list[np.ndarray]) -> Source:
    return open_data(f"hub:{write_parquet(root, images)}")


def open_torchvision_folder(root: Path, images: list[np.ndarray]) -> Source:
    from torchvision.datasets import ImageFolder

    return open_data(ImageFolder(write_folder(root, images)))


WRITERS: dict[str, Callable[[Path, list[np.ndarray]], Path]] = {
    "folder": write_folder,
    "inaturalist": write_inaturalist,
    "manifest": write_manifest,
    "parquet": write_parquet,
    "idx": write_idx,
}

ENCODED: dict[str, Callable[[Path, list[np.ndarray]], Source]] = {
    "folder": lambda root, images: open_data(write_folder(root, images)),
    "inaturalist": open_inaturalist,
    "manifest": lambda root, images: open_data(write_manifest(root, images)),
    "parquet": lambda root, images: open_data(write_parquet(root, images)),
    "hub": open_hub_folder,
    "torchvision": open_torchvision_folder,
}

IN_MEMORY: dict[str, Callable[[Path, list[np.ndarray]], Source]] = {
    "pil_dataset": lambda root, images: open_data(Items([Image.fromarray(i) for i in images])),
    "array_dataset": lambda root, images: open_data(Items(images)),
    "tensor_dataset": lambda root, images: open_data(Items([as_tensor(i) for i in images])),
    "arrays": lambda root, images: open_data((np.stack(images), np.array(LABELS))),
    "tensors": lambda root, images: open_data(
        (torch.stack([as_tensor(i) for i in images]), torch.tensor(LABELS))
    ),
}

GREY_ONLY = {"idx": lambda root, images: open_data(write_idx(root, images))}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def check(source: Source, images: list[np.ndarray]) -> None:
    assert len(source) == len(images)
    assert source.names == sorted(set(source.names))
    assert source.classes.names == tuple(NAMES)
    assert source.labels.tolist() == LABELS
    assert source.labels.dtype == np.int64
    assert not source.published
    for index, array in enumerate(images):
        shown = np.asarray(decode(source.read(index)))
        expected = array if array.ndim == 3 else np.repeat(array[:, :, None], 3, axis=2)
        np.testing.assert_array_equal(shown, expected)


def test_every_format_of_the_register_is_written_here() -> None:
    assert set(WRITERS) == set(FORMATS)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("form", [*ENCODED, *IN_MEMORY])
def test_a_format_gives_names_labels_and_pixels(form: str, mode: str, tmp_path: Path) -> None:
    images = pixels(mode)
    check({**ENCODED, **IN_MEMORY}[form](tmp_path / "data_set", images), images)


def test_idx_files_give_names_labels_and_pixels(tmp_path: Path) -> None:
    images = pixels("L")
    check(GREY_ONLY["idx"](tmp_path / "data_set", images), images)


def test_encoded_formats_read_the_same_bytes_and_so_have_the_same_keys(tmp_path: Path) -> None:
    images = pixels("RGB")
    expected = [png(array) for array in images]
    keys = []
    for form, opened in ENCODED.items():
        source = opened(tmp_path / form, images)
        assert [source.read(index) for index in range(len(source))] == expected, form
        samples = index_samples(source, np.arange(len(source)), np.arange(3))
        keys.append(samples.key.tolist())
    assert keys == [[sample_key(raw) for raw in expected]] * len(ENCODED)


def test_formats_in_memory_have_the_same_keys_as_each_other(tmp_path: Path) -> None:
    images = pixels("RGB")
    sources = [opened(tmp_path, images) for opened in IN_MEMORY.values()]
    keys = {
        tuple(index_samples(source, np.arange(6), np.arange(3)).key.tolist()) for source in sources
    }
    assert len(keys) == 1


@pytest.mark.parametrize("form", [*ENCODED, *IN_MEMORY])
def test_a_source_reads_the_same_after_it_travelled_to_another_process(
    form: str, tmp_path: Path
) -> None:
    images = pixels("RGB")
    source = {**ENCODED, **IN_MEMORY}[form](tmp_path / "data_set", images)
    source.read(0)
    check(pickle.loads(pickle.dumps(source)), images)


@pytest.mark.parametrize("form", [*ENCODED, *IN_MEMORY])
def test_threads_read_what_one_thread_reads(form: str, tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    source = {**ENCODED, **IN_MEMORY}[form](tmp_path / "data_set", pixels("RGB"))
    expected = [sample_key(source.read(index)) for index in range(6)] * 20
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda i: sample_key(source.read(i % 6)), range(120))) == expected
