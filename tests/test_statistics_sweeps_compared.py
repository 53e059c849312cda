from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from simulations.end_points import Scenario, simulate
from synthetic import CROP, CUTOUT, made_up_samples, write_run

from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.statistics.arms import AlignedArms, Arm, aligned_arms
from lpa.statistics.both_levels import both_interval, both_test
from lpa.statistics.end_points import COLUMNS as END_COLUMNS
from lpa.statistics.end_points import MEAN, TARGETED, WORST, _worst_images, end_points
from lpa.statistics.halves import image_halves
from lpa.statistics.sweeps_compared import COLUMNS, sweeps_compared
from lpa.statistics.worst_classes import split_worst

NAMES = tuple(f"c{k:02d}" for k in range(12))


def sweep(folder: Path, seed: int, runs: int = 6, **changes: object) -> Outcomes:
    settings: dict[str, object] = {
        "names": NAMES, "titles": NAMES, "per_class": 8, "kind": "sweep", "models": ["m"],
        "axes": {CROP: (1.0, 0.5)}, "draws": runs, "seed": seed, "pictures": False,
    }  # fmt: skip
    return Outcomes(write_run(folder, **{**settings, **changes}))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def arms(tmp_path_factory: pytest.TempPathFactory) -> tuple[Arm, Arm]:
    folder = tmp_path_factory.mktemp("runs")
    return (
        Arm("plain", sweep(folder / "plain", 1), 0.5),
        Arm("careful", sweep(folder / "careful", 2, runs=5), 0.5),
    )


def shares(arm: Arm) -> tuple[np.ndarray, np.ndarray]:
    rows = (arm.outcomes.cells["value"] == 0.5).to_numpy()
    return arm.outcomes.correct()[rows], np.asarray(arm.outcomes.samples.label)


def test_both_levels_stand_side_by_side_and_equal_their_own_engines(arms: tuple[Arm, Arm]) -> None:
    table = sweeps_compared(arms[0], [arms[1]], 0.9)
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 12 * 2 * 2
    (first, labels), (second, _) = shares(arms[0]), shares(arms[1])
    checked = 0
    for row in table.itertuples():
        mine = labels == row.label
        one, two = first[:, mine].mean(axis=1), second[:, mine].mean(axis=1)
        assert row.difference == pytest.approx(two.mean() - one.mean())
        assert (row.accuracy_baseline, row.accuracy) == pytest.approx((one.mean(), two.mean()))
        alternative = {"lower": "less", "higher": "greater"}[row.direction]
        if row.level == "both":
            gain = second[:, mine].mean(axis=0) - first[:, mine].mean(axis=0)
            runs = [(one.var(ddof=1), 6), (two.var(ddof=1), 5)]
            sums = (gain.sum(), (gain**2).sum(), 8)
            assert row.p == pytest.approx(float(both_test(*sums, runs, 0.0, alternative)))
            assert (row.low, row.high) == pytest.approx(
                tuple(float(x) for x in both_interval(*sums, runs, 0.9))
            )
        elif one.std() > 1e-9 and two.std() > 1e-9:
            checked += 1
            expected = stats.ttest_ind(two, one, equal_var=False, alternative=alternative)
            assert row.p == pytest.approx(expected.pvalue)
    assert checked >= 10
    assert table["family"].nunique() == 4
    assert table.attrs["notes"] == []


def test_what_was_selected_on_these_images_has_no_p_value(arms: tuple[Arm, Arm]) -> None:
    fingerprint = arms[1].outcomes.record.fingerprint
    chosen = Arm("chosen", arms[1].outcomes, 0.5, selected_on=[fingerprint])
    for table in (
        sweeps_compared(arms[0], [chosen]),
        end_points(arms[0], [chosen], halvings=5),
    ):
        assert (table["mark"] == "selected on these images").all()
        assert table["p"].isna().all() and (table["m"] == 0).all()
        assert table["difference"].notna().all()
    elsewhere = Arm("chosen", arms[1].outcomes, 0.5, selected_on=["other images"])
    assert (sweeps_compared(arms[0], [elsewhere])["mark"] == "").all()


