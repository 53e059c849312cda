"""What people type after options: read by the project's grammars, never evaluated."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fuzz.mutations import hostile_texts, json_values
from fuzz.watch import FOLDER, cases, refused_or_read
from lpa.augmentations import specs
from lpa.augmentations.kornia_calls import arguments, canonical_call
from lpa.axes import Axis
from lpa.models.checkpoint_pattern import find_checkpoints
from lpa.models.kept_models import find_kept, run_location
from lpa.models.specs import parse_models
from lpa.plans import Recipe, parse_duration, parse_shard
from lpa.runs.choices import numbers, placed, split_names
from lpa.training.policies.specs import parse_policy
from lpa.training.regularizers.specs import parse_setting, parse_values, regularizer_spec

CROP = Axis("crop", "u", 1.0, "down", minimum=0.001, maximum=1.0, grid=(1.0, 0.5))
DECAY = Axis("weight_decay", "u", 0.0, "up", "log", minimum=0.0, maximum=1.0, grid=(0.0, 0.1))
CANARY = FOLDER / "evaluated"

READERS: dict[str, Callable[[str], Any]] = {
    "--aug": specs.parse,
    "--aug of Python": lambda text: specs.from_mapping({text: text}),
    "--models": parse_models,
    "--values": lambda text: parse_values(text, CROP),
    "--values on a logarithmic axis": lambda text: parse_values(text, DECAY),
    "--regularizer": regularizer_spec,
    "--set": parse_setting,
    "--policy": parse_policy,
    "--from": lambda text: find_checkpoints(f"{FOLDER}/{text}", CROP),
    "--max-time": parse_duration,
    "--shard": parse_shard,
    "--value": placed,
    "numbers": numbers,
    "names": split_names,
    "run:": lambda text: find_kept(f"{FOLDER}/{text}"),
    "a run among models": run_location,
    "kornia": canonical_call,
    "kornia at a strength": lambda text: arguments("RandomGaussianBlur", text, 0.5),
}
CALLS = [
    f"__import__('os').mkdir({str(CANARY)!r})",
    f"open({str(CANARY)!r},'w')",
    "(lambda: 1)()",
    "[x for x in (1,)]",
    "f'{1}'",
    "1+1",
    "{alpha}",
    "{alpha:1}",
    "{alpha, 1}",
    "(" * 5000,
    "9**9**9",
    "'a'*10**9",
    "None",
    "True",
    "-{alpha}",
    "(9,9)",
    "...",
    "b'x'",
    "1j",
    "x.y",
    "x[0]",
    "*a",
    "**a",
    "a=1",
    "sigma=({alpha},{alpha})",
    "lambda: 0",
    "not 1",
    "1 if 1 else 2",
    "await x",
    "yield",
    "x := 1",
]
WORDS = [
    "crop",
    "cutout",
    "color_jitter",
    "kornia:RandomGaussianBlur(",
    "kornia:",
    "random_crop",
    "plain",
    "weight_decay",
    "class_dependent=",
    "resnet50",
    "run:",
    "@",
    "#",
    "=",
    ",",
    "(",
    ")",
    ":",
    "1",
    ".5",
    "1:.08:20",
    "1:0:999999999",
    "0:1:2",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "place=centre",
    "{value}",
    "{seed}",
    "{percent}",
    "{}",
    "{value}{value}",
    "*",
    "**",
    "?",
    "[",
    "]",
    "'",
    '"',
    "~",
    "/",
    "..",
    "3:50:00",
    "3/100",
    "0/0",
    "1/0",
    "+",
    "-",
    " ",
    "²",
    "\u0661",
    "kornia:RandomGaussianBlur(kernel_size=(9,9),sigma=({alpha},{alpha}))@0,1,2",
    "tv:",
    "timm:",
    "local-dir:",
    "hf-hub:",
    "popular",
]


def texts() -> st.SearchStrategy[str]:
    """Words of the grammars in any order, and anything else."""
    words = st.lists(st.sampled_from([*WORDS, *CALLS]) | hostile_texts(), min_size=1, max_size=6)
    return words.map("".join).filter(lambda text: "\0" not in text)


@cases(750)
@given(st.sampled_from(sorted(READERS)), texts())
def test_what_follows_an_option_is_read_or_one_line(option: str, text: str) -> None:
    refused_or_read(lambda: READERS[option](text))
    assert not CANARY.exists()


@cases(375)
@given(st.sampled_from(CALLS), st.sampled_from(["sigma=", "", "kernel_size=(9,9),sigma=", "("]),
       st.sampled_from([")@0,1", "", ")", "@0,1"]))  # fmt: skip
def test_no_argument_of_kornia_is_evaluated(call: str, before: str, after: str) -> None:
    text = f"kornia:RandomGaussianBlur({before}{call}{after}"
    found = refused_or_read(lambda: specs.parse(text))
    for spec in found or ():
        written = spec.options.get("arguments", "")
        refused_or_read(lambda w=written: arguments("RandomGaussianBlur", w, 0.5))
    assert not CANARY.exists()


@cases(75)
@given(st.sampled_from(sorted(Recipe.names())), st.floats() | st.integers())
def test_any_number_in_a_recipe_is_taken_or_one_line(name: str, value: float) -> None:
    refused_or_read(lambda: Recipe(**{name: value}))


@cases(150)
@given(st.sampled_from(sorted(CROP.to_dict())), json_values(False))
def test_any_record_of_an_axis_is_an_axis_or_a_value_error(name: str, value: Any) -> None:
    record = {**CROP.to_dict(), name: value}
    axis = refused_or_read(lambda: Axis.from_dict(record), ValueError, TypeError)
    if axis is not None:
        json.dumps(axis.to_dict(), allow_nan=False)
        axis.strength(0.5)
        axis.ordered([1.0, 0.5])


def test_the_working_folder_is_as_it_was() -> None:
    assert not [name for name in os.listdir(FOLDER) if name in ("evaluated", "x")]  # noqa: PTH208
