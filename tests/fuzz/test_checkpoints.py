"""Files that claim to be checkpoints: tensors, or one line; never code."""

from __future__ import annotations

import argparse
import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from fuzz.mutations import json_values, mutated
from fuzz.watch import FOLDER, cases, refused_or_read
from lpa.classes import Classes
from lpa.models.checkpoint_files import read_checkpoint
from lpa.models.kept_models import find_kept
from lpa.models.kept_weights import WeightsFacts, encode, read_facts, read_tensors
from lpa.outcomes import Store
from lpa.training.checkpoint import Checkpoint, sealed
from lpa.views import View

CANARY = FOLDER / "canary"
STATE = {"fc.weight": torch.arange(6.0).view(2, 3), "fc.bias": torch.ones(2, dtype=torch.float16)}


def saved(content: Any, **options: Any) -> bytes:
    sink = io.BytesIO()
    torch.save(content, sink, **options)
    return sink.getvalue()


TORCH = [
    saved(STATE),
    saved(STATE, _use_new_zipfile_serialization=False),
    saved(
        {"state_dict": STATE, "args": argparse.Namespace(mean=[0.5] * 3), "epoch": np.float64(3)}
    ),
    saved({"model": STATE, "class_to_idx": {"a": 0, "b": 1}, "optimizer": {"lr": 0.1}}),
]
SAFE = [safetensors.torch.save(STATE), safetensors.torch.save(STATE, metadata={"lpa": "{}"})]
FACTS = WeightsFacts(
    architecture="small_cnn", classes=Classes(("a", "b")), view=View((8, 8), (8, 8)),
    mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2), dropout=0.0, model="small_cnn",
    axis="random_crop", value=0.5, replicate=0, fingerprint="00",
)  # fmt: skip
KEPT = encode(STATE, FACTS)


