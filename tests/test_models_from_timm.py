"""timm's models: tags, local folders in the hub's layout, class names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import timm
import torch

from lpa.classes import Classes, imagenet
from lpa.errors import InputError
from lpa.models import PreprocessingOverrides, load

timm_data: Any = timm.data


def folder_of(
    folder: Path, architecture: str, outputs: int, **record: Any
) -> tuple[str, torch.nn.Module]:
    """Write a model with random weights as timm's hub has it."""
    module = timm.create_model(architecture, num_classes=outputs)
    safetensors.torch.save_file(module.state_dict(), folder / "model.safetensors")
    config = {key: module.pretrained_cfg[key] for key in ("input_size", "classifier", "first_conv")}
    config |= {"num_classes": outputs, "mean": [0.5] * 3, "std": [0.5] * 3, "crop_pct": 0.95}
    config |= {"fixed_input_size": module.pretrained_cfg.get("fixed_input_size", False)}
    whole = {"architecture": architecture, "num_classes": outputs, "pretrained_cfg": config}
    (folder / "config.json").write_text(json.dumps({**whole, **record}))
    return f"local-dir:{folder}", module.eval()


def test_a_local_folder_loads_with_its_own_record(tmp_path: Path) -> None:
    text, module = folder_of(tmp_path, "test_efficientnet", 1000)
    loaded = load(text)
    assert loaded.classes == imagenet()
    assert loaded.preprocessing == "160 px, crop .95, bicubic, mean .5 .5 .5, std .5 .5 .5"
    batch = torch.randn(2, 3, 160, 160)
    with torch.inference_mode():
        assert torch.equal(loaded.module(batch), module(batch))


@pytest.mark.parametrize(
    ("record", "labels"),
    [
        ({"label_names": ["cat", "dog", "eel"]}, ("cat", "dog", "eel")),
        (
            {
                "label_names": ["cat", "dog", "eel"],
                "label_descriptions": {"cat": "a cat", "dog": "a dog", "eel": "an eel"},
            },
            ("a cat", "a dog", "an eel"),
        ),
        ({"id2label": {"0": "cat", "2": "eel", "1": "dog"}}, ("cat", "dog", "eel")),
    ],
)
def test_class_names_come_from_the_folders_config(
    record: dict[str, Any], labels: tuple[str, ...], tmp_path: Path
) -> None:
    text, _ = folder_of(tmp_path, "test_efficientnet", 3, **record)
    assert load(text).classes == Classes(("cat", "dog", "eel"), labels)


def test_a_folder_without_class_names_says_how_to_give_them(tmp_path: Path) -> None:
    text, _ = folder_of(tmp_path, "test_efficientnet", 3)
    with pytest.raises(InputError, match="has 3 outputs and no class names: give --classes FILE"):
        load(text)


def test_a_transformer_is_made_for_the_size_that_is_asked_for(tmp_path: Path) -> None:
    text, module = folder_of(tmp_path, "test_vit", 1000)
    assert module.pretrained_cfg["fixed_input_size"]
    loaded = load(text, overrides=PreprocessingOverrides(img_size=96))
    assert loaded.view.size == (96, 96)
    assert loaded.module.pos_embed.shape[1] < module.pos_embed.shape[1]
    assert len(loaded.classes) == 1000


def test_a_convolutional_network_takes_any_size(tmp_path: Path) -> None:
    text, _ = folder_of(tmp_path, "test_resnet", 1000)
    assert load(text, overrides=PreprocessingOverrides(img_size=64)).view.size == (64, 64)


def test_weights_that_do_not_fit_their_config_are_one_line(tmp_path: Path) -> None:
    text, _ = folder_of(tmp_path, "test_efficientnet", 1000)
    record = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**record, "architecture": "test_resnet"}))
    with pytest.raises(InputError) as caught:
        load(text)
    assert str(caught.value).startswith(f"model {text!r}: timm cannot load {text!r} (")
    assert str(caught.value).endswith(
        "; expected weights that fit the architecture of its config.json"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "vit_small_patch14_dinov2.lvd142m",
            "model 'vit_small_patch14_dinov2.lvd142m' has no classification head, only features; "
            "expected a model that was trained or fine-tuned to classify (lpa models '*in1k*' "
            "lists some)",
        ),
        (
            "volo_d4_448.sail_in1k",
            "model 'volo_d4_448.sail_in1k' pads its images (timm's crop fraction 1.15), which no "
            "view can express; give --crop-pct 1",
        ),
        (
            "timm:resnet5O",
            "unknown timm model 'resnet5O': did you mean 'resnet50' or 'resnet51q' or "
            "'resnet50t'? (lpa models '*part*' lists what matches)",
        ),
        (
            "local-dir:/none",
            "model 'local-dir:/none': folder '/none' holds no config.json; expected a folder in "
            "timm's hub layout (config.json and model.safetensors)",
        ),
    ],
)
def test_what_cannot_be_scanned_is_refused_before_any_download(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load(text)
    assert str(caught.value) == message


def test_an_architecture_without_weights_names_the_ways_out() -> None:
    name = next(
        name
        for name in timm.list_models()
        if not (timm.get_pretrained_cfg(name) and timm.get_pretrained_cfg(name).has_weights)
    )
    with pytest.raises(InputError) as caught:
        load(f"timm:{name}")
    assert str(caught.value) == (
        f"timm has no pretrained weights for {name!r}; give a tag (lpa models '{name}*' lists "
        f"them) or a file as NAME={name}@FILE"
    )
