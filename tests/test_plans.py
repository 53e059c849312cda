"""Plans are checked when they are made."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from lpa.axes import Axis
from lpa.errors import InputError
from lpa.plans import PlannedAxis, ScanPlan, parse_duration, parse_shard

CROP = Axis("crop", "fraction kept", 1.0, "down", minimum=0.001, maximum=1.0)
PLANNED = PlannedAxis(CROP, (0.5, 1, 0.25), 2, {"name": "crop", "revision": 1})


def plan(**changes: Any) -> ScanPlan:
    return ScanPlan(**{"models": ("a", "b"), "axes": (PLANNED,), "data": "digits"} | changes)


def test_a_planned_axis_lists_its_conditions_from_weak_to_strong_without_the_reference() -> None:
    assert PLANNED.values == (1.0, 0.5, 0.25)
    assert PLANNED.conditions() == [(0.5, 0), (0.5, 1), (0.25, 0), (0.25, 1)]
    assert str(PLANNED) == "crop=1,0.5,0.25"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"models": ()}, "no model is given; expected at least one, e.g. --models resnet50"),
        ({"axes": ()}, "no augmentation is given; expected at least one, e.g. --aug crop"),
        ({"per_class": 0}, "--per-class 0 is out of range; expected at least 1"),
        ({"limit": -3}, "--limit -3 is out of range; expected at least 1"),
        ({"batch_size": 0}, "--batch-size 0 is out of range; expected at least 1"),
        ({"workers": 0}, "--workers 0 is out of range; expected at least 1"),
        ({"seed": -1}, "--seed -1 is out of range; expected 0 to 2**63 - 1"),
        ({"seed": 2**63}, f"--seed {2**63} is out of range; expected 0 to 2**63 - 1"),
        (
            {"precision": "fp8"},
            "precision 'fp8' is unknown; expected one of auto, fp32, fp16, bf16",
        ),
        (
            {"models": ("a",), "ensemble": True},
            "--ensemble needs at least two models, one is given; add another to --models",
        ),
        *(
            (
                {"shard": shard},
                f"--shard {shard[0]}/{shard[1]} is out of range; expected i/n with i from 1 to n, "
                "e.g. 3/100",
            )
            for shard in ((0, 3), (4, 3), (1, 0))
        ),
    ],
)
def test_a_plan_that_cannot_be_is_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError) as caught:
        plan(**changes)
    assert str(caught.value) == text


def test_no_draw_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        PlannedAxis(CROP, (0.5,), 0)
    assert str(caught.value) == "draws 0 is out of range; expected at least 1"


def test_what_is_asked_is_recorded_and_how_it_is_executed_is_not() -> None:
    record = plan().to_dict()
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    other_way = plan(batch_size=7, workers=5, shard=(1, 2)).to_dict()
    assert other_way == record
    for changes in (
        {"models": ("a",)}, {"data": "other"}, {"split": "val"}, {"per_class": 2}, {"limit": 3},
        {"seed": 1}, {"precision": "fp32"}, {"ensemble": True}, {"restrict_classes": True},
        {"classes": "names.txt"}, {"overrides": {"img_size": 64}}, {"images": False},
    ):  # fmt: skip
        assert plan(**changes).to_dict() != record, changes


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("3:50:00", 13800), ("30:00", 1800), ("90", 90), ("0:0:1.5", 1.5), ("100:00:00", 360000)],
)
def test_a_duration_is_read_as_slurm_writes_it(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "1h", "1:2:3:4", "-5", "1:-2", "nan", "1e3", ":30"])
def test_another_duration_is_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_duration(text)
    assert str(caught.value) == f"duration {text!r} cannot be read; expected H:MM:SS, e.g. 3:50:00"


def test_a_shard_is_part_and_number_of_parts() -> None:
    assert parse_shard("3/100") == (3, 100)


@pytest.mark.parametrize("text", ["3", "3/", "a/b", "3/100/2", "-1/2", "1.5/2"])
def test_another_shard_is_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_shard(text)
    assert str(caught.value) == f"shard {text!r} cannot be read; expected i/n, e.g. 3/100"


def test_plans_are_made_without_torch() -> None:
    code = "import sys, lpa.plans, lpa.axes, lpa.views; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
