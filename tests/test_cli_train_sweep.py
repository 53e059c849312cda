"""``lpa train-sweep`` as people call it."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import tiny
from click.testing import CliRunner
from lpa_cli import main

import lpa
from lpa.experiments.sweep_worker import TrainingWorker

SHORT = ("--limit", "200", "--epochs", "1", "--device", "cpu", "-j", "1", "--no-report")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> Any:
    return CliRunner(env={"COLUMNS": "250"}).invoke(main, list(words))


def sweep(*words: str, seeds: str = "2", values: str = "1,.3", out: str = "run") -> Any:
    return run("train-sweep", "--seeds", seeds, "--values", values, "-o", out, *SHORT, *words)


def done(*words: str, **changes: str) -> Any:
    result = sweep(*words, **changes)
    assert result.exit_code == 0, result.output
    return result


def refusal(*words: str, **changes: str) -> str:
    """Run what fails; return the one line that says why."""
    result = sweep(*words, **changes)
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    line = result.stderr.splitlines()[-1]
    assert result.stderr.count("Error: ") == 1
    return str(line).removeprefix("Error: ")


def exported(out: str) -> bytes:
    return lpa.open(out).export(Path(f"{out}.parquet")).read_bytes()


# ---- what it says --------------------------------------------------------------------------------


def test_it_ends_with_the_run_and_what_can_be_asked_of_it() -> None:
    result = done()
    assert result.stdout.splitlines() == [
        "run: run",
        "next:",
        "  lpa test run      which classes are lower with the regularizer (Table 1)",
        "  lpa rank run      the classes that pay most",
        "  lpa scan --models run --data DATA      what was trained, under augmentation",
    ]
    assert result.stderr.splitlines()[:4] == [
        "data: scikit-learn's handwritten digits (give yours with --data)",
        "model: small_cnn (small_cnn), 8 px, crop 1, squash, bilinear, mean .5 .5 .5, std .5 .5 .5",
        "data: digits, 200 images to train on, 451 to evaluate, 10 classes",
        "      'all' is the only split: 25% of each class is evaluated",
    ]
    for words in (["test", "run"], ["rank", "run"]):
        assert run(*words).exit_code == 0
    scanned = run("scan", "--models", "run", "--data", "digits", "--aug", "crop=.5", "-o", "scan",
                  "--device", "cpu", "-j", "1", "--no-report", "--draws", "1")  # fmt: skip
    assert scanned.exit_code == 0, scanned.output
    assert len(lpa.open("scan").outcomes.models) == 4


def test_the_report_is_written_and_shows_the_axis(folder: Path) -> None:
    words = [word for word in SHORT if word != "--no-report"]
    result = run("train-sweep", "--seeds", "2", "--values", "1,.3", "-o", "run", *words)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[1] == "report: run/report.html"
    assert "random_crop" in Path("run/report.html").read_text()


def test_one_training_at_a_value_is_told_that_tests_need_more() -> None:
    result = done("--keep", "none", seeds="1")
    assert result.stdout.splitlines() == [
        "run: run",
        "next:",
        "  --seeds 5 in the same command      tests need at least two trainings at a value",
        "  lpa rank run      the classes that pay most",
    ]
    refused = run("test", "run")
    assert (refused.exit_code, refused.stdout, refused.stderr) == (
        1, "",
        "Error: small_cnn on random_crop: value 1 has one training run; expected at least 2: train "
        "more seeds\n",
    )  # fmt: skip
    curves = run("curves", "run", "--mean")
    assert curves.exit_code == 0
    assert "0.3" in curves.stdout


def test_where_every_training_diverged_it_says_what_to_do() -> None:
    result = done("--lr", "1e30", seeds="1", values=".3")
    assert result.stdout.splitlines() == [
        "run: run",
        "no training has outcomes: `lpa show run` says why; a lower --learning-rate diverges less",
    ]
    assert result.stderr.splitlines()[-1] == (
        "2 trainings diverged and have no outcomes; see `lpa show run`, --retry trains again what "
        "diverged"
    )
    shown = run("show", "run").stdout
    assert "\nnothing is stored yet; planned are:\n" in shown
    assert "\ndiverged (trained again by the same command with --retry):\n" in shown
    assert sweep("--lr", "1e30", "--strict", seeds="1", values=".3").exit_code == 1


def test_a_dry_run_prints_trainings_hours_and_disk_and_writes_nothing(folder: Path) -> None:
    result = done("--dry-run", seeds="5")
    assert re.fullmatch(
        r"10 trainings in 10 units, 1920 images, about 0\.0\d device hours \(\d+ s\), about "
        r"\d\.\d MB on disk\n",
        result.stdout,
    )
    assert list(folder.iterdir()) == []


# ---- parts and stops -----------------------------------------------------------------------------


def test_eight_shards_of_one_folder_are_the_whole() -> None:
    for part in (8, 1, 3, 2, 7, 4, 6):
        result = done("--shard", f"{part}/8", seeds="4")
    assert len(lpa.open("run").outcomes.cells) == 7
    missing = run("show", "run").stdout
    assert re.search(r"random_crop +0.3,1 +4 +8 +7 +12.5 %", missing)
    assert refusal("--shard", "6/8", "--strict", seeds="4").startswith("run lacks 1 of 8 trainings")
    result = done("--shard", "5/8", seeds="4")
    assert "run: run" in result.stdout
    done(seeds="4", out="whole")
    assert exported("run") == exported("whole")


def test_a_part_without_work_says_that_nothing_is_finished() -> None:
    result = done("--shard", "9/9", seeds="1")
    assert result.stdout.splitlines() == [
        "run: run", "no training is finished yet: run the other parts of --shard",
    ]  # fmt: skip


def test_the_end_of_the_time_has_status_75_and_the_same_command_goes_on() -> None:
    result = sweep("--max-time", "0")
    assert (result.exit_code, result.stdout) == (75, "")
    assert result.stderr.splitlines()[-1] == (
        "stopped after 0 of 4 trainings, which are stored in run, with the state of those under "
        "way; the same command goes on from there"
    )
    done("--max-time", "1:00:00")
    done(out="whole")
    assert exported("run") == exported("whole")


def test_the_recorded_command_asks_for_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    done("--regularizer", "weight_decay", "--set", "dropout=.2", "--per-class", "15", values="1e-3",
         seeds="1")  # fmt: skip
    (plan,) = lpa.open("run").outcomes.plans

    def trains(*args: Any) -> None:
        raise AssertionError("trains again")

    monkeypatch.setattr(TrainingWorker, "_initialised", trains)
    again = run(*shlex.split(plan["command"])[1:], "--device", "cpu", "--no-report")
    assert again.exit_code == 0, again.output
    assert len(lpa.open("run").outcomes.plans) == 1


# ---- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ("--regularizer", "randomcrop"),
            "unknown regularizer 'randomcrop': did you mean 'random_crop'? (lpa regularizers lists "
            "them)",
        ),
        (
            ("--policy", "clas_dependent"),
            "unknown policy 'clas_dependent': did you mean 'class_dependent'? (lpa train-sweep "
            "--help lists them)",
        ),
        (
            ("--policy", "class_dependent"),
            "policy class_dependent needs what it is made from: classes (names or a file), a "
            "finished sweep, or the JSON of `lpa policy`; write class_dependent=SOURCE",
        ),
        (
            ("--policy", "class_dependent=classes.txt"),
            "unknown class 'seventeen': known: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 (of this run)",
        ),
        (
            ("--policy", "adaptive_strength=3"),
            "policy adaptive_strength is made from nothing; write adaptive_strength without '3'",
        ),
        (
            ("--set", "dropout=2"),
            "dropout: value 2 is out of range; expected 0 to 0.95 (probability, reference 0)",
        ),
        (
            ("--set", "random_crop=.5"),
            "--set random_crop holds fixed what is swept; expected another regularizer than "
            "random_crop",
        ),
        (("--data", "one"), "one has one class, 'three'; expected at least two to tell apart"),
        (
            ("--model", "resnet50@best.pth"),
            "model 'resnet50@best.pth' cannot be trained from the start; expected the name of an "
            "architecture, e.g. small_cnn, resnet50 or timm:vit_small_patch16_224",
        ),
        (
            ("--split", "train"), "digits has no split 'train'; it has: all; leave --split away",
        ),
        (("--keep", "best"),
         "--keep best needs images that are not trained on, to choose the epoch by; expected e.g. "
         "--hold-out .1"),
        (("--batch-size", "0"), "--batch-size 0 is out of range; expected at least 1"),
        (("--shard", "half"), "shard 'half' cannot be read; expected i/n, e.g. 3/100"),
        (("--shard", "3/2"),
         "--shard 3/2 is out of range; expected i/n with i from 1 to n, e.g. 3/100"),
        (("--stack", "0"), "--stack 0 is out of range; expected auto, or at least 1"),
        (
            ("--stack", "2", "--optimizer", "lamb"),
            "--optimizer lamb cannot be stacked; expected sgd, nesterov or adamw, or train one "
            "after another with --stack 1",
        ),
        (
            ("--from", "none/tau{value}.pth", "--model", "resnet18", "--data", "one"),
            "--from takes the values from the files' names; leave --values out",
        ),
        (("--device", "gpu"), "device 'gpu' is not there; expected auto or one of: cpu"),
        (("-o", "classes.txt"),
         "classes.txt is a file; expected an empty or new directory, or a run: give another with "
         "--out DIR"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_writes_nothing(
    folder: Path, words: tuple[str, ...], text: str
) -> None:
    (folder / "classes.txt").write_text("1\nseventeen\n")
    tiny.folder(folder / "one", 8, classes=(3,))
    assert refusal(*words) == text
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (
            "100,8",
            "random_crop: value 100 is out of range; expected 0.001 to 1 (least share of the area "
            "kept, reference 1)",
        ),
        ("a", "random_crop: value 'a' is no number; expected e.g. 1,.5 or 1:.08:20"),
        (
            "1",
            "random_crop: no value beside the reference 1; give at least one more, e.g. "
            "random_crop=1,0.8,0.6",
        ),
        ("1,.3,.3", "random_crop: value 0.3 is given twice; give each once"),
    ],
)
def test_values_that_cannot_be_swept_are_one_line(values: str, text: str) -> None:
    assert refusal(values=values) == text


def ready(*words: str) -> str:
    result = run("train-sweep", "--model", "resnet18", "--data", "one", "-o", "run", *words)
    assert result.exit_code == 1, result.output
    return str(result.stderr.splitlines()[-1])


def test_patterns_of_ready_checkpoints_that_cannot_be_used_are_one_line(folder: Path) -> None:
    tiny.folder(folder / "one", 8, classes=(3,))
    assert ready("--from", "none/tau{value}.pth") == (
        "Error: --from 'none/tau{value}.pth' matches no file; expected checkpoints such as "
        "none/tau0.08.pth: check the folder and the pattern"
    )
    for name in ("tau8_a.pth", "tau8_b.pth"):
        (folder / name).touch()
    assert ready("--from", "tau{percent}_*.pth") == (
        "Error: --from: tau8_a.pth and tau8_b.pth both have value 0.08 and seed 0; expected one "
        "each: put {seed} or the differing part into the pattern"
    )
    assert ready("--from", "tau{value}_a.pth") == (
        "Error: --from: tau8_a.pth has value 8 of random_crop; expected 0.001 to 1 (least share of "
        "the area kept); write {percent} for per cent"
    )


def test_a_run_of_another_plan_is_refused() -> None:
    done(seeds="1")
    assert refusal("--test-share", ".5", "--limit", "100", seeds="1") == (
        "run is a run with limit 200, and 100 was asked for; models, augmentations, values and "
        "draws extend a run, this does not: give another directory with --out DIR"
    )
    assert refusal("--lr", ".2", seeds="1") == (
        "model 'small_cnn' is in run with --learning-rate 0.1, and 0.2 was asked for; expected the "
        "same: give it another name (--model new=small_cnn) or another --out DIR"
    )
    Path("scan").mkdir()
    record = json.loads(Path("run/run.json").read_text())
    del record["digest"]
    Path("scan/run.json").write_text(json.dumps({**record, "kind": "scan"}))
    assert refusal(out="scan", seeds="1").startswith(
        "scan is a run with kind scan, and sweep was asked for; "
    )


def test_a_cache_made_from_other_data_is_refused() -> None:
    done("--cache", "cache", seeds="1", out="first")
    held = set(Path("cache").iterdir())
    done("--cache", "cache", "--seed", "1", seeds="1", out="second")
    other = sorted(set(Path("cache").iterdir()) - held)
    assert other
    for file in other:
        shutil.copy(sorted(held)[0], file)
    found = refusal("--cache", "cache", "--seed", "1", seeds="1", out="third")
    assert re.fullmatch(
        r"cache/\w+\.pixels is a cache made from other data \(\w+ of [\d,]+ samples with "
        r"fingerprint \w{8}\), expected \w+ of [\d,]+ samples with fingerprint \w{8}; delete it "
        r"and run the same command again, or give another folder with --cache",
        found,
    ), found
