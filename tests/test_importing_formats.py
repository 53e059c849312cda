"""Formats of predictions: the best k, timm's inference.py, logits; names and indices."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lpa
from lpa.classes import imagenet
from lpa.errors import InputError
from lpa.importing.results import import_results
from lpa.outcomes import Outcomes

NAMES = ["barn spider", "dog's", "a, b", '"q"', "eel"]
SAMPLES = [f"{index:03d}.jpg" for index in range(40)]
TRUTH = np.arange(40) % 5


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "classes.txt").write_text("\n".join(NAMES))
    labels = pd.DataFrame({"sample": SAMPLES, "label": [NAMES[t] for t in TRUTH]})
    labels.to_csv("labels.csv", index=False)
    return tmp_path


@pytest.fixture(scope="module")
def logits() -> np.ndarray:
    generator = np.random.default_rng(3)
    return (generator.normal(size=(40, 5)) + 2 * np.eye(5)[TRUTH]).astype(np.float32)


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits.astype(np.float64))
    return weights / weights.sum(axis=1, keepdims=True)


def read(file: str, out: str = "run", **options: Any) -> Outcomes:
    asked: dict[str, Any] = {"model": "m", "labels": "labels.csv", "classes": "classes.txt"}
    import_results(file, out, **{**asked, **options})
    return lpa.open(out).outcomes


def slow_ranks(logits: np.ndarray) -> list[int]:
    return [sorted(range(5), key=lambda c: (-row[c], c)).index(t)
            for row, t in zip(logits.tolist(), TRUTH, strict=True)]  # fmt: skip


@pytest.mark.parametrize("keys", [
    {"logits": "logits", "sample": "sample", "label": "label"},
    {"logits": "outputs", "sample": "names", "label": "labels"},
    {"logits": "z", "sample": "id", "label": "t"},
])  # fmt: skip
def test_logits_give_predictions_ranks_and_probabilities(
    logits: np.ndarray, keys: dict[str, str]
) -> None:
    arrays = {keys["logits"]: logits, keys["sample"]: np.array(SAMPLES), keys["label"]: TRUTH}
    np.savez("m.npz", **arrays)
    mapped = keys if keys["logits"] == "z" else None
    run = read("m.npz", labels=None, columns=mapped)
    np.testing.assert_array_equal(run.column("prediction")[0], logits.argmax(axis=1))
    assert run.column("label_rank")[0].tolist() == slow_ranks(logits)
    probabilities = softmax(logits)
    np.testing.assert_allclose(
        run.column("prediction_probability")[0], probabilities.max(axis=1), rtol=1e-6
    )
    np.testing.assert_allclose(
        run.column("label_probability")[0], probabilities[np.arange(40), TRUTH], rtol=1e-6
    )


def test_ties_and_large_logits_rank_as_argmax_has_them() -> None:
    tied = np.zeros((40, 5), dtype=np.float32)
    tied[0] = [1e4, -1e4, 1e4, 0, 0]
    np.savez("m.npz", logits=tied, sample=np.array(SAMPLES))
    run = read("m.npz")
    assert run.column("label_rank")[0].tolist() == slow_ranks(tied)
    np.testing.assert_array_equal(run.correct()[0], run.column("label_rank")[0] == 0)
    np.testing.assert_allclose(run.column("prediction_probability")[0][:2], [0.5, 0.2])


def test_probabilities_in_place_of_logits(logits: np.ndarray) -> None:
    np.savez("p.npz", probabilities=softmax(logits), sample=np.array(SAMPLES))
    run = read("p.npz")
    np.testing.assert_allclose(
        run.column("prediction_probability")[0], softmax(logits).max(axis=1), rtol=1e-6
    )
    assert run.column("label_rank")[0].tolist() == slow_ranks(logits)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"logits": np.zeros((40, 4))}, "m.npz, column 'logits' has 4 outputs, and the run has 5 "
         "classes; name every output with --classes FILE"),
        ({"logits": np.full((40, 5), np.nan)}, "m.npz, row 1, column 'logits': output 0 is nan; "
         "expected a finite logit"),
        ({"probabilities": np.full((40, 5), 1.5)}, "m.npz, row 1, column 'probabilities': output 0 "
         "is 1.5; expected a probability from 0 to 1"),
        ({"logits": np.zeros((39, 5))}, "m.npz: 'sample' has 40 rows and 'logits' has 39; expected "
         "arrays of the same rows"),
        ({"logits": np.zeros(40)}, "m.npz, column 'logits' holds one value a row; expected a row "
         "of all outputs: a matrix [N, classes], or lists such as [0.9 0.05]"),
    ],
)  # fmt: skip
def test_outputs_that_do_not_fit_are_refused(arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez("m.npz", sample=np.array(SAMPLES), **arrays)  # type: ignore[arg-type]
    with pytest.raises(InputError) as error:
        read("m.npz")
    assert str(error.value) == message


def test_without_names_of_samples_only_counts_are_kept_unless_rows_are_the_same(
    logits: np.ndarray,
) -> None:
    np.savez("m.npz", logits=logits, label=TRUTH)
    done = import_results("m.npz", "counts", model="m", axis="crop", value=0.5,
                          classes="classes.txt")  # fmt: skip
    assert done.what == "counts"
    assert (
        "samples have no names, so only counts are kept; name them with --map sample=COLUMN, or "
        "say with --by-row that every file has the same samples in the same order"
    ) in done.read
    counts = lpa.open("counts").outcomes.counts
    right = logits.argmax(axis=1) == TRUTH
    assert counts["correct"].tolist() == [int(right[c == TRUTH].sum()) for c in range(5)]
    assert counts["n"].tolist() == [8] * 5 and counts["class"].tolist() == NAMES
    run = read("m.npz", "rows", labels=None, by_row=True)
    assert run.samples.name == tuple(map(str, range(40)))
    np.testing.assert_array_equal(run.column("prediction")[0], logits.argmax(axis=1))
    again = import_results("m.npz", "again", model="m", classes="classes.txt", by_row=True)
    assert again.read[0] == "m.npz: sample by row; label, logits"
    # In the order of the name-sorted data set:
    named = read("m.npz", "sorted", by_row=True)
    assert named.samples.name == tuple(SAMPLES)


# ---- timm ----------------------------------------------------------------------------------


def timm_table(logits: np.ndarray, topk: int, separate: bool, index: bool, label: bool,
               output: str = "prob", names: list[str] = NAMES) -> pd.DataFrame:  # fmt: skip
    """Make the table that timm 1.0's inference.py makes of these logits."""
    scores = softmax(logits).astype(np.float32) if output == "prob" else logits
    order = np.argsort(-scores, axis=1, kind="stable")[:, : topk or scores.shape[1]]
    if topk:
        scores = np.take_along_axis(scores, order, axis=1)
    labels = np.array(names, dtype=object)[order]
    parts: list[tuple[str, np.ndarray]] = []
    if topk and index:
        parts.append(("index", order))
    if topk and label:
        parts.append(("label", labels))
    parts.append((output, scores))
    data: dict[str, Any] = {"filename": SAMPLES}
    for name, values in parts:
        if separate and scores.shape[1] > 1:
            data |= {f"{name}_{k}": values[:, k] for k in range(values.shape[1])}
        else:
            data[name] = list(values.squeeze(-1) if values.shape[1] == 1 else values)
    return pd.DataFrame(data)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("topk", [0, 1, 3])
