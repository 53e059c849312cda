from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from synthetic import CROP, made_up_cells, made_up_outcomes, made_up_samples, write_run

from lpa.csv_cells import csv_text, neutralised
from lpa.errors import InputError
from lpa.runs import open_run

COLUMNS = [
    "model", "axis", "value", "replicate", "sample", "class", "label", "prediction",
    "prediction_probability", "label_rank", "label_probability",
]  # fmt: skip
AXES = {CROP: (1.0, 0.5)}
NAMES = ["=cmd()", "+1", 'a "quoted", name', "plain"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "run"
    return write_run(path, names=NAMES, titles=NAMES, axes=AXES, models=["-m"], pictures=False)


def test_parquet_holds_every_outcome_in_the_waists_types(folder: Path, tmp_path: Path) -> None:
    run = open_run(folder)
    path = run.export(tmp_path / "out.parquet")
    table = pq.read_table(path)
    assert table.column_names == COLUMNS
    assert [str(kind) for kind in table.schema.types] == [
        "string", "string", "double", "int64", "int64", "string", "int64", "int32", "float",
        "int32", "float",
    ]  # fmt: skip
    frame = table.to_pandas()
    written = made_up_outcomes(made_up_cells(["-m"], AXES, 2), made_up_samples(4, 12), 4, AXES)
    for name, values in written.items():
        np.testing.assert_array_equal(frame[name], values.reshape(-1))
    assert frame["class"].tolist() == [NAMES[label] for label in frame["label"]]


def test_csv_reads_back_as_the_same_table_with_formulas_as_text(
    folder: Path, tmp_path: Path
) -> None:
    run = open_run(folder)
    path = run.export(tmp_path / "new" / "out.CSV")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == COLUMNS
    assert {row["class"] for row in rows} == {"'=cmd()", "'+1", 'a "quoted", name', "plain"}
    assert {row["model"] for row in rows} == {"'-m"}
    frame = run.outcomes.table()
    for name in ("value", "sample", "prediction", "label_rank"):
        assert [float(row[name]) for row in rows] == frame[name].tolist()
    # Nine digits give a float32 back.
    found = np.array([row["label_probability"] for row in rows], dtype=np.float32)
    np.testing.assert_array_equal(found, frame["label_probability"])


def test_the_same_run_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    for suffix in ("csv", "parquet"):
        first = open_run(folder).export(tmp_path / f"a.{suffix}").read_bytes()
        assert open_run(folder).export(tmp_path / f"b.{suffix}").read_bytes() == first


def test_what_an_import_does_not_know_is_empty(tmp_path: Path) -> None:
    samples = made_up_samples(4, 2)
    columns = {"prediction": np.zeros((3, 8), np.int32)}
    folder = write_run(tmp_path / "run", axes=AXES, models=["m"], samples=samples, columns=columns,
                       pictures=False)  # fmt: skip
    run = open_run(folder)
    table = pq.read_table(run.export(tmp_path / "out.parquet"))
    assert table["label_rank"].null_count == table.num_rows == 24
    last = run.export(tmp_path / "out.csv").read_text().splitlines()[-1]
    assert last.endswith(",0,,,")


@pytest.mark.parametrize(("name", "suffix"), [("out.xlsx", "'.xlsx'"), ("out", "'no suffix'")])
def test_another_suffix_is_refused(folder: Path, tmp_path: Path, name: str, suffix: str) -> None:
    with pytest.raises(InputError) as caught:
        open_run(folder).export(tmp_path / name)
    assert str(caught.value) == (
        f"{tmp_path / name} ends in {suffix}; expected a file that ends in .parquet or .csv"
    )


def test_an_export_that_breaks_leaves_the_old_file(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out.csv"
    target.write_text("old")
    run = open_run(folder)

    whole = run.outcomes.table()

    def breaking(rows: int = 0) -> object:
        yield whole
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run.outcomes, "tables", breaking)
    with pytest.raises(InputError) as caught:
        run.export(target)
    assert str(caught.value) == (
        f"cannot write {target} (no space left on device); expected a file in a writable directory"
    )
    assert target.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["out.csv"]


def test_only_text_that_spreadsheets_run_is_changed() -> None:
    table = pd.DataFrame({
        "text": ["=1", "+1", "-1", "@x", "\tx", "\rx", "x=1", "", None], "number": range(-4, 5),
    })  # fmt: skip
    result = neutralised(table)
    assert result["text"].tolist()[:8] == ["'=1", "'+1", "'-1", "'@x", "'\tx", "'\rx", "x=1", ""]
    assert result["text"].isna().tolist() == [False] * 8 + [True]
    assert result["number"].tolist() == list(range(-4, 5))
    assert table["text"][0] == "=1"


def test_a_carriage_return_in_a_cell_begins_no_row() -> None:
    table = pd.DataFrame({"class": ["cat", "a\r=cmd()", "\r"], "n": [1, 2, 3]})
    text = csv_text(table)
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows == [["class", "n"], ["cat", "1"], ["a\r=cmd()", "2"], ["'\r", "3"]]
    assert csv_text(table[:1]) == "class,n\ncat,1\n"
