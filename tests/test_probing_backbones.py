"""Backbones: a sweep's kept models with their axis, pretrained models, checkpoints by pattern."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
import torchvision
from test_models_from_run import NAMES, put

from lpa.axes import Axis
from lpa.datasets import open_data
from lpa.datasets.selection import index_samples
from lpa.errors import InputError
from lpa.models import PreprocessingOverrides
from lpa.outcomes import Store, put_plan
from lpa.probing.backbones import Backbone, find_backbones
from lpa.probing.features import extract

CROP = Axis("random_crop", "lower bound", 1.0, "down", minimum=0.0, maximum=1.0, monotone=False)


def message(asked: Any, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        find_backbones(asked, **options)
    return str(caught.value)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "digits"
    for value in (1.0, 0.08):
        for seed in (0, 1):
            put(folder, value=value, seed=seed)
    put(folder, model="small_cnn+mix", value=0.08, seed=1)
    put_plan(Store(folder), {"axes": [{"axis": CROP.to_dict(), "values": [1.0, 0.08]}]})
    return folder


def test_every_kept_model_of_a_run_is_a_backbone_at_its_place(run: Path) -> None:
    for asked in (str(run), f"run:{run}"):
        found = find_backbones(asked)
        assert [one.place for one in found] == [
            ("small_cnn", "random_crop", 0.08, 0),
            ("small_cnn", "random_crop", 0.08, 1),
            ("small_cnn", "random_crop", 1.0, 0),
            ("small_cnn", "random_crop", 1.0, 1),
            ("small_cnn+mix", "random_crop", 0.08, 1),
        ]
        assert {one.axis for one in found} == {CROP}
        assert dict(found[1].facts) == {
            "source": "run",
            "text": f"run:{run}#small_cnn#random_crop=0.08#1",
            "run": str(run),
            "architecture": "small_cnn",
            "fingerprint": "f",
            "classes": 3,
        }


def test_what_is_loaded_are_the_weights_of_that_place(run: Path, tmp_path: Path) -> None:
    (chosen,) = find_backbones(f"run:{run}#random_crop=1#1")
    module = put(tmp_path / "again", value=1.0, seed=1)
    loaded = chosen.load()
    for name, tensor in module.state_dict().items():
        assert torch.equal(loaded.module.state_dict()[name], tensor), name
    assert loaded.classes == NAMES
    assert loaded.name == "small_cnn random_crop=1 seed 1"


def test_models_without_an_axis_have_none(tmp_path: Path) -> None:
    put(tmp_path, axis=None, value=None, seed=3)
    (found,) = find_backbones(str(tmp_path))
    assert found.place == ("small_cnn", None, None, 3)


def test_pretrained_models_have_no_axis() -> None:
    found = find_backbones("resnet50,mine=vit_s")
    assert [one.place for one in found] == [("resnet50", None, None, 0), ("mine", None, None, 0)]
    assert [dict(one.facts) for one in found] == [
        {"source": "pretrained", "text": "resnet50"},
        {"source": "pretrained", "text": "vit_s"},
    ]


def test_a_model_from_python_is_a_backbone_and_needs_no_names_of_its_outputs() -> None:
    (found,) = find_backbones({"mine": tiny.nameless()})
    loaded = found.load()
    assert len(loaded.classes) == 40
    assert loaded.notes == ("40 outputs without names",)


def test_preprocessing_can_be_overridden() -> None:
    (found,) = find_backbones({"mine": tiny.model()}, overrides=PreprocessingOverrides(img_size=20))
    assert found.load().view.size == (20, 20)


@pytest.fixture
def checkpoints(tmp_path: Path) -> str:
    for value in ("1", "0.3"):
        for seed in (4, 9):
            torch.manual_seed(seed)
            state = torchvision.models.shufflenet_v2_x0_5(num_classes=6).state_dict()
            torch.save(state, tmp_path / f"net_{value}_s{seed}.pth")
    return str(tmp_path / "net_{value}_s{seed}.pth")


def test_checkpoints_by_pattern_are_backbones_from_weak_to_strong(checkpoints: str) -> None:
    found = find_backbones(checkpoints, model="net=shufflenet_v2_x0_5", axis=CROP)
    assert [one.place for one in found] == [
        ("net", "random_crop", 1.0, 0),
        ("net", "random_crop", 1.0, 1),
        ("net", "random_crop", 0.3, 0),
        ("net", "random_crop", 0.3, 1),
    ]
    assert [one.facts["seed"] for one in found] == [4, 9, 4, 9]
    loaded = found[3].load()
    torch.manual_seed(9)
    expected = torchvision.models.shufflenet_v2_x0_5(num_classes=6).conv1[0].weight
    module: Any = loaded.module
    assert torch.equal(module.conv1[0].weight, expected)
    # Six outputs that nobody named: no reason not to take features.
    assert loaded.classes.names == ("0", "1", "2", "3", "4", "5")


def test_a_pattern_needs_architecture_and_axis_and_nothing_else_does(checkpoints: str) -> None:
    needs = (
        f"--backbones {checkpoints!r} needs the checkpoints' architecture and what their values "
        "are; expected e.g. --model resnet50 --regularizer random_crop"
    )
    assert message(checkpoints, axis=CROP) == needs
    assert message(checkpoints, model="resnet50") == needs
    for options, named in (({"model": "resnet50"}, "--model"), ({"axis": CROP}, "--regularizer")):
        assert message("resnet50", **options) == (
            f"{named} goes with checkpoints by pattern, and --backbones resnet50 is none; expected "
            "e.g. --backbones 'ckpt/rn50_tau{value}_seed{seed}.pth', or leave it out"
        )


def test_a_pattern_that_matches_nothing_names_the_option(tmp_path: Path) -> None:
    pattern = str(tmp_path / "a{value}.pth")
    assert message(pattern, model="resnet50", axis=CROP).startswith(
        f"--backbones {pattern!r} matches no file; expected checkpoints such as "
    )


def test_two_sweeps_of_one_name_cannot_share_a_run(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    put(other, value=1.0, seed=0)
    put_plan(Store(other), {"axes": [{"axis": CROP.to_dict()}]})
    assert message({"a": f"run:{run}#small_cnn#random_crop=1#0", "b": f"run:{other}"}) == (
        f"backbones 'run:{run}#small_cnn#random_crop=1#0' and 'run:{other}' are both b; expected "
        "one each: probe them in two runs"
    )


def test_an_axis_that_no_plan_describes_is_refused(tmp_path: Path) -> None:
    put(tmp_path)
    assert message(str(tmp_path)) == (
        f"run {str(tmp_path)!r} keeps models on 'random_crop' and none of its plans describes "
        "that axis; expected the run's folder whole: copy plans/ as well"
    )


def test_features_of_all_of_a_sweeps_backbones_are_told_apart(run: Path, tmp_path: Path) -> None:
    source = open_data("digits")
    samples = index_samples(source, np.arange(20), np.arange(10))
    backbones: list[Backbone] = find_backbones(str(run))
    found = extract([one.load() for one in backbones], source, samples, cache=tmp_path / "cache")
    assert found is not None
    paths = [file.path for (file,) in found]
    # Weights follow the seed here: two of the five are different.
    assert len(set(paths)) == 2 and paths[0] == paths[2] and paths[1] == paths[3] == paths[4]
    assert {file.features.shape for (file,) in found} == {(20, 84)}