@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("what", ["index", "label", "index label"])
def test_timms_files_are_read_unchanged(
    logits: np.ndarray, suffix: str, topk: int, separate: bool, what: str
) -> None:
    table = timm_table(logits, topk, separate, "index" in what, "label" in what)
    with np.printoptions(threshold=sys.maxsize):
        if suffix == "csv":
            table.to_csv("m.csv", index=False)
        else:
            table.set_index("filename").to_parquet("m.parquet")
    run = read(f"m.{suffix}")
    np.testing.assert_array_equal(run.column("prediction")[0], logits.argmax(axis=1))
    probabilities = softmax(logits)
    np.testing.assert_allclose(
        run.column("prediction_probability")[0], probabilities.max(axis=1), rtol=1e-5
    )
    ranks = np.array(slow_ranks(logits))
    known = ranks < (topk or 5)
    if topk == 1:
        assert np.isnan(run.column("label_rank")).all()
    else:
        expected = np.where(known, ranks, np.nan)
        np.testing.assert_array_equal(run.column("label_rank")[0].astype(float), expected)
    own = probabilities[np.arange(40), TRUTH]
    np.testing.assert_allclose(
        run.column("label_probability")[0], np.where(known, own, np.nan), rtol=1e-5
    )


def test_logits_of_the_best_classes_only_give_no_probabilities(logits: np.ndarray) -> None:
    timm_table(logits, 2, True, True, False, "logit").to_csv("m.csv", index=False)
    done = import_results("m.csv", "run", model="m", labels="labels.csv", classes="classes.txt")
    assert np.isnan(lpa.open("run").outcomes.column("prediction_probability")).all()
    assert "logits of the best classes only give no probabilities: left out" in done.read
    assert done.omissions == [
        "no probabilities in the files: statistics of confidence",
        "ranks are known within the best 2 only: accuracies beyond top-2",
    ]


