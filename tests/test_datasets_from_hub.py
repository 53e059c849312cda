"""The hub, as far as it can be tested without a network: local folders in its format, its cache,
and what happens when it does not answer."""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lpa.datasets import from_hub, open_data
from lpa.datasets.decode import decode
from lpa.errors import InputError

datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def saved(root: Path, splits: dict[str, list[int]], hidden: str = "") -> Path:
    """Save pictures as `datasets` itself does, in the layout of the hub."""
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["tench", "goldfish"])}
    )
    (root / "data").mkdir(parents=True)
    for split, labels in splits.items():
        pictures = [
            {"bytes": png(10 * row), "path": f"ILSVRC2012_val_{row:08d}.JPEG"}
            for row in range(len(labels))
        ]
        table = datasets.Dataset.from_dict({"image": pictures, "label": labels}, features=features)
        table.to_parquet(root / "data" / f"{split}-00000-of-00001.parquet")
    return root


def png(level: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((3, 4, 3), level, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def message(spec: str, split: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        open_data(spec, split)
    return str(caught.value)


def test_a_folder_in_the_hubs_format_is_read_alike_by_name_and_as_files(tmp_path: Path) -> None:
    root = saved(tmp_path / "photos", {"train": [0, 0, 1], "validation": [1, 0]})
    by_name, as_files = open_data(f"hub:{root}"), open_data(root)
    assert by_name.names == as_files.names
    assert by_name.names == [f"0000000{row}/ILSVRC2012_val_0000000{row}.JPEG" for row in (0, 1)]
    assert by_name.labels.tolist() == as_files.labels.tolist() == [1, 0]
    assert by_name.classes == as_files.classes
    assert by_name.splits == as_files.splits == ["validation"] * 2
    assert by_name.read(1) == as_files.read(1) == png(10)
    assert np.asarray(decode(by_name.read(1))).mean() == 10


def test_several_splits_of_a_hub_data_set_are_read_together(tmp_path: Path) -> None:
    root = saved(tmp_path / "photos", {"train": [0, 0, 1], "test": [1, -1]})
    source = open_data(f"hub:{root}", "train,test")
    assert [name.split("/")[:2] for name in source.names] == [
        ["test", "00000000"],
        ["train", "00000000"],
        ["train", "00000001"],
        ["train", "00000002"],
    ]
    assert source.labels.tolist() == [1, 0, 0, 1]


def test_only_the_files_of_the_split_are_read(tmp_path: Path) -> None:
    root = saved(tmp_path / "photos", {"train": [0, 0, 1], "validation": [1, 0]})
    (root / "data" / "train-00000-of-00001.parquet").write_bytes(b"never looked at")
    assert len(open_data(f"hub:{root}", "val")) == 2


def test_a_missing_split_lists_those_of_the_hub(tmp_path: Path) -> None:
    root = saved(tmp_path / "photos", {"train": [0], "validation": [1]})
    assert (
        message(f"hub:{root}", "test") == f"{root} has no split 'test'; it has: train, validation"
    )


def test_a_configuration_follows_the_name() -> None:
    assert from_hub._parsed("owner/name") == ("owner/name", None)
    assert from_hub._parsed("owner/name:full") == ("owner/name", "full")
    assert from_hub._parsed("C:/data/name") == ("C:/data/name", None)


@pytest.fixture
def silent_server() -> Iterator[str]:
    """Accept connections and never answer, as firewalls do."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def unreachable(endpoint: str) -> str:
    return (
        f"hub data set 'owner/name' cannot be had: {endpoint} does not answer and the cache of "
        "datasets does not hold it; fetch it where there is a network (hf download owner/name "
        "--repo-type dataset) and give the folder, or use --data imagenet-sample"
    )


def test_a_hub_that_refuses_is_told_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
        start = time.monotonic()
        assert message("hub:owner/name") == unreachable(endpoint)
    assert time.monotonic() - start < 10


def test_a_hub_that_never_answers_is_given_up(
    silent_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", silent_server)
    monkeypatch.setattr(from_hub, "PATIENCE", 0.5)
    start = time.monotonic()
    assert message("hub:owner/name") == unreachable(silent_server)
    assert 0.4 < time.monotonic() - start < 10


def test_looking_into_the_cache_leaves_the_network_on_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from huggingface_hub import constants

    flags = [(datasets.config, "HF_HUB_OFFLINE"), (constants, "HF_HUB_OFFLINE")]
    before = [getattr(*flag) for flag in flags]
    monkeypatch.setattr(from_hub, "_reachable", lambda: False)
    message("hub:owner/name")
    assert [getattr(*flag) for flag in flags] == before


def test_the_variable_for_offline_use_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.get_session", lambda: pytest.fail("asked"))
    assert not from_hub._reachable()


def test_what_was_loaded_before_is_found_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = saved(tmp_path / "photos", {"train": [0, 0, 1], "validation": [1, 0]})
    builder = datasets.load_dataset_builder(str(root))
    # The folder that a data set of this name on the hub gets in the cache.
    folder = tmp_path / "cache" / "owner___photos" / "default" / "0.0.0" / "0123456789abcdef"
    builder.download_and_prepare(str(folder))
    monkeypatch.setattr(from_hub, "_reachable", lambda: False)
    source = open_data("hub:owner/photos")
    assert source.labels.tolist() == [1, 0]
    assert source.read(1) == png(10)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (
            FileNotFoundError("Dataset 'owner/name' is a gated dataset on the Hub."),
            "hub data set 'owner/name' is not there or not open to you; look at "
            "https://huggingface.co/datasets/owner/name, accept its terms where it is gated, and "
            "run hf auth login",
        ),
        (
            ValueError("Config name is missing.\nPlease pick one among: ['a', 'b']"),
            "hub data set 'owner/name' cannot be loaded (ValueError: Config name is missing. "
            "Please pick one among: ['a', 'b']); fetch its files (hf download owner/name "
            "--repo-type dataset) and give the folder, or name a configuration "
            "(hub:owner/name:CONFIGURATION)",
        ),
    ],
)
def test_what_the_hub_refuses_is_one_line_with_the_way_out(
    raised: Exception, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise raised

    monkeypatch.setattr(from_hub, "_reachable", lambda: True)
    monkeypatch.setattr(datasets, "load_dataset_builder", refuse)
    assert message("hub:owner/name") == expected
