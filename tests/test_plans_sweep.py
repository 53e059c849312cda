"""What can be asked of a training sweep."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lpa.errors import InputError
from lpa.plans import PlannedAxis, SweepPlan
from lpa.training.regularizers import parse_regularizer


def plan(**changes: Any) -> SweepPlan:
    axis = parse_regularizer("random_crop").axis
    planned = PlannedAxis(axis, (1.0, 0.3), 2, {"regularizer": axis.name, "revision": 1})
    return SweepPlan(**({"model": "small_cnn", "axis": planned, "data": "digits"} | changes))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"keep": "all"}, "--keep all is unknown; expected one of last, best, none"),
        ({"per_class": 0}, "--per-class 0 is out of range; expected at least 1"),
        ({"limit": -3}, "--limit -3 is out of range; expected at least 1"),
        ({"workers": 0}, "--workers 0 is out of range; expected at least 1"),
        ({"seed": -1}, "--seed -1 is out of range; expected 0 to 2**63 - 1"),
        ({"seed": 2**63}, f"--seed {2**63} is out of range; expected 0 to 2**63 - 1"),
        (
            {"precision": "fp8"},
            "precision 'fp8' is unknown; expected one of auto, fp32, fp16, bf16",
        ),
        (
            {"held": {"random_crop(frame=image)": 0.3}},
            "--set random_crop(frame=image) holds fixed what is swept; expected another "
            "regularizer than random_crop",
        ),
        ({"policies": ()}, "no policy is given; expected at least one, e.g. --policy plain"),
        ({"policies": ("plain", "plain")}, "a policy is given twice; give each once"),
        (
            {"policies": ("adaptive_strength",), "checkpoints": "{value}.pth"},
            "--from evaluates ready checkpoints and trains nothing; leave --policy out",
        ),
        ({"stack": 0}, "--stack 0 is out of range; expected auto, or at least 1"),
        (
            {"shard": (4, 3)},
            "--shard 4/3 is out of range; expected i/n with i from 1 to n, e.g. 3/100",
        ),
        (
            {"shard": (0, 3)},
            "--shard 0/3 is out of range; expected i/n with i from 1 to n, e.g. 3/100",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError) as caught:
        plan(**changes)
    assert str(caught.value) == text


def test_the_record_holds_what_was_asked_and_not_how_it_is_executed() -> None:
    asked = plan(held={"weight_decay": 0.1}, shard=(1, 2), workers=7)
    record = json.loads(json.dumps(asked.to_dict()))
    assert record["kind"] == "sweep"
    assert record["held"] == {"weight_decay": 0.1}
    assert record["axes"][0]["values"] == [1.0, 0.3]
    assert record["recipe"]["epochs"] == 30
    assert record == json.loads(json.dumps(plan(held={"weight_decay": 0.1}).to_dict()))
    assert record != json.loads(json.dumps(plan(held={"weight_decay": 0.1}, seed=1).to_dict()))