def test_a_long_list_of_labels_breaks_over_lines_and_is_read() -> None:
    names = [f"a rather long name of a class, number {index}" for index in range(5)]
    Path("classes.txt").write_text("\n".join(names))
    pd.DataFrame({"sample": SAMPLES, "label": [names[t] for t in TRUTH]}).to_csv("labels.csv")
    values = np.eye(5)[TRUTH].astype(np.float32)
    timm_table(values, 5, False, False, True, names=names).to_csv("m.csv", index=False)
    assert Path("m.csv").read_text().count("\n") > 41
    assert (read("m.csv").column("label_rank") == 0).all()


def imagenet_files(topk: int, label: list[str]) -> None:
    """Forty photographs of forty classes, predicted right."""
    known = imagenet()
    rows = {"sample": SAMPLES, "label": [known.names[index] for index in range(100, 140)]}
    pd.DataFrame(rows).to_csv("labels.csv", index=False)
    pd.DataFrame({"filename": SAMPLES, "label": label, "prob": 0.5}).to_csv("m.csv", index=False)


def test_timms_descriptions_find_imagenets_classes() -> None:
    known = imagenet()
    words = [known.aliases[index][0] for index in range(100, 140)]
    words[34] = words[33]
    imagenet_files(1, words)
    done = import_results("m.csv", "run", model="m", labels="labels.csv")
    expected = np.arange(100, 140)
    expected[34] = 133
    np.testing.assert_array_equal(lpa.open("run").outcomes.column("prediction")[0], expected)
    assert "classes: ImageNet's 1,000, since the labels are some of them" in done.read
    imagenet_files(1, [f"{text}: some animal" for text in words])
    import_results("m.csv", "detailed", model="m", labels="labels.csv")
    np.testing.assert_array_equal(lpa.open("detailed").outcomes.column("prediction")[0], expected)


def test_a_description_of_two_classes_is_refused() -> None:
    # Class 134 is the bird and 517 the machine; timm calls both of them crane.
    known = imagenet()
    imagenet_files(1, [known.aliases[index][0] for index in range(100, 140)])
    with pytest.raises(InputError) as error:
        import_results("m.csv", "run", model="m", labels="labels.csv")
    assert str(error.value) == (
        "m.csv, line 36, column 'label': 'crane' is the name of two classes in timm's labels; run "
        "inference.py with --include-index or --label-type name"
    )


def test_synsets_and_outputs_that_no_name_is_known_of() -> None:
    known = imagenet()
    texts = [known.names[index] for index in range(100, 140)]
    texts[0] = "<unmapped:1001>"
    imagenet_files(1, texts)
    import_results("m.csv", "run", model="m", labels="labels.csv")
    run = lpa.open("run").outcomes
    np.testing.assert_array_equal(run.column("prediction")[0], [-1, *range(101, 140)])


# ---- names and indices ---------------------------------------------------------------------


