"""Importing predictions: what is read, joined, stored, extended and refused."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from synthetic import CROP, CUTOUT, write_run

import lpa
from lpa.axes import Axis
from lpa.errors import InputError
from lpa.importing.results import import_results
from lpa.importing.summary import Imported
from lpa.statistics.mean_loss import mean_loss
from lpa.statistics.run_test import run_test
from lpa.statistics.threshold import threshold

CLASSES = ("cat", "dog", "eel")
SAMPLES = [f"{name}/{index}.jpg" for name in CLASSES for index in range(4)]
TRUTH = np.repeat(np.arange(3), 4)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def predicted(seed: int, wrong: int) -> np.ndarray:
    """The truth, but for a number of samples."""
    prediction = TRUTH.copy()
    moved = np.random.default_rng(seed).choice(len(TRUTH), wrong, replace=False)
    prediction[moved] = (prediction[moved] + 1) % 3
    return prediction


def write_csv(path: str, columns: dict[str, Sequence[Any]]) -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with Path(path).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def write_crops(values: Sequence[float] = (1, 0.5), replicates: int = 2) -> dict[Any, np.ndarray]:
    """Files of one model; returns what they say."""
    said = {}
    for value in values:
        for replicate in range(1 if value == 1 else replicates):
            prediction = predicted(replicate + int(100 * value), 1 if value == 1 else 5)
            said[value, replicate] = prediction
            write_csv(f"preds/crop{value:g}_s{replicate}.csv", {
                "path": SAMPLES, "pred": [CLASSES[p] for p in prediction],
                "truth": [CLASSES[t] for t in TRUTH],
            })  # fmt: skip
    return said


def import_crops(out: str = "run", **more: Any) -> Imported:
    asked: dict[str, Any] = {
        "model": "rn50", "axis": "crop",
        "columns": "sample=path,prediction=pred,label=truth",
    }  # fmt: skip
    return import_results("preds/crop{value}_s{replicate}.csv", out, **{**asked, **more})


def refused(*arguments: Any, **options: Any) -> str:
    before = snapshot("run")
    with pytest.raises(InputError) as error:
        import_results(*arguments, **options)
    assert snapshot("run") == before
    return str(error.value)


def snapshot(folder: str) -> dict[str, tuple[bytes, int]]:
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }


def contents(folder: str) -> dict[str, bytes]:
    """Every file without the second at which its command began."""
    return {
        path: re.sub(rb'"created": "[^"]*"', b"", data)
        for path, (data, _) in snapshot(folder).items()
    }


def test_files_by_name_become_the_cells_that_they_say() -> None:
    said = write_crops((1, 0.5, 0.08))
    done = import_crops()
    run = lpa.open("run").outcomes
    assert run.samples.name == tuple(SAMPLES)
    assert run.classes.names == CLASSES
    np.testing.assert_array_equal(run.samples.label, TRUTH)
    cells = [tuple(row) for row in run.cells.itertuples(index=False)]
    assert cells == [("rn50", "crop", value, replicate) for value, replicate in said]
    np.testing.assert_array_equal(run.column("prediction"), np.stack(list(said.values())))
    assert np.isnan(run.column("label_rank")).all()
    assert run.axes["crop"].unit == "fraction of the view kept"
    assert (done.added, done.known) == (5, 0)


def test_what_was_understood_the_identity_and_three_rows_are_told() -> None:
    said = write_crops()
    done = import_crops()
    right = int((said[1, 0] == TRUTH).sum())
    rows = [
        f"  {SAMPLES[at]}  {CLASSES[TRUTH[at]]}    {CLASSES[said[1, 0][at]]}" for at in (0, 6, 11)
    ]
    assert str(done).splitlines() == [
        "preds/crop0.5_s0.csv and 2 more: sample = path, prediction = pred, label = truth",
        "replicates are random draws",
        "'pred' was understood as names of classes",
        "rn50: crop 0.5, 2 replicates, 12 samples each",
        "rn50: the identity, 12 samples each",
        f"identity of rn50: accuracy {right / 12:.4f} ({right} of 12)",
        "joined rows of rn50 at the identity, replicate 0:",
        "  sample     label  prediction",
        *rows,
        "left out: no probabilities in the files: statistics of confidence",
        "left out: no ranks in the files: accuracies beyond top-1",
        "3 cells added",
    ]


def test_the_same_command_again_changes_nothing() -> None:
    write_crops()
    import_crops()
    before = snapshot("run")
    again = import_crops()
    assert snapshot("run") == before
    assert (again.added, again.known) == (0, 3)
    assert str(again).splitlines()[-1] == "0 cells added, 3 were there already"


def test_more_values_models_and_axes_extend_a_run() -> None:
    write_crops()
    import_crops()
    said = write_crops((0.08,))
    assert import_crops().added == 2
    write_csv("other.csv", {
        "model": ["vit"] * 24, "axis": ["cutout"] * 24, "value": [0] * 12 + [0.5] * 12,
        "sample": SAMPLES * 2, "prediction": [CLASSES[t] for t in TRUTH] * 2,
    })  # fmt: skip
    assert import_results("other.csv", "run").added == 2
    run = lpa.open("run").outcomes
    assert [tuple(row) for row in run.cells.itertuples(index=False)] == [
        ("rn50", "crop", 1, 0), ("rn50", "crop", 0.5, 0), ("rn50", "crop", 0.5, 1),
        ("rn50", "crop", 0.08, 0), ("rn50", "crop", 0.08, 1),
        ("vit", "cutout", 0, 0), ("vit", "cutout", 0.5, 0),
    ]  # fmt: skip
    np.testing.assert_array_equal(run.column("prediction")[4], said[0.08, 1])
    assert list(run.axes) == ["crop", "cutout"]
    assert len(run.plans) == 3


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_an_export_imported_again_gives_equal_curves(suffix: str) -> None:
    folder = write_run(Path("scan"), axes={CROP: (1.0, 0.5, 0.08), CUTOUT: (0.0, 0.4)})
    original = lpa.open(folder)
    original.export(f"table{suffix}")
    done = import_results(f"table{suffix}", "run", labels=folder)
    copy = lpa.open("run")
    pd.testing.assert_frame_equal(copy.curves(aggregate=None), original.curves(aggregate=None))
    # Without the labels, titles and names of samples are unknown, and the numbers the same.
    import_results(f"table{suffix}", "bare")
    numbers = ["model", "axis", "value", "class", "label", "accuracy", "low", "high", "n", "draws"]
    pd.testing.assert_frame_equal(lpa.open("bare").curves()[numbers], original.curves()[numbers])
    for column in ("prediction_probability", "label_rank", "label_probability"):
        np.testing.assert_array_equal(
            copy.outcomes.column(column), original.outcomes.column(column)
        )
    assert done.omissions == []
    assert copy.outcomes.samples.fingerprint == original.outcomes.samples.fingerprint
    assert "samples were matched by number in the name-sorted data set" in done.read
    copy.export(f"again{suffix}")
    assert Path(f"again{suffix}").read_bytes() == Path(f"table{suffix}").read_bytes()


def test_names_that_a_spreadsheet_would_run_survive_the_round_trip() -> None:
    names = ("=cmd()", "-1", "@x", "a,b")
    original = lpa.open(write_run(Path("scan"), names=names, titles=names, pictures=False))
    original.export("table.csv")
    import_results("table.csv", "run")
    copy = lpa.open("run").curves()
    pd.testing.assert_frame_equal(
        copy.drop(columns="split"), original.curves().drop(columns="split")
    )


def test_statistics_of_an_import_are_those_of_the_scan() -> None:
    folder = write_run(Path("scan"), per_class=30, axes={CROP: CROP.grid}, pictures=False)
    lpa.open(folder).export("table.parquet")
    import_results("table.parquet", "run", labels="scan")
    for statistic in (mean_loss, threshold):
        pd.testing.assert_frame_equal(
            statistic(lpa.open("run").outcomes), statistic(lpa.open("scan").outcomes)
        )


def test_only_the_axis_and_the_model_that_are_asked_for_are_read() -> None:
    folder = write_run(Path("scan"), axes={CROP: (1.0, 0.5), CUTOUT: (0.0, 0.4)}, pictures=False)
    lpa.open(folder).export("table.csv")
    import_results("table.csv", "run", axis="cutout", model="second")
    cells = lpa.open("run").outcomes.cells
    assert set(cells["axis"]) == {"cutout"} and set(cells["model"]) == {"second"}
    assert refused("table.csv", "run", axis="blur") == (
        "table.csv, column 'axis' has 'crop', 'cutout' and not 'blur'; leave --axis out, or give "
        "one of these"
    )


# ---- labels --------------------------------------------------------------------------------


def test_labels_come_from_folders_tables_and_runs_alike() -> None:
    write_crops()
    import_crops("from_files")
    for name in SAMPLES:
        path = Path("images") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    order = np.random.default_rng(0).permutation(12)
    write_csv("labels.csv", {
        "path": [f"images/{SAMPLES[at]}" for at in order],
        "class": [CLASSES[TRUTH[at]] for at in order],
    })  # fmt: skip
    Path("classes.txt").write_text("cat\ndog\neel\n")
    write_csv("numbers.csv", {"sample": SAMPLES, "label": TRUTH})
    columns = "sample=path,prediction=pred"
    for labels in ("images", "labels.csv", "from_files", "numbers.csv"):
        out = f"from_{Path(labels).stem}_again"
        classes = "classes.txt" if labels == "numbers.csv" else None
        import_crops(out, columns=columns, labels=labels, classes=classes)
        pd.testing.assert_frame_equal(
            lpa.open(out).curves(), lpa.open("from_files").curves(), obj=labels
        )


def test_labels_by_option_come_before_a_column_of_the_files() -> None:
    write_crops()
    write_csv("labels.csv", {"sample": SAMPLES, "label": ["cat"] * 6 + ["eel", "dog"] * 3})
    done = import_crops(labels="labels.csv")
    assert "column 'truth' is not read: --labels says the labels" in done.read
    labels = np.array(["cat"] * 6 + ["eel", "dog"] * 3)
    run = lpa.open("run").outcomes
    assert [run.classes.names[label] for label in run.samples.label] == labels.tolist()


def test_labelled_samples_that_no_file_has_are_left_out_and_keep_their_numbers() -> None:
    write_crops()
    more = [*SAMPLES, "bee/0.jpg", "fly/0.jpg"]
    write_csv("labels.csv", {"sample": more, "label": [name.split("/")[0] for name in more]})
    done = import_crops(columns="sample=path,prediction=pred", labels="labels.csv")
    assert "2 of 14 labelled samples are in no file and left out" in done.read
    assert lpa.open("run").outcomes.samples.sample.tolist() == list(range(1, 13))
    assert lpa.open("run").classes.names == ("bee", "cat", "dog", "eel", "fly")


def test_what_is_wrong_with_labels_is_named() -> None:
    write_crops()
    columns = "sample=path,prediction=pred"
    files = "preds/crop{value}_s{replicate}.csv"
    more = {"model": "rn50", "axis": "crop", "columns": columns}
    assert refused(files, "run", **more) == (
        "preds/crop0.5_s0.csv has no column of labels; give the true labels with --labels FOLDER "
        "or a CSV of sample,label, or --map label=COLUMN"
    )
    write_csv("labels.csv", {"sample": SAMPLES[1:], "label": [CLASSES[t] for t in TRUTH[1:]]})
    assert refused(files, "run", **more, labels="labels.csv") == (
        "preds/crop0.5_s0.csv, line 2, column 'path': 'cat/0.jpg' is no sample of labels.csv (e.g. "
        "'cat/1.jpg'), as are 1 of 12 names; name them alike, or leave them out with "
        "--samples common"
    )
    write_csv("labels.csv", {"sample": [*SAMPLES, SAMPLES[0]], "label": ["cat"] * 13})
    assert refused(files, "run", **more, labels="labels.csv") == (
        "labels.csv, line 14, column 'sample': 'cat/0.jpg' stands twice; list each sample once"
    )
    write_csv("labels.csv", {"picture": SAMPLES, "label": ["cat"] * 12})
    assert refused(files, "run", **more, labels="labels.csv") == (
        "labels.csv has no column of samples among picture, label; expected one named sample, "
        "path, filename, file, name or image"
    )
    Path("classes.txt").write_text("cat\ndog\neel\n")
    write_csv("labels.csv", {"sample": SAMPLES, "label": ["catt"] * 12})
    assert refused(files, "run", **more, labels="labels.csv", classes="classes.txt") == (
        "labels labels.csv: unknown class 'catt': did you mean 'cat'?"
    )


def test_two_labels_of_one_sample_are_refused() -> None:
    write_crops()
    path = Path("preds/crop1_s0.csv")
    path.write_text(path.read_text().replace("cat/1.jpg,cat,cat", "cat/1.jpg,cat,dog"))
    assert refused(
        "preds/crop{value}_s{replicate}.csv", "run", model="m", axis="crop",
        columns="sample=path,prediction=pred,label=truth",
    ) == (
        "preds/crop1_s0.csv, line 3, column 'truth': sample 'cat/1.jpg' is 'dog' here and 'cat' "
        "before; expected one label per sample"
    )  # fmt: skip


# ---- rows ----------------------------------------------------------------------------------


def test_missing_samples_are_refused_or_left_out_of_all_files() -> None:
    said = write_crops()
    path = Path("preds/crop0.5_s1.csv")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:3] + lines[5:]))
    with pytest.raises(InputError) as error:
        import_crops()
    assert str(error.value) == (
        "preds/crop0.5_s1.csv lacks 2 of 12 samples for rn50 at crop 0.5, replicate 1, first "
        "'cat/2.jpg'; complete the file, or leave them out of all files with --samples common"
    )
    done = import_crops(samples="common")
    assert "2 of 12 samples are missing in some file and left out of all, first 'cat/2.jpg'" in (
        done.read
    )
    run = lpa.open("run").outcomes
    kept = [0, 1, *range(4, 12)]
    assert run.samples.sample.tolist() == kept
    np.testing.assert_array_equal(run.column("prediction")[0], said[1, 0][kept])


def test_rows_that_stand_twice_are_counted_once_or_refused() -> None:
    write_crops()
    path = Path("preds/crop1_s0.csv")
    text = path.read_text()
    same, other = text.splitlines()[1], "cat/0.jpg,eel,cat"
    path.write_text(text + same + "\n")
    done = import_crops()
    assert (
        "preds/crop1_s0.csv: 1 rows stand twice with the same prediction; each is counted once"
        in done.read
    )
    path.write_text(text + other + "\n")
    with pytest.raises(InputError) as error:
        import_crops("other")
    assert str(error.value) == (
        "preds/crop1_s0.csv, line 14, column 'path': 'cat/0.jpg' stands already in line 2 with "
        "another prediction, for rn50 at crop 1, replicate 0; expected each sample once, or a "
        "column that tells them apart: --map replicate=COLUMN"
    )


def test_unknown_samples_and_those_a_run_needs() -> None:
    write_crops()
    import_crops()
    write_csv("preds/crop0.3_s0.csv", {
        "path": [*SAMPLES, "new.jpg"], "pred": ["cat"] * 13, "truth": ["cat"] * 13,
    })  # fmt: skip
    files, more = "preds/crop{value}_s{replicate}.csv", {"model": "rn50", "axis": "crop",
        "columns": "sample=path,prediction=pred"}  # fmt: skip
    assert refused(files, "run", **more) == (
        "preds/crop0.3_s0.csv, line 14, column 'path': 'new.jpg' is no sample of run (e.g. "
        "'cat/0.jpg'), as are 1 of 13 names; name them alike, or leave them out with "
        "--samples common"
    )
    assert import_results(files, "run", **more, samples="common").added == 1
    write_csv("preds/crop0.2_s0.csv", {"path": SAMPLES[:-1], "pred": ["cat"] * 11})
    message = (
        "preds/crop0.2_s0.csv lacks 1 of 12 samples for rn50 at crop 0.2, replicate 0, first "
        "'eel/3.jpg'; the run has them: complete the file, or import into another directory with "
        "--out DIR"
    )
    assert refused("preds/crop0.2_s0.csv", "run", **more, value=0.2, samples="common") == message


def test_empty_and_unknown_cells_are_named() -> None:
    write_csv("p.csv", {"sample": ["a", "b"], "label": ["x", "y"], "prediction": ["x", ""]})
    assert refused("p.csv", "run", model="m") == (
        "p.csv, line 3, column 'prediction': the cell is empty; expected a class in every row"
    )
    Path("classes.txt").write_text("x\ny\n")
    write_csv("p.csv", {"sample": ["a", "b"], "label": ["x", "y"], "prediction": ["x", "yy"]})
    assert refused("p.csv", "run", model="m", classes="classes.txt") == (
        "p.csv, line 3, column 'prediction': unknown class 'yy': did you mean 'y'?"
    )
    write_csv("p.csv", {"sample": ["a", "b"], "label": ["x", "y"], "prediction": [0, 2]})
    assert refused("p.csv", "run", model="m", classes="classes.txt") == (
        "p.csv, line 3, column 'prediction': index 2 is out of range; the run has 2 classes, 0 to "
        "1: name all outputs with --classes FILE"
    )
    write_csv("p.csv", {"sample": ["a"], "label": ["x"], "prediction": ["x"],
                        "prediction_probability": [1.5]})  # fmt: skip
    assert refused("p.csv", "run", model="m") == (
        "p.csv, line 2, column 'prediction_probability': 1.5 is no probability; expected 0 to 1 "
        "(of logits, only whole rows of all outputs help: --map logits=COLUMN)"
    )
    write_csv("p.csv", {"sample": ["a"], "label": ["x"], "prediction": ["x"], "label_rank": [2]})
    assert refused("p.csv", "run", model="m") == (
        "p.csv, line 2, column 'label_rank': rank 2 where the prediction is right; expected 0 for "
        "right predictions and only for these (are labels and predictions of the same classes?)"
    )
    write_csv("p.csv", {"sample": [], "label": [], "prediction": []})
    assert refused("p.csv", "run", model="m") == (
        "p.csv has no rows; expected one row per prediction"
    )


# ---- coordinates ---------------------------------------------------------------------------


def one(**columns: Sequence[Any]) -> str:
    return write_csv("p.csv", {
        "sample": ["a", "b"], "label": ["x", "y"], "prediction": ["x", "y"], **columns,
    })  # fmt: skip


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({}, {}, "p.csv: no model is named; give --model NAME, or a column for it"),
        ({"model": ["m", ""]}, {}, "p.csv, line 3, column 'model': the cell is empty: no model is "
         "named; give --model NAME, or a column for it"),
        ({}, {"model": "m", "axis": "crop"}, "p.csv: no value on the axis 'crop'; write {value} in "
         "the pattern of file names, or give --value, or a column with --map value=COLUMN"),
        ({}, {"model": "m", "value": 0.5}, "p.csv: the value 0.5 is of no axis; name the axis with "
         "--axis NAME"),
        ({"value": [1, 0.5]}, {"model": "m"}, "p.csv, line 2, column 'value': a value of no axis; "
         "name the axis with --axis NAME"),
        ({"value": [1, "inf"]}, {"model": "m", "axis": "crop"}, "p.csv, line 3, column 'value': "
         "expected a finite number, the value on the axis"),
        ({"value": [1, "x"]}, {"model": "m", "axis": "crop"}, "p.csv, line 3, column 'value': 'x' "
         "is no number; expected e.g. 0.5"),
        ({"value": [1, 1]}, {"model": "m", "axis": "crop", "value": 1}, "p.csv: column 'value' "
         "says the value, and so does --value; leave the option out"),
        ({"replicate": [0, -1]}, {"model": "m"}, "p.csv, line 3, column 'replicate': expected a "
         "whole number from 0"),
        ({"value": [1.5, 1]}, {"model": "m", "axis": "crop"}, "crop: value 1.5 is out of range; "
         "expected from 0.001 to 1 (fraction of the view kept, reference 1)"),
        ({"value": [1, 1]}, {"model": "m", "axis": "jpeg"}, "axis 'jpeg' is not known to lpa; "
         "describe it, e.g. --axis jpeg --unit quality --reference 100 --stronger down"),
        ({}, {"model": "m", "unit": "quality"}, "--unit describes an axis, and none is named; give "
         "--axis NAME"),
        ({}, {"model": "m", "axis": "crop", "value": 1, "reference": 0}, "axis 'crop' has "
         "reference 1 in lpa's own axes, and 0 is said; leave --reference out, or give the axis "
         "another name"),
        ({}, {"model": "m", "replicates": "seeds"}, "--replicates 'seeds': expected draws or "
         "trainings"),
        ({}, {"model": "m", "replicates": "draws", "paired_replicates": True},
         "--paired-replicates is about training seeds, and --replicates draws says that nothing "
         "was trained; leave one of them out"),
    ],
)  # fmt: skip
def test_coordinates_that_are_missing_or_contradict_are_named(
    columns: dict[str, Sequence[Any]], options: dict[str, Any], message: str
) -> None:
    assert refused(one(**columns), "run", **options) == message


def test_a_coordinate_in_a_files_name_and_in_a_column_is_refused() -> None:
    one(value=[1, 1])
    shutil.move("p.csv", "p1.csv")
    assert refused("p{value}.csv", "run", model="m", axis="crop") == (
        "p1.csv: the value is given by the file's name, and its column 'value' says it too; say it "
        "once"
    )
    assert refused("p{value}.csv", "run", model="m", axis="crop", value=1) == (
        "p1.csv: the value is given by the file's name, and its column 'value' says it too; say it "
        "once"
    )


def test_two_files_of_one_cell_are_refused() -> None:
    one()
    shutil.copy("p.csv", "q.csv")
    assert refused(["p.csv", "q.csv"], "run", model="m") == (
        "q.csv and p.csv both hold m at the identity, replicate 0; tell them apart with {value}, "
        "{replicate} or {model} in the pattern of file names, or import one"
    )


def test_axes_of_ones_own_are_described_once() -> None:
    for quality in (100, 30, 10):
        one()
        shutil.move("p.csv", f"q{quality}.csv")
    own = {"unit": "quality", "reference": 100, "stronger": "down", "scale": "log"}
    import_results(["q{value}.csv"], "run", model="m", axis="jpeg", **own)
    assert lpa.open("run").axes["jpeg"] == Axis(
        "jpeg", "quality", 100.0, "down", "log", maximum=100.0
    )
    assert lpa.open("run").outcomes.cells["value"].tolist() == [100, 30, 10]
    # The run knows the axis from then on.
    assert import_results(["q{value}.csv"], "run", model="n", axis="jpeg").added == 3
    assert refused(["q{value}.csv"], "run", model="n", axis="jpeg", scale="linear") == (
        "axis 'jpeg' has scale log in the run axes, and linear is said; leave --scale out, or give "
        "the axis another name"
    )
    assert refused(["q{value}.csv"], "other", model="m", axis="jpeg", reference=30) == (
        "axis 'jpeg': its values do not say on which side of the reference 30 strength grows; give "
        "--stronger up or down"
    )
    assert (
        refused(["q{value}.csv"], "other", model="m", axis="jpeg", reference=0, scale="log")
        == "axis 'jpeg': a log scale needs values above 0, and 0 is not; leave --scale log out"
    )


def test_options_of_known_augmentations_have_one_spelling() -> None:
    one()
    import_results("p.csv", "run", model="m", axis="crop( place = centre )", value=0.5)
    assert lpa.open("run").outcomes.cells["axis"].tolist() == ["crop(place=centre)"]


# ---- the identity --------------------------------------------------------------------------


def test_the_identity_is_stored_once_and_stands_under_every_axis() -> None:
    write_csv("p.csv", {
        "model": ["m"] * 8, "axis": ["crop"] * 4 + ["cutout"] * 4,
        "value": [1, 1, 0.5, 0.5, 0, 0, 0.4, 0.4], "sample": ["a", "b"] * 4,
        "label": ["x", "y"] * 4, "prediction": ["x", "x", "y", "x"] * 2,
    })  # fmt: skip
    import_results("p.csv", "run")
    run = lpa.open("run").outcomes
    assert [entry.cell.axis for entry in run.coverage] == [None, "crop", "cutout"]
    assert run.cells[["axis", "value"]].values.tolist() == [
        ["crop", 1.0], ["crop", 0.5], ["cutout", 0.0], ["cutout", 0.4],
    ]  # fmt: skip


def test_rows_without_an_axis_are_the_identity() -> None:
    write_csv("p.csv", {
        "model": ["m"] * 4, "axis": ["", "", "crop", "crop"], "value": ["", "", 0.5, 0.5],
        "sample": ["a", "b"] * 2, "label": ["x", "y"] * 2, "prediction": ["x", "y", "y", "y"],
    })  # fmt: skip
    import_results("p.csv", "run")
    # Without a column of axes it is the value that is empty.
    write_csv("q.csv", {
        "value": ["", "", 0.5, 0.5], "sample": ["a", "b"] * 2, "label": ["x", "y"] * 2,
        "prediction": ["x", "y", "y", "y"],
    })  # fmt: skip
    import_results("q.csv", "other", model="m", axis="crop")
    for out in ("run", "other"):
        run = lpa.open(out).outcomes
        assert run.cells["value"].tolist() == [1.0, 0.5]
        assert run.correct().tolist() == [[True, True], [False, True]]


def test_equal_replicates_at_the_reference_are_one_identity() -> None:
    write_csv("p.csv", {
        "replicate": [0, 0, 1, 1], "sample": ["a", "b"] * 2, "label": ["x", "y"] * 2,
        "prediction": ["x", "x"] * 2,
    })  # fmt: skip
    assert import_results("p.csv", "run", model="m", axis="crop", value=1).added == 1


def test_a_reference_stands_on_an_axis_or_on_none_and_not_on_both() -> None:
    columns = {
        "model": ["m"] * 4, "sample": ["a", "b"] * 2, "label": ["x", "y"] * 2,
        "prediction": ["x", "y"] * 2,
    }  # fmt: skip
    write_csv("p.csv", {**columns, "axis": ["", "", "crop", "crop"], "value": ["", "", 1, 1]})
    assert refused("p.csv", "run", replicates="trainings") == (
        "p.csv holds m at crop 1, replicate 0, which is the reference, and other rows of m have no "
        "axis, which is the reference too; name the axis in all"
    )
    one()
    import_results("p.csv", "run", model="m", axis="crop", value=1, replicates="trainings")
    assert refused("p.csv", "run", model="m") == (
        "p.csv holds m at the identity, replicate 0, the reference of m, which the run has on an "
        "axis; name it as there"
    )


def test_an_identity_with_other_probabilities_is_the_runs_own() -> None:
    one(prediction_probability=[0.5, 0.5])
    import_results("p.csv", "run", model="m", axis="crop", value=1)
    one(prediction_probability=[0.6, 0.5])
    done = import_results("p.csv", "run", model="m", axis="cutout", value=0)
    assert done.added == 0
    assert "m: the identity's probabilities are those that the run has already" in done.read
    assert lpa.open("run").outcomes.column("prediction_probability").tolist() == [[0.5, 0.5]]
    one(prediction_probability=[0.6, 0.5])
    import_results("p.csv", "run", model="m", axis="crop", value=0.5)
    one(prediction_probability=[0.7, 0.5])
    assert refused("p.csv", "run", model="m", axis="crop", value=0.5) == (
        "p.csv holds m at crop 0.5, replicate 0, and run has it already with other rows: the "
        "predictions are equal, ranks or probabilities differ; results of a run never change: give "
        "another directory with --out DIR"
    )


def test_ranks_and_probabilities_that_are_missing_in_places_are_null() -> None:
    one(label_probability=[0.25, ""], label_rank=["", 0])
    import_results("p.csv", "run", model="m")
    run = lpa.open("run").outcomes
    np.testing.assert_array_equal(run.column("label_probability"), [[0.25, np.nan]])
    np.testing.assert_array_equal(run.column("label_rank"), [[np.nan, 0]])
    import_results("p.csv", "run", model="n", columns={"prediction": "label"})
    assert lpa.open("run").outcomes.column("label_rank").shape == (2, 2)


def test_splits_come_from_a_column_and_are_chosen_by_it() -> None:
    one(split=["val", "test"])
    import_results("p.csv", "run", model="m")
    assert lpa.open("run").outcomes.samples.split.tolist() == ["val", "test"]
    import_results("p.csv", "other", model="m", split="test")
    assert lpa.open("other").outcomes.samples.name == ("b",)


def test_a_report_of_an_import_is_written() -> None:
    write_crops((1, 0.5, 0.08))
    import_crops()
    assert "rn50" in lpa.open("run").report().read_text()


def test_an_import_that_was_killed_is_finished_by_the_same_command() -> None:
    write_crops()
    import_crops()
    whole = contents("run")
    shutil.rmtree("run/units")
    assert import_crops().added == 3
    assert contents("run") == whole


def test_an_import_that_was_killed_behind_its_record_is_finished_by_the_same_command() -> None:
    write_crops()
    import_crops()
    whole = contents("run")
    for name in ("units", "plans"):
        shutil.rmtree(f"run/{name}")
    Path("run/samples.parquet").unlink()
    # Another import is not mixed into it.
    record = Path("run/run.json").read_bytes()
    Path("classes.txt").write_text("\n".join([*CLASSES, "fox"]))
    for changes in ({"replicates": "trainings"}, {"classes": "classes.txt"}):
        with pytest.raises(InputError) as caught:
            import_crops(**changes)
        assert str(caught.value) == (
            "run was begun by an import of other classes, samples or replicates, and holds no "
            "results yet: delete it, or give another directory with --out DIR"
        )
    assert [path.name for path in Path("run").iterdir()] == ["run.json"]
    assert Path("run/run.json").read_bytes() == record
    assert import_crops().added == 3
    assert contents("run") == whole


def test_counts_whose_import_was_killed_behind_its_record_are_imported_again() -> None:
    write_csv("c.csv", {
        "model": ["m"] * 2, "axis": ["crop"] * 2, "value": [1, 0.5], "replicate": [0, 0],
        "class": ["cat", "cat"], "correct": [3, 2], "n": [4, 4],
    })  # fmt: skip
    import_results("c.csv", "run")
    whole = contents("run")
    for name in ("counts", "plans"):
        shutil.rmtree(f"run/{name}")
    Path("run/samples.parquet").unlink()
    assert import_results("c.csv", "run").added == 2
    assert contents("run") == whole


def test_identities_that_differ_are_refused() -> None:
    write_csv("p.csv", {
        "model": ["m"] * 4, "axis": ["crop"] * 2 + ["cutout"] * 2, "value": [1, 1, 0, 0],
        "sample": ["a", "b"] * 2, "label": ["x", "y"] * 2, "prediction": ["x", "x", "x", "y"],
    })  # fmt: skip
    assert refused("p.csv", "run") == (
        "p.csv (m at cutout 0, replicate 0) and p.csv differ at the identity of m, in 1 of 2 "
        "predictions; a fixed model has one outcome there: check the files, or say --replicates "
        "trainings"
    )


def test_a_model_without_its_reference_is_told() -> None:
    one()
    done = import_results("p.csv", "run", model="m", axis="crop", value=0.5)
    assert done.omissions[-1] == (
        "nothing of m at the reference (crop 1): losses, thresholds, rankings and drift, until it "
        "is imported too"
    )
    assert done.identity.empty
    one()
    assert import_results("p.csv", "run", model="m").omissions[-1].startswith("no ranks")
    later = import_results("p.csv", "run", model="m", axis="crop", value=0.3)
    assert later.omissions[-1].startswith("no ranks")


def test_guessing_at_the_identity_is_pointed_out() -> None:
    names = [f"c{index:02d}" for index in range(20)]
    write_csv("p.csv", {"sample": names, "label": names, "prediction": names[1:] + names[:1]})
    assert import_results("p.csv", "run", model="m").omissions[-1] == (
        "the accuracy of m at the reference is that of guessing: nothing, but do labels and "
        "predictions have the same order of classes?"
    )


# ---- extending -----------------------------------------------------------------------------


def test_changed_rows_under_the_same_coordinates_are_refused() -> None:
    write_crops()
    import_crops()
    path = Path("preds/crop0.5_s0.csv")
    text = path.read_text()
    first = text.splitlines()[1]
    path.write_text(text.replace(first, "cat/0.jpg,eel,cat"))
    options = {"model": "rn50", "axis": "crop",
               "columns": "sample=path,prediction=pred,label=truth"}  # fmt: skip
    assert refused("preds/crop{value}_s{replicate}.csv", "run", **options) == (
        "preds/crop0.5_s0.csv holds rn50 at crop 0.5, replicate 0, and run has it already with "
        "other rows: 1 of 12 predictions differ; results of a run never change: give another "
        "directory with --out DIR"
    )


def test_other_labels_classes_and_facts_than_the_runs_are_refused() -> None:
    write_crops()
    import_crops()
    files = "preds/crop{value}_s{replicate}.csv"
    options = {"model": "vit", "axis": "crop", "columns": "sample=path,prediction=pred"}
    write_csv("labels.csv", {"sample": SAMPLES, "label": ["dog", *(CLASSES[t] for t in TRUTH[1:])]})
    assert refused(files, "run", **options, labels="labels.csv") == (
        "sample 'cat/0.jpg' is 'cat' in the run and 'dog' in labels.csv (1 labels differ); a run "
        "keeps its labels: give another directory with --out DIR"
    )
    write_csv("labels.csv", {"sample": SAMPLES[:5], "label": [CLASSES[t] for t in TRUTH[:5]]})
    assert refused(files, "run", **options, labels="labels.csv") == (
        "labels labels.csv lack 7 of the run's 12 samples, first 'dog/1.jpg'; leave --labels out, "
        "or give another directory with --out DIR"
    )
    Path("classes.txt").write_text("cat\neel\ndog\n")
    assert refused(files, "run", **options, classes="classes.txt") == (
        "class 1 is 'dog' in the run and 'eel' in classes file 'classes.txt'; a run keeps its "
        "classes: leave --classes out, or give another directory with --out DIR"
    )
    assert refused(files, "run", **options, replicates="trainings") == (
        "run has replicates: draws, and trainings is given; a run has one of them: give another "
        "directory with --out DIR"
    )
    assert refused(files, "run", **options, split="val") == (
        "run has split (default), and val was asked for; give another directory with --out DIR"
    )
    path = Path("preds/crop1_s0.csv")
    path.write_text(path.read_text().replace(",cat\n", ",dog\n", 1))
    changed = {**options, "columns": "sample=path,prediction=pred,label=truth"}
    assert refused("preds/crop1_s0.csv", "run", **changed, value=1) == (
        "sample 'cat/0.jpg' is 'cat' in the run and 'dog' in preds/crop1_s0.csv, line 2, column "
        "'truth' (1 labels differ); a run keeps its labels: give another directory with --out DIR"
    )


def test_a_scan_and_a_folder_of_other_files_are_left_alone() -> None:
    write_run(Path("run"), pictures=False)
    assert refused(one(), "run", model="m") == (
        "run is a scan; imported results go into a run of their own: give another directory with "
        "--out DIR"
    )
    Path("notes").mkdir()
    Path("notes/mine.txt").touch()
    assert refused(one(), "notes", model="m").startswith("notes holds other files (mine.txt)")


# ---- trainings -----------------------------------------------------------------------------


def test_training_runs_keep_their_replicates_at_the_reference_and_get_run_levels() -> None:
    generator = np.random.default_rng(1)
    for decay in (0, 1e-4):
        for seed in range(6):
            wrong = generator.uniform(size=12) < (0.2 if decay else 0.05)
            write_csv(f"wd{decay:g}_{seed}.csv", {
                "sample": SAMPLES, "label": [CLASSES[t] for t in TRUTH],
                "prediction": [CLASSES[(t + w) % 3] for t, w in zip(TRUTH, wrong, strict=True)],
            })  # fmt: skip
    own = {"model": "rn18", "axis": "weight_decay", "reference": 0, "unit": "weight decay"}
    pattern = "wd{value}_{replicate}.csv"
    import_results(pattern, "plain", **own, replicates="trainings")
    import_results(pattern, "run", **own, paired_replicates=True)
    run = lpa.open("run").outcomes
    assert run.record.trained and run.record.paired and not run.axes["weight_decay"].monotone
    assert run.cells["replicate"].tolist() == [*range(6)] * 2
    assert set(lpa.open("run").curves()["level"]) == {"image", "run"}
    assert set(run_test(lpa.open("plain").outcomes)["test"]) == {"Welch t"}
    assert set(run_test(run)["test"]) == {"paired t, shared training seeds"}


def test_draws_are_of_a_fixed_model() -> None:
    write_crops()
    import_crops()
    run = lpa.open("run")
    assert not run.outcomes.record.trained and set(run.curves()["level"]) == {"image"}
    assert lpa.overview("run").complete
