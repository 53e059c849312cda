"""Importing counts: right predictions by training run and class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lpa
from lpa.errors import InputError
from lpa.importing.results import import_results
from lpa.statistics.run_test import run_test

N = {"cat": 50, "dog": 40, "eel": 10}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def table(values: tuple[float, ...] = (1, 0.08), seeds: int = 5) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    rows = [
        ("rn50", "crop", value, seed, name, int(generator.binomial(n, 0.5 + 0.4 * value)), n)
        for value in values for seed in range(seeds) for name, n in N.items()
    ]  # fmt: skip
    columns = ["model", "axis", "value", "replicate", "class", "correct", "n"]
    return pd.DataFrame(rows, columns=columns)


def refused(*arguments: object, **options: object) -> str:
    with pytest.raises(InputError) as error:
        import_results(*arguments, **options)  # type: ignore[arg-type]
    return str(error.value)


def test_counts_are_stored_and_read_as_they_are() -> None:
    counts = table()
    counts.sample(frac=1, random_state=1).to_csv("counts.csv", index=False)
    done = import_results("counts.csv", "run")
    read = lpa.open("run").outcomes.counts
    # From weak to strong, classes in the order of the run.
    assert lpa.open("run").classes.names == ("cat", "dog", "eel")
    pd.testing.assert_frame_equal(read, counts, check_dtype=False)
    reference = counts[counts["value"] == 1]
    assert done.identity.to_dict("records") == [{
        "model": "rn50", "axis": "crop", "correct": reference["correct"].sum(), "n": 500,
        "accuracy": reference["correct"].sum() / 500,
    }]  # fmt: skip
    assert str(done).splitlines()[-2:] == [
        "left out: no prediction for every sample: paired tests, losses and thresholds with "
        "intervals over images, rankings, drift, comparison of models; what remains: `lpa test`, "
        "`lpa curves` and `lpa report`",
        "30 counts added",
    ]


@pytest.mark.parametrize("digits", [2, 4, 17])
def test_accuracies_become_the_counts_that_they_are_of(digits: int) -> None:
    counts = table()
    shares = counts.assign(accuracy=(counts["correct"] / counts["n"]).round(digits))
    shares.drop(columns="correct").to_parquet("shares.parquet")
    import_results("shares.parquet", "run")
    pd.testing.assert_frame_equal(lpa.open("run").outcomes.counts, counts, check_dtype=False)


def test_table_1_is_that_of_the_counts_themselves() -> None:
    counts = table()
    counts.to_csv("counts.csv", index=False)
    import_results("counts.csv", "run")
    run = lpa.open("run").outcomes
    direct = run_test(counts, axes=run.axes)
    tested = run_test(run)
    same = ["value", "class", "label", "difference", "p", "test"]
    pd.testing.assert_frame_equal(tested[same], direct[same])
    assert set(tested["title"]) == set(N)


def test_what_needs_outcomes_says_that_there_are_counts_only() -> None:
    table().to_csv("counts.csv", index=False)
    import_results("counts.csv", "run")
    run = lpa.open("run")
    for use in (run.rank, lambda: run.export("x.csv"), run.policy):
        with pytest.raises(InputError) as error:
            use()
        assert str(error.value) == (
            "run holds counts only (right predictions by training run and class), and this needs "
            "the prediction for every sample: import predictions with sample names, or test "
            "training runs with `lpa test`"
        )
    seen = lpa.overview("run").coverage
    assert seen.to_dict("records") == [{
        "model": "rn50", "axis": "crop", "values": "0.08,1", "draws": 5, "planned": 10,
        "complete": 10, "missing": "0.0 %",
    }]  # fmt: skip


def test_show_says_that_counts_have_no_images() -> None:
    table().to_csv("counts.csv", index=False)
    import_results("counts.csv", "run")
    seen = lpa.overview("run")
    assert str(seen).splitlines()[4:7] == [
        "images: not imported, only counts of right predictions by class",
        "classes with images: 3",
        "classes: 3",
    ]
    assert seen.to_dict()["images"] is None


def test_more_counts_extend_and_the_same_change_nothing() -> None:
    table().to_csv("counts.csv", index=False)
    import_results("counts.csv", "run")
    before = sorted(Path("run").rglob("*"))
    assert str(import_results("counts.csv", "run")).endswith(
        "0 counts added, 30 were there already"
    )
    assert sorted(Path("run").rglob("*")) == before
    more = table(seeds=7)
    joined = pd.concat([table(), more[more["replicate"] >= 5]])
    joined.to_csv("counts.csv", index=False)
    assert import_results("counts.csv", "run").added == 12
    assert len(lpa.open("run").outcomes.counts) == 42


def test_changed_counts_and_other_kinds_are_refused() -> None:
    counts = table()
    counts.to_csv("counts.csv", index=False)
    import_results("counts.csv", "run")
    changed = counts.copy()
    changed.loc[0, "correct"] -= 1
    changed.to_csv("counts.csv", index=False)
    old, new = counts["correct"][0], changed["correct"][0]
    assert refused("counts.csv", "run") == (
        f"class 'cat' of rn50 at crop 1, replicate 0 has {old} right of 50 in run, and {new} of 50 "
        "in the files; results of a run never change: give another directory with --out DIR"
    )
    predictions = pd.DataFrame({"sample": ["a"], "label": ["cat"], "prediction": ["cat"]})
    predictions.to_csv("p.csv", index=False)
    assert refused("p.csv", "run", model="m") == (
        "run has kind of results: counts, and outcomes is given; a run has one of them: give "
        "another directory with --out DIR"
    )
    assert refused(["p.csv", "counts.csv"], "other", model="rn50") == (
        "p.csv holds predictions and counts.csv counts; import them into runs of their own"
    )
    counts["class"] = counts["class"].replace("eel", "emu")
    counts.to_csv("counts.csv", index=False)
    assert refused("counts.csv", "run") == (
        "counts.csv, line 4, column 'class': unknown class 'emu': known: cat, dog, eel"
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"n": 0}, "counts.csv, line 2, column 'n': 0; expected a whole number of images, at least "
         "1"),
        ({"correct": 51}, "counts.csv, line 2, column 'correct': 51; expected a whole number from "
         "0 to n"),
        ({"correct": 1.5}, "counts.csv, line 2, column 'correct': 1.5; expected a whole number "
         "from 0 to n"),
        ({"class": "dog"}, "counts.csv, line 3, column 'class': 'dog' stands twice for rn50 at "
         "crop 1, replicate 0; expected each class once per training run"),
    ],
)  # fmt: skip
def test_numbers_that_are_no_counts_are_named(row: dict[str, object], message: str) -> None:
    counts = table().astype(object)
    for name, value in row.items():
        counts.loc[0, name] = value
    counts.to_csv("counts.csv", index=False)
    assert refused("counts.csv", "run") == message


@pytest.mark.parametrize(
    ("accuracy", "message"),
    [
        (76.1, "counts.csv, line 2, column 'accuracy': 76.1; expected a share from 0 to 1 (divide "
         "per cent by 100)"),
        # A mean over runs is no accuracy of one run on 50 images.
        (0.769, "counts.csv, line 2, column 'accuracy': 0.769; expected accuracy x n near a whole "
         "number of images (the accuracy of one run on n)"),
    ],
)  # fmt: skip
def test_accuracies_that_are_of_no_run_are_named(accuracy: float, message: str) -> None:
    counts = table().assign(accuracy=0.5).drop(columns="correct")
    counts.loc[0, "accuracy"] = accuracy
    counts.to_csv("counts.csv", index=False)
    assert refused("counts.csv", "run") == message


def test_an_accuracy_that_contradicts_the_counts_beside_it_is_named() -> None:
    counts = table()
    share = counts["correct"] / counts["n"]
    counts.assign(accuracy=(100 * share).round(1)).to_csv("counts.csv", index=False)
    import_results("counts.csv", "per-cent")  # Of the same numbers, in per cent and rounded.
    wrong = counts.assign(accuracy=share)
    wrong.loc[3, "accuracy"] = 0.123
    wrong.to_csv("counts.csv", index=False)
    assert refused("counts.csv", "run") == (
        f"counts.csv, line 5, column 'accuracy': 0.123, and correct / n is {share[3]:.4g}; "
        "expected the same: mend the row, or take one of the columns out"
    )


def test_classes_that_tests_will_leave_out_are_told() -> None:
    counts = table()
    counts = counts.drop(index=counts.index[-1])  # The last run at .08 lacks the eels.
    counts.loc[0, "n"] += 1
    counts.to_csv("counts.csv", index=False)
    read = import_results("counts.csv", "run", labels="nowhere.csv").read
    assert read[-3:] == [
        "rn50 on crop: 1 of 3 classes are there in some training runs only, first 'eel' (rn50 at "
        "crop 0.08, replicate 4): tests leave such classes out",
        "rn50 on crop: 1 of 3 classes are there with another number of images in some, first 'cat' "
        "(rn50 at crop 1, replicate 0): tests leave such classes out",
        "--labels is not read: counts say how many predictions of a class are right",
    ]


def test_counts_without_the_reference_say_what_cannot_be_tested() -> None:
    table((0.5, 0.08)).to_csv("counts.csv", index=False)
    assert import_results("counts.csv", "run").omissions[1:] == [
        "nothing of rn50 at crop 1, the reference: tests against it, until it is imported too; "
        "`lpa test --values` compares others"
    ]


def test_a_run_of_counts_gives_no_labels() -> None:
    table().to_csv("counts.csv", index=False)
    import_results("counts.csv", "run")
    pd.DataFrame({"sample": ["a"], "prediction": ["cat"]}).to_csv("p.csv", index=False)
    assert refused("p.csv", "other", model="m", labels="run") == (
        "labels run: the run holds counts only and names no samples; expected a run of "
        "predictions, a CSV of sample,label or a folder"
    )


def test_damage_is_named() -> None:
    table().to_csv("counts.csv", index=False)
    import_results("counts.csv", "run")
    (path,) = Path("run/counts").iterdir()
    path.write_bytes(b"PAR1")
    with pytest.raises(InputError) as error:
        _ = lpa.open("run").outcomes.counts
    assert str(error.value) == (
        f"run/counts/{path.name} is damaged: delete the file and run the same import again"
    )
