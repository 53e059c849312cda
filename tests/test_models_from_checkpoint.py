"""``ARCHITECTURE@FILE``, in the layouts of timm, torchvision and Lightning."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision

from lpa.classes import imagenet
from lpa.errors import InputError
from lpa.models import PreprocessingOverrides, load, parse_models
from lpa.models.loaded import LoadedModel
from lpa.views import View

timm_data: Any = timm.data

NAMES = [f"class{number}" for number in range(1, 8)]


def same_logits(loaded: LoadedModel, module: torch.nn.Module) -> bool:
    height, width = loaded.view.size
    batch = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return torch.equal(loaded.module(batch), module.eval()(batch))


def saved(folder: Path, content: Any, name: str = "best.pth") -> Path:
    torch.save(content, folder / name)
    return folder / name


def prefixed(module: torch.nn.Module, prefix: str) -> dict[str, torch.Tensor]:
    return {prefix + name: tensor for name, tensor in module.state_dict().items()}


def test_timms_layout_loads_averaged_weights_and_the_trainings_preprocessing(
    tmp_path: Path,
) -> None:
    plain, averaged = (timm.create_model("test_efficientnet", num_classes=7) for _ in range(2))
    arguments = argparse.Namespace(
        img_size=None, input_size=[3, 128, 128], crop_pct=0.9, mean=None, std=[0.5, 0.5, 0.5]
    )
    arguments.interpolation = "bilinear"
    content = {"epoch": 9, "arch": "test_efficientnet", "args": arguments, "metric": 70.1}
    content |= {"state_dict": prefixed(plain, "module."), "version": 2}
    content |= {"state_dict_ema": prefixed(averaged, "_orig_mod."), "classes": NAMES}
    path = saved(tmp_path, content, "model_best.pth.tar")

    loaded = load(f"test_efficientnet@{path}")
    assert same_logits(loaded, averaged)
    assert loaded.classes.names == tuple(NAMES)
    assert loaded.view == View((128, 128), (142, 142), "short_side", "bilinear")
    assert loaded.std == (0.5, 0.5, 0.5)
    assert loaded.weights == "model_best.pth.tar (state_dict_ema)"
    assert loaded.notes == (
        "averaged weights (state_dict_ema) used; #state_dict takes the others",
        "prefix '_orig_mod.' removed",
        "preprocessing of the checkpoint's own training arguments",
    )
    chosen = load(f"test_efficientnet@{path}#state_dict")
    assert same_logits(chosen, plain)
    assert chosen.weights_hash != loaded.weights_hash


def test_torchvisions_layout_loads_with_its_own_evaluation_preset(tmp_path: Path) -> None:
    module = torchvision.models.mobilenet_v3_small(num_classes=7)
    averaged = torch.optim.swa_utils.AveragedModel(torch.nn.DataParallel(module))
    arguments = argparse.Namespace(
        model="mobilenet_v3_small", val_resize_size=80, val_crop_size=64, interpolation="bicubic"
    )
    content = {"model": module.state_dict(), "optimizer": {}, "epoch": 1, "args": arguments}
    content |= {"model_ema": averaged.state_dict(), "scaler": {"scale": 1.0}}
    path = saved(tmp_path, {**content, "class_to_idx": dict(zip(NAMES, range(7), strict=True))})
    loaded = load(f"mobilenet_v3_small@{path}")
    assert same_logits(loaded, module)
    assert loaded.classes.names == tuple(NAMES)
    assert loaded.view == View((64, 64), (80, 80), "short_side", "bicubic")
    assert loaded.published_accuracy is None
    assert "1 tensors outside 'module.' ignored (n_averaged)" in loaded.notes


def test_lightnings_layout_loads_and_names_what_it_leaves_out(tmp_path: Path) -> None:
    module = torchvision.models.resnet18(num_classes=7)
    state = {**prefixed(module, "model."), "criterion.weight": torch.ones(7)}
    content = {"state_dict": state, "pytorch-lightning_version": "2.5", "callbacks": {}}
    content |= {"hyper_parameters": {"lr": 0.1, "classes": NAMES}, "loops": {"a": {}}}
    path = saved(tmp_path, content, "last.ckpt")
    loaded = load(f"resnet18@{path}")
    assert same_logits(loaded, module)
    assert loaded.name == f"resnet18@{path}"
    assert parse_models(f"resnet18@{path}")[0].name == "resnet18@last"
    assert "1 tensors outside 'model.' ignored (criterion.weight)" in loaded.notes
    # without a record of its own: the preprocessing of the architecture's first weights
    assert loaded.view == View((224, 224), (256, 256), "short_side", "bilinear")


def test_a_transformer_trained_at_another_size_loads_at_that_size(tmp_path: Path) -> None:
    module = timm.create_model("test_vit", num_classes=7, img_size=96)
    path = saved(tmp_path, {"model": module.state_dict(), "classes": NAMES})
    loaded = load(f"test_vit@{path}", overrides=PreprocessingOverrides(img_size=96))
    assert loaded.view.size == (96, 96)
    assert same_logits(loaded, module)


def test_a_classes_file_names_the_outputs(tmp_path: Path) -> None:
    module = timm.create_model("test_vit", num_classes=7)
    path = saved(tmp_path, module.state_dict())
    (tmp_path / "classes.txt").write_text("\n".join(NAMES))
    loaded = load(f"test_vit@{path}", classes_file=tmp_path / "classes.txt")
    assert loaded.classes.names == tuple(NAMES)
    with pytest.raises(InputError) as caught:
        load(parse_models(f"mine=test_vit@{path}")[0])
    assert str(caught.value) == (
        "model 'mine' has 7 outputs and no class names: give --classes FILE (names in output "
        "order, one a line, or JSON name -> index)"
    )


def test_an_official_file_of_torchvision_is_recognised_by_its_name(tmp_path: Path) -> None:
    weights = torchvision.models.DenseNet121_Weights.IMAGENET1K_V1
    module = torchvision.models.densenet121()
    # torchvision's files call the layers of a block "norm.1", as its builder knows.
    old = {
        name.replace("norm1", "norm.1").replace("conv1.", "conv.1.").replace("norm2", "norm.2")
        if "denselayer" in name
        else name: tensor
        for name, tensor in module.state_dict().items()
    }
    path = saved(tmp_path, old, Path(weights.url).name)
    loaded = load(f"densenet121@{path}")
    assert same_logits(loaded, module)
    assert loaded.published_accuracy == 74.434
    assert loaded.classes == imagenet()
    assert f"recognised by its name as {weights}" in loaded.notes


def test_an_official_inception_normalizes_its_input_as_torchvisions_does(tmp_path: Path) -> None:
    weights = torchvision.models.GoogLeNet_Weights.IMAGENET1K_V1
    module = torchvision.models.googlenet(transform_input=True, init_weights=False)
    path = saved(tmp_path, module.state_dict(), Path(weights.url).name)
    assert same_logits(load(f"googlenet@{path}"), module)
    own = saved(tmp_path, module.state_dict(), "own.pth")
    assert not same_logits(load(f"googlenet@{own}"), module)


@pytest.mark.parametrize(
    "architecture",
    [
        *("tv:squeezenet1_0", "tv:regnet_y_400mf", "tv:mnasnet0_5", "tv:shufflenet_v2_x0_5"),
        *("timm:test_resnet", "timm:deit_tiny_distilled_patch16_224", "timm:test_nfnet"),
    ],
)
def test_the_number_of_outputs_is_read_off_any_architectures_head(
    architecture: str, tmp_path: Path
) -> None:
    library, _, name = architecture.partition(":")
    if library == "timm":
        module = timm.create_model(name, num_classes=7)
    else:
        module = torchvision.models.get_model(name, num_classes=7)
    path = saved(tmp_path, {"model": module.state_dict(), "classes": NAMES})
    loaded = load(f"{architecture}@{path}")
    assert len(loaded.classes) == 7
    assert same_logits(loaded, module)


def test_wrong_missing_and_unexpected_tensors_are_named_in_one_line(tmp_path: Path) -> None:
    state = torchvision.models.resnet18(num_classes=7).state_dict()
    state["conv1.weight"] = torch.zeros(64, 3, 3, 3)
    state["extra.a"] = torch.zeros(1)
    for name in [name for name in state if name.startswith("layer4.0.")]:
        del state[name]
    with pytest.raises(InputError) as caught:
        load(f"resnet18@{saved(tmp_path, state)}")
    assert str(caught.value) == (
        "checkpoint 'best.pth' does not fit resnet18: of 122 tensors 1 of another shape "
        "(conv1.weight is (64, 3, 3, 3), not (64, 3, 7, 7)); 15 missing (layer4.0.conv1.weight, "
        "layer4.0.bn1.weight, layer4.0.bn1.bias, ...); 1 unexpected (extra.a); expected a "
        "checkpoint of this architecture (name it before the @)"
    )


def test_a_backbone_without_a_head_is_refused(tmp_path: Path) -> None:
    state = torchvision.models.resnet18().state_dict()
    del state["fc.weight"], state["fc.bias"]
    with pytest.raises(InputError) as caught:
        load(f"resnet18@{saved(tmp_path, state)}")
    assert str(caught.value) == (
        "checkpoint 'best.pth' has no head (fc.weight, fc.bias are missing); expected a "
        "classifier: a backbone alone cannot be scanned"
    )


def test_an_architecture_that_only_gives_features_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load(f"timm:mobilenetv5_300m_enc@{saved(tmp_path, {'a': torch.ones(1)})}")
    assert str(caught.value) == (
        "architecture 'mobilenetv5_300m_enc' has no classification head, only features; expected "
        "one that classifies (lpa models '*in1k*' lists some)"
    )


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path: Path) -> None:
    state = torchvision.models.squeezenet1_1().state_dict()
    with pytest.raises(InputError, match=r"does not fit resnet18: of 122 tensors 102 missing"):
        load(f"resnet18@{saved(tmp_path, state)}")


def test_half_precision_weights_are_measured_in_single_precision(tmp_path: Path) -> None:
    module = timm.create_model("test_vit", num_classes=7).half()
    path = saved(tmp_path, {"model": module.state_dict(), "classes": NAMES})
    assert same_logits(load(f"test_vit@{path}"), module.float())


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("mean", "abc", "'abc'"),
        ("std", [0.2, 0.0, 0.2], "[0.2, 0.0, 0.2]"),
        ("input_size", [3, -1, 10**30], "[3, -1, 1000000000000000000000000000000]"),
        ("img_size", 10**30, "a long number"),
        ("crop_pct", {"a": 1}, "{'a': 1}"),
        ("crop_pct", float("nan"), "nan"),
        ("crop_mode", 3, "3"),
    ],
)
def test_arguments_of_a_training_that_cannot_be_are_named(
    tmp_path: Path, key: str, value: Any, shown: str
) -> None:
    content = {"args": argparse.Namespace(**{key: value})}
    content["state_dict"] = prefixed(timm.create_model("test_efficientnet", num_classes=7), "")
    path = saved(tmp_path, content, "best.pth")
    with pytest.raises(InputError) as caught:
        load(f"test_efficientnet@{path}")
    assert str(caught.value) == (
        f"checkpoint 'best.pth' records {key} {shown} of its training, which cannot be; expected "
        "what timm's train.py writes: save the weights alone (model.state_dict()) and give "
        "--img-size, --crop-pct, --mean and --std"
    )
