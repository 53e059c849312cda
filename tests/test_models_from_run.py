"""Models that a training sweep kept, asked for by their run."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lpa.classes import Classes
from lpa.errors import InputError
from lpa.models import PreprocessingOverrides, load, parse_models
from lpa.models.kept_weights import WeightsFacts, read_facts
from lpa.models.untrained import untrained
from lpa.outcomes.record import RunRecord
from lpa.outcomes.store import Store
from lpa.training.weights import put_weights

NAMES = Classes(("zero", "one", "two"), ("Zero", "One", "Two"))


def record(kind: str = "sweep") -> RunRecord:
    return RunRecord(kind, "digits", None, None, None, "f", NAMES, 0, "fp32", 9, {})


def put(folder: Path, architecture: str = "small_cnn", *, model: str = "small_cnn",
        axis: str | None = "random_crop", value: float | None = 1.0, seed: int = 0,
        ) -> torch.nn.Module:  # fmt: skip
    """Keep one untrained model; weights follow the seed."""
    store = Store(folder)
    store.put("run.json", record().to_bytes())
    found = untrained(architecture, 3, image_size=(12, 10))
    torch.manual_seed(seed)
    module = found.build(0.5)
    facts = WeightsFacts(
        found.architecture, NAMES, found.view, found.mean, found.std, 0.5, model, axis, value,
        seed, "f",
    )  # fmt: skip
    put_weights(store, f"{model}{axis}{value}{seed}".replace("/", "_"), module, facts)
    return module


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "digits"
    for value in (1.0, 0.3, 0.08):
        for seed in (0, 2, 10):
            put(folder, value=value, seed=seed)
    return folder


def pairs(text: object) -> list[tuple[str, str]]:
    return [(spec.name, spec.text) for spec in parse_models(text)]


def test_a_run_stands_for_all_its_kept_models_by_value_and_seed(run: Path) -> None:
    expected = [
        (f"small_cnn random_crop={value} seed {seed}", f"run:{run}#random_crop={value}#{seed}")
        for value in ("0.08", "0.3", "1")
        for seed in (0, 2, 10)
    ]
    assert pairs(f"run:{run}") == expected
    assert pairs(str(run)) == expected


def test_parts_choose_a_value_a_seed_or_both_in_any_order(run: Path) -> None:
    at_value = pairs(f"run:{run}#random_crop=.3")
    assert [name for name, _ in at_value] == [
        f"small_cnn random_crop=0.3 seed {seed}" for seed in (0, 2, 10)
    ]
    assert pairs(f"run:{run}#random_crop=0.3#2") == at_value[1:2]
    assert pairs(f"{run}#2#random_crop=0.30") == at_value[1:2]
    assert len(pairs(f"run:{run}#10")) == 3
    assert pairs(f"best=run:{run}#small_cnn#random_crop=1#0,vit_s") == [
        ("best", f"run:{run}#random_crop=1#0"),
        ("vit_s", "vit_s"),
    ]


def test_a_folder_with_commas_and_signs_in_its_name_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "a,b#c=1"
    put(folder, seed=3)
    expected = [("small_cnn random_crop=1 seed 3", f"run:{folder}#random_crop=1#3")]
    assert pairs(f"run:{folder}") == expected
    assert pairs(f"run:{folder}#3,vit_s") == [*expected, ("vit_s", "vit_s")]


def test_several_models_of_a_run_are_told_apart(tmp_path: Path) -> None:
    put(tmp_path, model="small_cnn")
    put(tmp_path, model="small_cnn+policy")
    put(tmp_path, model="plain", axis=None, value=None)
    assert pairs(f"run:{tmp_path}") == [
        ("plain seed 0", f"run:{tmp_path}#plain#0"),
        ("small_cnn random_crop=1 seed 0", f"run:{tmp_path}#small_cnn#random_crop=1#0"),
        (
            "small_cnn+policy random_crop=1 seed 0",
            f"run:{tmp_path}#small_cnn+policy#random_crop=1#0",
        ),
    ]
    for _, text in pairs(f"run:{tmp_path}"):
        assert pairs(text)[0][1] == text


@pytest.mark.parametrize("architecture", ["small_resnet", "small_vit", "resnet18"])
def test_a_kept_model_gives_the_logits_that_it_gave(tmp_path: Path, architecture: str) -> None:
    module = put(tmp_path, architecture, model=architecture, seed=4).eval()
    (spec,) = parse_models(f"run:{tmp_path}")
    loaded = load(spec)
    images = torch.randn(3, 3, 10, 12)
    with torch.inference_mode():
        assert torch.equal(loaded.module(images), module(images))
    assert loaded.name == f"{architecture} random_crop=1 seed 4"
    assert (loaded.classes.names, loaded.classes.labels) == (NAMES.names, NAMES.labels)
    assert (loaded.source, loaded.spec) == ("run", spec.text)
    assert loaded.view.size == (10, 12)
    assert loaded.mean == loaded.std == (0.5, 0.5, 0.5)


def test_a_kept_model_can_be_shown_another_preprocessing(run: Path) -> None:
    overrides = PreprocessingOverrides(img_size=16, mean=[0.2])
    loaded = load(f"run:{run}#random_crop=1#2", overrides=overrides)
    assert loaded.view.size == (16, 16)
    assert loaded.mean == (0.2, 0.2, 0.2)


def test_models_that_are_added_to_a_run_are_seen(run: Path) -> None:
    assert len(pairs(f"run:{run}")) == 9
    put(run, value=0.5, seed=0)
    assert len(pairs(f"run:{run}")) == 10


def test_listing_kept_models_imports_no_torch(run: Path) -> None:
    script = (
        "import sys, lpa.models\n"
        f"print(len(lpa.models.parse_models('run:{run}')))\n"
        "print([n for n in ('torch', 'timm', 'torchvision') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "9\n[]\n", done.stderr


def test_what_is_not_there_is_answered_with_what_is(run: Path) -> None:
    shown = repr(str(run))
    messages = {
        f"run:{run}#random_crop=0.5": f"run {shown} has no models at random_crop=0.5; kept are "
        "random_crop=0.08, random_crop=0.3, random_crop=1",
        f"run:{run}#random_crop=x": f"run {shown} has no models at random_crop=x; kept are "
        "random_crop=0.08, random_crop=0.3, random_crop=1",
        f"run:{run}#random_crop=1#3": f"run {shown} has no seed 3; kept are the seeds 0, 2, 10",
        f"run:{run}#small": f"run {shown} has no model 'small'; kept are small_cnn; expected "
        "AXIS=VALUE, the number of a seed or a model's name after each #",
        f"mine=run:{run}#2": f"mine=run:{run}#2 gives one name to 3 models; expected run:{run}#2 "
        f"alone, or mine=run:{run}#random_crop=0.08#2",
        "run:nowhere": "nowhere is no run: there is no run.json in it; expected the folder that "
        "`lpa scan`, `train-sweep`, `probe` or `import` named at its end",
    }
    for text, message in messages.items():
        with pytest.raises(InputError) as caught:
            parse_models(text)
        assert str(caught.value) == message


def test_a_run_without_weights_is_refused(tmp_path: Path) -> None:
    for kind, what in (
        ("scan", "is no training sweep"),
        ("sweep", "keeps no weights (--keep none?)"),
    ):
        folder = tmp_path / kind
        Store(folder).put("run.json", record(kind).to_bytes())
        with pytest.raises(InputError) as caught:
            parse_models(str(folder))
        assert str(caught.value) == (
            f"run {str(folder)!r} {what}; expected a run of lpa train-sweep with --keep last or "
            "--keep best"
        )


def test_a_damaged_file_is_named_when_its_run_is_listed(run: Path) -> None:
    Store(run).put("weights/broken.safetensors", b"\x00" * 20)
    with pytest.raises(InputError) as caught:
        parse_models(f"run:{run}")
    path = str(run / "weights" / "broken.safetensors")
    assert str(caught.value).startswith(
        f"weights {path!r} are damaged or were not kept by lpa train-sweep (SafetensorError: "
    )


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    module = put(tmp_path, "small_resnet")
    (name,) = Store(tmp_path).list("weights")
    facts = replace(read_facts(tmp_path / name), architecture="small_cnn")
    put_weights(Store(tmp_path), Path(name).stem, module, facts)
    with pytest.raises(InputError) as caught:
        load(parse_models(f"run:{tmp_path}")[0])
    message = str(caught.value)
    assert message.startswith(f"weights {str(tmp_path / name)!r} do not fit small_cnn (Error(s) in")
    assert message.endswith(
        "); expected the versions of lpa, torchvision and timm that trained them "
        "(plans/ of the run says which)"
    )


def test_several_models_are_not_loaded_as_one(run: Path) -> None:
    with pytest.raises(InputError) as caught:
        load(f"run:{run}#2")
    assert str(caught.value) == (
        f"run:{run}#2 stands for 3 models (small_cnn random_crop=0.08 seed 2, small_cnn "
        f"random_crop=0.3 seed 2, ...); expected one, e.g. run:{run}#random_crop=0.08#2"
    )
