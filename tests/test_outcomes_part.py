from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic import write_run

from lpa.outcomes import Outcomes
from lpa.outcomes.part import Part
from lpa.statistics.accuracy import class_accuracy


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    return Outcomes(write_run(tmp_path_factory.mktemp("runs") / "run", pictures=False))


def test_a_part_holds_the_chosen_classes_models_and_axes_and_nothing_else(whole: Outcomes) -> None:
    part = Part(whole, [1, 3], ["second"], ["cutout"])
    assert set(part.samples.label) == {1, 3}
    assert set(part.cells["model"]) == {"second"} and set(part.cells["axis"]) == {"cutout"}
    rows = ((whole.cells["model"] == "second") & (whole.cells["axis"] == "cutout")).to_numpy()
    images = np.isin(whole.samples.label, [1, 3])
    for name in ("prediction", "correct", "label", "sample", "label_probability"):
        np.testing.assert_array_equal(part.column(name), whole.column(name)[rows][:, images])
    assert set(part.counts["class"]) == {"n1", "n3"}


def test_a_part_may_hold_some_images_of_some_classes(whole: Outcomes) -> None:
    odd = np.asarray(whole.samples.key) % 2 == 1
    part = Part(whole, [0, 2], ["first"], ["crop"], odd)
    wanted = [i for i in range(len(whole.samples)) if odd[i] and whole.samples.label[i] in (0, 2)]
    np.testing.assert_array_equal(part.samples.sample, whole.samples.sample[wanted])
    rows = ((whole.cells["model"] == "first") & (whole.cells["axis"] == "crop")).to_numpy()
    np.testing.assert_array_equal(
        part.column("prediction"), whole.column("prediction")[rows][:, wanted]
    )


def test_a_part_may_hold_some_cells_of_a_model(whole: Outcomes) -> None:
    first_draws = (whole.cells["replicate"] == 0).to_numpy()
    part = Part(whole, models=["first"], cells=first_draws)
    rows = first_draws & (whole.cells["model"] == "first").to_numpy()
    np.testing.assert_array_equal(part.column("prediction"), whole.column("prediction")[rows])
    assert set(part.cells["replicate"]) == {0} and first_draws.sum() == 2 * rows.sum()


def test_a_statistic_of_a_part_is_the_part_of_the_statistic(whole: Outcomes) -> None:
    everything = class_accuracy(whole)
    wanted = everything[everything["label"].isin([0, 2]) & (everything["model"] == "first")]
    found = class_accuracy(Part(whole, [0, 2], ["first"]))
    pd.testing.assert_frame_equal(found, wanted.reset_index(drop=True))


def test_a_part_of_a_part_narrows_and_the_whole_stays_as_it_was(whole: Outcomes) -> None:
    before = len(whole.samples), len(whole.cells)
    inner = Part(Part(whole, [0, 1], ["first"]), [1, 2], axes=["crop"])
    assert set(inner.samples.label) == {1}
    assert inner.cells[["model", "axis"]].drop_duplicates().values.tolist() == [["first", "crop"]]
    assert inner.column("prediction").shape == (len(inner.cells), len(inner.samples))
    assert (len(whole.samples), len(whole.cells)) == before


def test_predictions_are_read_once(whole: Outcomes, monkeypatch: pytest.MonkeyPatch) -> None:
    part = Part(whole)
    first = part.column("prediction")
    monkeypatch.setattr(Outcomes, "column", lambda *_: pytest.fail("read again"))
    assert part.column("prediction") is first


def test_choosing_everything_copies_nothing(whole: Outcomes, tmp_path: Path) -> None:
    part = Part(whole, range(4), ["first", "second"], ["crop", "cutout"])
    assert part.samples is whole.samples
    pd.testing.assert_frame_equal(part.cells, whole.cells)
