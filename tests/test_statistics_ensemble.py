"""The majority vote against a counter, and its losses against a slow loop."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint
from synthetic import CROP, CUTOUT, made_up_cells, made_up_samples, write_run

from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.statistics.ensemble import LOSS, ensemble_accuracy, ensemble_loss, majority_scores
from lpa.statistics.means import mean_interval, mean_test


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    folder = tmp_path_factory.mktemp("runs") / "run"
    return Outcomes(write_run(
        folder, per_class=[12, 7, 1, 3], models=["a", "b", "c"], draws=2, pictures=False
    ))  # fmt: skip


def by_hand(votes: list[float], label: int) -> float:
    count = Counter(vote for vote in votes if vote == vote)
    most = max(count.values(), default=0)
    winners = [vote for vote, number in count.items() if number == most]
    return 1 / len(winners) if label in winners else 0.0


@pytest.mark.parametrize("models", [1, 2, 3, 6, 7])
def test_a_tie_among_labels_shares_the_score(models: int) -> None:
    generator = np.random.default_rng(models)
    votes, labels = generator.integers(-1, 4, (models, 300)), generator.integers(0, 4, 300)
    expected = [by_hand(votes[:, i].tolist(), labels[i]) for i in range(300)]
    np.testing.assert_allclose(majority_scores(votes, labels), expected)


def test_a_missing_prediction_is_no_vote() -> None:
    votes = np.array([[np.nan, np.nan, 1.0], [2.0, np.nan, 1.0], [np.nan, np.nan, 2.0]])
    assert majority_scores(votes, [2, 2, 2]).tolist() == [1.0, 0.0, 0.0]


def test_losses_of_the_vote_equal_a_slow_loop(outcomes: Outcomes) -> None:
    table = ensemble_loss(outcomes)
    assert tuple(table.columns) == LOSS and len(table) == 2 * 4
    long = outcomes.table()
    for axis, reference in (("crop", 1.0), ("cutout", 0.0)):
        here = long[long["axis"] == axis]
        values = sorted(here["value"].unique(), key=lambda v: abs(v - reference))
        at = np.abs(np.array(values) - reference)
        for label in range(4):
            row = table[(table["axis"] == axis) & (table["label"] == label)].iloc[0]
            assert row["model"] == "majority(a,b,c)" and row["members"] == 3
            difference, own = [], []
            for _, image in here[here["label"] == label].groupby("sample"):
                score, right = [], []
                for value in values:
                    cells = image[image["value"] == value]
                    votes = [part["prediction"].tolist() for _, part in cells.groupby("replicate")]
                    score.append(np.mean([by_hand(each, label) for each in votes]))
                    right.append((cells["prediction"] == label).mean())
                losses = [
                    np.trapezoid(np.array(s[0]) - np.array(s), x=at) / at[-1]
                    for s in (score, right)
                ]
                own.append(losses[0])
                difference.append(losses[0] - losses[1])
            d = np.array(difference) / 2
            low, high = mean_interval(d.sum(), (d**2).sum(), len(d))
            assert row["mean_loss"] == pytest.approx(np.mean(own))
            assert row["difference"] == pytest.approx(2 * d.mean())
            assert row["low"] == pytest.approx(2 * float(low), nan_ok=True)
            assert row["high"] == pytest.approx(2 * float(high), nan_ok=True)
            p = float(mean_test(d.sum(), (d**2).sum(), len(d), 0.0, "less"))
            assert row["p"] == pytest.approx(p, nan_ok=True)


def test_the_vote_at_the_identity_has_wilsons_interval(tmp_path: Path) -> None:
    samples = made_up_samples(2, 10)
    cells = made_up_cells(["a", "b", "c"], {CROP: (1.0, 0.5)}, 1)
    prediction = np.tile(samples.label, (len(cells), 1)).astype(np.int32)
    # Two of three models are wrong on two images of the first class, one model on a third.
    identity = [row for row, cell in enumerate(cells) if cell.axis is None]
    prediction[identity[0], [0, 1, 2]] = 1
    prediction[identity[1], [0, 1]] = 1
    outcomes = Outcomes(write_run(
        tmp_path / "run", names=["x", "y"], titles=["x", "y"], models=["a", "b", "c"], draws=1,
        axes={CROP: (1.0, 0.5)}, samples=samples, columns={"prediction": prediction},
        pictures=False,
    ))  # fmt: skip
    row = ensemble_accuracy(outcomes).iloc[0]
    assert (row["value"], row["label"], row["accuracy"]) == (1.0, 0, 0.8)
    assert row["members_accuracy"] == pytest.approx((7 + 8 + 10) / 30)
    assert (row["low"], row["high"]) == pytest.approx(proportion_confint(8, 10, method="wilson"))


def test_copies_of_one_draw_do_not_change_the_vote(tmp_path: Path) -> None:
    axes, samples = {CROP: (1.0, 0.5)}, made_up_samples(4, 9)
    generator = np.random.default_rng(2)
    once = generator.integers(0, 4, (4, len(samples)), dtype=np.int32)
    single, tripled = (made_up_cells(["a", "b"], axes, draws) for draws in (1, 3))
    rows = [[c.model == d.model and c.axis == d.axis for d in single].index(True) for c in tripled]
    tables = [
        ensemble_loss(Outcomes(write_run(
            tmp_path / str(draws), models=["a", "b"], axes=axes, samples=samples, draws=draws,
            columns={"prediction": prediction}, pictures=False,
        )))
        for draws, prediction in ((1, once), (3, once[rows]))
    ]  # fmt: skip
    for column in ("mean_loss", "difference", "low", "high", "p"):
        np.testing.assert_allclose(tables[1][column], tables[0][column], atol=1e-12)


def test_a_model_with_other_values_is_left_out_and_noted(tmp_path: Path) -> None:
    cells = made_up_cells(["a", "b", "c"], {CROP: (1.0, 0.5, 0.2)}, 1)
    gone = [i for i, cell in enumerate(cells) if cell.model == "b" and cell.value == 0.2]
    outcomes = Outcomes(write_run(
        tmp_path / "run", models=["a", "b", "c"], axes={CROP: (1.0, 0.5, 0.2)}, draws=1,
        missing=[(shard, gone[0]) for shard in range(3)], pictures=False,
    ))  # fmt: skip
    table = ensemble_loss(outcomes)
    assert table["model"].unique().tolist() == ["majority(a,c)"]
    assert table.attrs["notes"] == [
        "b on crop has other values or draws than a; it is left out of the ensemble"
    ]


def test_one_model_is_no_ensemble_and_an_unknown_split_is_refused(tmp_path: Path) -> None:
    outcomes = Outcomes(write_run(tmp_path / "run", models=["a"], axes={CUTOUT: (0.0, 0.5)},
                                  pictures=False))  # fmt: skip
    table = ensemble_loss(outcomes)
    assert table.empty and table.attrs["notes"] == [
        "cutout: fewer than two models with the same cells; no ensemble is given"
    ]
    assert ensemble_accuracy(outcomes).empty
    with pytest.raises(InputError) as caught:
        ensemble_loss(outcomes, split="test")
    assert str(caught.value) == f"split 'test' is not in {tmp_path / 'run'}; it has val"
