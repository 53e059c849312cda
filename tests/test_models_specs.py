"""What people write to ask for models."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lpa.errors import InputError
from lpa.models import POPULAR, ModelSpec, parse_models


class Anything:
    """Stands for a model object, which parsing never looks into."""

    def __init__(self, name: str | None) -> None:
        self.name = name


def pairs(text: str) -> list[tuple[str, str]]:
    return [(spec.name, spec.text) for spec in parse_models(text)]


def test_names_checkpoints_and_given_names_are_read_from_one_text() -> None:
    assert pairs("resnet50, vit_s,mine=resnet50@best.pth") == [
        ("resnet50", "resnet50"),
        ("vit_s", "vit_s"),
        ("mine", "resnet50@best.pth"),
    ]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("resnet50@runs/a/best.pth.tar", "resnet50@best"),
        ("resnet50@runs/lr=0.1/last.ckpt", "resnet50@last"),
        ("timm:vit_tiny_patch16_224@a.safetensors#model", "timm:vit_tiny_patch16_224@a#model"),
        ("hf-hub:timm/resnet18.a1_in1k@main", "hf-hub:timm/resnet18.a1_in1k@main"),
        ("local-dir:/data/models/mine", "mine"),
        ("package.module:function", "package.module:function"),
    ],
)
def test_a_model_without_a_name_is_called_after_its_text_without_folders(
    text: str, name: str
) -> None:
    assert pairs(text) == [(name, text)]


def test_popular_stands_for_six_models() -> None:
    assert len(set(POPULAR)) == 6
    assert [name for name, _ in pairs("popular,vit_s")] == [*POPULAR, "vit_s"]


def test_a_comma_inside_a_path_that_exists_is_no_separator(tmp_path: Path) -> None:
    folder = tmp_path / "lr=.1,wd=.2"
    folder.mkdir()
    (folder / "a,b.pth").touch()
    path = f"{folder}/a,b.pth"
    assert pairs(f"vit_s,mine=resnet50@{path},resnet18") == [
        ("vit_s", "vit_s"),
        ("mine", f"resnet50@{path}"),
        ("resnet18", "resnet18"),
    ]
    assert pairs(f"resnet50@{path}#model,vit_s")[0][1] == f"resnet50@{path}#model"
    assert pairs(f"x=local-dir:{folder},vit_s") == [
        ("x", f"local-dir:{folder}"),
        ("vit_s", "vit_s"),
    ]


def test_a_comma_after_a_path_that_does_not_exist_separates() -> None:
    assert [text for _, text in pairs("resnet50@none.pth,vit_s")] == ["resnet50@none.pth", "vit_s"]


def test_a_sequence_and_a_mapping_ask_for_the_same_models() -> None:
    thing = Anything("thing")
    assert parse_models(["resnet50,vit_s", thing]) == [
        ModelSpec("resnet50", "resnet50"),
        ModelSpec("vit_s", "vit_s"),
        ModelSpec("thing", "thing", thing),
    ]
    assert parse_models({"a": "resnet50@a,b.pth", "b": thing}) == [
        ModelSpec("a", "resnet50@a,b.pth"),
        ModelSpec("b", "b", thing),
    ]
    assert parse_models(thing) == [ModelSpec("thing", "thing", thing)]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ([], "no model is given; expected e.g. --models resnet50,vit_s"),
        (
            "vit_s,vit_s",
            "model 'vit_s' is given twice; give each once, or name them: first=vit_s,second=vit_s",
        ),
        (
            "resnet50,,vit_s",
            "model '' is empty; expected a name such as resnet50, ARCHITECTURE@CHECKPOINT or "
            "NAME=MODEL, separated by commas",
        ),
        (
            "mine=popular",
            "'mine=popular' gives one name to six models; expected popular alone, or NAME=MODEL",
        ),
        (
            {"mine": 3},
            "model 'mine' is 3; expected a name, or lpa.Model(module, preprocessing, classes)",
        ),
        (
            [Anything(None)],
            "model Anything has no name; expected {name: model}, or lpa.Model(module, "
            "preprocessing, classes, name=...)",
        ),
    ],
)
def test_what_cannot_be_read_is_named(asked: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_models(asked)
    assert str(caught.value) == message


def test_reading_what_is_asked_for_imports_no_torch() -> None:
    code = (
        "import sys, lpa.models, lpa.models.from_module;"
        "lpa.models.parse_models('popular,a=resnet50@x.pth');"
        "lpa.models.PreprocessingOverrides(img_size=224);"
        "print([n for n in ('torch', 'timm', 'torchvision') if n in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