def table(prediction: list[Any], label: list[Any]) -> None:
    pd.DataFrame({
        "sample": SAMPLES[: len(label)], "prediction": prediction, "label": label,
    }).to_csv("p.csv", index=False)  # fmt: skip


@pytest.mark.parametrize(
    ("prediction", "label", "names", "expected", "how"),
    [
        (["1", "0"], ["b", "b"], "a\nb", [1, 0], "indices of classes"),
        (["B", "A"], ["b", "a"], "a\nb", [1, 0], "names of classes"),
        # Classes that are called by numbers: names come before indices.
        (["10", "2"], ["10", "10"], "10\n2", [0, 1], "whole numbers that are names of classes"),
        (["1", "-1"], ["a", "b"], "a\nb", [1, -1], "indices of classes"),
        (["1.0", "0.0"], ["a", "b"], "a\nb", [1, 0], "indices of classes"),
    ],
)  # fmt: skip
def test_a_column_of_names_or_numbers_is_understood_and_said(
    prediction: list[str], label: list[str], names: str, expected: list[int], how: str
) -> None:
    table(prediction, label)
    Path("classes.txt").write_text(names)
    done = import_results("p.csv", "run", model="m", classes="classes.txt")
    assert lpa.open("run").outcomes.column("prediction")[0].tolist() == expected
    assert f"'prediction' was understood as {how}" in done.read


def test_numbers_alone_stand_for_themselves() -> None:
    table([3, 0], [2, 0])
    done = import_results("p.csv", "run", model="m")
    assert lpa.open("run").classes.names == ("0", "1", "2", "3")
    assert "classes have no names, only the numbers 0 to 3: give --classes FILE" in done.read


@pytest.mark.parametrize(
    ("prediction", "label", "message"),
    [
        ([0, 1], ["x", "y"], "predictions are indices, and nothing says which class each one is; "
         "name the classes with --classes FILE (names in output order, one a line, or JSON name "
         "-> index)"),
        (["x", "y"], [0, 1], "labels are indices and predictions are names, and nothing says which "
         "class each index is; name the classes with --classes FILE (names in output order, one a "
         "line, or JSON name -> index)"),
        ([10**9, 1], [0, 1], "index 1000000000 is no index of a class; expected below 1000000"),
    ],
)  # fmt: skip
def test_indices_that_nothing_names_are_refused(
    prediction: list[Any], label: list[Any], message: str
) -> None:
    table(prediction, label)
    with pytest.raises(InputError) as error:
        import_results("p.csv", "run", model="m")
    assert str(error.value) == message


def test_what_is_no_index_among_indices_is_the_one_that_is_named() -> None:
    table(["0", "1", "1.5"], ["x", "y", "x"])
    Path("classes.txt").write_text("x\ny\n")
    with pytest.raises(InputError) as error:
        import_results("p.csv", "run", model="m", classes="classes.txt")
    assert (
        str(error.value) == "p.csv, line 4, column 'prediction': unknown class '1.5': known: x, y"
    )


def test_indices_are_imagenets_where_the_labels_are_its_synsets() -> None:
    table([1, 0], ["n01440764", "n01440764"])
    import_results("p.csv", "run", model="m")
    run = lpa.open("run").outcomes
    assert run.classes.labels[run.column("prediction")[0][0]] == "goldfish"
    assert run.correct().tolist() == [[False, True]]


def test_indices_of_a_file_that_names_them_are_those_of_the_run() -> None:
    pd.DataFrame({
        "sample": ["a", "b"], "class": ["x", "y"], "label": [2, 0], "prediction": [1, 0],
    }).to_csv("p.csv", index=False)  # fmt: skip
    done = import_results("p.csv", "run", model="m")
    assert lpa.open("run").classes.names == ("y", "class 1", "x")
    assert (
        "1 of 3 classes have no name in the files and are called by their index: give --classes "
        "FILE" in done.read
    )
    Path("classes.txt").write_text("x\ny\nz")
    with pytest.raises(InputError) as error:
        import_results("p.csv", "other", model="m", classes="classes.txt")
    assert str(error.value) == (
        "class 'x' has index 2 in the files, where the run has 'z'; expected the run's own "
        "indices: import into another directory with --out DIR"
    )
