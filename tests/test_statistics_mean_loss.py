"""Mean loss against scipy's trapezoid over the long table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import integrate
from simulations.repetitions import run_of_repetitions
from synthetic import CUTOUT, made_up_cells, made_up_samples, write_run

from lpa.axes import Axis
from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.statistics.both_levels import both_interval
from lpa.statistics.curve_data import curve_data
from lpa.statistics.mean_loss import COLUMNS, image_mean_loss, mean_loss
from lpa.statistics.means import mean_interval


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    folder = tmp_path_factory.mktemp("runs") / "run"
    return Outcomes(write_run(folder, per_class=[12, 7, 1, 3], draws=3, pictures=False))


def shares_by_value(
    outcomes: Outcomes, model: str, axis: str, label: int
) -> dict[float, np.ndarray]:
    """Share of right draws of each image at each value, from weak to strong."""
    long = outcomes.table()
    long["right"] = (long["prediction"] == long["label"]).astype(float)
    part = long[(long["model"] == model) & (long["axis"] == axis) & (long["label"] == label)]
    shares = part.groupby(["value", "sample"])["right"].mean().unstack()
    return {
        value: shares.loc[value].to_numpy() for value in outcomes.axes[axis].ordered(shares.index)
    }


def test_mean_losses_equal_the_area_between_curve_and_reference(outcomes: Outcomes) -> None:
    table = mean_loss(outcomes)
    assert tuple(table.columns) == COLUMNS and len(table) == 2 * 2 * 4
    assert set(table["level"]) == {"image"} and table.attrs["notes"] == []
    for row in table.itertuples():
        shares = shares_by_value(outcomes, row.model, row.axis, row.label)
        values = np.array(list(shares))
        losses = np.stack([next(iter(shares.values())) - each for each in shares.values()])
        length = values[-1] - values[0]
        per_image = integrate.trapezoid(losses, values, axis=0) / length
        assert row.n == len(per_image)
        assert row.mean_loss == pytest.approx(per_image.mean())
        assert row.grid == ",".join(f"{value:g}" for value in values)
        reference = next(iter(shares.values())).mean()
        curve = [each.mean() / reference for each in shares.values()] if reference else [np.nan]
        area = integrate.trapezoid(curve, values) / length if reference else np.nan
        assert row.area == pytest.approx(area, nan_ok=True)
        limits = mean_interval(per_image.sum(), (per_image**2).sum(), len(per_image))
        assert (row.low, row.high) == pytest.approx([float(x) for x in limits], nan_ok=True)
    assert table[table["n"] == 1][["low", "high"]].isna().all(axis=None)


def test_per_image_values_average_to_the_table(outcomes: Outcomes) -> None:
    table = mean_loss(outcomes)
    for curve in curve_data(outcomes):
        values = image_mean_loss(curve, outcomes.axes[curve.axis])
        rows = table[(table["model"] == curve.model) & (table["axis"] == curve.axis)]
        for row in rows.itertuples():
            assert values[curve.labels == row.label].mean() == pytest.approx(row.mean_loss)


def test_sweeps_are_at_level_both_with_the_runs_of_every_value(tmp_path: Path) -> None:
    axes = {CUTOUT: (0.0, 0.5, 1.0)}
    samples = made_up_samples(2, 10)
    cells = made_up_cells(["m"], axes, 4)
    # A sweep has trainings at the reference too; the made-up run has one, so it has no interval.
    generator = np.random.default_rng(0)
    right = generator.uniform(size=(len(cells), 20)) < 0.7
    columns = {"prediction": np.where(right, samples.label, -1).astype(np.int32)}
    run = Outcomes(write_run(
        tmp_path / "run", names=("a", "b"), titles=("a", "b"), axes=axes, samples=samples,
        models=["m"], draws=4, columns=columns, kind="sweep", pictures=False,
    ))  # fmt: skip
    table = mean_loss(run)
    assert set(table["level"]) == {"both"}
    assert table[["low", "high"]].isna().all(axis=None) and table["mean_loss"].notna().all()
    image = mean_loss(run, level="image")
    assert set(image["level"]) == {"image"} and image["low"].notna().all()
    np.testing.assert_allclose(image["mean_loss"], table["mean_loss"])


def test_the_variance_of_runs_has_squared_weights_and_the_references_their_sum() -> None:
    axis = Axis("drop", "", 0.0, "up", grid=(0.0, 0.2, 1.0))
    generator = np.random.default_rng(3)
    right = [generator.uniform(size=(3, 15, runs)) < 0.7 for runs in (4, 5, 6)]
    table = mean_loss(run_of_repetitions(axis, right, "sweep"))
    weights = np.array([0.1, 0.5, 0.4])
    for c in range(3):
        per_image = weights[1:] @ np.stack(
            [right[0][c].mean(axis=1) - right[v][c].mean(axis=1) for v in (1, 2)]
        )
        coefficients = (0.9, 0.5, 0.4)
        runs = [
            (a**2 * np.var(right[v][c].mean(axis=0), ddof=1), right[v].shape[2])
            for v, a in enumerate(coefficients)
        ]
        low, high = both_interval(per_image.sum(), (per_image**2).sum(), 15, runs)
        assert table["low"][c] == pytest.approx(float(low))
        assert table["high"][c] == pytest.approx(float(high))


def test_copies_of_one_draw_change_nothing() -> None:
    axis = Axis("crop", "", 1.0, "down", grid=(1.0, 0.5, 0.1))
    right = [np.random.default_rng(4).uniform(size=(4, 9, 1)) < 0.6 for _ in range(3)]
    copied = [right[0], *(np.repeat(each, 5, axis=2) for each in right[1:])]
    once, again = (mean_loss(run_of_repetitions(axis, each)) for each in (right, copied))
    for name in ("mean_loss", "low", "high", "area"):
        np.testing.assert_allclose(again[name], once[name])


def test_a_curve_without_its_reference_has_no_mean_loss(outcomes: Outcomes) -> None:
    curve = next(iter(curve_data(outcomes)))
    other = Axis("crop", "", 0.9, "down")
    with pytest.raises(InputError) as caught:
        image_mean_loss(curve, other)
    assert str(caught.value) == (
        "first on crop has the values 1, 0.8, 0.6, 0.4, 0.3, 0.2, 0.08; "
        "a mean loss needs the reference 0.9 first and another"
    )
