"""How policies are asked for, and what every one of them must do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from policy_context import CLASSES, context, made

from lpa.errors import InputError
from lpa.training.batch import Batch
from lpa.training.policies import POLICIES, build_policy, list_policies, parse_policy


@pytest.mark.parametrize(
    ("text", "name", "source", "canonical", "options"),
    [
        ("plain", "plain", "", "plain", {}),
        ("class_dependent=a=b.txt", "class_dependent", "a=b.txt", "class_dependent=a=b.txt", {}),
        (" class_dependent = x.json ", "class_dependent", "x.json", "class_dependent=x.json", {}),
        ("label_distillation=run:r#m", "label_distillation", "run:r#m",
         "label_distillation=run:r#m", {"hard": 0.0}),
        ("label_distillation(hard=.25)=resnet50", "label_distillation", "resnet50",
         "label_distillation(hard=0.25)=resnet50", {"hard": 0.25}),
        ("label_distillation(hard=0)=timm/x(y)", "label_distillation", "timm/x(y)",
         "label_distillation=timm/x(y)", {"hard": 0.0}),
        ("adaptive_strength(tolerance=.02, start=1)", "adaptive_strength", "",
         "adaptive_strength(start=1,tolerance=0.02)",
         {"start": 1.0, "step": 0.1, "tolerance": 0.02}),
    ],
)  # fmt: skip
def test_a_policy_is_read_from_its_name_options_and_source(
    text: str, name: str, source: str, canonical: str, options: dict[str, float]
) -> None:
    spec = parse_policy(text)
    assert (spec.name, spec.source, spec.text) == (name, source, canonical)
    assert spec.options == options
    assert parse_policy(spec.text) == spec


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("adaptive", "unknown policy 'adaptive': did you mean 'adaptive_strength'? "
                     "(lpa train-sweep --help lists them)"),
        ("", "policy '' cannot be read; expected NAME or NAME=SOURCE"),
        ("plain(a=1", "policy 'plain(a=1' cannot be read; expected NAME or NAME=SOURCE"),
        ("class_dependent", "policy class_dependent needs what it is made from: classes (names or "
                            "a file), a finished sweep, or the JSON of `lpa policy`; write "
                            "class_dependent=SOURCE"),
        ("preservation_targets=", "policy preservation_targets needs what it is made from: a scan "
                                  "of one fixed model with the same augmentation; write "
                                  "preservation_targets=SOURCE"),
        ("adaptive_strength=x", "policy adaptive_strength is made from nothing; write "
                                "adaptive_strength without 'x'"),
        ("plain(a=1)", "plain(a=1): plain has no options; write plain"),
        ("label_distillation(hard)=m",
         "label_distillation(hard): expected option=number, got 'hard'"),
        ("label_distillation(soft=1)=m",
         "unknown option of label_distillation 'soft': known: hard"),
        ("label_distillation(hard=2)=m",
         "label_distillation: option hard=2: expected a number from 0 to 1"),
        ("adaptive_strength(step=.1,step=.2)",
         "adaptive_strength(step=.1,step=.2): option step is given twice; give it once"),
    ],
)  # fmt: skip
def test_what_is_no_policy_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_policy(text)
    assert str(caught.value) == message


def test_asking_for_policies_imports_no_torch() -> None:
    script = (
        "import sys\nfrom lpa.training.policies import list_policies, parse_policy\n"
        "parse_policy('adaptive_strength'), list_policies()\n"
        "print(sorted({'torch', 'pandas', 'scipy'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_the_list_names_every_policy_with_its_source_and_options() -> None:
    listed = {row["name"]: row for row in list_policies()}
    assert set(listed) == set(POLICIES) and all(row["description"] for row in listed.values())
    assert listed["adaptive_strength"]["options"] == "start=0.5, step=0.1, tolerance=0.05"
    assert listed["plain"]["source"] == listed["plain"]["options"] == ""


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "classes.txt").write_text("c001\nc003\n")
    return {
        "plain": "plain",
        "class_dependent": f"class_dependent={tmp_path / 'classes.txt'}",
        "adaptive_strength": "adaptive_strength",
    }


@pytest.mark.parametrize("name", ["plain", "class_dependent", "adaptive_strength"])
def test_at_the_reference_every_class_has_the_reference_and_its_label(
    name: str, sources: dict[str, str]
) -> None:
    policy = made(sources[name])
    labels = np.array([0, 1, 2, 3, 3])
    values = policy.values(labels, 1.0, context().axis)
    assert values.dtype == np.float64 and values.tolist() == [1.0] * 5
    batch = Batch(np.arange(5), torch.rand(5, 3, 8, 8), torch.from_numpy(labels))
    assert policy.targets(batch, None, len(CLASSES)).targets is None


@pytest.mark.parametrize("name", ["plain", "class_dependent", "adaptive_strength"])
def test_a_record_is_plain_json_and_the_same_for_the_same_policy(
    name: str, sources: dict[str, str]
) -> None:
    spec = parse_policy(sources[name])
    first, second = (build_policy(spec, context()).record() for _ in range(2))
    assert json.loads(json.dumps(first, allow_nan=False)) == first == second


def test_the_plain_policy_gives_every_class_the_value() -> None:
    policy = made("plain")
    assert policy.values(np.array([0, 2, 1]), 0.08, context().axis).tolist() == [0.08] * 3
    assert policy.record() == policy.state() == {}
    assert (policy.name, policy.selected_on, policy.hold_out) == ("plain", (), False)
