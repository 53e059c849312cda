"""Preservation and Fieller's interval against a search over ratios and a slow loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from simulations.repetitions import run_of_repetitions
from synthetic import CROP, made_up_cells, made_up_samples, write_run

from lpa.axes import Axis
from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.statistics.means import mean_interval
from lpa.statistics.preservation import COLUMNS, fieller_interval, preservation


def sums(at: np.ndarray, reference: np.ndarray) -> tuple[float, ...]:
    return (
        at.sum(), reference.sum(), (at**2).sum(), (reference**2).sum(), (at * reference).sum(),
        len(at),
    )  # fmt: skip


def accepted(ratio: float, at: np.ndarray, reference: np.ndarray) -> bool:
    """Whether a ratio is not rejected, written from the definition."""
    values = np.concatenate([at - ratio * reference, [1.0, -ratio]])
    error = values.std() / np.sqrt(len(values))
    return bool(abs(values.mean()) <= stats.t.ppf(0.975, len(at) - 1) * error)


def test_the_limits_are_where_ratios_begin_to_be_rejected() -> None:
    generator = np.random.default_rng(0)
    closed = 0
    for n in (5, 12, 50):
        for _ in range(30):
            reference = generator.binomial(1, generator.uniform(0.3, 1), n).astype(float)
            at = generator.binomial(4, generator.uniform(0, 1), n) / 4
            low, high = (float(limit) for limit in fieller_interval(*sums(at, reference)))
            if np.isinf(high):
                # Not closed: ratios beyond any bound are accepted, on one side at least.
                assert low == 0 and (accepted(1e9, at, reference) or accepted(-1e9, at, reference))
                continue
            closed += 1
            assert accepted(high - 1e-6, at, reference) and not accepted(high + 1e-6, at, reference)
            if low > 0:
                assert accepted(low + 1e-6, at, reference)
                assert not accepted(low - 1e-6, at, reference)
    assert closed > 60


def test_a_ratio_of_one_is_rejected_exactly_where_no_loss_is() -> None:
    generator = np.random.default_rng(1)
    outcomes = set()
    for _ in range(200):
        reference = generator.binomial(1, 0.9, 40).astype(float)
        at = reference * generator.binomial(1, 0.85, 40)
        low, high = fieller_interval(*sums(at, reference))
        loss = reference - at
        e2_low, e2_high = mean_interval(loss.sum(), (loss**2).sum(), 40)
        inside = bool(low <= 1 <= high)
        assert inside == bool(e2_low <= 0 <= e2_high)
        outcomes.add(inside)
    assert outcomes == {True, False}


def test_no_image_right_at_the_reference_does_not_close() -> None:
    low, high = fieller_interval(*sums(np.array([1.0, 0, 1, 0, 0]), np.zeros(5)))
    assert (float(low), float(high)) == (0.0, np.inf)
    assert np.isnan(fieller_interval(1, 1, 1, 1, 1, 1)).all()


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    folder = tmp_path_factory.mktemp("runs") / "run"
    return Outcomes(write_run(folder, per_class=[12, 7, 1, 3], draws=3, pictures=False))


def test_ratios_and_limits_equal_a_slow_loop_over_the_long_table(outcomes: Outcomes) -> None:
    table = preservation(outcomes)
    assert tuple(table.columns) == COLUMNS and set(table["level"]) == {"image"}
    long = outcomes.table()
    long["right"] = (long["prediction"] == long["label"]).astype(float)
    seen = set()
    for row in table.itertuples():
        part = long[(long["model"] == row.model) & (long["axis"] == row.axis)
                    & (long["label"] == row.label)]  # fmt: skip
        shares = part.groupby(["value", "sample"])["right"].mean().unstack()
        reference = shares.loc[1.0 if row.axis == "crop" else 0.0].to_numpy()
        at = shares.loc[row.value].to_numpy()
        seen.add(row.state)
        if reference.sum() == 0:
            assert row.state == "undefined" and np.isnan([row.preservation, row.low]).all()
            continue
        assert row.preservation == pytest.approx(at.mean() / reference.mean())
        if row.state == "reference":
            assert (row.preservation, row.low, row.high) == (1, 1, 1)
        elif row.n < 2:
            assert row.state == "no interval" and np.isnan([row.low, row.high]).all()
        else:
            low, high = fieller_interval(*sums(at, reference))
            assert (row.low, row.high) == pytest.approx((float(low), float(high)))
            assert row.state == ("unbounded" if np.isinf(row.high) else "closed")
    assert {"reference", "closed", "no interval"} <= seen


def test_a_class_never_right_at_the_reference_is_undefined(tmp_path: Path) -> None:
    axes = {CROP: (1.0, 0.5)}
    samples = made_up_samples(2, 4)
    label = np.asarray(samples.label)
    never = np.where(label == 0, 1, label).astype(np.int32)
    assert len(made_up_cells(["m"], axes, 1)) == 2
    run = Outcomes(write_run(
        tmp_path / "run", names=("a", "b"), titles=("a", "b"), axes=axes, samples=samples,
        models=["m"], draws=1, columns={"prediction": np.stack([never, label])}, pictures=False,
    ))  # fmt: skip
    table = preservation(run)
    first = table[table["class"] == "a"]
    assert (first["state"] == "undefined").all()
    assert first[["preservation", "low", "high"]].isna().all(axis=None)
    assert (table[table["class"] == "b"]["preservation"] == 1).all()


def test_a_class_hardly_known_at_the_reference_is_unbounded() -> None:
    reference = np.zeros((1, 20, 1), dtype=bool)
    reference[0, :2] = True
    axis = Axis("crop", "", 1.0, "down", grid=(1.0, 0.5))
    table = preservation(run_of_repetitions(axis, [reference, ~reference]))
    row = table[table["value"] == 0.5].iloc[0]
    assert (row["preservation"], row["low"], row["high"]) == (9, 0, np.inf)
    assert row["state"] == "unbounded"


def test_curves_without_a_reference_are_noted_and_left_out(tmp_path: Path) -> None:
    without = [(shard, 0) for shard in range(3)]
    run = Outcomes(write_run(
        tmp_path / "run", models=["m"], per_class=12, missing=without, pictures=False,
    ))  # fmt: skip
    table = preservation(run)
    assert table.empty and tuple(table.columns) == COLUMNS
    assert table.attrs["notes"] == [
        "m on crop: nothing measured at the reference 1; no losses are given",
        "m on cutout: nothing measured at the reference 0; no losses are given",
    ]


def test_a_model_measured_at_the_identity_only_is_noted(tmp_path: Path) -> None:
    run = Outcomes(write_run(tmp_path / "run", models=["m"], axes={CROP: (1.0,)}, pictures=False))
    table = preservation(run)
    assert table.empty
    assert table.attrs["notes"] == [
        "m on no axis: measured at the identity only; no losses are given"
    ]


def test_an_unknown_split_is_refused(outcomes: Outcomes) -> None:
    with pytest.raises(InputError, match=r"split 'test' is not in .*; it has val"):
        preservation(outcomes, split="test")


def test_one_class_alone_gives_the_same_rows(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", names=("a",), titles=("a",), per_class=9, pictures=False)
    table = preservation(Outcomes(run))
    assert set(table["class"]) == {"a"} and len(table) == 2 * (7 + 5)
    assert isinstance(table, pd.DataFrame)
