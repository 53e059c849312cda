"""Checkpoint files in the layouts that people have, and those that must not load."""

from __future__ import annotations

import argparse
import collections
import os
import pathlib
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from lpa.errors import InputError
from lpa.models.checkpoint_files import read_checkpoint

PLAIN = {"fc.weight": torch.arange(6.0).view(2, 3), "fc.bias": torch.ones(2)}
AVERAGED = {name: tensor + 1 for name, tensor in PLAIN.items()}


def saved(folder: Path, content: Any, name: str = "best.pth") -> Path:
    torch.save(content, folder / name)
    return folder / name


def same(state: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> bool:
    return list(state) == list(expected) and all(torch.equal(state[n], expected[n]) for n in state)


def test_a_bare_state_and_safetensors_are_read(tmp_path: Path) -> None:
    bare = read_checkpoint(saved(tmp_path, collections.OrderedDict(PLAIN)))
    assert same(bare.state, PLAIN)
    assert (bare.key, bare.notes, bare.classes) == ("", (), None)
    safetensors.torch.save_file(PLAIN, tmp_path / "model.safetensors")
    state = read_checkpoint(tmp_path / "model.safetensors").state
    assert same({name: state[name] for name in PLAIN}, PLAIN)


@pytest.mark.parametrize("key", ["state_dict", "model"])
def test_weights_are_found_beside_an_optimizer(key: str, tmp_path: Path) -> None:
    content = {"optimizer": {"lr": 0.1}, key: PLAIN, "epoch": 3}
    found = read_checkpoint(saved(tmp_path, content))
    assert same(found.state, PLAIN)
    assert found.key == key


@pytest.mark.parametrize("pair", [("state_dict_ema", "state_dict"), ("model_ema", "model")])
def test_averaged_weights_come_first_and_a_key_chooses(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    path = saved(tmp_path, {pair[1]: PLAIN, pair[0]: AVERAGED})
    found = read_checkpoint(path)
    assert same(found.state, AVERAGED)
    assert found.notes == (f"averaged weights ({pair[0]}) used; #{pair[1]} takes the others",)
    assert same(read_checkpoint(path, pair[1]).state, PLAIN)


def test_harmless_types_of_training_scripts_load(tmp_path: Path) -> None:
    content = {
        "state_dict": PLAIN,
        "args": argparse.Namespace(lr=0.1, output=pathlib.Path("runs"), crop_pct=0.9),
        "metric": np.float64(76.1),
        "best": np.int64(3),
        "curve": np.arange(3.0),
    }
    found = read_checkpoint(saved(tmp_path, content))
    assert same(found.state, PLAIN)
    assert found.arguments["crop_pct"] == 0.9


def test_lightnings_dict_with_attributes_loads_without_lightning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "lightning.fabric.utilities.data"
    kind = type("AttributeDict", (dict,), {"__module__": name})
    with monkeypatch.context() as patch:
        for part in ("lightning", "lightning.fabric", "lightning.fabric.utilities", name):
            patch.setitem(sys.modules, part, types.ModuleType(part))
        vars(sys.modules[name])["AttributeDict"] = kind
        path = saved(tmp_path, {"state_dict": PLAIN, "hyper_parameters": kind(lr=0.1)}, "a.ckpt")
    assert read_checkpoint(path).arguments == {"lr": 0.1}


@pytest.mark.parametrize(
    "record",
    [
        {"classes": ["cat", "dog"]},
        {"class_to_idx": {"dog": 1, "cat": 0}},
        {"idx_to_class": {1: "dog", 0: "cat"}},
        {"args": argparse.Namespace(class_names=["cat", "dog"])},
        {"hyper_parameters": {"classes": ("cat", "dog")}},
    ],
)
def test_class_names_are_found(record: dict[str, Any], tmp_path: Path) -> None:
    found = read_checkpoint(saved(tmp_path, {"model": PLAIN, **record}))
    assert found.classes == ["cat", "dog"]
    assert found.classes_key.endswith(" of best.pth")


class Malicious:
    """Runs a command when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


def test_a_file_that_holds_code_is_refused_and_nothing_runs(tmp_path: Path) -> None:
    mark = tmp_path / "it ran"
    path = saved(tmp_path, {"state_dict": PLAIN, "extra": Malicious(mark)})
    with pytest.raises(InputError) as caught:
        read_checkpoint(path)
    assert str(caught.value) == (
        f"checkpoint {str(path)!r} was not loaded: it holds posix.mkdir, which is code or an "
        "object, not plain data; expected tensors: save model.state_dict(), or safetensors"
    )
    assert not mark.exists()
    torch.load(path, weights_only=False)  # the test's own bait does work
    assert mark.exists()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (torch.nn.Linear(3, 2), "torch.nn.modules.linear.Linear"),
        ({"state_dict": PLAIN, "counts": collections.defaultdict(int, {"a": 1})}, "collections.de"),
    ],
)
def test_an_object_is_refused_by_its_class(content: Any, kind: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"was not loaded: it holds {kind}"):
        read_checkpoint(saved(tmp_path, content))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("damage", ["empty", "text", "cut"])
def test_a_damaged_file_is_named_in_one_line(suffix: str, damage: str, tmp_path: Path) -> None:
    path = tmp_path / f"best{suffix}"
    if suffix == ".pth":
        torch.save(PLAIN, path)
    else:
        safetensors.torch.save_file(PLAIN, path)
    whole = path.read_bytes()
    path.write_bytes({"empty": b"", "text": b"hello\n", "cut": whole[: len(whole) // 2]}[damage])
    with pytest.raises(InputError) as caught:
        read_checkpoint(path)
    text = str(caught.value)
    assert text.startswith(f"checkpoint {str(path)!r} is damaged or no checkpoint (")
    assert text.endswith(
        "); expected a file of torch.save or safetensors: copy or download it again"
    )
    assert "\n" not in text


@pytest.mark.parametrize(
    ("content", "key", "message"),
    [
        (
            [1, 2],
            "",
            "holds a list; expected a state_dict, or a mapping with one under state_dict_ema, "
            "model_ema, state_dict, model",
        ),
        (
            {"epoch": 3},
            "",
            "holds no weights; expected tensors there, or under one of state_dict_ema, model_ema, "
            "state_dict, model (name another as FILE#KEY)",
        ),
        ({"model": PLAIN, "epoch": 3}, "ema", "has no 'ema'; it holds epoch, model"),
        (
            {"model": PLAIN, "epoch": 3},
            "epoch",
            "holds no weights under 'epoch'; expected tensors there, or under one of "
            "state_dict_ema, model_ema, state_dict, model (name another as FILE#KEY)",
        ),
    ],
)
def test_a_file_without_weights_says_what_it_holds(
    content: Any, key: str, message: str, tmp_path: Path
) -> None:
    path = saved(tmp_path, content)
    with pytest.raises(InputError) as caught:
        read_checkpoint(path, key)
    assert str(caught.value) == f"checkpoint {str(path)!r} {message}"


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_checkpoint(tmp_path)
    assert str(caught.value) == (
        f"checkpoint {str(tmp_path)!r} is a folder; expected a file of torch.save or safetensors"
    )
    with pytest.raises(InputError, match="does not exist; expected a file of torch"):
        read_checkpoint(tmp_path / "none.pth")
