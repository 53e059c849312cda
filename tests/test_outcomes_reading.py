from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic import CROP, CUTOUT, made_up_cells, made_up_outcomes, made_up_samples, write_run

from lpa.errors import InputError
from lpa.outcomes import Outcomes, Store, read_header, write_unit

AXES = {CROP: (1.0, 0.5, 0.2), CUTOUT: (0.0, 0.3)}
CELLS = made_up_cells(["first", "second"], AXES, 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "run", axes=AXES, pictures=False)


def test_rows_and_columns_are_the_outcomes_that_were_written(folder: Path) -> None:
    outcomes = Outcomes(folder)
    samples = made_up_samples(4, 12)
    written = made_up_outcomes(CELLS, samples, 4, AXES)
    place = {(c.model, c.axis, c.value, c.replicate): row for row, c in enumerate(CELLS)}
    references = {"crop": 1.0, "cutout": 0.0}
    for name, values in written.items():
        column = outcomes.column(name)
        assert column.dtype == values.dtype
        for row, cell in enumerate(outcomes.cells.itertuples(index=False)):
            key = (cell.model, cell.axis, cell.value, cell.replicate)
            if cell.value == references[cell.axis]:
                key = (cell.model, None, None, 0)
            np.testing.assert_array_equal(column[row], values[place[key]])
    np.testing.assert_array_equal(outcomes.column("label")[3], samples.label)
    np.testing.assert_array_equal(outcomes.column("sample")[0], np.arange(48))
    assert (outcomes.correct() == (outcomes.column("prediction") == samples.label)).all()


def test_the_identity_stands_under_each_axis_at_its_reference(folder: Path) -> None:
    outcomes = Outcomes(folder)
    cells = outcomes.cells[outcomes.cells["model"] == "second"].reset_index()
    assert list(zip(cells["axis"], cells["value"], cells["replicate"], strict=True)) == [
        ("crop", 1.0, 0), ("crop", 0.5, 0), ("crop", 0.5, 1), ("crop", 0.2, 0), ("crop", 0.2, 1),
        ("cutout", 0.0, 0), ("cutout", 0.3, 0), ("cutout", 0.3, 1),
    ]  # fmt: skip
    prediction = outcomes.column("prediction")
    rows = cells["index"][[0, 5]]
    np.testing.assert_array_equal(prediction[rows[0]], prediction[rows[5]])


def test_a_model_with_the_identity_alone_has_no_axis(tmp_path: Path) -> None:
    samples = made_up_samples(4, 3)
    folder = write_run(
        tmp_path / "run", axes={CROP: (1.0,)}, models=["m"], samples=samples, pictures=False
    )
    cells = Outcomes(folder).cells
    assert len(cells) == 1
    assert cells["axis"].isna().all() and cells["value"].isna().all()


def test_an_extended_run_reads_as_one_made_at_once(tmp_path: Path, folder: Path) -> None:
    samples = made_up_samples(4, 12)
    columns = made_up_outcomes(CELLS, samples, 4, AXES)
    extended = tmp_path / "run"
    shutil.copytree(folder, extended)
    store = Store(extended)
    for name in store.list("units"):
        store.delete(name)
    # Cells one by one and the last shard first, in an order of no meaning.
    order = np.random.default_rng(0).permutation(len(CELLS))
    for shard in (2, 0, 1):
        members = np.arange(16 * shard, 16 * shard + 16)
        for row in order:
            values = {n: v[np.ix_([row], members)] for n, v in columns.items()}
            write_unit(store, shard, [CELLS[row]], members, values, {}, {})
    pd.testing.assert_frame_equal(Outcomes(extended).table(), Outcomes(folder).table())


def test_two_writers_of_the_same_cells_are_harmless(tmp_path: Path, folder: Path) -> None:
    twice = tmp_path / "run"
    shutil.copytree(folder, twice)
    store = Store(twice)
    samples = made_up_samples(4, 12)
    columns = made_up_outcomes(CELLS, samples, 4, AXES)
    members = np.arange(16, 32)
    some = [0, 3, 4]
    values = {n: v[np.ix_(some, members)] for n, v in columns.items()}
    write_unit(store, 1, [CELLS[row] for row in some], members, values, {}, {})
    assert len(store.list("units")) == 4
    pd.testing.assert_frame_equal(Outcomes(twice).table(), Outcomes(folder).table())


