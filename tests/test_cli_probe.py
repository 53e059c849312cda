"""``lpa probe`` as people call it, killed and stopped included."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny  # noqa: F401 - one thread
from click.testing import CliRunner
from lpa_cli import main
from PIL import Image

import lpa

LPA = Path(sys.executable).with_name("lpa")
SHORT = ("--epochs", "5", "--lr", "5", "--weight-decays", "1e-3,1e-2", "--device", "cpu", "-j", "1",
         "--no-report", "--cache", "cache")  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep over two values and two seeds on the digits 0 to 4."""
    run = lpa.train_sweep(
        model="small_cnn", data="digits-0-4", values=[1, 0.3], seeds=2, limit=200,
        recipe={"epochs": 2}, device="cpu", workers=1, progress=False,
        out=tmp_path_factory.mktemp("sweep") / "source",
    )  # fmt: skip
    return Path(run.location)


@pytest.fixture(autouse=True)
def source(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained, tmp_path / "source")
    return tmp_path / "source"


def run(*words: str) -> Any:
    return CliRunner(env={"COLUMNS": "250"}).invoke(main, list(words))


def probe(*words: str, out: str = "run", backbones: str = "source") -> Any:
    return run("probe", "--backbones", backbones, "-o", out, *SHORT, *words)


def done(*words: str, **changes: str) -> Any:
    result = probe(*words, **changes)
    assert result.exit_code == 0, result.output
    return result


def refusal(*words: str, **changes: str) -> str:
    """Run what fails; return the one line that says why."""
    result = probe(*words, **changes)
    assert result.exit_code == 1, result.output
    assert result.stdout == "" and result.stderr.count("Error: ") == 1
    return str(result.stderr.splitlines()[-1]).removeprefix("Error: ")


def exported(out: str) -> bytes:
    return lpa.open(out).export(Path(f"{out}.parquet")).read_bytes()


# ---- what it says --------------------------------------------------------------------------------


def test_it_ends_with_the_run_and_what_can_be_asked_of_it() -> None:
    result = done("digits-5-9")
    assert result.stdout.splitlines() == [
        "run: run",
        "next:",
        "  lpa curves run      the target's classes over the backbones' values",
        "  lpa test run      which classes are lower on regularized backbones (Table 1)",
        "  lpa rank run      the classes that pay most",
    ]
    assert result.stderr.splitlines()[:4] == [
        "target: digits-5-9, 671 images to train on, 225 to evaluate, 5 classes",
        "        'all' is the only split: 25% of each class is evaluated",
        "backbones: small_cnn, 4 over random_crop (1, 0.3); 84 features (input of head), 8 px, "
        "crop 1, squash, bilinear, mean .5 .5 .5, std .5 .5 .5",
        "heads: one linear head a backbone, the best of 2 (learning rate, weight decay) on 20% of "
        "what is trained on",
    ]
    assert re.fullmatch(
        r"features: float16, off by 0\.0\d+ % on average and 0\.0\d+ % at most \(measured on 64 "
        r"features of 4 backbones\)",
        result.stderr.splitlines()[-1],
    )
    for words in (["curves", "run"], ["test", "run"], ["rank", "run"], ["policy", "run"],
                  ["show", "run"]):  # fmt: skip
        assert run(*words).exit_code == 0, words
    shown = run("show", "run").stdout
    assert re.search(r"small_cnn +random_crop +0.3,1 +2 +4 +4 +0.0 %", shown)
    assert "features: float16, off by" in shown


def test_the_recorded_command_asks_for_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    done("digits-5-9", "--per-class", "40", "--seeds", "2", "--aug", "crop=.5", "--views", "1")
    (plan,) = lpa.open("run").outcomes.plans
    assert plan["command"].startswith("lpa probe --backbones source --data digits-5-9 ")
    words = shlex.split(plan["command"])[1:]
    again = run(*words, "--device", "cpu", "--no-report", "--cache", "cache")
    assert again.exit_code == 0, again.output
    assert len(lpa.open("run").outcomes.plans) == 1


def test_a_dry_run_says_what_it_would_take_and_writes_nothing() -> None:
    result = done("digits-5-9", "--dry-run")
    assert re.fullmatch(
        r"4 probes in 1 units, 3584 images, about 0\.00 device hours \(\d+ s\), about \d\.\d MB on "
        r"disk\n",
        result.stdout,
    )
    assert not Path("run").exists() and not Path("cache").exists()