class Calls:
    """Pickles as a call."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def touching() -> list[Calls]:
    place = str(CANARY)
    return [
        Calls(os.system, f"touch {place}"),
        Calls(eval, f"open({place!r}, 'w')"),
        Calls(exec, f"open({place!r}, 'w').close()"),
        Calls(open, place, "w"),
        Calls(os.mkdir, place),
        Calls(Path.touch, Path(place)),
        Calls(__import__, "antigravity"),
        Calls(torch.load, place),
        Calls(np.save, place, 1),
        Calls(np.memmap, place, "u1", "w+", 0, (3,)),
        Calls(argparse.FileType("w"), place),
    ]


MALICIOUS = [
    wrapped
    for call in touching()
    for wrapped in (
        saved(call),
        saved({"state_dict": {**STATE, "x": call}}),
        saved({"state_dict": STATE, "args": argparse.Namespace(hook=call)}),
        saved(call, _use_new_zipfile_serialization=False),
        pickle.dumps(call),
    )
]


def written(data: bytes, suffix: str) -> Path:
    path = FOLDER / f"checkpoint{suffix}"
    path.write_bytes(data)
    return path


def read(data: bytes, suffix: str = ".pth") -> None:
    path = written(data, suffix)
    found = refused_or_read(lambda: read_checkpoint(path))
    assert not CANARY.exists()
    if found is not None:
        assert found.state and all(isinstance(t, torch.Tensor) for t in found.state.values())


@cases(84)
@given(st.binary(max_size=300), st.sampled_from([".pth", ".safetensors", ".pth.tar", ""]))
def test_random_bytes_are_no_checkpoint(data: bytes, suffix: str) -> None:
    read(data, suffix)


@cases(175)
@given(mutated(TORCH))
def test_a_mutated_file_of_torch_is_tensors_or_one_line(data: bytes) -> None:
    read(data)


@cases(84)
@given(mutated(SAFE), st.sampled_from([".safetensors", ".pth"]))
def test_a_mutated_safetensors_is_tensors_or_one_line(data: bytes, suffix: str) -> None:
    read(data, suffix)


@cases(84)
@given(st.sampled_from(MALICIOUS) | mutated(MALICIOUS))
def test_a_pickle_that_calls_something_calls_nothing(data: bytes) -> None:
    read(data)
    store = Store(FOLDER / "kept")
    store.put("checkpoints/g.pt", sealed(data) + data)
    refused_or_read(lambda: Checkpoint(store, "g", torch.device("cpu")).load())
    assert not CANARY.exists()


def safetensors_with(header: Any, body: bytes, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


OFFSETS = st.lists(st.sampled_from([-1, 0, 4, 8, 24, 2**31, 2**63, 2**64]), max_size=3)
ENTRY = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "F16", "I64", "BOOL", "F8_E4M3", "nothing", 7]),
        "shape": st.lists(st.sampled_from([-1, 0, 1, 2, 3, 2**31, 2**40]), max_size=4),
        "data_offsets": OFFSETS,
    }
)


@cases(105)
@given(
    st.dictionaries(
        st.sampled_from(["fc.weight", "__metadata__", "x", ""]),
        ENTRY | json_values(False),
        max_size=3,
    ),
    st.binary(max_size=32),
    st.none() | st.sampled_from([0, 1, 10**9, 2**63]),
)
def test_a_safetensors_whose_header_lies_is_one_line(
    header: dict[str, Any], body: bytes, length: int | None
) -> None:
    read(safetensors_with(header, body, length), ".safetensors")


@cases(56)
@given(st.dictionaries(st.text(max_size=5), st.binary(max_size=40), max_size=4))
def test_any_zip_is_one_line(members: dict[str, bytes]) -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, data in members.items():
            archive.writestr(f"archive/{name.encode('utf-8', 'replace').decode()}", data)
    read(sink.getvalue())


@cases(56)
@given(mutated(TORCH))
def test_a_damaged_state_of_a_training_is_trained_again(data: bytes) -> None:
    store = Store(FOLDER / "kept")
    store.put("checkpoints/g.pt", sealed(data) + data)
    refused_or_read(lambda: Checkpoint(store, "g", torch.device("cpu")).load())


@cases(84)
@given(mutated([KEPT]))
def test_mutated_kept_weights_are_read_or_one_line(data: bytes) -> None:
    path = written(data, ".safetensors")
    refused_or_read(lambda: read_facts(path))
    refused_or_read(lambda: read_tensors(path))


RECORD = json.loads(FACTS.to_text())


@cases(140)
@given(st.sampled_from(sorted(RECORD)), json_values())
def test_facts_of_kept_weights_with_any_value_are_read_or_one_line(name: str, value: Any) -> None:
    text = json.dumps({**RECORD, name: "@@"}).replace('"@@"', as_json(value))
    header = {"__metadata__": {"lpa": text}}
    path = written(safetensors_with(header, b""), ".safetensors")
    facts = refused_or_read(lambda: read_facts(path))
    if facts is not None:
        assert facts.name and isinstance(facts.place, str) and facts.preprocessing


@cases(70)
@given(st.sampled_from(sorted(RECORD)), json_values(False), st.text(max_size=5))
def test_a_run_of_kept_weights_is_listed_or_one_line(name: str, value: Any, part: str) -> None:
    folder = FOLDER / "sweep"
    store = Store(folder)
    if not store.exists("run.json"):
        store.put("run.json", RUN)
    for old in store.list("weights"):
        store.delete(old)
    text = json.dumps({**RECORD, name: "@@"}).replace('"@@"', as_json(value))
    store.put("weights/a.safetensors", safetensors_with({"__metadata__": {"lpa": text}}, b""))
    store.put("weights/b.safetensors", KEPT)
    refused_or_read(lambda: find_kept(f"{folder}#{part}"))
    refused_or_read(lambda: find_kept(f"{folder}#random_crop=0.5#0"))


RUN = json.dumps({
    "kind": "sweep", "data": "d", "split": None, "per_class": None, "limit": None,
    "fingerprint": "00", "classes": {"names": ["a", "b"], "labels": ["a", "b"]}, "seed": 0,
    "precision": "fp32", "shard_size": 64, "reference": {}, "format": 1,
}).encode()  # fmt: skip


def as_json(value: Any) -> str:
    """JSON of a value; text that stands for itself as it is."""
    from fuzz.mutations import Raw

    return str(value) if isinstance(value, Raw) else json.dumps(value)


@cache
def small_state() -> dict[str, torch.Tensor]:
    import timm

    return timm.create_model("test_efficientnet", num_classes=2).state_dict()


ARGUMENTS = [
    *("img_size", "input_size", "crop_pct", "crop_mode", "mean", "std", "interpolation"),
    *("val_resize_size", "val_crop_size", "classes", "class_to_idx"),
]
NUMBERS = st.sampled_from([0, 1, -1, 8, 224, 10**9, 10**30, 0.5, 1e308, float("nan")])


@cases(12)
@given(
    st.dictionaries(
        st.sampled_from(ARGUMENTS),
        json_values(False) | NUMBERS | st.lists(NUMBERS, min_size=1, max_size=3),
        min_size=1,
        max_size=3,
    )
)
def test_any_arguments_of_a_training_are_taken_or_one_line(arguments: dict[str, Any]) -> None:
    from lpa.models import load

    classes = FOLDER / "two.txt"
    classes.write_text("a\nb\n")
    content = {"state_dict": small_state(), "args": argparse.Namespace(**arguments)}
    path = written(saved(content), ".pth")
    refused_or_read(lambda: load(f"test_efficientnet@{path}", classes_file=classes))
