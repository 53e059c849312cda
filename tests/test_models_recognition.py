"""Which source a text means, and the catalogue of what can be asked for."""

from __future__ import annotations

import pytest
import timm

from lpa.errors import InputError
from lpa.models import ALIASES, POPULAR, from_timm, from_torchvision, list_models
from lpa.models.recognition import PACKAGED, recognise


@pytest.mark.parametrize(
    ("text", "source", "target"),
    [
        ("resnet50", "torchvision", "resnet50"),
        ("tv:resnet50", "torchvision", "resnet50"),
        ("timm:resnet50", "timm", "resnet50"),
        ("ResNet50_Weights.IMAGENET1K_V2", "torchvision", "ResNet50_Weights.IMAGENET1K_V2"),
        ("resnet50.imagenet1k_v2", "torchvision", "resnet50.imagenet1k_v2"),
        ("resnet50.a1_in1k", "timm", "resnet50.a1_in1k"),
        ("vit_b_16", "torchvision", "vit_b_16"),
        ("vit_s", "timm", "vit_small_patch16_224.augreg_in21k_ft_in1k"),
        ("convnext_t", "torchvision", "convnext_tiny"),
        ("ConvNeXt-T", "torchvision", "convnext_tiny"),
        ("ViT-B/16", "torchvision", "vit_b_16"),
        ("ResNet-50", "torchvision", "resnet50"),
        ("efficientnet_lite0", "package", "efficientnet_lite0"),
        ("hf-hub:timm/resnet18.a1_in1k@v1", "timm", "hf-hub:timm/resnet18.a1_in1k@v1"),
        ("hf_hub:timm/resnet18.a1_in1k", "timm", "hf-hub:timm/resnet18.a1_in1k"),
        ("local-dir:/tmp/a@b", "timm", "local-dir:/tmp/a@b"),
        ("my.models:build", "factory", "my.models:build"),
        ("resnet50@a/b.pth", "checkpoint", "tv:resnet50@a/b.pth"),
        ("timm:resnet50@b.pth#model", "checkpoint", "timm:resnet50@b.pth#model"),
        ("vit_s@b.pth", "checkpoint", "timm:vit_small_patch16_224.augreg_in21k_ft_in1k@b.pth"),
        ("efficientnet_lite0@b.pth", "checkpoint", "timm:efficientnet_lite0@b.pth"),
    ],
)
def test_a_text_is_recognised(text: str, source: str, target: str) -> None:
    found = recognise(text)
    assert (found.source, found.target) == (source, target)


def test_every_alias_names_a_model_with_weights_and_a_head() -> None:
    for alias in ALIASES:
        found = recognise(alias)
        if found.source == "torchvision":
            assert from_torchvision.find_weights(found.target)[1].meta["num_params"] > 0
        else:
            assert found.target in timm.list_models(pretrained=True)
            assert timm.get_pretrained_cfg(found.target).num_classes == 1000
        assert found.notes == (f"{alias!r} stands for {found.source}'s {found.target}",)


def test_no_alias_hides_a_name_of_a_library() -> None:
    assert not [alias for alias in ALIASES if from_torchvision.knows(alias)]
    assert not [alias for alias in ALIASES if from_timm.knows(alias)]


def test_popular_models_all_have_torchvisions_first_weights() -> None:
    for name in POPULAR:
        found = recognise(name)
        assert found.source == "torchvision"
        assert from_torchvision.find_weights(name)[1].name == "IMAGENET1K_V1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "resnet5O",
            "unknown model 'resnet5O': did you mean 'resnet50' or 'resnet' or 'resnext50'? "
            "(lpa models '*part*' lists them)",
        ),
        (
            "tv:resnet50x@best.pth",
            "unknown torchvision architecture 'resnet50x': did you mean 'resnet50' or "
            "'resnet152' or 'resnet101'?",
        ),
        (
            "resnet50@",
            "model 'resnet50@' is not complete; expected ARCHITECTURE@FILE, e.g. resnet50@best.pth",
        ),
    ],
)
def test_an_unknown_name_is_answered_with_near_ones(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        recognise(text)
    assert str(caught.value) == message


def test_the_catalogue_finds_by_wildcard_and_by_part() -> None:
    rows = list_models("*convnext_t*")
    assert rows == list_models("ConvNeXt_T")
    assert {row["source"] for row in rows} == {"alias", "torchvision", "timm"}
    assert all("convnext_t" in row["name"] for row in rows)
    assert "convnext_tiny.in12k_ft_in1k" in {row["name"] for row in rows}


def test_the_catalogue_states_weights_size_and_published_accuracy() -> None:
    rows = {row["name"]: row for row in list_models("resnet50*")}
    assert rows["resnet50"]["weights"] == "ResNet50_Weights.IMAGENET1K_V1"
    assert rows["resnet50"]["published_accuracy"] == 76.13
    assert rows["resnet50.IMAGENET1K_V2"]["published_accuracy"] == 80.858
    assert rows["resnet50"]["input_size"] == 224
    assert list_models("inception_v3")[0]["input_size"] == 299
    assert {row["name"] for row in list_models("efficientnet_lite?")} >= set(PACKAGED)


def test_every_name_of_the_catalogue_is_recognised() -> None:
    rows = list_models()
    assert len(rows) > 1500
    for row in rows:
        found = recognise(row["name"])
        assert row["source"] in ("alias", found.source), row
