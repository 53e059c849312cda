"""``lpa scan`` and the listings, from the installed entry point."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import click
import pytest
import tiny
from click.testing import CliRunner, Result

import lpa

LPA = Path(sys.executable).with_name("lpa")


@pytest.fixture(scope="module")
def main() -> click.Command:
    (entry,) = entry_points(group="console_scripts", name="lpa")
    found: click.Command = entry.load()
    return found


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder with the images of thirty digits in ``data``."""
    monkeypatch.chdir(tmp_path)
    tiny.folder(tmp_path / "data", 3)
    return tmp_path


def run(main: click.Command, *words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def scan(main: click.Command, *more: str, **changes: str) -> Result:
    options = {"models": "m=tiny:first", "data": "data", "out": "run", "aug": "crop=1,.5",
               "device": "cpu"} | changes  # fmt: skip
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    return run(main, "scan", *words, "--no-report", *more)


def error(result: Result, status: int = 1) -> str:
    """The last line on standard error; nothing stands on standard output."""
    assert result.exit_code == status, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.stderr.rstrip("\n").splitlines()[-1].removeprefix("Error: ")


# ---- what it does ------------------------------------------------------------------------------


def test_a_scan_names_its_run_and_the_next_commands_and_progress_goes_to_standard_error(
    main: click.Command,
) -> None:
    result = scan(main)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "run: run",
        "next:",
        "  lpa curves run --axis crop      the numbers behind the curves",
        "  lpa show run      what there is, and what is missing",
        "  lpa export run -o outcomes.parquet      every prediction, for pandas",
    ]
    lines = result.stderr.splitlines()
    assert lines[:2] == [
        "model: m (Tiny), 32 px, crop 1, bilinear, mean .4 .45 .5, std .25 .3 .35",
        "data: data, 30 images of 10 classes",
    ]
    # Standard error is no terminal here: plain lines.
    assert lines[2].startswith("scan: 60 of 60 images (100 %), ")
    assert len(lines) == 3