def test_incomplete_cells_are_left_out_named_and_refused_when_strict(tmp_path: Path) -> None:
    folder = write_run(
        tmp_path / "run", axes=AXES, models=["first"], missing=[(1, 3), (1, 4)], pictures=False
    )
    outcomes = Outcomes(folder)
    assert len(outcomes.cells) == 6
    left_out = [(e.cell.axis, e.cell.value, e.cell.replicate, e.stored, e.expected)
                for e in outcomes.incomplete]  # fmt: skip
    assert left_out == [("crop", 0.2, 0, 32, 48), ("crop", 0.2, 1, 32, 48)]
    assert 0.2 not in outcomes.cells["value"].tolist()
    with pytest.raises(InputError) as caught:
        Outcomes(folder, strict=True)
    assert str(caught.value) == (
        f"{folder} has 2 incomplete cells, first first crop=0.2 replicate 0 with 32 of 48 "
        "samples; run the scan again to complete them, or leave --strict out"
    )


def test_skipped_samples_are_in_no_cell_and_do_not_make_it_incomplete(tmp_path: Path) -> None:
    folder = write_run(
        tmp_path / "run", axes=AXES, skips={5: "truncated", 40: "no image"}, pictures=False
    )
    outcomes = Outcomes(folder, strict=True)
    assert outcomes.skips == {5: "truncated", 40: "no image"}
    assert 5 not in outcomes.samples.sample and 40 not in outcomes.samples.sample
    assert outcomes.column("prediction").shape == (len(outcomes.cells), 46)
    written = made_up_outcomes(CELLS, made_up_samples(4, 12), 4, AXES)["prediction"][0]
    np.testing.assert_array_equal(outcomes.column("prediction")[0], np.delete(written, [5, 40]))


def test_a_damaged_unit_stops_the_reading_and_is_named(tmp_path: Path, folder: Path) -> None:
    broken = tmp_path / "run"
    shutil.copytree(folder, broken)
    unit = sorted((broken / "units").iterdir())[1]
    unit.write_bytes(unit.read_bytes()[:-20])
    with pytest.raises(InputError) as caught:
        Outcomes(broken)
    assert str(caught.value) == (
        f"{broken}/units/{unit.name} is damaged: run the same scan with --repair to compute it "
        "again, or delete the file"
    )


def test_a_unit_of_another_run_is_named(tmp_path: Path, folder: Path) -> None:
    mixed = tmp_path / "run"
    shutil.copytree(folder, mixed)
    store = Store(mixed)
    stranger = np.arange(100, 104)
    columns = {"prediction": np.zeros((1, 4), np.int32)}
    name = write_unit(store, 6, CELLS[:1], stranger, columns, {}, {})
    with pytest.raises(InputError) as caught:
        Outcomes(mixed)
    assert str(caught.value) == (
        f"{mixed}/{name} holds samples that are not this run's, or one twice; "
        "the file belongs to another run: delete it"
    )
    assert read_header(store, name).samples.tolist() == stranger.tolist()


def test_a_run_without_its_samples_says_so(tmp_path: Path, folder: Path) -> None:
    broken = tmp_path / "run"
    shutil.copytree(folder, broken)
    (broken / "samples.parquet").unlink()
    with pytest.raises(InputError) as caught:
        Outcomes(broken)
    assert str(caught.value) == (
        f"{broken}/samples.parquet is missing or damaged; expected the table that was written "
        "with run.json: restore it, or start a new run with --out"
    )


def test_counts_equal_a_groupby_of_the_long_table(folder: Path) -> None:
    outcomes = Outcomes(folder)
    long = outcomes.table().assign(hit=lambda t: t["prediction"] == t["label"])
    keys = ["model", "axis", "value", "replicate", "class"]
    expected = long.groupby(keys)["hit"].agg(["sum", "size"])
    counts = outcomes.counts.set_index(keys)
    assert len(counts) == len(expected)
    for key, row in expected.iterrows():
        assert counts.loc[key, "correct"] == row["sum"]
        assert counts.loc[key, "n"] == row["size"]


