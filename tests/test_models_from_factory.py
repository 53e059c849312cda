"""Models from an importable function."""

from __future__ import annotations

from pathlib import Path

import pytest

from lpa.errors import InputError
from lpa.models import load

CODE = """
import timm

def build():
    return timm.create_model("test_vit", num_classes=1000)

def needs(size):
    return size

def fails():
    raise RuntimeError("no weights here\\nsecond line")

def text():
    return "resnet50"
"""


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "factories_of_a_user.py").write_text(CODE)
    (tmp_path / "broken_module_of_a_user.py").write_text("import nothing_of_that_name")
    monkeypatch.chdir(tmp_path)


def test_a_function_in_the_current_folder_is_found() -> None:
    loaded = load("factories_of_a_user:build")
    assert (loaded.source, loaded.name) == ("factory", "factories_of_a_user:build")
    assert loaded.view.size == (160, 160)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "broken_module_of_a_user:build",
            "module 'broken_module_of_a_user' cannot be imported (ModuleNotFoundError: No module "
            "named 'nothing_of_that_name'); expected package.module:function, importable from the "
            "current folder or installed",
        ),
        (
            "factories_of_a_user:other",
            "module 'factories_of_a_user' has no function 'other'; expected "
            "package.module:function that returns a torch.nn.Module or lpa.Model",
        ),
        (
            "factories_of_a_user:fails",
            "model function 'factories_of_a_user:fails' failed (RuntimeError: no weights here); "
            "expected a function that needs no arguments and returns a torch.nn.Module or "
            "lpa.Model",
        ),
        (
            "factories_of_a_user:needs",
            "model function 'factories_of_a_user:needs' failed (TypeError: needs() missing 1 "
            "required positional argument: 'size'); expected a function that needs no arguments "
            "and returns a torch.nn.Module or lpa.Model",
        ),
        (
            "factories_of_a_user:text",
            "model 'factories_of_a_user:text' is a str; expected a torch.nn.Module or "
            "lpa.Model(module, preprocessing, classes)",
        ),
    ],
)
def test_a_function_that_gives_no_model_is_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load(text)
    assert str(caught.value) == message
