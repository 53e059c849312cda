"""Predictions by curve: the same curves as those of right and wrong answers, ragged ones too."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from synthetic import CROP, CUTOUT, made_up_cells, made_up_samples, write_run

from lpa.errors import InputError
from lpa.outcomes import Outcomes, Samples
from lpa.statistics.curve_data import curve_data
from lpa.statistics.drift import drift
from lpa.statistics.paired import compare_values
from lpa.statistics.predictions import chosen_splits, predicted_curves


@pytest.fixture(scope="module")
def ragged(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """Two splits; one draw of crop .5 is missing, and the second model was not cut."""
    axes = {CROP: (1.0, 0.5, 0.2), CUTOUT: (0.0, 0.5)}
    cells = made_up_cells(["first", "second"], axes, 3)
    gone = [
        row
        for row, cell in enumerate(cells)
        if (cell.value == 0.5 and cell.axis == "crop" and cell.replicate == 1)
        or (cell.model == "second" and cell.axis == "cutout")
    ]
    whole = made_up_samples(4, 10)
    split = np.where(np.arange(40) % 3 == 0, "train", "val")
    samples = Samples(whole.sample, whole.key, whole.name, whole.label, split, whole.size)
    return Outcomes(write_run(
        tmp_path_factory.mktemp("runs") / "run", axes=axes, draws=3, samples=samples,
        missing=[(shard, row) for shard in range(3) for row in gone], pictures=False,
    ))  # fmt: skip


def test_the_curves_are_those_of_right_and_wrong_answers(ragged: Outcomes) -> None:
    pairs = list(zip(predicted_curves(ragged), curve_data(ragged), strict=True))
    assert len(pairs) == 3 * 2
    for predicted, curve in pairs:
        assert (predicted.model, predicted.split) == (curve.model, curve.split)
        assert predicted.axis is not None and predicted.axis.name == curve.axis
        assert predicted.values.tolist() == curve.values.tolist() and predicted.has_losses
        for index, value in enumerate(curve.values):
            right = predicted.at(index) == predicted.labels
            assert np.array_equal(right, curve.replicates(index))
            assert predicted.find(value) == index
        assert predicted.find(0.123) is None
    draws = [len(pairs[0][0].at(index)) for index in range(3)]
    assert draws == [1, 2, 3]


def test_unequal_draws_are_averaged_within_each_image(ragged: Outcomes) -> None:
    table = compare_values(ragged, "crop", 0.5, 0.2, "first", split="val").classes
    curve = next(c for c in curve_data(ragged, "val") if (c.model, c.axis) == ("first", "crop"))
    change = curve.image_means(2) - curve.image_means(1)
    for row in table.itertuples():
        assert row.difference == pytest.approx(change[curve.labels == row.label].mean())
    flows = drift(ragged, value=0.5, axis="crop", split="val", top=None)
    assert flows["draws"].unique().tolist() == [2]
    np.testing.assert_allclose(flows.groupby(["model", "class"])["flow"].sum(), 0, atol=1e-12)


def test_a_missing_prediction_counts_as_outside_the_classes(ragged: Outcomes) -> None:
    stored = ragged.column("prediction").astype(np.float64)
    stored[:, ::2] = np.nan
    stored[:, ::4] = 9  # a number that is no class's
    with_gaps = SimpleNamespace(
        samples=ragged.samples, cells=ragged.cells, axes=ragged.axes, store=ragged.store,
        classes=ragged.classes, column=lambda name: stored,
    )  # fmt: skip
    curve = next(predicted_curves(with_gaps, "val"))  # type: ignore[arg-type]
    gaps = curve.images % 2 == 0
    assert (curve.at(1)[:, gaps] == -1).all() and (curve.at(1)[:, ~gaps] >= 0).all()


def test_splits_are_looked_at_one_by_one(ragged: Outcomes) -> None:
    assert chosen_splits(ragged, None) == ["train", "val"]
    assert {curve.split for curve in predicted_curves(ragged, "train")} == {"train"}
    with pytest.raises(InputError) as caught:
        chosen_splits(ragged, "test")
    assert str(caught.value) == f"split 'test' is not in {ragged.store}; it has train, val"


def test_a_run_without_cells_has_no_curves(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", pictures=False)
    for unit in (folder / "units").iterdir():
        unit.unlink()
    assert list(predicted_curves(Outcomes(folder))) == []
    assert drift(Outcomes(folder)).empty