def test_pretrained_models_have_no_axis_and_no_report(tmp_path: Path) -> None:
    result = done("digits-5-9", "--img-size", "32", "--limit", "60", backbones="tiny:first")
    assert result.stdout.splitlines() == [
        "run: run",
        "next:",
        "  lpa curves run      accuracy of every class, by model",
        "  lpa export run -o outcomes.parquet      every prediction",
    ]


def test_help_shows_commands_that_can_be_copied() -> None:
    text = run("probe", "--help").stdout
    assert "lpa probe inat --data /data/inat2021 --train-split train_mini" in text
    assert "'ckpt/rn50_tau{value}_seed{seed}.pth'" in text


# ---- stops ---------------------------------------------------------------------------------------


def test_the_end_of_the_time_has_status_75_and_the_same_command_goes_on() -> None:
    result = probe("digits-5-9", "--max-time", "0")
    assert (result.exit_code, result.stdout) == (75, "")
    assert result.stderr.splitlines()[-1] == (
        "stopped after 0 of 4 probes, which are stored in run, with the state of those under way; "
        "the same command goes on from there"
    )
    done("digits-5-9", "--max-time", "1:00:00")
    done("digits-5-9", out="whole")
    assert exported("run") == exported("whole")


def test_a_part_without_work_says_that_nothing_is_finished() -> None:
    result = done("digits-5-9", "--shard", "2/2")
    assert result.stdout.splitlines() == [
        "run: run", "no probe is finished yet: run the other parts of --shard",
    ]  # fmt: skip


def started(*words: str) -> subprocess.Popen[str]:
    command = [str(LPA), "probe", "digits-5-9", "--backbones", "source", "-o", "run", *SHORT]
    surroundings = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*command, *words], env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def until(process: subprocess.Popen[str], pattern: str) -> None:
    """Wait until a file is there."""
    end = time.monotonic() + 120
    while not list(Path().glob(pattern)):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.005)


MANY = ("--epochs", "60", "--img-size", "16")


def test_sigterm_has_status_75_and_the_same_command_goes_on() -> None:
    process = started(*MANY)
    until(process, "run/units/*.parquet")
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 75, told
    assert re.search(
        r"stopped after [123] of 4 probes, which are stored in run, with the state of those under "
        r"way; the same command goes on from there\n$",
        told,
    )
    done("digits-5-9", *MANY)
    done("digits-5-9", *MANY, out="whole")
    assert exported("run") == exported("whole")


def test_killed_while_it_extracts_it_goes_on_to_the_same_bytes() -> None:
    process = started(*MANY)
    until(process, "cache/.*.partial")
    process.kill()
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    done("digits-5-9", *MANY)
    shutil.rmtree("cache")
    done("digits-5-9", *MANY, out="whole")
    assert exported("run") == exported("whole")
    assert not list(Path("cache").glob(".*"))


