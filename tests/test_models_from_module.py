"""Models from Python, given directly or by an importable function."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch

from lpa.classes import Classes, imagenet
from lpa.errors import InputError
from lpa.models import ModelSpec, PreprocessingOverrides, load
from lpa.models.from_module import Model
from lpa.models.loaded import LoadedModel

CONFIG = {"input_size": (3, 16, 16), "crop_pct": 0.8, "interpolation": "bilinear"}


class Means(torch.nn.Module):
    """Three logits: the channels' means."""

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return batch.mean((2, 3))


class Pair(Means):
    def forward(self, batch: torch.Tensor) -> Any:
        return super().forward(batch), batch


def loaded(given: Any, **options: Any) -> LoadedModel:
    return load(ModelSpec("mine", "mine", given), **options)


def message(given: Any, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        loaded(given, **options)
    return str(caught.value)


def test_a_model_from_python_is_loaded_under_its_name() -> None:
    found = loaded(Model(Means(), CONFIG, ["red", "green", "blue"]))
    assert (found.name, found.source, found.weights) == ("mine", "module", "Means")
    assert (found.view.size, found.view.resize) == ((16, 16), (20, 20))
    assert found.classes.names == ("red", "green", "blue")


@pytest.mark.parametrize(
    "classes",
    [("a", "b", "c"), {"b": 1, "a": 0, "c": 2}, Classes(("a", "b", "c"))],
)
def test_classes_are_given_in_any_form(classes: Any) -> None:
    assert loaded(Model(Means(), CONFIG, classes)).classes.names == ("a", "b", "c")


def test_classes_are_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("a\nb\nc")
    assert loaded(Model(Means(), CONFIG, tmp_path / "classes.txt")).classes.names == ("a", "b", "c")


def test_the_users_module_stays_as_it_is() -> None:
    module = timm.create_model("test_vit", num_classes=3).double().train()
    found = loaded(Model(module, None, ["a", "b", "c"]))
    assert module.training
    assert all(p.requires_grad and p.dtype == torch.float64 for p in module.parameters())
    assert not found.module.training
    assert all(p.dtype == torch.float32 for p in found.module.parameters())


def test_a_bare_timm_module_brings_its_own_preprocessing() -> None:
    found = loaded(timm.create_model("test_vit", num_classes=1000))
    assert found.preprocessing == "160 px, crop .95, bicubic, mean .5 .5 .5, std .5 .5 .5"
    assert found.classes == imagenet()


def test_a_wrapped_module_is_unwrapped() -> None:
    found = loaded(Model(torch.nn.DataParallel(Means()), CONFIG, ["a", "b", "c"]))
    assert isinstance(found.module, Means)


def test_options_can_stand_in_for_a_preprocessing() -> None:
    given = Model(Means(), None, ["a", "b", "c"])
    overrides = PreprocessingOverrides(img_size=32, mean=(0.5,), std=(0.5,))
    assert loaded(given, overrides=overrides).preprocessing == (
        "32 px, crop 1, bilinear, mean .5 .5 .5, std .5 .5 .5"
    )
    assert message(given) == (
        "model 'mine' comes without preprocessing; give lpa.Model(module, preprocessing, "
        "classes), or --img-size, --mean and --std"
    )


def test_what_is_no_model_is_refused_by_its_type() -> None:
    assert message("resnet50") == (
        "model 'mine' is a str; expected a torch.nn.Module or "
        "lpa.Model(module, preprocessing, classes)"
    )


def test_outputs_that_are_no_logits_are_refused() -> None:
    assert message(Model(Pair(), CONFIG, ["a", "b", "c"])) == (
        "model 'mine' gives tuple for one image; expected logits of shape (1, number of classes): "
        "wrap it in a module that returns them"
    )
    assert message(Model(torch.nn.Identity(), CONFIG)) == (
        "model 'mine' gives (1, 3, 16, 16) for one image; expected logits of shape (1, number of "
        "classes): wrap it in a module that returns them"
    )


def test_a_model_that_fails_on_its_own_view_is_refused_with_the_reason() -> None:
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(7, 3))
    text = message(Model(module, CONFIG, ["a", "b", "c"]))
    assert text.startswith("model 'mine' does not take its view of 16x16 pixels (")
    assert text.endswith("(1x768 and 7x3)); give the size it was made for with --img-size")


def test_classes_that_do_not_fit_are_refused() -> None:
    assert message(Model(Means(), CONFIG, ["a", "b"])) == (
        "model 'mine' has 3 outputs, but classes names 2; expected one name for each output "
        "(names in output order, one a line, or JSON name -> index)"
    )
    assert message(Model(Means(), CONFIG, {"a": 0, "b": 2, "c": 3})) == (
        "classes of model 'mine' do not name each output once (the indices are not 0 to 2, each "
        "once); expected names in output order, or name -> index"
    )
    assert message(Model(Means(), CONFIG)) == (
        "model 'mine' has 3 outputs and no class names: give --classes FILE (names in output "
        "order, one a line, or JSON name -> index)"
    )