def test_the_installed_command_scans_in_a_process_of_its_own(folder: Path) -> None:
    words = ["scan", "--models", "tiny:first", "--data", "data", "--aug", "crop=1,.5"]
    done = subprocess.run(
        [str(LPA), *words, "--device", "cpu"], cwd=folder, capture_output=True, text=True,
        check=False, env=os.environ | {"PYTHONPATH": str(Path(tiny.__file__).parent)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # Without --out the folder is called after the data; the report is written by itself.
    first, second = done.stdout.splitlines()[:2]
    assert (first, second) == (
        f"run: {Path('runs/data')}",
        f"report: {Path('runs/data/report.html')}",
    )
    assert (folder / "runs" / "data" / "report.html").stat().st_size > 10_000
    ours = lpa.open(folder / "runs" / "data").outcomes
    same = lpa.scan(
        models={"tiny:first": tiny.first()}, data=folder / "data", aug={"crop": [1, 0.5]},
        out=folder / "again", progress=False, device="cpu",
    )  # fmt: skip
    assert ours.table().equals(same.outcomes.table())


def test_the_handlers_of_signals_are_put_back(main: click.Command) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    assert scan(main).exit_code == 0
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_class_that_is_missing_entirely_is_said_and_not_fatal(
    main: click.Command, folder: Path
) -> None:
    tiny.folder(folder / "some", 2, classes=(0, 4, 7))
    result = scan(main, data="some")
    assert result.exit_code == 0
    assert result.stderr.splitlines()[1:3] == [
        "data: some, 6 images of 3 classes",
        "      7 of the run's 10 classes have no images",
    ]


def test_a_dry_run_says_what_it_would_take_and_writes_nothing(
    main: click.Command, folder: Path
) -> None:
    before = sorted(folder.rglob("*"))
    result = scan(main, "--dry-run", "--draws", "4", "--max-time", "1:00:00", "--strict")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(
        "1 units, 5 cells, 150 forward passes, about 0.0 MB on disk, about "
    )
    assert sorted(p for p in folder.rglob("*") if "__pycache__" not in p.parts) == before


def test_a_part_of_a_job_array_says_that_the_others_are_missing(
    main: click.Command, folder: Path
) -> None:
    tiny.folder(folder / "more", 7)  # 70 images: two shards
    first = scan(main, "--shard", "1/2", data="more")
    assert first.exit_code == 0, first.output
    assert first.stdout.splitlines() == [
        "run: run",
        "no cell is complete yet: run the other parts of --shard",
        "next:",
        "  lpa show run      what there is, and what is missing",
    ]
    second = scan(main, "--shard", "2/2", data="more")
    assert second.stdout.splitlines()[0] == "run: run"
    assert lpa.open(folder / "run").outcomes.incomplete == []
    strict = scan(main, "--shard", "1/2", "--strict", data="more", out="other")
    assert error(strict) == (
        "other has 2 incomplete cells, first m identity replicate 0 with 64 of 70 samples; run "
        "the scan again to complete them, or leave --strict out"
    )


@pytest.mark.parametrize(
    ("words", "axis", "values"),
    [
        (["--aug", "crop", "--alphas", "1,.5,.08"], "crop", [1.0, 0.5, 0.08]),
        (["--alphas", ".4"], "crop", [1.0, 0.4]),
        (
            ["--aug", "crop(place=centre)", "--alphas", "1:.5:3"],
            "crop(place=centre)",
            [1.0, 0.75, 0.5],
        ),
        (["--aug", "crop=1,.5", "--aug", "cutout=0,.2"], "cutout", [0.0, 0.2]),
        (
            ["--aug", "kornia:RandomGaussianBlur(kernel_size=(3,3),sigma=({alpha},{alpha}),p=1.)",
             "--alphas", "0,1"],
            None,
            [0.0, 1.0],
        ),
    ],
)  # fmt: skip
def test_augmentations_and_values_are_read_as_people_type_them(
    main: click.Command, folder: Path, words: list[str], axis: str | None, values: list[float]
) -> None:
    result = run(
        main, "scan", *words, "--models", "m=tiny:first", "--data", "data", "-o", "run",
        "--no-report", "--device", "cpu",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    cells = lpa.open(folder / "run").outcomes.cells
    chosen = cells if axis is None else cells[cells["axis"] == axis]
    assert chosen["value"].tolist() == values


def test_alphas_without_an_augmentation_say_that_they_are_of_crop(main: click.Command) -> None:
    result = run(main, "scan", "--alphas", "1,x")
    assert result.stderr.splitlines() == [
        "note: --alphas without --aug are values of crop",
        "Error: crop: value 'x' is no number; expected e.g. 1,.5 or 1:.08:20",
    ]


def test_the_next_commands_can_be_pasted_when_the_folder_has_blanks(
    main: click.Command, folder: Path
) -> None:
    import shlex

    result = scan(main, out="my run")
    assert result.exit_code == 0, result.output
    first, *words = shlex.split(result.stdout.splitlines()[2].partition("      ")[0])
    assert (first, words) == ("lpa", ["curves", "my run", "--axis", "crop"])
    assert run(main, *words).exit_code == 0


def test_the_end_of_the_time_is_no_error_and_says_how_to_go_on(
    main: click.Command, folder: Path
) -> None:
    result = scan(main, "--max-time", "0")
    assert (result.exit_code, result.stdout) == (75, "")  # Not done, and nothing failed.
    assert result.stderr.splitlines()[-1] == (
        "stopped after 0 of 2 cells, which are stored in run; the same command goes on from there"
    )


def test_a_call_from_python_is_recorded_as_a_call(folder: Path) -> None:
    asked: dict[str, Any] = {"data": "data", "device": "cpu", "progress": False}
    lpa.scan(
        models={"m": tiny.first(), "second": "tiny:second"}, aug={"crop": [0.5]}, out="run",
        per_class=2, mean=(0.5, 0.5, 0.5), **asked,
    )  # fmt: skip
    (plan,) = lpa.open("run").outcomes.plans
    assert plan["command"] == (
        "lpa.scan(models={'m': ..., 'second': 'tiny:second'}, data='data', aug={'crop': [1, 0.5]}, "
        "draws=1, per_class=2, mean=[0.5, 0.5, 0.5], out='run')"
    )
    lpa.scan(models={"named": "tiny:first"}, aug={"crop": [0.5]}, out="typed", **asked)
    (plan,) = lpa.open("typed").outcomes.plans
    assert plan["command"] == (
        "lpa scan --aug crop=1,0.5 --models named=tiny:first --data data --draws 1 --out typed"
    )
    import numpy as np

    arrays = (np.zeros((10, 32, 32, 3), np.uint8), np.arange(10))
    lpa.scan(models="tiny:first", aug={"crop": [0.5]}, out="arrays", class_check=False,
             **(asked | {"data": arrays}))  # fmt: skip
    (plan,) = lpa.open("arrays").outcomes.plans
    assert plan["command"] == (
        "lpa.scan(models={'tiny:first': 'tiny:first'}, data=..., aug={'crop': [1, 0.5]}, draws=1, "
        "out='arrays')"
    )


def test_the_recorded_command_asks_for_the_same_again(main: click.Command, folder: Path) -> None:
    import shlex

    (folder / "some names.txt").write_text("\n".join(tiny.NAMES).upper())
    asked = [
        "--draws", "2", "--per-class", "2", "--seed", "4", "--ensemble", "--restrict-classes",
        "--classes", "some names.txt", "--images", "none", "--mean", ".5,.5,.5", "--img-size", "24",
        "--crop-pct", ".9", "--interpolation", "bicubic",
    ]  # fmt: skip
    first = scan(main, *asked, models="m=tiny:first,tiny:second", aug="crop=1,.5,cutout=0,.3")
    assert first.exit_code == 0, first.output
    (plan,) = lpa.open(folder / "run").outcomes.plans
    before = sorted((folder / "run").rglob("*"))
    program, *words = shlex.split(plan["command"])
    assert program == "lpa"
    assert words[words.index("--classes") + 1] == "some names.txt"
    again = run(main, *words, "--device", "cpu", "--no-report")
    assert again.exit_code == 0, again.output
    assert sorted((folder / "run").rglob("*")) == before


# ---- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"models": "tiny:nothing"},
            "module 'tiny' has no function 'nothing'; expected package.module:function that "
            "returns a torch.nn.Module or lpa.Model",
        ),
        (
            {"models": "resnet5"},
            "unknown model 'resnet5': did you mean 'resnet50' or 'resnet' or 'resnext50'? (lpa "
            "models '*part*' lists them)",
        ),
        (
            {"aug": "crpo=1,.5"},
            "unknown augmentation 'crpo': did you mean 'crop'? (lpa augmentations lists them)",
        ),
        (
            {"data": "digit"},
            "unknown data set 'digit': did you mean 'digits' or 'digits-5-9' or 'digits-0-4'? (a "
            "path that exists, or hub:OWNER/NAME[:CONFIGURATION], torchvision:NAME=PATH)",
        ),
        (
            {"data": "./nowhere"},
            "data path './nowhere' does not exist; expected a folder of images, a CSV manifest or "
            "Parquet files, or one of imagenet-sample, digits, digits-0-4, digits-5-9, "
            "fashion-mnist, inat, inat2021, inat2019, inat2018, inat2017",
        ),
        (
            {"aug": "crop=1,1.5"},
            "crop: value 1.5 is out of range; expected 0.001 to 1 (fraction of the view kept, "
            "identity 1)",
        ),
        (
            {"aug": "crop=1,.5,.O8"},
            "crop: value '.O8' is no number; expected e.g. crop=1,.5,.08 or crop=1:.08:20",
        ),
        (
            {"aug": "crop=1,x"},
            "unknown augmentation or number 'x': known: blur, color_jitter, crop, cutout, "
            "grayscale, rotation (lpa augmentations lists them)",
        ),
        (
            {"aug": "crop", "alphas": "1,x"},
            "crop: value 'x' is no number; expected e.g. 1,.5 or 1:.08:20",
        ),
        (
            {"aug": "kornia:RandomSolarize(thresholds=({alpha},{alpha}))@0,.5"},
            "kornia:RandomSolarize(thresholds=({alpha},{alpha})): the first value 0 is no "
            "identity, it changes images by 127.5 of 255 grey levels on average; expected the "
            "value that changes nothing first: write it before the others",
        ),
        ({"aug": "crop=1,.5,0.5"}, "crop: value 0.5 is given twice; give each once"),
        (
            {"aug": "crop=.5,crop=.2"},
            "augmentation 'crop' is given twice; give it once, with all its values",
        ),
        (
            {"models": "tiny:nameless"},
            "model 'tiny:nameless' has 40 outputs and no class names: give --classes FILE (names "
            "in output order, one a line, or JSON name -> index)",
        ),
        ({"shard": "x"}, "shard 'x' cannot be read; expected i/n, e.g. 3/100"),
        ({"shard": "0/2"}, "--shard 0/2 is out of range; expected i/n with i from 1 to n, e.g. "
         "3/100"),
        ({"max-time": "1h"}, "duration '1h' cannot be read; expected H:MM:SS, e.g. 3:50:00"),
        ({"device": "cuda:97"}, None),
        ({"limit": "0"}, "--limit 0 is out of range; expected at least 1"),
        ({"draws": "0"}, "draws 0 is out of range; expected at least 1"),
        ({"workers": "0"}, "--workers 0 is out of range; expected at least 1"),
        ({"crop-pct": "2"}, "--crop-pct 2 is out of range; expected more than 0, at most 1"),
        ({"split": "train"}, "data has no split 'train'; it has: all; leave --split away"),
    ],
)  # fmt: skip
def test_input_that_cannot_be_used_is_one_line_and_status_1(
    main: click.Command, folder: Path, changes: dict[str, str], text: str | None
) -> None:
    found = error(scan(main, **changes))
    if text is None:
        assert found.startswith("device 'cuda:97' is not there; expected auto or one of: cpu")
    else:
        assert found == text
    assert not (folder / "run").exists()


