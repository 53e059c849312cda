from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint
from synthetic import CROP, made_up_samples, write_run

from lpa.outcomes import Outcomes
from lpa.statistics.aggregates import COLUMNS, mean_accuracy


def written(folder: Path, prediction: np.ndarray, sizes: list[int], draws: int) -> Outcomes:
    names = [f"c{k}" for k in range(len(sizes))]
    return Outcomes(write_run(
        folder, names=names, titles=names, axes={CROP: (1.0, 0.5)}, models=["m"], draws=draws,
        samples=made_up_samples(len(sizes), sizes), columns={"prediction": prediction},
        pictures=False,
    ))  # fmt: skip


def row_of(outcomes: Outcomes, value: float, aggregate: str) -> dict[str, object]:
    table = mean_accuracy(outcomes)
    assert tuple(table.columns) == COLUMNS
    found = table[(table["value"] == value) & (table["aggregate"] == aggregate)]
    assert len(found) == 1
    return dict(found.iloc[0])


@pytest.mark.parametrize("aggregate", ["overall", "mean of classes"])
def test_the_stratified_interval_equals_a_slow_loop(tmp_path: Path, aggregate: str) -> None:
    sizes = [5, 9, 2]
    labels = np.repeat([0, 1, 2], sizes)
    prediction = np.random.default_rng(0).integers(0, 3, (5, 16)).astype(np.int32)
    prediction[:, :5] = np.where(prediction[:, :5] == 2, 0, prediction[:, :5])
    outcomes = written(tmp_path / "run", prediction, sizes, draws=4)
    row = row_of(outcomes, 0.5, aggregate)
    shares = [[] for _ in sizes]
    for image, label in enumerate(labels):
        shares[label].append(sum(prediction[1:, image] == label) / 4)
    weights = [n / 16 for n in sizes] if aggregate == "overall" else [1 / 3] * 3
    mean = sum(w * np.mean(s) for w, s in zip(weights, shares, strict=True))
    error = math.sqrt(
        sum(w**2 * np.var(s, ddof=1) / len(s) for w, s in zip(weights, shares, strict=True))
    )
    assert row["accuracy"] == pytest.approx(mean)
    assert row["low"] == pytest.approx(max(0, mean - stats.norm.ppf(0.975) * error))
    assert row["high"] == pytest.approx(min(1, mean + stats.norm.ppf(0.975) * error))
    assert (row["n"], row["draws"], row["classes"]) == (16, 4, 3)
    assert (row["level"], row["method"]) == ("image", "stratified normal")


def test_a_class_of_one_image_turns_to_wilson_on_all_images(tmp_path: Path) -> None:
    labels = np.repeat([0, 1, 2], [1, 4, 5])
    prediction = np.tile(labels, (2, 1)).astype(np.int32)
    prediction[1, [0, 3, 8]] = [1, 2, 0]
    outcomes = written(tmp_path / "run", prediction, [1, 4, 5], draws=1)
    row = row_of(outcomes, 0.5, "overall")
    assert row["method"] == "E1, all images as one sample"
    assert (row["low"], row["high"]) == pytest.approx(proportion_confint(7, 10, method="wilson"))
    uneven = row_of(outcomes, 0.5, "mean of classes")
    assert uneven["accuracy"] == pytest.approx((0 + 3 / 4 + 4 / 5) / 3)
    # Kish: unequal weights make ten images worth 1 / (1/9 + 1/36 + 1/45) = 6.2 of them.
    images = 1 / (1 / 9 + 1 / 36 + 1 / 45)
    expected = proportion_confint(uneven["accuracy"] * images, images, method="wilson")
    assert (uneven["low"], uneven["high"]) == pytest.approx(expected)


def test_one_photograph_a_class_gives_both_means_the_same_interval(tmp_path: Path) -> None:
    prediction = np.array([[0, 1, 2, 3], [0, 0, 2, 0], [0, 1, 0, 0]], dtype=np.int32)
    outcomes = written(tmp_path / "run", prediction, [1, 1, 1, 1], draws=2)
    overall, classes = (row_of(outcomes, 0.5, name) for name in ("overall", "mean of classes"))
    assert overall["accuracy"] == 0.5
    assert (overall["low"], overall["high"]) == pytest.approx((classes["low"], classes["high"]))
    assert overall["low"] < 0.5 < overall["high"]


def test_images_that_all_agree_do_not_give_an_interval_of_no_width(tmp_path: Path) -> None:
    prediction = np.tile(np.repeat([0, 1], 10), (2, 1)).astype(np.int32)
    row = row_of(written(tmp_path / "run", prediction, [10, 10], draws=1), 0.5, "overall")
    assert row["method"] == "E1, all images as one sample"
    assert (row["low"], row["high"]) == pytest.approx(proportion_confint(20, 20, method="wilson"))


def test_the_stratified_interval_covers_the_truth_of_fixed_classes() -> None:
    from lpa.statistics.aggregates import mean_over_images

    generator = np.random.default_rng(5)
    truth = np.array([0.95, 0.8, 0.6, 0.3])
    strata = np.repeat(np.arange(4), 25)
    weight = np.full(4, 0.25)
    covered = 0
    for _ in range(4000):
        means = (generator.uniform(size=100) < truth[strata]).astype(float)
        _, low, high, _ = mean_over_images(means, strata, weight, 1, 0.95)
        covered += low <= truth.mean() <= high
    assert 0.93 <= covered / 4000 <= 0.965


def test_runs_of_a_sweep_have_their_own_rows(tmp_path: Path) -> None:
    outcomes = Outcomes(write_run(tmp_path / "run", kind="sweep", draws=3, pictures=False))
    table = mean_accuracy(outcomes, level="run")
    mine = table[(table["model"] == "second") & (table["value"] == 0.4) & (table["axis"] == "crop")]
    row = mine[mine["aggregate"] == "overall"].iloc[0]
    counts = outcomes.counts
    mine = counts[(counts["model"] == "second") & (counts["value"] == 0.4)
                  & (counts["axis"] == "crop")].groupby("replicate")  # fmt: skip
    shares = (mine["correct"].sum() / mine["n"].sum()).to_numpy()
    low, high = stats.t.interval(0.95, 2, shares.mean(), stats.sem(shares))
    assert row["accuracy"] == pytest.approx(shares.mean())
    assert (row["low"], row["high"]) == pytest.approx((max(0, low), min(1, high)))
    assert (row["level"], row["method"]) == ("run", "E3, t over runs")