def test_end_points_are_means_of_the_runs_scores_and_one_family_per_direction(
    arms: tuple[Arm, Arm],
) -> None:
    policies = [arms[1], Arm("again", arms[1].outcomes, 0.5)]
    table = end_points(arms[0], policies, targeted=["c03", "c07"], halvings=30, seed=4)
    assert tuple(table.columns) == END_COLUMNS
    assert len(table) == 2 * 3 * 2 * 2 and (table["m"] == 6).all()
    (first, labels), (second, _) = shares(arms[0]), shares(arms[1])
    halves = image_halves(labels, 30, 4, 4)
    chosen = np.isin(labels, [3, 7])
    scores = {
        MEAN: (first.mean(axis=1), second.mean(axis=1)),
        TARGETED: (first[:, chosen].mean(axis=1), second[:, chosen].mean(axis=1)),
        WORST: tuple(split_worst(x.astype(float), halves, (1,))[0] for x in (first, second)),
    }
    for row in table[(table["policy"] == "careful") & (table["level"] == "run")].itertuples():
        one, two = scores[row.end_point]
        alternative = {"lower": "less", "higher": "greater"}[row.direction]
        expected = stats.ttest_ind(two, one, equal_var=False, alternative=alternative)
        assert row.p == pytest.approx(expected.pvalue)
        assert (row.score_baseline, row.score) == pytest.approx((one.mean(), two.mean()))
    lower = table[(table["level"] == "run") & (table["direction"] == "lower")]
    smallest = lower["p"].min()
    assert lower["p_holm"].min() == pytest.approx(min(1.0, 6 * smallest))


def test_an_end_point_of_one_class_has_the_interval_of_that_class(arms: tuple[Arm, Arm]) -> None:
    points = end_points(arms[0], [arms[1]], targeted=["c05"], halvings=5)
    mine = points[(points["end_point"] == TARGETED) & (points["direction"] == "lower")]
    classes = sweeps_compared(arms[0], [arms[1]])
    theirs = classes[(classes["class"] == "c05") & (classes["direction"] == "lower")]
    for level in ("run", "both"):
        one, two = (t[t["level"] == level].iloc[0] for t in (mine, theirs))
        assert (one["low"], one["high"], one["p"]) == pytest.approx(
            (two["low"], two["high"], two["p"]), nan_ok=True
        )


def test_images_are_matched_by_their_bytes_and_the_others_left_out(
    arms: tuple[Arm, Arm], tmp_path: Path
) -> None:
    samples = made_up_samples(12, 8)
    outcomes = sweep(tmp_path / "fewer", 2, runs=3, samples=samples, skips={5: "x", 50: "x"})
    fewer = Arm("fewer", outcomes, 0.5)
    (aligned,) = aligned_arms((arms[0], fewer))
    assert aligned.notes == ["val: 94 of 96 images are in all runs, and are compared"]
    keys = np.asarray(arms[0].outcomes.samples.key)
    kept = ~np.isin(np.arange(96), [5, 50])
    order = np.argsort(keys[kept])
    first, labels = shares(arms[0])
    np.testing.assert_array_equal(aligned.labels, labels[kept][order])
    np.testing.assert_array_equal(aligned.correct[0], first[:, kept][:, order])
    np.testing.assert_array_equal(aligned.correct[1], shares(fewer)[0][:, order])
    table = sweeps_compared(arms[0], [fewer])
    assert table.attrs["notes"] == aligned.notes
    run_rows = table[table["level"] == "run"]
    # Three seeds, twelve classes: Welch's t decides nothing and the moderated t has no prior.
    assert run_rows["p"].isna().all() and table[table["level"] == "both"]["p"].notna().all()


