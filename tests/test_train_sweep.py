"""Training sweeps on scikit-learn's digits, from the call to stored outcomes."""

from __future__ import annotations

import dataclasses
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from click.testing import CliRunner
from lpa_cli import main
from torch import nn

import lpa
from lpa.experiments.sweep_worker import Training, TrainingWorker
from lpa.outcomes import content_hash
from lpa.training.learner import SingleLearner

POLICIES = (
    "plain", "class_dependent=classes.txt", "preservation_targets=scan",
    "label_distillation=run:teacher#random_crop=1#0", "adaptive_strength",
)  # fmt: skip

INITIALISED = TrainingWorker._initialised


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the trainings that are begun, in order."""
    seen: list[str] = []

    def noting(self: TrainingWorker, training: Training) -> nn.Module:
        cell = training.cell
        seen.append(f"{cell.model} {cell.axis}={cell.value:g} {cell.replicate}")
        return INITIALISED(self, training)

    monkeypatch.setattr(TrainingWorker, "_initialised", noting)
    return seen


def sweep(out: str | Path = "run", **changes: Any) -> lpa.Run:
    asked: dict[str, Any] = {
        "values": [1, 0.3], "seeds": 2, "limit": 300, "recipe": {"epochs": 2}, "device": "cpu",
        "workers": 1, "progress": False, "out": out,
    }  # fmt: skip
    return lpa.train_sweep(**(asked | changes))


def refusal(**changes: Any) -> str:
    with pytest.raises(lpa.InputError) as caught:
        sweep(**changes)
    return str(caught.value)


def units(out: str | Path = "run") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path(out).glob("units/*"))}


def exported(out: str | Path) -> bytes:
    return lpa.open(out).export(Path(f"{out}.parquet")).read_bytes()


def cells(out: str | Path = "run") -> list[tuple[str, str, float, int]]:
    found = lpa.open(out).outcomes.cells
    rows = found[["model", "axis", "value", "replicate"]].itertuples(index=False, name=None)
    return sorted(rows)


# ---- what is stored ------------------------------------------------------------------------------


def test_every_samples_outcome_is_stored_for_each_value_and_seed(begun: list[str]) -> None:
    run = sweep(recipe={"epochs": 4})
    assert begun == [f"small_cnn random_crop={value} {seed}" for value in ("1", "0.3")
                     for seed in (0, 1)]  # fmt: skip
    outcomes = run.outcomes
    assert cells() == [
        ("small_cnn", "random_crop", value, seed) for value in (0.3, 1.0) for seed in (0, 1)
    ]
    assert outcomes.incomplete == []
    # A quarter of each class is evaluated, and all others may be trained on.
    _, labels = tiny.digits()
    assert np.bincount(outcomes.samples.label).tolist() == [
        round(count / 4 + 1e-9) for count in np.bincount(labels)
    ]
    assert outcomes.samples.label.tolist() == labels[outcomes.samples.sample].tolist()
    table = outcomes.table()
    assert len(table) == 4 * len(outcomes.samples)
    right = table["prediction"] == table["label"]
    assert (right == (table["label_rank"] == 0)).all()
    assert table["label_probability"].between(0, 1).all()
    assert 0.3 < right.mean() <= 1
    # The seeds are others: no two trainings predict alike.
    rows = {tuple(row) for row in outcomes.column("label_probability").tolist()}
    assert len(rows) == 4


def test_the_same_call_again_trains_nothing_and_another_machine_trains_the_same(
    begun: list[str],
) -> None:
    sweep()
    before = units()
    del begun[:]
    sweep()
    assert begun == []
    assert units() == before
    torch.manual_seed(99)  # The state of the generators has no say.
    sweep("other")
    assert len(begun) == 4
    assert exported("other") == exported("run")


def test_values_seeds_a_policy_and_an_axis_extend_a_run_and_stored_units_stay(
    begun: list[str], folder: Path
) -> None:
    sweep(values=[0.3], seeds=1)
    assert begun == ["small_cnn random_crop=1 0", "small_cnn random_crop=0.3 0"]
    (folder / "classes.txt").write_text("1\n7\n")
    steps: list[tuple[dict[str, Any], list[str]]] = [
        ({"values": [0.3, 0.6], "seeds": 1}, ["small_cnn random_crop=0.6 0"]),
        ({"values": [0.3], "seeds": 2},
         ["small_cnn random_crop=1 1", "small_cnn random_crop=0.3 1"]),
        ({"values": [0.3], "seeds": 1, "policies": "class_dependent=classes.txt"},
         [f"small_cnn+class_dependent=classes.txt random_crop={value} 0"
          for value in ("1", "0.3")]),
        ({"regularizer": "dropout", "values": [0.4], "seeds": 1},
         ["small_cnn dropout=0 0", "small_cnn dropout=0.4 0"]),
    ]  # fmt: skip
    for changes, expected in steps:
        before = units()
        del begun[:]
        sweep(**changes)
        assert begun == expected
        after = units()
        assert {name: after[name] for name in before} == before
        assert len(after) == len(before) + len(expected)
    assert {axis for _, axis, _, _ in cells()} == {"random_crop", "dropout"}


def test_shards_are_a_partition(begun: list[str]) -> None:
    for part in (3, 1, 2):
        sweep(seeds=3, shard=(part, 3))
        assert len(begun) == 2
        del begun[:]
    assert lpa.open("run").outcomes.incomplete == []
    sweep("whole", seeds=3)
    assert exported("run") == exported("whole")


# ---- what does not extend a run ------------------------------------------------------------------


def test_another_recipe_is_refused_unless_the_model_has_another_name(begun: list[str]) -> None:
    sweep(seeds=1)
    assert refusal(recipe={"epochs": 3}) == (
        "model 'small_cnn' is in run with --epochs 2, and 3 was asked for; expected the same: give "
        "it another name (--model new=small_cnn) or another --out DIR"
    )
    assert refusal(held={"dropout": 0.25}) == (
        "model 'small_cnn' is in run with no --set, and --set dropout=0.25 was asked for; expected "
        "the same: give it another name (--model new=small_cnn) or another --out DIR"
    )
    assert refusal(img_size=16).startswith("model 'small_cnn' is in run with preprocessing 8 px, ")
    del begun[:]
    sweep(model="longer=small_cnn", recipe={"epochs": 3}, seeds=1)
    assert begun == [f"longer random_crop={value} 0" for value in ("1", "0.3")]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"limit": 200}, "run is a run with limit 300, and 200 was asked for"),
        ({"per_class": 5}, "run is a run with per-class (default), and 5 was asked for"),
        ({"seed": 1}, "run is a run with seed 0, and 1 was asked for"),
        ({"precision": "bf16"}, "run is a run with precision fp32, and bf16 was asked for"),
        ({"test_share": 0.5}, "run is a run of other data: compared with its 451 files: 450 new "
         "(first '"),
    ],
)  # fmt: skip
def test_other_selections_are_refused(changes: dict[str, Any], text: str) -> None:
    sweep(values=[0.3], seeds=1, recipe={"epochs": 1})
    found = refusal(**({"recipe": {"epochs": 1}} | changes))
    assert found.startswith(text)
    assert found.endswith(
        "; models, augmentations, values and draws extend a run, this does not: give another "
        "directory with --out DIR"
    )


def test_other_training_images_are_refused(folder: Path) -> None:
    classes, names = (0, 3), tiny.NAMES
    tiny.folder(folder / "data" / "train", 12, classes=classes)
    tiny.folder(folder / "data" / "val", 14, classes=classes)
    for label in classes:
        for number in range(12):  # The first twelve are trained on.
            (folder / "data" / "val" / names[label] / f"{number:03d}.png").unlink()
    asked: dict[str, Any] = {
        "data": "data", "img_size": 16, "limit": None, "recipe": {"epochs": 1}, "seeds": 1,
    }  # fmt: skip
    assert len(sweep(**asked).outcomes.samples) == 4
    gone = folder / "data" / "train" / "zero" / "003.png"
    gone.unlink()
    text = refusal(**asked)
    assert text.startswith("run is a run trained on 24 images (fingerprint ")
    assert ", and 23 (" in text
    assert text.endswith(
        "...) were asked for; values, seeds, policies and axes extend a run, this does not: give "
        "another directory with --out DIR"
    )


# ---- stopping ------------------------------------------------------------------------------------


def test_stopped_in_the_middle_and_continued_is_the_uninterrupted_one(
    monkeypatch: pytest.MonkeyPatch, begun: list[str]
) -> None:
    sweep("whole")
    stop = threading.Event()
    inner = TrainingWorker._course

    def stopping(self: TrainingWorker, *args: Any) -> Any:
        course = inner(self, *args)
        ticked = course.tick

        def tick(images: int) -> None:
            ticked(images)
            if len(begun) == 4 + 2 and course.update == 3:  # The second training of this run.
                stop.set()

        course.tick = tick
        return course

    monkeypatch.setattr(TrainingWorker, "_course", stopping)
    with pytest.raises(lpa.InputError) as caught:
        sweep(stop=stop)
    assert str(caught.value) == (
        "stopped after 1 of 4 trainings, which are stored in run, with the state of those under "
        "way; the same command goes on from there"
    )
    assert not caught.value.is_failure
    assert len(list(Path("run/checkpoints").glob("*"))) == 1
    monkeypatch.setattr(TrainingWorker, "_course", inner)
    sweep()
    assert exported("run") == exported("whole")
    assert list(Path("run/checkpoints").glob("*")) == []


def test_the_time_that_is_given_is_kept(folder: Path) -> None:
    with pytest.raises(lpa.InputError, match=r"^stopped after \d+ of 100 trainings, which are"):
        sweep(seeds=50, recipe={"epochs": 200}, max_time=0.5)


def test_a_checkpoint_that_a_kill_left_behind_its_stored_unit_is_dropped(folder: Path) -> None:
    sweep(seeds=1)
    (cell,) = lpa.open("run").outcomes.units[0].cells
    (folder / "run" / "checkpoints").mkdir()
    left = folder / "run" / "checkpoints" / f"{content_hash([cell.id])}.pt"
    left.write_bytes(b"rest")
    other = folder / "run" / "checkpoints" / "other.pt"
    other.write_bytes(b"of a training that is under way elsewhere")
    sweep(seeds=1)
    assert not left.exists()
    assert other.exists()


# ---- divergence ----------------------------------------------------------------------------------


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Trainings at .3 of seed 1 start from weights that are no numbers."""
    seen: list[str] = []

    def spoilt(self: TrainingWorker, training: Training) -> nn.Module:
        module = INITIALISED(self, training)
        seen.append(f"{training.cell.value:g} {training.cell.replicate}")
        if seen[-1] == "0.3 1":
            next(module.parameters()).data.fill_(float("nan"))
        return module

    monkeypatch.setattr(TrainingWorker, "_initialised", spoilt)
    return seen