# ---- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "lpa probe needs a target; expected both, e.g. lpa probe inat --data PATH --backbones "
             "runs/RUN, or neither for the embedded pair"),
        (
            ("inatt",),
            "unknown data set 'inatt': did you mean 'inat' or 'inat2021' or 'inat2019'? (a "
            "path that exists, or hub:OWNER/NAME[:CONFIGURATION], torchvision:NAME=PATH)",
        ),
        (
            ("--data", "inat2021=nowhere"),
            "data path 'nowhere' does not exist; expected a folder of images, a CSV manifest or "
            "Parquet files, or one of imagenet-sample, digits, digits-0-4, digits-5-9, "
            "fashion-mnist, inat, inat2021, inat2019, inat2018, inat2017",
        ),
        (("digits-5-9", "--epochs", "0"), "--epochs 0 is out of range; expected at least 1"),
        (("digits-5-9", "--lr", "0"),
         "--learning-rates 0.0 is out of range; expected finite numbers, more than 0"),
        (("digits-5-9", "--hold-out", "1"),
         "--hold-out 1.0 is out of range; expected more than 0, less than 1"),
        (("digits-5-9", "--test-share", "1"),
         "--test-share 1 is out of range; expected more than 0, less than 1"),
        (("digits-5-9", "--views", "3"),
         "--views 3 needs what is drawn; expected e.g. --aug crop=.5 beside it"),
        (("digits-5-9", "--aug", "crop=.5", "--views", "0"),
         "--views 0 is out of range; expected at least 1"),
        (("digits-5-9", "--aug", "crop"),
         "--aug crop is not one augmentation at one strength; expected e.g. --aug crop=.5, and "
         "--views for its random draws"),
        (("digits-5-9", "--aug", "crop=.5,.3"),
         "--aug crop=.5,.3 is not one augmentation at one strength; expected e.g. --aug crop=.5, "
         "and --views for its random draws"),
        (("digits-5-9", "--model", "resnet18"),
         "--model goes with checkpoints by pattern, and --backbones source is none; expected e.g. "
         "--backbones 'ckpt/rn50_tau{value}_seed{seed}.pth', or leave it out"),
        (("digits-5-9", "--shard", "3/2"),
         "--shard 3/2 is out of range; expected i/n with i from 1 to n, e.g. 3/100"),
        (("digits-5-9", "--device", "gpu"),
         "device 'gpu' is not there; expected auto or one of: cpu"),
        (("digits-5-9", "--split", "val"), "digits-5-9 has no split 'val'; it has: all; leave "
                                           "--split away"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_writes_nothing(words: tuple[str, ...], text: str) -> None:
    assert refusal(*words) == text
    assert not Path("run").exists() and not Path("cache").exists()


@pytest.mark.parametrize(
    ("backbones", "text"),
    [
        (
            "resnett50",
            "unknown model 'resnett50': did you mean 'resnet50' or 'resnext50' or 'resnet50t'? "
            "(lpa models '*part*' lists them)",
        ),
        (
            "runs/nowhere",
            "backbones 'runs/nowhere' are neither a run nor a model; expected the folder that `lpa "
            "train-sweep` named at its end, the name of a model (lpa models lists them), or ready "
            "checkpoints 'ckpt/rn50_tau{value}_seed{seed}.pth'",
        ),
        (
            "run:nowhere",
            "nowhere is no run: there is no run.json in it; expected the folder that `lpa scan`, "
            "`train-sweep`, `probe` or `import` named at its end",
        ),
        ("source#random_crop=.5",
         "run 'source' has no models at random_crop=.5; kept are random_crop=0.3, random_crop=1"),
        ("ckpt/tau{value}.pth",
         "--backbones 'ckpt/tau{value}.pth' needs the checkpoints' architecture and what their "
         "values are; expected e.g. --model resnet50 --regularizer random_crop"),
        ("source,run:source",
         "model 'small_cnn random_crop=0.3 seed 0' is given twice; give each once, or name them: "
         "first=run:source#random_crop=0.3#0,second=run:source#random_crop=0.3#0"),
    ],
)  # fmt: skip
def test_backbones_that_are_none_are_one_line(backbones: str, text: str) -> None:
    assert refusal("digits-5-9", backbones=backbones) == text


def test_a_scan_has_no_backbones() -> None:
    scanned = run("scan", "--models", "source#1", "--data", "digits-0-4", "--aug", "crop=.5", "-o",
                  "scan", "--device", "cpu", "-j", "1", "--no-report", "--draws", "1")  # fmt: skip
    assert scanned.exit_code == 0, scanned.output
    assert refusal("digits-5-9", backbones="scan") == (
        "run 'scan' is no training sweep; expected a run of lpa train-sweep with --keep last or "
        "--keep best"
    )


def test_a_target_with_a_taxonomy_names_a_command_that_rolls_it_up(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for split in ("train", "val"):
        for number, line in enumerate(("Corvidae_Corvus_corax", "Paridae_Parus_major")):
            place = tmp_path / "inat" / split / (
                f"{number:05d}_Animalia_Chordata_Aves_Passeriformes_{line}"
            )  # fmt: skip
            place.mkdir(parents=True)
            for image in range(4):
                pixels = random.integers(0, 255, (8, 8, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(place / f"{split}{image}.png")
    result = done("inat", "--data", "inat")
    line = result.stdout.splitlines()[-1]
    assert line == "  lpa rank run --groups run/taxonomy/family.csv      by family, and so on"
    rolled = run(*shlex.split(line.partition("      by")[0])[1:])
    assert rolled.exit_code == 0 and "Corvidae" in rolled.stdout and "Paridae" in rolled.stdout


def test_a_unit_of_the_backbones_own_run_is_named_in_the_probes(source: Path) -> None:
    done("digits-5-9")
    whole = exported("run")
    (first, *_) = sorted((source / "units").iterdir())
    strange = Path(shutil.copy(first, "run/units"))
    assert refusal("digits-5-9") == (
        f"run/units/{strange.name} holds samples that are not this run's, or one twice; the file "
        "belongs to another run: delete it"
    )
    strange.unlink()
    done("digits-5-9")
    assert exported("run") == whole