def refused(*arms: Arm, split: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        aligned_arms(arms, split)
    return str(caught.value)


def test_arms_that_cannot_be_compared_are_named(arms: tuple[Arm, Arm], tmp_path: Path) -> None:
    plain = arms[0].outcomes
    assert refused(arms[0], Arm("x", plain, 0.3)) == (
        f"x: value 0.3 of crop is not there; {plain.store} has 1, 0.5"
    )
    assert refused(arms[0], Arm("x", plain, 1.0)) == (
        "x: one training run at 1; expected at least 2: train more seeds"
    )
    assert refused(arms[0], Arm("x", plain, 0.5, axis="crpo")).startswith("unknown axis 'crpo'")
    two = sweep(tmp_path / "two", 1, models=["a", "b"], axes={CROP: (0.5,), CUTOUT: (0.2,)})
    assert refused(arms[0], Arm("x", two, 0.5)) == (
        f"{two.store} has 2 of kind model (a, b); say which"
    )
    assert refused(arms[0], Arm("x", two, 0.5, model="a")) == (
        f"{two.store} has 2 of kind axis (crop, cutout); say which"
    )
    scan = sweep(tmp_path / "scan", 1, kind="scan")
    assert "is a scan of fixed models" in refused(arms[0], Arm("x", scan, 0.5))
    other = sweep(tmp_path / "other", 1, samples=made_up_samples(12, 8, split="test"))
    assert refused(arms[0], Arm("x", other, 0.5)) == (
        "the runs have no split in common: plain has val; x has test"
    )
    samples = made_up_samples(12, 8)
    samples.key[:] = samples.key + np.uint64(1)
    foreign = sweep(tmp_path / "foreign", 1, samples=samples)
    assert refused(arms[0], Arm("x", foreign, 0.5)) == (
        f"the runs have no image in common: {plain.store}, {foreign.store}"
    )
    with pytest.raises(InputError) as caught:
        end_points(arms[0], [arms[1]], targeted=["heron"])
    assert str(caught.value) == "targeted class 'heron' is not among the run's classes"


def test_the_images_error_of_the_worst_classes_equals_a_slow_loop() -> None:
    generator = np.random.default_rng(3)
    labels = generator.permutation(np.repeat(np.arange(14), generator.integers(3, 12, 14)))
    right = [generator.random((runs, len(labels))) < 0.6 for runs in (5, 4)]
    halves, k = image_halves(labels, 3, 0, 4), 3
    for h in range(3):
        picked: list[list[list[int]]] = [[], []]
        for arm, mine in zip(right, picked, strict=True):
            for run in arm:
                scores = [
                    np.mean([run[image] for image in places[chosen[h]]])
                    for places, chosen in zip(halves.images, halves.chosen, strict=True)
                ]
                mine.append(sorted(range(len(scores)), key=lambda c: scores[c])[:k])
        center, terms = 0.0, []
        for c, (places, chosen) in enumerate(zip(halves.images, halves.chosen, strict=True)):
            share = max(np.mean([c in run for run in mine]) for mine in picked)
            if share == 0:
                continue
            gains = []
            for image in places[~chosen[h]]:
                old, new = (np.mean([run[image] and c in worst
                                     for run, worst in zip(arm, mine, strict=True)])
                            for arm, mine in zip(right, picked, strict=True))  # fmt: skip
                gains.append((new - old) / share)
            padded = [*gains, 1.0, -1.0]
            center += share / k * np.mean(padded)
            terms.append(((share / k) ** 2 * np.var(padded) / len(padded), len(gains) - 1))
        variance = sum(term for term, _ in terms)
        freedom = variance**2 / sum(term**2 / f for term, f in terms)
        found = _worst_images(AlignedArms("val", right, labels), halves, k, h)
        assert found == pytest.approx((center, variance, freedom))


def test_few_classes_have_no_worst_tenth_and_equal_runs_no_test(
    monkeypatch: pytest.MonkeyPatch, arms: tuple[Arm, Arm]
) -> None:
    same = AlignedArms("val", [np.ones((3, 9), dtype=bool)] * 2, np.repeat([0, 1, 2], [4, 4, 1]))
    monkeypatch.setattr("lpa.statistics.end_points.aligned_arms", lambda arms, split: [same])
    table = end_points(arms[0], [arms[1]], halvings=3)
    assert table["end_point"].unique().tolist() == [MEAN]
    assert table.attrs["notes"] == [
        "val: 1 classes with fewer than 2 images are left out",
        "val: 2 classes with 4 images have no worst tenth",
    ]
    assert table[table["level"] == "run"]["p"].isna().all()
    both = table[table["level"] == "both"]
    assert (both["low"] < 0).all() and (both["high"] > 0).all()


def test_end_points_err_no_more_than_they_say_and_cover_new_images_at_level_both() -> None:
    error = 3 * np.sqrt(0.05 * 0.95 / 200)
    for row in simulate(Scenario("no gain", 5, 5, 20, 10), 200):
        assert row["lower"] <= 0.05 + error and row["higher"] <= 0.05 + error, row
    for row in simulate(Scenario("images differ", 5, 5, 20, 10, 0.05, 0.2), 200):
        if row["level"] == "both":
            assert row["coverage"] >= 0.95 - error, row
