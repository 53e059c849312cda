"""Confusion drift against a slow loop over images and classes, and scipy's binomial test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from synthetic import CROP, made_up_samples, write_run

from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.statistics.drift import COLUMNS, OUTSIDE, drift
from lpa.statistics.means import mean_interval, mean_test


def random_run(
    folder: Path, draws: int, sizes: list[int], seed: int = 0
) -> tuple[Outcomes, np.ndarray]:
    generator = np.random.default_rng(seed)
    samples = made_up_samples(4, sizes)
    prediction = generator.integers(-1, 4, (1 + draws, len(samples)), dtype=np.int32)
    prediction[0] = np.where(generator.uniform(size=len(samples)) < 0.7, samples.label, 1)
    outcomes = Outcomes(write_run(
        folder, models=["m"], axes={CROP: (1.0, 0.5)}, draws=draws, samples=samples,
        columns={"prediction": prediction}, pictures=False,
    ))  # fmt: skip
    return outcomes, prediction


@pytest.mark.parametrize("draws", [1, 3])
def test_flows_equal_a_slow_loop_over_images_and_classes(tmp_path: Path, draws: int) -> None:
    sizes = [25, 12, 1, 30]
    outcomes, prediction = random_run(tmp_path / "run", draws, sizes)
    table = drift(outcomes, top=None)
    assert tuple(table.columns) == COLUMNS
    labels, met = outcomes.samples.label, 0
    for label in range(4):
        for other in range(-1, 4):
            d = np.array([
                np.mean([prediction[1 + r, i] == other for r in range(draws)])
                - (prediction[0, i] == other)
                for i in np.flatnonzero(labels == label)
            ])  # fmt: skip
            row = table[(table["label"] == label) & (table["other_label"] == other)]
            if not d.any():
                assert row.empty
                continue
            row, met = row.iloc[0], met + 1
            gained, lost = int((d > 0).sum()), int((d < 0).sum())
            assert row["flow"] == pytest.approx(d.mean())
            assert row["images"] == pytest.approx(d.sum())
            assert (row["gained"], row["lost"], row["n"]) == (gained, lost, len(d))
            low, high = mean_interval(d.sum(), (d**2).sum(), len(d))
            assert row["low"] == pytest.approx(float(low), nan_ok=True)
            assert row["high"] == pytest.approx(float(high), nan_ok=True)
            if label == other or gained + lost < 6:
                assert np.isnan(row["p"]) and not row["claimed"]
            elif draws == 1:
                exact = stats.binomtest(gained, gained + lost, 0.5, alternative="greater").pvalue
                assert row["p"] == pytest.approx(exact)
            else:
                p = float(mean_test(d.sum(), (d**2).sum(), len(d)))
                assert row["p"] == pytest.approx(p)
    assert met == len(table) and table["p"].notna().sum() == table["m"].iloc[0] > 3
    assert table["method"].unique().tolist() == [{1: "exact binomial", 3: "E2"}[draws]]


def test_the_flows_of_a_class_sum_to_nothing_and_its_own_is_minus_its_loss(tmp_path: Path) -> None:
    outcomes, prediction = random_run(tmp_path / "run", 2, [20, 20, 5, 20], seed=3)
    table = drift(outcomes, top=None)
    np.testing.assert_allclose(table.groupby("class")["flow"].sum(), 0.0, atol=1e-12)
    labels = outcomes.samples.label
    right = [(prediction[rows] == labels).mean(axis=0) for rows in ([0], [1, 2])]
    for row in table[table["label"] == table["other_label"]].itertuples():
        mine = labels == row.label
        assert row.flow == pytest.approx((right[1] - right[0])[mine].mean())


def test_predictions_outside_the_classes_are_named_so(tmp_path: Path) -> None:
    outcomes, _ = random_run(tmp_path / "run", 1, [20, 20, 5, 20])
    rows = drift(outcomes, top=None)
    outside = rows[rows["other_label"] == -1]
    assert len(outside) and (outside["other"] == OUTSIDE).all()
    assert rows[rows["other_label"] == 1]["other_title"].unique().tolist() == ["garden spider"]


def exchange(there: int, back: int) -> np.ndarray:
    """Images of two classes of 20, so many of which move to the other class at crop .5."""
    labels = np.repeat([0, 1], 20)
    after = labels.copy()
    after[:there], after[20 : 20 + back] = 1, 0
    return np.stack([labels, after]).astype(np.int32)


@pytest.mark.parametrize(
    ("there", "back", "claimed", "swap"),
    [(12, 12, [True, True], True), (12, 2, [True, False], False), (5, 5, [False, False], False)],
)
def test_a_swap_needs_both_directions(
    tmp_path: Path, there: int, back: int, claimed: list[bool], swap: bool
) -> None:
    outcomes = Outcomes(write_run(
        tmp_path / "run", names=["x", "y"], titles=["x", "y"], models=["m"], draws=1,
        axes={CROP: (1.0, 0.5)}, samples=made_up_samples(2, 20), pictures=False,
        columns={"prediction": exchange(there, back)},
    ))  # fmt: skip
    table = drift(outcomes)
    across = table[table["label"] != table["other_label"]].sort_values("label")
    assert across["claimed"].tolist() == claimed
    assert across["swap"].tolist() == [swap] * 2
    assert across["m"].iloc[0] == sum(number >= 6 for number in (there, back))


def test_pairs_that_are_tested_stay_whatever_the_top(tmp_path: Path) -> None:
    outcomes, _ = random_run(tmp_path / "run", 1, [25, 25, 25, 25])
    whole, short = drift(outcomes, top=None), drift(outcomes, top=1)
    assert len(short) < len(whole)
    assert short["p"].notna().sum() == whole["p"].notna().sum()
    np.testing.assert_allclose(short["p_bh"].dropna(), whole["p_bh"].dropna())


def test_by_default_the_strongest_value_is_looked_at(tmp_path: Path) -> None:
    outcomes = Outcomes(write_run(tmp_path / "run", pictures=False))
    table = drift(outcomes)
    assert table.groupby("axis")["value"].unique().map(list).to_dict() == {
        "crop": [0.08], "cutout": [0.8]
    }  # fmt: skip
    assert drift(outcomes, value=0.3)["axis"].unique().tolist() == ["crop"]
    with pytest.raises(InputError) as caught:
        drift(outcomes, value=0.31)
    assert str(caught.value) == (
        f"value 0.31 was not measured beside a reference in {tmp_path / 'run'}; "
        "`lpa show` lists the values"
    )


def test_nothing_that_moves_gives_an_empty_table_and_no_reference_a_note(tmp_path: Path) -> None:
    still = np.tile(made_up_samples(4, 5).label, (2, 1)).astype(np.int32)
    outcomes = Outcomes(write_run(
        tmp_path / "still", models=["m"], axes={CROP: (1.0, 0.5)}, draws=1, per_class=5,
        columns={"prediction": still}, pictures=False,
    ))  # fmt: skip
    assert drift(outcomes).empty and tuple(drift(outcomes).columns) == COLUMNS
    single = Outcomes(write_run(tmp_path / "one", models=["m"], axes={CROP: (1.0,)},
                                pictures=False))  # fmt: skip
    assert drift(single).attrs["notes"] == [
        "m on no axis: no reference and other value; no drift is given"
    ]