def test_a_folder_without_images_is_refused(main: click.Command, folder: Path) -> None:
    (folder / "empty" / "zero").mkdir(parents=True)
    assert error(scan(main, data="empty")) == (
        "no images in empty; expected one sub-folder per class that holds images (.jpg, .png, "
        "...), or the flat ImageNet validation folder"
    )


def test_folders_that_are_no_classes_are_refused(main: click.Command, folder: Path) -> None:
    tiny.folder(folder / "animals", 1, names=[f"animal{i}" for i in range(10)])
    assert error(scan(main, data="animals")) == (
        "10 of the data's 10 classes are no classes of model 'm' ('animal0', 'animal1', "
        "'animal2', ...); expected folders named by class, synset or index, e.g. 'zero': rename "
        "them, or name the model's outputs with --classes FILE"
    )
    (folder / "names.txt").write_text("\n".join(f"animal{i}" for i in range(10)))
    assert scan(main, data="animals", classes="names.txt").exit_code == 0


def test_forty_outputs_are_named_by_a_file(main: click.Command, folder: Path) -> None:
    names = [*tiny.NAMES, *(f"other{i}" for i in range(30))]
    (folder / "names.json").write_text(json.dumps({name: i for i, name in enumerate(names)}))
    assert scan(main, models="m=tiny:nameless", classes="names.json").exit_code == 0
    (folder / "few.txt").write_text("\n".join(names[:39]))
    assert error(scan(main, models="m=tiny:nameless", classes="few.txt", out="other")) == (
        "model 'm' has 40 outputs, but the file 'few.txt' names 39; expected one name for each "
        "output (names in output order, one a line, or JSON name -> index)"
    )


