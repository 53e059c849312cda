"""Agreement against scipy's Spearman on the same halves, Kendall's W by hand, and its null."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from simulations.agreement import simulate
from synthetic import CROP, CUTOUT, made_up_cells, made_up_samples, write_run

from lpa.outcomes import Outcomes
from lpa.statistics.agreement import (
    PAIRS,
    SUMMARY,
    agreement,
    compared_models,
    half_correlations,
    model_pairs,
)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    folder = tmp_path_factory.mktemp("runs") / "run"
    names = [f"c{k}" for k in range(9)]
    return Outcomes(write_run(
        folder, names=names, titles=names, per_class=[12, 9, 3, 4, 20, 7, 5, 11, 1], draws=2,
        models=["a", "b", "c"], pictures=False,
    ))  # fmt: skip


def test_correlations_are_spearmans_between_disjoint_halves() -> None:
    generator = np.random.default_rng(0)
    n = np.array([4, 7, 3, 10, 5])
    place = generator.permutation(np.repeat(np.arange(5), n))
    loss = generator.integers(-1, 2, (2, len(place))).astype(float)
    found = half_correlations(loss, place, n, 1, np.random.default_rng(7))
    # The same halves by hand: the class of three images is left out, the others are shuffled.
    kept = [i for c in (0, 1, 3, 4) for i in np.flatnonzero(place == c)]
    label = place[kept]
    order = np.argsort(label + np.random.default_rng(7).uniform(0, 0.5, len(kept)))
    halves: list[list[np.ndarray]] = [[], []]
    for c in (0, 1, 3, 4):
        mine = [kept[i] for i in order if label[i] == c]
        halves[0].append(loss[:, mine[: len(mine) // 2]].mean(axis=1))
        halves[1].append(loss[:, mine[len(mine) // 2 :]].mean(axis=1))
    first, second = (np.array(half).T for half in halves)
    for a in range(2):
        for b in range(2):
            expected = stats.spearmanr(first[a], second[b]).statistic
            assert found[a, b] == pytest.approx(expected)


def test_pairs_are_corrected_by_both_reliabilities(outcomes: Outcomes) -> None:
    table = model_pairs(outcomes, splits=40)
    assert tuple(table.columns) == PAIRS and len(table) == 2 * 3
    for row in table.itertuples():
        if min(row.reliability, row.reliability_other) < 0.3:
            assert np.isnan(row.corrected)
        else:
            expected = row.correlation / np.sqrt(row.reliability * row.reliability_other)
            assert row.corrected == pytest.approx(min(1.0, expected))
        assert (row.classes, row.n) == (7, 68)
    assert table["corrected"].notna().any()


def test_concordance_follows_from_the_mean_correlation(outcomes: Outcomes) -> None:
    table, pairs = agreement(outcomes, splits=40), model_pairs(outcomes, splits=40)
    assert tuple(table.columns) == SUMMARY
    for row in table.itertuples():
        mine = pairs[pairs["axis"] == row.axis]["corrected"]
        assert row.mean_corrected == pytest.approx(mine.mean())
        assert row.concordance == pytest.approx((2 * mine.mean() + 1) / 3)
        assert (row.pairs, row.pairs_omitted) == (3, mine.isna().sum())
        assert (row.models, row.classes, row.classes_omitted) == ("a,b,c", 7, 2)


def test_concordance_on_the_same_images_is_kendalls_with_ties(outcomes: Outcomes) -> None:
    compared = {each.each.axis.name: each for each in compared_models(outcomes, None, [])}
    for row in agreement(outcomes, splits=1).itertuples():
        each = compared[row.axis]
        labels = outcomes.samples.label
        ranks = np.array([
            stats.rankdata([loss[labels == c].mean().round(9) for c in (0, 1, 3, 4, 5, 6, 7)])
            for loss in each.loss
        ])  # fmt: skip
        spread = ((ranks.sum(axis=0) - ranks.sum() / 7) ** 2).sum()
        ties = sum((t**3 - t) for r in ranks for t in np.unique(r, return_counts=True)[1])
        kendall = 12 * spread / (9 * (343 - 7) - 3 * ties)
        assert row.concordance_same_images == pytest.approx(kendall)


def test_a_model_agrees_perfectly_with_its_copy(tmp_path: Path) -> None:
    axes, sizes = {CROP: (1.0, 0.5)}, 30
    samples = made_up_samples(8, sizes)
    generator = np.random.default_rng(0)
    chance = np.repeat(np.linspace(0.2, 1.0, 8), sizes)
    wrong = np.where(generator.uniform(size=len(samples)) < chance, samples.label, -1)
    assert len(made_up_cells(["a", "b"], axes, 1)) == 4
    prediction = np.stack([samples.label, wrong, samples.label, wrong]).astype(np.int32)
    names = [f"c{k}" for k in range(8)]
    table = agreement(Outcomes(write_run(
        tmp_path / "run", names=names, titles=names, models=["a", "b"], axes=axes, draws=1,
        samples=samples, columns={"prediction": prediction}, pictures=False,
    )))  # fmt: skip
    row = table.iloc[0]
    assert row["mean_corrected"] == row["concordance"] == pytest.approx(1.0)
    assert row["concordance_same_images"] == pytest.approx(1.0)


def test_losses_that_are_all_equal_have_no_correlation(tmp_path: Path) -> None:
    samples = made_up_samples(4, 8)
    prediction = np.tile(samples.label, (4, 1)).astype(np.int32)
    outcomes = Outcomes(write_run(
        tmp_path / "run", models=["a", "b"], axes={CROP: (1.0, 0.5)}, draws=1, samples=samples,
        columns={"prediction": prediction}, pictures=False,
    ))  # fmt: skip
    row = agreement(outcomes).iloc[0]
    assert np.isnan(row["concordance"]) and np.isnan(row["concordance_same_images"])
    assert row["pairs_omitted"] == 1


def test_models_with_other_values_are_not_compared(tmp_path: Path) -> None:
    samples = made_up_samples(4, 8)
    cells = made_up_cells(["a", "b"], {CROP: (1.0, 0.5), CUTOUT: (0.0, 0.5)}, 1)
    missing = [
        (shard, row)
        for row, cell in enumerate(cells)
        if cell.model == "b" and cell.axis == "crop"
        for shard in range(2)
    ]
    outcomes = Outcomes(write_run(
        tmp_path / "run", models=["a", "b"], axes={CROP: (1.0, 0.5), CUTOUT: (0.0, 0.5)}, draws=1,
        samples=samples, missing=missing, pictures=False,
    ))  # fmt: skip
    table = agreement(outcomes)
    assert table["axis"].tolist() == ["cutout"]
    assert table.attrs["notes"] == ["a on crop: no other model has the values 1,0.5"]


def test_fewer_than_three_classes_have_no_correlation(tmp_path: Path) -> None:
    outcomes = Outcomes(write_run(
        tmp_path / "run", names=["x", "y"], titles=["x", "y"], models=["a", "b"], pictures=False,
    ))  # fmt: skip
    assert model_pairs(outcomes)["correlation"].isna().all()
    assert agreement(outcomes)["concordance_same_images"].isna().all()


def test_without_class_differences_models_do_not_agree_though_they_share_images() -> None:
    table = simulate(150).set_index("scenario")
    none, unrelated, same = (table.loc[name] for name in table.index)
    assert abs(none["correlation"]) < 0.03 and abs(none["reliability"]) < 0.03
    assert none["same_images"] > 0.2
    assert abs(unrelated["corrected"]) < 0.03
    assert same["corrected"] == pytest.approx(1.0, abs=0.03)
