"""The numbers that the study publishes are those of its stored outcomes.

Read here with pyarrow alone, not through the library, so that a wrong reader cannot confirm itself.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from published import published

import lpa

STUDY = Path(__file__).parent.parent / "reports" / "imagenet-sample"
Condition = tuple[str, str | None, float | None]


@pytest.fixture(scope="module")
def right() -> dict[Condition, dict[int, list[bool]]]:
    """Model, axis, value -> sample -> right or wrong in each draw."""
    samples = pq.read_table(STUDY / "run" / "samples.parquet").to_pydict()
    labels = dict(zip(samples["sample"], samples["label"], strict=True))
    outcomes: dict[Condition, dict[int, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for unit in sorted((STUDY / "run" / "units").glob("*.parquet")):
        table = pq.read_table(unit)
        cells = json.loads(pq.read_metadata(unit).metadata[b"lpa"])["cells"]
        for row in table.to_pylist():
            cell = row["cell"]
            condition = (cells["model"][cell], cells["axis"][cell], cells["value"][cell])
            outcomes[condition][row["sample"]].append(row["prediction"] == labels[row["sample"]])
    return outcomes


def condition(model: str, title: str) -> Condition:
    if title == "identity":
        return model, None, None
    axis, value = title.split(" ")
    return model, axis, float(value)


def test_the_published_accuracies_are_those_of_the_outcomes(
    right: dict[Condition, dict[int, list[bool]]],
) -> None:
    titles, rows = published(STUDY, "accuracy")
    assert len(rows) == 4
    for row in rows:
        for title, number in zip(titles[1:], row[1:], strict=True):
            draws = [draw for each in right[condition(row[0], title)].values() for draw in each]
            assert len(draws) == (20 if title == "identity" else 160)
            # Half a unit of the last digit: 0.3875 is published as 38.8.
            assert abs(100 * sum(draws) / len(draws) - float(number)) <= 0.05 + 1e-9, (row, title)


def test_the_published_photographs_are_those_of_the_outcomes(
    right: dict[Condition, dict[int, list[bool]]],
) -> None:
    record = json.loads((STUDY / "run" / "run.json").read_text())
    samples = pq.read_table(STUDY / "run" / "samples.parquet").to_pydict()
    of_class = {
        record["classes"]["labels"][label]: sample
        for sample, label in zip(samples["sample"], samples["label"], strict=True)
    }
    titles, rows = published(STUDY, "photographs")
    assert len(rows) == 4
    for row in rows:
        for title, number in zip(titles[1:], row[1:], strict=True):
            draws = right[condition("efficientnet_lite0", title)][of_class[row[0]]]
            assert number == f"{sum(draws)} of {len(draws)}", (row, title)


def test_the_interval_in_the_text_is_the_one_that_the_library_gives() -> None:
    table = lpa.open(STUDY / "run").curves(aggregate=True, models=["efficientnet_lite0"])
    chosen = (table["axis"] == "crop") & (table["value"] == 0.08)
    (row,) = table[chosen & (table["aggregate"] == "overall")].to_dict("records")
    text = (STUDY / "README.md").read_text().replace("\n", " ")
    said = (
        f"{100 * row['accuracy']:.1f} %, interval {100 * row['low']:.1f} to {100 * row['high']:.1f}"
    )
    assert said in text


def test_the_run_is_complete_and_its_command_is_the_documented_one() -> None:
    overview = lpa.overview(STUDY / "run")
    assert overview.complete
    command = re.search(r"```sh\n(lpa scan .*)\n```", (STUDY / "README.md").read_text())
    assert command
    for part in ("efficientnet_lite0,efficientnet_lite1,efficientnet_lite2", "--ensemble"):
        assert part in command[1] and part in overview.commands[0]