def test_a_training_that_diverges_is_recorded_and_stops_nothing(
    broken: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def mend() -> None:
        monkeypatch.setattr(TrainingWorker, "_initialised", INITIALISED)

    run = sweep()
    assert len(run.outcomes.cells) == 3
    assert ("small_cnn", "random_crop", 0.3, 1) not in cells()
    (failure,) = run.outcomes.failures
    assert (failure["model"], failure["reason"]) == (
        "small_cnn random_crop=0.3 seed 1", "diverged: the loss is nan in epoch 1",
    )  # fmt: skip
    assert len(list(Path("run/weights").glob("*"))) == 3
    del broken[:]
    sweep()
    assert broken == []  # It would fail alike.
    sweep(retry=True)
    assert broken == ["0.3 1"]
    with pytest.raises(lpa.InputError) as caught:
        sweep(strict=True)
    assert str(caught.value) == (
        "run lacks 1 of 4 trainings, first small_cnn random_crop=0.3 seed 1; run the same command "
        "again, with --retry where they diverged, or leave --strict out"
    )
    mend()
    run = sweep(retry=True, strict=True)
    assert len(run.outcomes.cells) == 4
    assert run.outcomes.failures == []


def test_what_diverged_is_said(broken: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    sweep(progress=True)
    lines = capsys.readouterr().err.splitlines()
    assert "failed: small_cnn random_crop=0.3 seed 1: diverged: the loss is nan in epoch 1" in lines
    assert lines[-1] == (
        "1 training diverged and has no outcomes; see `lpa show run`, --retry trains again what "
        "diverged"
    )


def test_a_learning_rate_that_is_far_too_large_diverges() -> None:
    run = sweep(values=[0.3], seeds=1, recipe={"epochs": 2, "learning_rate": 1e30})
    assert len(run.outcomes.cells) == 0
    assert {failure["reason"].partition(" is ")[0] for failure in run.outcomes.failures} == {
        "diverged: the loss"
    }


def test_one_model_of_a_stack_diverges_and_the_others_are_stored(broken: list[str]) -> None:
    sweep(stack=4)
    assert cells() == [
        ("small_cnn", "random_crop", value, seed) for value, seed in ((0.3, 0), (1.0, 0), (1.0, 1))
    ]


def test_work_that_fails_otherwise_is_an_error_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, begun: list[str]
) -> None:
    def failing(*args: Any, **options: Any) -> None:
        raise RuntimeError("the device is gone\nand more")

    with monkeypatch.context() as patch:
        patch.setattr("lpa.training.loop.GroupTraining.run", failing)
        assert refusal(seeds=1) == (
            "2 of 2 trainings failed, first small_cnn random_crop=1 seed 0 (RuntimeError: the "
            "device is gone); everything else is stored in run: mend it and run the same command "
            "again"
        )
    del begun[:]
    sweep(seeds=1)
    assert len(begun) == 2


# ---- weights -------------------------------------------------------------------------------------


def scanned(models: str, out: str = "scan", **options: Any) -> lpa.Run:
    return lpa.scan(
        models=models, data="digits", aug={"crop": [1, 0.5]}, out=out, device="cpu",
        progress=False, images=False, workers=1, **options,
    )  # fmt: skip


def test_kept_weights_are_scanned_by_the_runs_name_and_predict_the_same(
    begun: list[str],
) -> None:
    trained = sweep(recipe={"epochs": 3}).outcomes
    scan = scanned("run").outcomes
    identity = scan.table().query("axis == 'crop' and value == 1")
    for index, cell in enumerate(trained.cells.itertuples()):
        name = f"small_cnn random_crop={cell.value:g} seed {cell.replicate}"
        rows = identity[identity["model"] == name].set_index("sample")
        same = rows.loc[trained.samples.sample]
        assert (same["prediction"].to_numpy() == trained.column("prediction")[index]).all()
        theirs = trained.column("label_probability")[index]
        assert np.abs(same["label_probability"].to_numpy() - theirs).max() < 1e-5


def test_no_weights_are_kept_where_none_are_wanted() -> None:
    sweep(keep="none", seeds=1)
    assert not Path("run/weights").exists()
    with pytest.raises(lpa.InputError, match=r"keeps no weights \(--keep none\?\)"):
        scanned("run")


def test_the_best_epoch_is_kept_and_evaluated_by_images_held_out(begun: list[str]) -> None:
    recipe = {
        "epochs": 4, "hold_out": 0.2, "schedule": "step", "step_epochs": 2, "step_factor": 30.0,
        "learning_rate": 0.05,
    }  # fmt: skip
    run = sweep(keep="best", seeds=1, recipe=recipe, values=[0.3])
    assert refusal(out="none", keep="best", recipe={"epochs": 2}) == (
        "--keep best needs images that are not trained on, to choose the epoch by; expected e.g. "
        "--hold-out .1"
    )
    went = [json.loads(json.dumps(unit.timings[unit.cells[0].id])) for unit in run.outcomes.units]
    for each in went:
        assert len(each["held_out"]) == len(each["losses"]) == 4
        assert each["best_epoch"] == each["held_out"].index(max(each["held_out"]))
    assert any(each["best_epoch"] < 3 for each in went)
    # What is kept is what was evaluated.
    identity = scanned("run").outcomes.table().query("axis == 'crop' and value == 1")
    name = "small_cnn random_crop=0.3 seed 0"
    rows = identity[identity["model"] == name].set_index("sample")
    at = run.outcomes.cells["value"].tolist().index(0.3)
    same = rows.loc[run.outcomes.samples.sample, "prediction"].to_numpy()
    assert (same == run.outcomes.column("prediction")[at]).all()


# ---- stacked -------------------------------------------------------------------------------------


def test_stacked_trainings_are_those_one_after_another(begun: list[str]) -> None:
    one = sweep("one", stack=1, seeds=3).outcomes
    many = sweep("many", stack=4, seeds=3).outcomes
    assert len(many.units) == 2
    assert sorted(len(unit.cells) for unit in many.units) == [2, 4]
    assert cells("one") == cells("many")
    order = [one.cells.index[(one.cells["value"] == c.value)
                             & (one.cells["replicate"] == c.replicate)][0]
             for c in many.cells.itertuples()]  # fmt: skip
    ours, theirs = many.column("label_probability"), one.column("label_probability")[order]
    # The same numbers but for the last digits, which a training makes larger.
    assert np.abs(ours - theirs).max() < 1e-4
    for shift in (1, 2, 3, 4, 5):
        assert np.abs(ours - np.roll(theirs, shift, axis=0)).max() > 0.01
    # Weights of each of the stack are kept by themselves.
    assert len(list(Path("many/weights").glob("*"))) == 6


def test_dropout_and_weight_decay_are_swept_within_a_stack() -> None:
    for name, values in (("dropout", [0, 0.5]), ("weight_decay", [0, 0.1])):
        run = sweep(name, regularizer=name, values=values, seeds=1, stack=2).outcomes
        assert len(run.units) == 1
        first, second = run.column("label_probability")
        assert np.abs(first - second).max() > 1e-3


def test_what_cannot_be_stacked_is_refused() -> None:
    assert refusal(stack=2, recipe={"epochs": 1, "optimizer": "lamb"}) == (
        "--optimizer lamb cannot be stacked; expected sgd, nesterov or adamw, or train one after "
        "another with --stack 1"
    )


# ---- statistics and policies ---------------------------------------------------------------------


def command(*words: str) -> Any:
    return CliRunner(env={"COLUMNS": "250"}).invoke(main, list(words))


def test_with_one_seed_tests_are_refused_in_one_line_and_curves_are_shown() -> None:
    run = sweep(seeds=1)
    assert len(run.curves()) > 0
    with pytest.raises(lpa.InputError) as caught:
        run.test()
    assert "\n" not in str(caught.value)
    assert "seed" in str(caught.value)


def test_every_policy_trains_and_is_compared_with_the_plain_one(
    folder: Path, begun: list[str]
) -> None:
    sweep("teacher", seeds=1, recipe={"epochs": 3})
    scanned("run:teacher#random_crop=1#0", "scan")
    (folder / "classes.txt").write_text("1\n7\n")
    asked: dict[str, Any] = {"policies": POLICIES, "recipe": {"epochs": 2, "hold_out": 0.1}}
    del begun[:]
    run = sweep(**asked)
    assert len(begun) == 5 * 4
    assert run.outcomes.incomplete == []
    names = {f"small_cnn+{policy}" for policy in POLICIES[1:]} | {"small_cnn"}
    assert set(run.outcomes.cells["model"]) == names
    done = command("test", "run", "--policies")
    assert done.exit_code == 0, done.output
    for policy in POLICIES[1:]:
        assert policy.partition("=")[0] in done.stdout
    # One page holds them all beside the plain one.
    page = run.report().read_text()
    assert "Compared with small_cnn" in page
    assert all(name in page for name in names)
    # Each is another training, also at the reference; the same call trains nothing again.
    at_reference = run.outcomes.column("label_probability")[
        (run.outcomes.cells["value"] == 1).to_numpy()
    ]
    assert len({tuple(row) for row in at_reference.tolist()}) == 10
    del begun[:]
    sweep(**asked)
    assert begun == []


def test_a_policy_that_measures_holds_images_out_by_itself(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = sweep(policies="adaptive_strength", seeds=1, progress=True)
    assert "10% of the training images are held out, for the policy to measure on" in (
        capsys.readouterr().err.splitlines()
    )
    assert all(len(unit.timings[unit.cells[0].id]["held_out"]) == 2 for unit in run.outcomes.units)


def test_what_was_trained_on_other_images_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    sweep(seeds=1)
    sweep(seeds=1, progress=True)
    assert "a comparison" not in capsys.readouterr().err
    sweep(seeds=1, policies="adaptive_strength", progress=True)
    assert (
        "      small_cnn in run was trained with --hold-out 0, small_cnn+adaptive_strength is with "
        "0.1: a comparison of both holds that difference, too"
    ) in capsys.readouterr().err.splitlines()


# ---- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"seeds": 0}, "--seeds 0 is out of range; expected at least 1"),
        ({"precision": "fp16"}, "precision 'fp16' is not for a CPU; expected fp32 or bf16"),
        (
            {"held": ["dropout=.1", "dropout=.2"]},
            "--set dropout is given twice; give each regularizer once",
        ),
        (
            {"regularizer": "cutout", "values": [0.3], "held": {"random_crop": 0.5}, "seeds": 0},
            "--seeds 0 is out of range; expected at least 1",
        ),
        (
            {"regularizer": "weight_decay", "values": [1e-3], "recipe": {"weight_decay": 0.01}},
            "--weight-decay 0.01 has no effect where weight_decay is swept; leave it out",
        ),
        (
            {"held": {"dropout": 0.2}, "recipe": {"dropout": 0.3}},
            "--dropout 0.3 has no effect beside --set dropout; leave it out",
        ),
        (
            {"recipe": {"epochs": 3, "warmup_epochs": 5}},
            "--warmup-epochs 5 is longer than the training; expected at most its --epochs 3: give "
            "both",
        ),
        ({"model": "small_cn"}, None),
        ({"regularizer": "random_crops"}, None),
        ({"policies": "class_dependant=x"}, None),
        ({"recipe": {"optimizer": "adamww"}}, None),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    changes: dict[str, Any], text: str | None
) -> None:
    found = refusal(**changes)
    assert found == text if text else ("unknown" in found and "did you mean" in found)
    assert not Path("run").exists()


def test_a_run_that_was_made_in_half_precision_cannot_go_on_on_a_cpu(folder: Path) -> None:
    sweep(seeds=1)
    record = json.loads(Path("run/run.json").read_text())
    del record["digest"]
    Path("run/run.json").write_text(json.dumps(record | {"precision": "fp16"}))
    assert refusal(seeds=2) == "precision 'fp16' is not for a CPU; expected fp32 or bf16"


def test_data_with_one_class_are_refused(folder: Path) -> None:
    tiny.folder(folder / "data", 8, classes=(3,))
    assert refusal(data="data") == (
        "data has one class, 'three'; expected at least two to tell apart"
    )


def test_a_class_list_with_an_unknown_class_is_refused(folder: Path) -> None:
    (folder / "classes.txt").write_text("1\nseventeen\n")
    assert "seventeen" in refusal(policies="class_dependent=classes.txt")


def test_out_of_memory_is_said_and_recorded_with_the_unit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    inner = SingleLearner._gradients

    def cramped(self: SingleLearner, batch: Any) -> Any:
        if self.pieces < 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return inner(self, batch)

    monkeypatch.setattr(SingleLearner, "_gradients", cramped)
    run = sweep(seeds=1, progress=True)
    said = capsys.readouterr().err.splitlines()
    for value in ("1", "0.3"):
        assert (
            f"small_cnn random_crop={value} seed 0: out of memory; each batch was computed in 2 "
            "parts, whose gradients were added up"
        ) in said
    assert [unit.timings["batch_cut_after_out_of_memory"] for unit in run.outcomes.units] == [2, 2]


def test_no_room_at_all_is_a_failure_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(self: SingleLearner, batch: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(SingleLearner, "_gradients", none)
    assert refusal(seeds=1) == (
        "2 of 2 trainings failed, first small_cnn random_crop=1 seed 0 (OutOfMemoryError: CUDA "
        "out of memory. Tried to allocate 2 GiB); everything else is stored in run: mend it and "
        "run the same command again"
    )


def test_a_dry_run_times_as_many_updates_where_an_epoch_has_fewer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps: list[int] = []
    inner = SingleLearner.step

    def noting(self: SingleLearner, batches: Any, rates: Any) -> Any:
        steps.append(len(batches[0].rows))
        return inner(self, batches, rates)

    monkeypatch.setattr(SingleLearner, "step", noting)
    lpa.estimate_sweep(values=[0.3], limit=70, device="cpu", out="run", progress=False)
    assert steps == [64] * 5  # An epoch is one update of 64; the first of all is not counted.


def test_a_dry_run_measures_and_writes_nothing(begun: list[str]) -> None:
    asked: dict[str, Any] = {"values": [1, 0.3], "seeds": 5, "limit": 300, "device": "cpu",
                             "recipe": {"epochs": 7}, "out": "run", "progress": False}  # fmt: skip
    found = lpa.estimate_sweep(**asked)
    assert (found.units, found.cells, found.what) == (10, 10, "trainings")
    assert found.images == 10 * 7 * 256  # 300 images are four batches of 64
    assert 0 < found.device_seconds < 600
    assert found.stored_bytes > 10 * 68_890 * 4
    assert len(begun) == 1
    assert not Path("run").exists()
    kept = dataclasses.replace(found, device_seconds=7200.0, devices=2, stored_bytes=3_000_000)
    assert str(kept) == (
        "10 trainings in 10 units, 17920 images, about 2.00 device hours (60 min on 2 devices), "
        "about 3.0 MB on disk"
    )


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("seeds", "5", "a whole number, e.g. 8"),
        ("seeds", True, "a whole number, e.g. 8"),
        ("model", 5, "a text, e.g. 'resnet50'"),
        ("regularizer", ["random_crop"], "a text, e.g. 'random_crop'"),
        ("recipe", "epochs", "names to values, e.g. {'epochs': 15}"),
        ("policies", 5, "a text or several, e.g. ['plain', 'adaptive_strength']"),
        ("test_share", "a", "a number, e.g. 0.25"),
        ("checkpoints", 5, "a text, e.g. 'ckpt/tau{value}_seed{seed}.pth'"),
        ("cache", 5, "a path"),
        ("retry", "yes", "True or False"),
        ("epochs", 3, "recipe={'epochs': 3}"),
    ],
)
def test_an_option_of_the_wrong_kind_is_refused(option: str, value: Any, expected: str) -> None:
    assert refusal(**{option: value}) == f"lpa.train_sweep({option}={value!r}): expected {expected}"
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"values": 0.3},
            "random_crop: values 0.3 are no numbers; expected e.g. '1,.5' or [1, 0.5]",
        ),
        (
            {"values": ["a"]},
            "random_crop: values ['a'] are no numbers; expected e.g. '1,.5' or [1, 0.5]",
        ),
        ({"recipe": {"epochs": 2.5}}, "--epochs 2.5: expected a whole number"),
        ({"recipe": {"learning_rate": "fast"}}, "--learning-rate 'fast': expected a number"),
        ({"recipe": {"optimizer": 5}}, "--optimizer 5: expected a text"),
        (
            {"held": [("dropout", 0.2)]},
            "held [('dropout', 0.2)]: expected names to values, e.g. {'dropout': 0.2}",
        ),
        ({"policies": [5]}, "policy 5: expected a text, e.g. 'adaptive_strength'"),
        ({"stack": "many"}, "--stack many is out of range; expected auto, or at least 1"),
    ],
)
def test_what_python_gives_wrongly_is_refused_in_one_line(
    changes: dict[str, Any], text: str
) -> None:
    assert refusal(**changes) == text