def test_an_output_folder_that_cannot_be_is_refused(main: click.Command, folder: Path) -> None:
    (folder / "file").write_text("text")
    assert error(scan(main, out="file")) == (
        "file is a file; expected an empty or new directory, or a run: give another with --out DIR"
    )
    below = str(Path("file") / "below")
    assert error(scan(main, out=below)) == (
        f"cannot write to {below} (not a directory): expected a writable directory; give another "
        "with --out DIR"
    )
    assert error(scan(main, out="data")) == (
        "data holds other files (eight) and no run; expected an empty or new directory, or a run: "
        "give another with --out DIR"
    )
    assert (folder / "file").read_text() == "text"


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_folder_that_nobody_can_write_is_refused(main: click.Command) -> None:
    assert error(scan(main, out="/proc/lpa")) == (
        "cannot write to /proc/lpa (no such file or directory): expected a writable directory; "
        "give another with --out DIR"
    )


def test_a_damaged_unit_is_named_and_repaired(main: click.Command, folder: Path) -> None:
    assert scan(main).exit_code == 0
    (unit,) = (folder / "run" / "units").iterdir()
    unit.write_bytes(b"PAR1 no more")
    assert error(scan(main)) == (
        f"run/units/{unit.name} is damaged (1 in all): run the same command with --repair to "
        "compute it again"
    )
    repaired = scan(main, "--repair")
    assert repaired.exit_code == 0
    assert f"removing the damaged units/{unit.name}; it is computed again" in repaired.stderr
    assert len(lpa.open(folder / "run").outcomes.cells) == 2


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (["--aug", "crop,cutout"], "crop,cutout"),
        (["--aug", "crop", "--aug", "cutout"], "crop,cutout"),
        (["--aug", "crop=1,.5"], "crop=1,.5"),
    ],
)
def test_alphas_with_several_augmentations_is_wrong_usage_and_shows_the_form_that_works(
    main: click.Command, words: list[str], given: str
) -> None:
    result = run(main, "scan", *words, "--alphas", "1,.5,.08", "--data", "data")
    assert error(result, 2) == (
        f"--alphas 1,.5,.08 goes with one augmentation without values, and --aug is {given}; "
        "write the values of each behind its name: --aug crop=1,.5,.08 --aug cutout=0,.3"
    )


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["scan", "--nothing"], "No such option '--nothing'."),
        (["scan", "--mean", "a,b"], "Invalid value for '--mean': 'a,b' is no list of numbers; "
         "e.g. .485,.456,.406"),
        (["frobnicate"], "No such command 'frobnicate'."),
    ],
)  # fmt: skip
def test_wrong_usage_is_status_2(main: click.Command, words: list[str], text: str) -> None:
    assert error(run(main, *words), 2) == text


