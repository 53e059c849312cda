"""torchvision's data sets, from files in exactly the format that they download."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torchvision
from PIL import Image

from lpa.datasets import open_data
from lpa.errors import InputError

RANDOM = np.random.default_rng(11)
CIFAR = RANDOM.integers(0, 256, (4, 3072), dtype=np.uint8)


@pytest.fixture
def cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """CIFAR-10's pickled batches, four images each, without the check of the real files' sums."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]:
        batch = {"data": CIFAR, "labels": [3, 0, 9, 3]}
        (folder / name).write_bytes(pickle.dumps(batch))
    names = ["airplane", *(f"class {number}" for number in range(1, 10))]
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": names}))
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "_check_integrity", lambda self: True)
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *_: True)
    return tmp_path


def message(spec: str, split: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        open_data(spec, split)
    return str(caught.value)


def test_cifars_batches_are_read_as_they_are_stored(cifar: Path) -> None:
    source = open_data(f"torchvision:CIFAR10={cifar}")
    assert len(source) == 4
    assert source.splits == ["test"] * 4
    assert source.classes.names[0] == "airplane" and len(source.classes) == 10
    assert source.labels.tolist() == [3, 0, 9, 3]
    for index in range(4):
        expected = CIFAR[index].reshape(3, 32, 32).transpose(1, 2, 0)
        np.testing.assert_array_equal(source.read(index), expected)


def test_both_splits_of_cifar_are_read_together(cifar: Path) -> None:
    source = open_data(f"torchvision:cifar10={cifar}", "train,test")
    assert source.splits == ["test"] * 4 + ["train"] * 20
    assert source.names[0] == "test/00000" and source.names[-1] == "train/00019"


def test_a_data_set_with_named_splits_defaults_to_validation(tmp_path: Path) -> None:
    for split in ("train", "val"):
        folder = tmp_path / "imagenette2" / split / "n01440764"
        folder.mkdir(parents=True)
        Image.new("RGB", (5, 5)).save(folder / f"{split}.JPEG")
    source = open_data(f"torchvision:Imagenette={tmp_path}")
    assert source.splits == ["val"]
    assert open_data(f"torchvision:Imagenette={tmp_path}", "train").splits == ["train"]
    assert source.classes.names[0] == "n01440764" and source.classes.labels[0] == "tench"


def test_a_missing_split_lists_those_there_are(cifar: Path) -> None:
    assert message(f"torchvision:CIFAR10={cifar}", "val") == (
        "CIFAR10 has no split 'val'; it has: train, test"
    )


def test_an_unknown_name_gets_the_nearest() -> None:
    assert message("torchvision:CIFR10=x").startswith(
        "unknown torchvision data set 'CIFR10': did you mean 'CIFAR10'"
    )


def test_a_name_without_a_folder_shows_the_form() -> None:
    assert message("torchvision:CIFAR10") == (
        "torchvision:CIFAR10 needs the folder that holds it; write torchvision:CIFAR10=PATH"
    )


def test_a_folder_that_does_not_exist_is_told(tmp_path: Path) -> None:
    assert message(f"torchvision:CIFAR10={tmp_path / 'none'}") == (
        f"'{tmp_path / 'none'}' does not exist; expected the folder that holds CIFAR10"
    )


def test_a_folder_without_the_data_says_how_to_download_them(tmp_path: Path) -> None:
    assert message(f"torchvision:SVHN={tmp_path}") == (
        f"torchvision:SVHN is not in {tmp_path} (Dataset not found or corrupted. You can use "
        'download=True to download it); download it with python -c "import torchvision; '
        f'torchvision.datasets.SVHN({str(tmp_path)!r}, download=True)", or give an image folder'
    )


def test_a_data_set_that_needs_more_than_a_folder_is_refused() -> None:
    assert message("torchvision:CocoDetection=x") == (
        "torchvision data set 'CocoDetection' needs root, annFile; make it in Python and pass the "
        "object as data"
    )