def test_pieces_of_the_long_table_make_the_whole(folder: Path) -> None:
    outcomes = Outcomes(folder)
    pieces = list(outcomes.tables(rows=100))
    assert len(pieces) == 8
    pd.testing.assert_frame_equal(pd.concat(pieces, ignore_index=True), outcomes.table())
    assert list(pieces[0].columns) == [
        "model", "axis", "value", "replicate", "sample", "class", "label", "prediction",
        "prediction_probability", "label_rank", "label_probability",
    ]  # fmt: skip


def test_what_an_import_left_out_is_missing_in_the_columns(tmp_path: Path) -> None:
    samples = made_up_samples(4, 12)
    columns = {"prediction": made_up_outcomes(CELLS, samples, 4, AXES)["prediction"]}
    folder = write_run(tmp_path / "run", axes=AXES, columns=columns, pictures=False, kind="import")
    outcomes = Outcomes(folder)
    assert np.isnan(outcomes.column("label_rank")).all()
    assert np.isnan(outcomes.column("label_probability")).all()


def test_another_column_is_no_column(folder: Path) -> None:
    with pytest.raises(KeyError):
        Outcomes(folder).column("accuracy")


def test_a_run_without_its_plans_says_what_is_missing(tmp_path: Path, folder: Path) -> None:
    copied = shutil.copytree(folder, tmp_path / "copied")
    shutil.rmtree(copied / "plans")
    with pytest.raises(InputError) as caught:
        Outcomes(copied)
    assert str(caught.value) == (
        f"{copied} has outcomes on crop, and nothing in {copied}/plans describes that axis; "
        "expected the run's folder whole: copy plans/ as well"
    )
    # What there is can still be listed.
    assert len(Outcomes(copied, tolerant=True).coverage) == len(CELLS)


def test_parts_of_two_runs_in_one_folder_are_refused(tmp_path: Path, folder: Path) -> None:
    copied = shutil.copytree(folder, tmp_path / "copied")
    text = (copied / "run.json").read_text()
    record = {**json.loads(text), "classes": {"names": ["n0", "n1"], "labels": ["a", "b"]}}
    del record["digest"]
    (copied / "run.json").write_text(json.dumps(record))
    with pytest.raises(InputError) as caught:
        Outcomes(copied)
    assert str(caught.value) == (
        f"{copied}/samples.parquet has label 3, and run.json names 2 classes; expected the files "
        "of one run: copy the folder again"
    )


def test_the_samples_of_a_run_of_as_many_classes_are_refused_too(
    tmp_path: Path, folder: Path
) -> None:
    other = write_run(tmp_path / "other", per_class=[9, 9, 9, 9], axes=AXES, pictures=False)
    copied = shutil.copytree(folder, tmp_path / "copied")
    shutil.copy(other / "run.json", copied)
    with pytest.raises(InputError) as caught:
        Outcomes(copied)
    assert str(caught.value) == (
        f"{copied}/samples.parquet lists other samples than run.json was written for; expected "
        "the files of one run: copy the folder again"
    )


def test_predictions_of_classes_that_the_run_lacks_are_refused(tmp_path: Path) -> None:
    samples = made_up_samples(4, 12)
    columns = made_up_outcomes(CELLS, samples, 4, AXES)
    columns["prediction"][2, 5] = 7
    outcomes = Outcomes(write_run(tmp_path / "run", axes=AXES, columns=columns, pictures=False))
    with pytest.raises(InputError) as caught:
        outcomes.counts  # noqa: B018 - computed when it is asked for
    assert str(caught.value) == (
        f"{tmp_path}/run has predictions from 0 to 7, and run.json names 4 classes; expected the "
        "files of one run: copy the folder again"
    )


def test_a_skip_of_a_sample_that_the_run_lacks_is_of_another_run(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", axes=AXES, pictures=False, shard_size=16)
    store = Store(folder)
    unit = read_header(store, store.list("units")[0])
    write_unit(store, 0, unit.cells, unit.samples, {}, {999: "not an image"}, {})
    with pytest.raises(InputError) as caught:
        Outcomes(folder)
    assert str(caught.value) == (
        f"{folder}/{unit.name} holds samples that are not this run's, or one twice; the file "
        "belongs to another run: delete it"
    )