# ---- listings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "first", "columns"),
    [
        (["augmentations", "*OUT*"], "cutout", ["name", "unit", "identity"]),
        (["datasets", "dig*"], "digits", ["name", "description"]),
        (["models", "*cientnet_lite0"], "efficientnet_lite0", ["name", "source", "weights"]),
    ],
)
def test_listings_are_tables_or_json(
    main: click.Command, words: list[str], first: str, columns: list[str]
) -> None:
    table = run(main, *words)
    assert table.exit_code == 0, table.output
    header, row = table.stdout.splitlines()[:2]
    assert header.split()[: len(columns)] == columns
    assert row.split()[0] == first
    found: list[dict[str, Any]] = json.loads(run(main, *words, "--format", "json").stdout)
    assert found[0]["name"] == first
    assert list(found[0])[: len(columns)] == columns


def test_the_header_of_a_listing_is_whole_on_a_narrow_terminal(
    main: click.Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    header = run(main, "models", "resnet50").stdout.splitlines()[0]
    rows = json.loads(run(main, "models", "resnet50", "--format", "json").stdout)
    assert header.split() == list(rows[0])


def test_a_listing_without_a_pattern_holds_every_kind(main: click.Command) -> None:
    shown = run(main, "datasets").stdout
    for form in ("imagenet-sample", "digits", "PATH", "hub:OWNER/NAME"):
        assert form in shown
    grids = json.loads(run(main, "augmentations", "--format", "json").stdout)
    assert {"crop", "cutout", "color_jitter", "rotation", "blur", "grayscale"} <= {
        row["name"] for row in grids
    }
    assert next(row for row in grids if row["name"] == "crop")["grid"][0] == 1


@pytest.mark.parametrize("kind", ["models", "augmentations", "datasets"])
def test_a_pattern_that_fits_nothing_is_answered(main: click.Command, kind: str) -> None:
    noun = {"models": "model", "augmentations": "augmentation", "datasets": "data set"}[kind]
    assert error(run(main, kind, "*zzz*")) == (
        f"no {noun} fits '*zzz*'; expected a part of a name with wildcards, e.g. '*zzz*'"
    )
