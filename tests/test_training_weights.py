"""Kept weights: the same bytes for the same model, and everything that loading needs."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch

from lpa.classes import Classes
from lpa.errors import InputError
from lpa.models.kept_objects import object_facts, object_tensors
from lpa.models.kept_weights import WeightsFacts
from lpa.models.small import SmallCnn
from lpa.outcomes.store import Store
from lpa.training.weights import put_weights, read_weights, weights_name
from lpa.views import View

FACTS = WeightsFacts(
    architecture="small_cnn",
    classes=Classes(("n01", "n02", "ü"), ("cat", "dog", "eel")),
    view=View((9, 11), (10, 12), "exact", "bicubic"),
    mean=(0.1, 0.2, 0.3),
    std=(0.4, 0.5, 0.6),
    dropout=0.25,
    model="small_cnn+policy",
    axis="random_crop",
    value=0.1 + 0.2,
    replicate=2,
    fingerprint="abc",
)


def module() -> SmallCnn:
    torch.manual_seed(0)
    return SmallCnn(3, (9, 11), 0.25)


def test_what_was_put_is_read_back_with_equal_logits(tmp_path: Path) -> None:
    trained = module()
    trained(torch.randn(8, 3, 9, 11))  # BatchNorm's statistics are part of a model
    name = put_weights(Store(tmp_path), "c" * 32, trained, FACTS)
    assert name == weights_name("c" * 32) == "weights/" + "c" * 32 + ".safetensors"
    facts, state = read_weights(tmp_path / name)
    assert facts == FACTS
    fresh = SmallCnn(3, (9, 11))
    fresh.load_state_dict(state, strict=True)
    images = torch.randn(4, 3, 9, 11)
    assert torch.equal(fresh.eval()(images), trained.eval()(images))


def test_the_same_model_gives_the_same_bytes_whatever_its_layout(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = store.get(put_weights(store, "a", module(), FACTS))
    last = module().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    assert store.get(put_weights(store, "b", last, FACTS)) == first
    stacked = torch.func.stack_module_state([module(), SmallCnn(3)])[0]
    views = module()
    for key, parameter in views.named_parameters():
        parameter.data = stacked[key].detach()[0]
    assert store.get(put_weights(store, "c", views, FACTS)) == first
    assert store.get(put_weights(store, "d", module(), replace(FACTS, value=0.3))) != first


def test_the_bytes_are_those_of_another_process(tmp_path: Path) -> None:
    ours = Store(tmp_path).get(put_weights(Store(tmp_path), "a", module(), FACTS))
    script = (
        "from pathlib import Path\n"
        "from test_training_weights import FACTS, module\n"
        "from lpa.outcomes.store import Store\n"
        "from lpa.training.weights import put_weights\n"
        f"put_weights(Store({str(tmp_path)!r}), 'b', module(), FACTS)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parent)
    assert Store(tmp_path).get("weights/b.safetensors") == ours


def test_facts_lie_as_json_in_the_header_and_dropout_has_no_tensors(tmp_path: Path) -> None:
    data = Store(tmp_path).get(put_weights(Store(tmp_path), "a", module(), FACTS))
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    record = json.loads(header.pop("__metadata__")["lpa"])
    assert record["classes"] == {"names": ["n01", "n02", "ü"], "labels": ["cat", "dog", "eel"]}
    assert (record["axis"], record["value"], record["replicate"]) == ("random_crop", 0.1 + 0.2, 2)
    assert not [name for name in header if name.startswith("drop")]


@pytest.mark.parametrize(
    ("axis", "value", "name"),
    [
        ("random_crop", 0.1 + 0.2, "small_cnn+policy random_crop=0.3 seed 2"),
        ("weight_decay", 1e-5, "small_cnn+policy weight_decay=1e-05 seed 2"),
        (None, None, "small_cnn+policy seed 2"),
    ],
)
def test_a_model_is_named_after_its_axis_value_and_seed(
    axis: str | None, value: float | None, name: str
) -> None:
    facts = replace(FACTS, axis=axis, value=value)
    assert facts.name == name
    assert WeightsFacts.from_text(facts.to_text()) == facts


def test_what_is_damaged_or_strange_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    whole = store.get(put_weights(store, "a", module(), FACTS))
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(whole[:500])
    strange = tmp_path / "strange.safetensors"
    safetensors.torch.save_file({"weight": torch.ones(2)}, strange)
    later = tmp_path / "later.safetensors"
    text = json.dumps({**json.loads(FACTS.to_text()), "format": 99})
    safetensors.torch.save_file({"weight": torch.ones(2)}, later, metadata={"lpa": text})
    reasons = {
        cut: "SafetensorError: ",
        strange: "KeyError: 'lpa'",
        later: "ValueError: another version of lpa wrote it",
        tmp_path / "none.safetensors": "FileNotFoundError: ",
    }
    for path, reason in reasons.items():
        with pytest.raises(InputError) as caught:
            read_weights(path)
        message = str(caught.value)
        assert message.startswith(
            f"weights {str(path)!r} are damaged or were not kept by lpa train-sweep ({reason}"
        )
        assert message.endswith(
            "); expected an unchanged file: copy it again, or delete it to leave this model out"
        )
        assert "\n" not in message


def test_a_flipped_bit_is_noticed_in_the_weights_and_in_the_facts(tmp_path: Path) -> None:
    store = Store(tmp_path)
    name = put_weights(store, "a", module(), FACTS)
    whole = store.get(name)
    in_facts = whole.index(b"0.25")  # The dropout rate: 0.25 becomes 0.65.
    places = {in_facts + 2: "what it says about itself was changed"}
    places |= dict.fromkeys((len(whole) - 1, len(whole) * 3 // 4), "its weights were changed")
    for place, reason in places.items():
        flipped = bytearray(whole)
        flipped[place] ^= 4
        store.put(name, bytes(flipped))
        with pytest.raises(InputError) as caught:
            read_weights(tmp_path / name)
        assert f"(ValueError: {reason}); expected an unchanged file" in str(caught.value)
        with pytest.raises(InputError) as there:
            object_facts(store, name)
            object_tensors(store, name)
        assert f"(ValueError: {reason}); expected an unchanged file" in str(there.value)


def test_weights_that_were_kept_without_digests_are_read(tmp_path: Path) -> None:
    state = module().state_dict()
    path = tmp_path / "old.safetensors"
    safetensors.torch.save_file(state, path, metadata={"lpa": FACTS.to_text()})
    facts, read = read_weights(path)
    assert facts == FACTS
    assert all(torch.equal(read[name], tensor) for name, tensor in state.items())
    store = Store(tmp_path)
    assert object_facts(store, "old.safetensors") == FACTS
    assert object_tensors(store, "old.safetensors").keys() == state.keys()


@pytest.mark.parametrize(
    "change",
    [
        {"model": None}, {"architecture": 3}, {"axis": None}, {"value": 10**400},
        {"replicate": "1"},
        {"mean": 3}, {"view": []}, {"classes": ["cat"]}, {"dropout": None}, {"fingerprint": []},
    ],
)  # fmt: skip
def test_facts_with_a_value_of_another_kind_are_named(
    tmp_path: Path, change: dict[str, object]
) -> None:
    path = tmp_path / "changed.safetensors"
    text = json.dumps({**json.loads(FACTS.to_text()), **change})
    safetensors.torch.save_file({"weight": torch.ones(2)}, path, metadata={"lpa": text})
    with pytest.raises(InputError, match="are damaged or were not kept by lpa train-sweep"):
        read_weights(path)


def test_facts_that_are_nested_too_deep_are_named(tmp_path: Path) -> None:
    path = tmp_path / "deep.safetensors"
    safetensors.torch.save_file({"weight": torch.ones(2)}, path, metadata={"lpa": "[" * 100_000})
    with pytest.raises(InputError, match="ValueError: it is nested too deep"):
        read_weights(path)
