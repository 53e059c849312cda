"""The numbers that the study publishes are those of its stored outcomes.

Read here with pyarrow and tested with scipy, not through the library, so that a wrong reader or a
wrong test cannot confirm itself.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from published import published
from scipy import stats
from statsmodels.stats.multitest import multipletests

import lpa

STUDY = Path(__file__).parent.parent / "reports" / "fashion-mnist-crop"
Predictions = dict[float, list[npt.NDArray[np.int64]]]


@pytest.fixture(scope="module")
def labels() -> npt.NDArray[np.int64]:
    return pq.read_table(STUDY / "run" / "samples.parquet")["label"].to_numpy().astype(np.int64)


@pytest.fixture(scope="module")
def names() -> list[str]:
    record = json.loads((STUDY / "run" / "run.json").read_text())
    return list(record["classes"]["labels"])


@pytest.fixture(scope="module")
def predictions() -> Predictions:
    """Value -> the predictions of each training, in the order of the samples."""
    found: Predictions = defaultdict(list)
    for unit in sorted((STUDY / "run" / "units").glob("*.parquet")):
        cells = json.loads(pq.read_metadata(unit).metadata[b"lpa"])["cells"]
        table = pq.read_table(unit)
        for number, value in enumerate(cells["value"]):
            mine = table["cell"].to_numpy() == number
            order = np.argsort(table["sample"].to_numpy()[mine])
            found[value].append(table["prediction"].to_numpy()[mine][order].astype(np.int64))
    return found


def accuracies(
    predictions: Predictions, labels: npt.NDArray[np.int64], value: float, label: int
) -> list[float]:
    return [float(np.mean(run[labels == label] == label)) for run in predictions[value]]


def test_the_published_accuracies_are_those_of_the_outcomes(
    predictions: Predictions, labels: npt.NDArray[np.int64], names: list[str]
) -> None:
    titles, rows = published(STUDY, "accuracy")
    assert [row[0] for row in rows] == ["all", *sorted(names, key=[r[0] for r in rows].index)]
    for row in rows:
        for title, number in zip(titles[1:], row[1:], strict=True):
            runs = predictions[float(title)]
            assert len(runs) == 5
            chosen = labels >= 0 if row[0] == "all" else labels == names.index(row[0])
            mean = np.mean([np.mean(run[chosen] == labels[chosen]) for run in runs])
            assert abs(100 * mean - float(number)) <= 0.05 + 1e-9, (row[0], title)


def test_the_published_counts_of_lower_classes_are_welchs_tests(
    predictions: Predictions, labels: npt.NDArray[np.int64], names: list[str]
) -> None:
    titles, rows = published(STUDY, "lower classes")
    assert titles[1:] == ["10 %", "5 %", "1 %"] and len(rows) == len(predictions) - 1
    for row in rows:
        p = [
            stats.ttest_ind(
                accuracies(predictions, labels, float(row[0]), label),
                accuracies(predictions, labels, 1.0, label),
                equal_var=False,
                alternative="less",
            ).pvalue
            for label in range(len(names))
        ]
        for title, number in zip(titles[1:], row[1:], strict=True):
            level = float(title.removesuffix(" %")) / 100
            assert int(number) == sum(value <= level for value in p), (row[0], title)


def test_the_corrected_count_in_the_text_is_statsmodels(
    predictions: Predictions, labels: npt.NDArray[np.int64], names: list[str]
) -> None:
    p = [
        stats.ttest_ind(
            accuracies(predictions, labels, 0.08, label),
            accuracies(predictions, labels, 1.0, label),
            equal_var=False,
            alternative="less",
        ).pvalue
        for label in range(len(names))
    ]
    assert sum(multipletests(p, 0.05, method="holm")[0]) == 7
    assert "at 5 %, at least seven of the ten are truly lower" in (STUDY / "README.md").read_text()


def test_the_published_destinations_are_those_of_the_outcomes(
    predictions: Predictions, labels: npt.NDArray[np.int64], names: list[str]
) -> None:
    titles, rows = published(STUDY, "taken for")
    shirt = names.index("Shirt")
    for row in rows:
        for title, number in zip(titles[1:], row[1:], strict=True):
            runs = predictions[float(title)]
            share = np.mean([np.mean(run[labels == shirt] == names.index(row[0])) for run in runs])
            assert abs(100 * share - float(number)) <= 0.05 + 1e-9, (row[0], title)


def test_the_run_is_complete_and_its_command_is_the_documented_one() -> None:
    overview = lpa.overview(STUDY / "run")
    assert overview.complete
    command = re.search(
        r"```sh\n(lpa train-sweep(?:.|\n)*?)\n```", (STUDY / "README.md").read_text()
    )
    assert command
    for part in re.findall(r"--\S+ [^-\s\\]\S*", command[1]):
        option, _ = part.split(" ")
        if option not in ("--values", "--out"):
            assert part in overview.commands[0], part
