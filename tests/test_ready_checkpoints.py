"""``train-sweep --from``: checkpoints that a group has already trained."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import tiny
import torch

import lpa
from lpa.experiments.checkpoint_work import CheckpointLoader, file_print

ARCHITECTURE = "timm:test_resnet"
CLASSES = ("zero", "three", "eight")
PATTERN = "ckpt/tau{value}_seed{seed}.pth"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eighteen images of three classes, and checkpoints at three values of two seeds."""
    monkeypatch.chdir(tmp_path)
    tiny.folder(tmp_path / "data", 6, classes=(0, 3, 8))
    for number, value in enumerate(("1", ".3", "0.08")):
        for seed in (4, 11):
            write(f"ckpt/tau{value}_seed{seed}.pth", 10 * number + seed)
    return tmp_path


def write(name: str, seed: int, architecture: str = "test_resnet", outputs: int = 3) -> Path:
    torch.manual_seed(seed)
    module = timm.create_model(architecture, num_classes=outputs)
    for parameter in module.parameters():  # Fresh heads are too small to tell classes apart.
        parameter.data += 0.05 * torch.randn_like(parameter)
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not in the folders' order, which is eight, three, zero.
    torch.save({"state_dict": module.state_dict(), "classes": list(CLASSES)}, path)
    return path


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are loaded, in order."""
    seen: list[str] = []
    inner = CheckpointLoader.__call__

    def noting(self: CheckpointLoader, path: Path) -> Any:
        seen.append(path.name)
        return inner(self, path)

    monkeypatch.setattr(CheckpointLoader, "__call__", noting)
    return seen


def evaluate(pattern: str = PATTERN, **changes: Any) -> lpa.Run:
    asked: dict[str, Any] = {
        "checkpoints": pattern, "model": f"net={ARCHITECTURE}", "data": "data", "img_size": 32,
        "out": "run", "device": "cpu", "workers": 1, "progress": False,
    }  # fmt: skip
    return lpa.train_sweep(**(asked | changes))


def refusal(pattern: str = PATTERN, **changes: Any) -> str:
    with pytest.raises(lpa.InputError) as caught:
        evaluate(pattern, **changes)
    return str(caught.value)


def cells(run: lpa.Run) -> set[tuple[str, str, float, int]]:
    found = run.outcomes.cells[["model", "axis", "value", "replicate"]]
    return set(found.itertuples(index=False, name=None))


def test_outcomes_are_those_of_a_scan_at_the_identity() -> None:
    run = evaluate()
    expected = {
        ("net", "random_crop", value, seed) for value in (1.0, 0.3, 0.08) for seed in (0, 1)
    }
    assert cells(run) == expected
    files = {(1.0, 0): "tau1_seed4", (1.0, 1): "tau1_seed11", (0.3, 0): "tau.3_seed4",
             (0.3, 1): "tau.3_seed11", (0.08, 0): "tau0.08_seed4",
             (0.08, 1): "tau0.08_seed11"}  # fmt: skip
    models = ",".join(f"{name}={ARCHITECTURE}@ckpt/{name}.pth" for name in files.values())
    scan = lpa.scan(
        models=models, data="data", aug={"crop": [1, 0.5]}, out="scan", img_size=32, device="cpu",
        progress=False, workers=1, images=False, class_check=False,
    ).outcomes  # fmt: skip
    table = scan.table().query("axis == 'crop' and value == 1")
    chances = []
    for index, cell in enumerate(run.outcomes.cells.itertuples()):
        same = table[table["model"] == files[cell.value, cell.replicate]].set_index("sample")
        same = same.loc[run.outcomes.samples.sample]
        ours = [run.outcomes.record.classes.names[number]
                for number in run.outcomes.column("prediction")[index]]  # fmt: skip
        theirs = [scan.record.classes.names[number] for number in same["prediction"]]
        assert ours == theirs
        chance = run.outcomes.column("label_probability")[index]
        assert np.abs(same["label_probability"].to_numpy() - chance).max() < 1e-5
        chances.append(chance)
    # No file could be taken for another one.
    assert min(np.abs(a - b).max() for a, b in itertools.combinations(chances, 2)) > 1e-3


def test_nothing_is_evaluated_again_and_new_files_extend_the_run(loaded: list[str]) -> None:
    evaluate()
    # The first is loaded once more, to know view and classes.
    assert sorted(loaded) == sorted([*(p.name for p in Path("ckpt").iterdir()), "tau1_seed4.pth"])
    del loaded[:]
    evaluate()
    assert loaded == ["tau1_seed4.pth"]
    write("ckpt/tau.6_seed4.pth", 77)
    del loaded[:]
    run = evaluate()
    assert loaded == ["tau1_seed4.pth", "tau.6_seed4.pth"]
    assert len(run.outcomes.cells) == 7


def test_a_file_is_known_by_its_content_wherever_it_lies(loaded: list[str]) -> None:
    evaluate()
    Path("ckpt").rename("moved")
    del loaded[:]
    run = evaluate("moved/tau{value}_seed{seed}.pth")
    assert loaded == ["tau1_seed4.pth"]
    assert len(run.outcomes.cells) == 6


def test_per_cent_and_files_without_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    write("pc/rn_100.pth", 1)
    write("pc/rn_8.pth", 2)
    run = evaluate("pc/rn_{percent}.pth", progress=True)
    assert cells(run) == {("net", "random_crop", value, 0) for value in (1.0, 0.08)}
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "checkpoints: 2 files, 2 values of random_crop"
    assert lines[1].startswith("model: net (")
    assert not any("reference" in line for line in lines)
    (plan,) = run.outcomes.plans
    assert plan["command"] == (
        f"lpa train-sweep --data data --model net={ARCHITECTURE} --regularizer random_crop --from "
        "'pc/rn_{percent}.pth' --img-size 32 --out run"
    )


def test_a_missing_reference_is_said_and_curves_are_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for file in Path("ckpt").glob("tau1_*"):
        file.unlink()
    run = evaluate(progress=True)
    assert (
        "      none at the reference 1: curves can be shown, losses and tests need it (or name "
        "another value with lpa test --values)"
    ) in capsys.readouterr().err.splitlines()
    assert {value for _, _, value, _ in cells(run)} == {0.3, 0.08}
    curves = run.curves(axes="random_crop")
    assert set(curves["value"]) == {0.3, 0.08}


def test_files_that_do_not_fit_are_recorded_and_the_others_stored() -> None:
    write("ckpt/tau.6_seed4.pth", 5, architecture="test_efficientnet")
    Path("ckpt/tau.7_seed4.pth").write_bytes(b"no checkpoint")
    text = refusal()
    assert text.startswith("2 of 8 checkpoints failed, first net random_crop=0.7 seed 0 (")
    assert text.endswith(
        "; everything else is stored in run: mend it and run the same command again"
    )
    assert "\n" not in text
    run = lpa.open("run")
    assert len(run.outcomes.cells) == 6
    assert {failure["model"] for failure in run.outcomes.failures} == {
        "net random_crop=0.7 seed 0", "net random_crop=0.6 seed 0",
    }  # fmt: skip
    write("ckpt/tau.6_seed4.pth", 5)
    Path("ckpt/tau.7_seed4.pth").unlink()
    assert len(evaluate().outcomes.cells) == 7


def test_outputs_that_are_no_numbers_are_a_failure() -> None:
    file = Path("ckpt/tau.3_seed4.pth")
    state = torch.load(file)
    next(iter(state["state_dict"].values())).fill_(float("nan"))
    torch.save(state, file)
    assert "gives outputs that are NaN" in refusal()
    assert len(lpa.open("run").outcomes.cells) == 5


def test_shards_are_a_partition_of_the_files(loaded: list[str]) -> None:
    for part in (1, 2, 3, 4):
        evaluate(shard=(part, 4))
    assert len(lpa.open("run").outcomes.cells) == 6
    assert len(loaded) == 4 + 6


@pytest.mark.parametrize(
    ("pattern", "changes", "text"),
    [
        (
            "none/tau{value}.pth", {},
            "--from 'none/tau{value}.pth' matches no file; expected checkpoints such as "
            "none/tau0.08.pth: check the folder and the pattern",
        ),
        (
            "ckpt/tau{value}_*.pth", {},
            "--from: ckpt/tau.3_seed11.pth and ckpt/tau.3_seed4.pth both have value 0.3 and "
            "seed 0; expected one each: put {seed} or the differing part into the pattern",
        ),
        (
            PATTERN, {"model": None},
            f"--from {PATTERN!r} needs the checkpoints' architecture and the images to evaluate; "
            "expected e.g. --model resnet50 --data imagenet=PATH",
        ),
        (PATTERN, {"policies": "adaptive_strength"},
         "--from evaluates ready checkpoints and trains nothing; leave --policy out"),
        (PATTERN, {"held": {"dropout": 0.3}},
         "--from evaluates ready checkpoints and trains nothing; leave --set out"),
        (PATTERN, {"values": [1, 0.3]},
         "--from takes the values from the files' names; leave --values out"),
        (PATTERN, {"seeds": 2},
         "--from takes the seeds from the files' names; leave --seeds out"),
        (PATTERN, {"recipe": {"epochs": 3}},
         "--from evaluates ready checkpoints and trains nothing; leave --epochs out"),
        (PATTERN, {"test_share": 0.5},
         "--from evaluates ready checkpoints and trains nothing; leave --test-share out"),
        (PATTERN, {"keep": "none"},
         "--from evaluates ready checkpoints and trains nothing; leave --keep out"),
        (PATTERN, {"stack": 4},
         "--from evaluates ready checkpoints and trains nothing; leave --stack out"),
        (PATTERN, {"compiled": True},
         "--from evaluates ready checkpoints and trains nothing; leave --compile out"),
        (PATTERN, {"train_split": "train"},
         "--from evaluates ready checkpoints and trains nothing; leave --train-split out"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(
    pattern: str, changes: dict[str, Any], text: str
) -> None:
    assert refusal(pattern, **changes) == text
    assert not Path("run").exists()


def test_a_print_tells_files_apart_without_reading_all_of_them(tmp_path: Path) -> None:
    content = bytearray(range(256)) * 40_000  # 10 MB
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(content)
    other.write_bytes(content)
    assert file_print(one) == file_print(other)
    content[-1] ^= 1
    other.write_bytes(content)
    assert file_print(one) != file_print(other)
    other.write_bytes(content + b"x")
    assert len(file_print(other)) == 32
    with pytest.raises(lpa.InputError, match=r"^checkpoint '.*gone' cannot be read \(No such file"):
        file_print(tmp_path / "gone")


def test_the_estimate_counts_files_and_loads_one(loaded: list[str]) -> None:
    found = lpa.estimate_sweep(
        checkpoints=PATTERN, model=f"net={ARCHITECTURE}", data="data", img_size=32, out="run",
        device="cpu", progress=False,
    )  # fmt: skip
    assert str(found) == "6 checkpoints in 6 units, 108 images, about 0.0 MB on disk"
    assert loaded == ["tau1_seed4.pth"]
    assert not Path("run").exists()
