"""The table of ranks: its order, who is ranked, and how it agrees with other statistics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from simulations.repetitions import run_of_repetitions
from synthetic import CROP, CUTOUT, write_run

from lpa.axes import Axis
from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.statistics.both_levels import both_error
from lpa.statistics.losses import losses
from lpa.statistics.mean_loss import mean_loss, mean_loss_run_squares
from lpa.statistics.means import mean_interval, standard_error
from lpa.statistics.rank_posterior import joint_ranks, rank_posterior
from lpa.statistics.ranking import ranking
from lpa.statistics.threshold import threshold

CURVE = ["model", "axis", "split"]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    folder = tmp_path_factory.mktemp("runs") / "run"
    names = [f"c{k}" for k in range(7)]
    return Outcomes(write_run(
        folder, names=names, titles=names, per_class=[40, 25, 1, 12, 9, 30, 10], draws=3,
        pictures=False,
    ))  # fmt: skip


def image_loss(outcomes: Outcomes, model: str, label: int) -> np.ndarray:
    """Mean losses along crop of one class's images, by the long table and the trapezoid rule."""
    long = outcomes.table()
    part = long[(long["model"] == model) & (long["axis"] == "crop") & (long["label"] == label)]
    right = (part["prediction"] == part["label"]).groupby([part["value"], part["sample"]]).mean()
    shares = right.unstack("sample").sort_index(ascending=False)
    lost = (shares.loc[1.0] - shares).to_numpy()
    return np.trapezoid(lost, x=1.0 - shares.index.to_numpy(), axis=0) / (1.0 - 0.08)


def test_ranks_are_the_posterior_of_mean_losses_and_their_standard_errors(
    outcomes: Outcomes,
) -> None:
    table = ranking(outcomes, among=(2,))
    part = table[(table["model"] == "second") & (table["axis"] == "crop")]
    assert set(part["label"][part["rank"].isna()]) == {2, 4}
    images = {label: image_loss(outcomes, "second", label) for label in (0, 1, 3, 5, 6)}
    score = [d.mean() for d in images.values()]
    error = [float(standard_error(d.sum(), (d**2).sum(), len(d))[1]) for d in images.values()]
    expected = rank_posterior(score, error, (2,))
    for position, label in enumerate(images):
        row = part[part["label"] == label].iloc[0]
        assert row["loss"] == pytest.approx(score[position])
        assert row["mean_rank"] == pytest.approx(expected.mean[position])
        assert (row["rank_low"], row["rank_high"]) == (
            expected.low[position], expected.high[position]
        )  # fmt: skip
        assert row["among_2"] == pytest.approx(expected.among[2][position])
        assert (row["ranked"], row["level"], row["by"]) == (5, "image", "loss")


def test_the_loss_and_its_interval_are_those_of_the_mean_loss(outcomes: Outcomes) -> None:
    keys = [*CURVE, "label"]
    merged = ranking(outcomes).merge(mean_loss(outcomes), on=keys, suffixes=("", "_other"))
    assert len(merged) == 2 * 2 * 7
    np.testing.assert_allclose(merged["loss"], merged["mean_loss"], atol=1e-12)
    np.testing.assert_allclose(merged["low"], merged["low_other"])
    np.testing.assert_allclose(merged["high"], merged["high_other"])


def test_each_curve_stands_in_the_order_of_mean_ranks_with_the_unranked_last(
    outcomes: Outcomes,
) -> None:
    for _, part in ranking(outcomes).groupby(CURVE):
        assert part["rank"].tolist()[:5] == [1, 2, 3, 4, 5] and part["rank"][5:].isna().all()
        assert part["mean_rank"][:5].is_monotonic_increasing
        assert (part["n"][5:] < 10).all() and part["loss"].notna().all()
    notes = ranking(outcomes).attrs["notes"]
    assert notes[0] == (
        "first on crop: 2 of 7 classes have fewer than 10 images and are not ranked"
    )


def test_fewer_images_are_ranked_when_asked_for_but_never_one(outcomes: Outcomes) -> None:
    table = ranking(outcomes, fewest=2)
    assert set(table["label"][table["rank"].isna()]) == {2}
    with pytest.raises(InputError) as caught:
        ranking(outcomes, fewest=1)
    assert str(caught.value) == "fewest 1 is out of range; a rank needs 2 images or more"


def test_joint_ranks_come_from_limits_at_the_sidak_level(outcomes: Outcomes) -> None:
    table = ranking(outcomes, joint=True)
    part = table[(table["model"] == "first") & (table["axis"] == "crop") & table["rank"].notna()]
    limits = []
    for label in part["label"]:
        d = image_loss(outcomes, "first", label)
        limits.append(mean_interval(d.sum(), (d**2).sum(), len(d), 0.95 ** (1 / 5)))
    first, last = joint_ranks(*np.array(limits).T)
    assert part["joint_low"].tolist() == first.tolist()
    assert part["joint_high"].tolist() == last.tolist()
    assert (part["joint_low"] <= part["rank_low"]).all()
    assert (part["rank_high"] <= part["joint_high"]).all()


def test_by_threshold_classes_stand_from_the_first_to_the_last_to_be_lost(
    outcomes: Outcomes,
) -> None:
    table = ranking(outcomes, by="threshold", drop=0.2)
    expected = threshold(outcomes, 0.2)
    states = {"at once": 0, "number": 1, "never": 2}
    for (model, axis, _), part in table.groupby(CURVE):
        ranked = part[part["rank"].notna()]
        strength = [
            (states[s], 0.0 if s != "number" else (1 - t if axis == "crop" else t), -loss)
            for s, t, loss in zip(ranked["state"], ranked["threshold"], ranked["loss"], strict=True)
        ]
        assert strength == sorted(strength) and len(ranked)
        own = expected[(expected["model"] == model) & (expected["axis"] == axis)]
        own = own.set_index("label").loc[part["label"]]
        np.testing.assert_array_equal(own["threshold"], part["threshold"])
        np.testing.assert_array_equal(own["low"], part["threshold_low"])
        assert own["high_state"].tolist() == part["threshold_high_state"].tolist()
    assert "mean_rank" not in table and (table["drop"] == 0.2).all()


def test_ties_of_states_are_broken_by_the_loss() -> None:
    axis = Axis("crop", "", 1.0, "down", grid=(1.0, 0.5, 0.2))
    right = np.ones((3, 20, 1), dtype=bool)
    middle, last = right.copy(), right.copy()
    for label, wrong in enumerate((6, 12, 9)):
        middle[label, :wrong] = False
        last[label, :wrong] = False
    table = ranking(run_of_repetitions(axis, [right, middle, last]), by="threshold")
    assert table["state"].tolist() == ["at once"] * 3
    assert table["label"].tolist() == [1, 2, 0] and table["rank"].tolist() == [1, 2, 3]


def test_a_class_that_cannot_lose_the_drop_is_not_ranked_by_threshold() -> None:
    axis = Axis("crop", "", 1.0, "down", grid=(1.0, 0.5))
    right = np.zeros((2, 20, 1), dtype=bool)
    right[0], right[1, :2] = True, True
    table = ranking(run_of_repetitions(axis, [right, np.zeros_like(right)]), by="threshold")
    assert table["state"].tolist() == ["at once", "undefined"]
    assert table["rank"][0] == 1 and np.isnan(table["rank"][1])


def test_sweeps_are_ranked_for_new_images_and_new_trainings() -> None:
    generator = np.random.default_rng(0)
    axis = Axis("tau", "", 1.0, "down", monotone=False, grid=(1.0, 0.5, 0.2))
    right = [generator.uniform(size=(4, 30, 5)) < p for p in (0.9, 0.8, 0.6)]
    run = run_of_repetitions(axis, right, "sweep")
    table = ranking(run).sort_values("label")
    each = next(iter(losses(run, None, [])))
    weights = (0.4 / 0.8, 0.15 / 0.8)
    per_image = [right[0].mean(2) - right[v].mean(2) for v in (1, 2)]
    d = weights[0] * per_image[0] + weights[1] * per_image[1]
    error = both_error(d.sum(1), (d**2).sum(1), 30, mean_loss_run_squares(each))[1]
    expected = rank_posterior(d.mean(1), error)
    np.testing.assert_allclose(table["mean_rank"], expected.mean)
    assert (table["level"] == "both").all()
    assert (ranking(run, level="image")["level"] == "image").all()


def test_a_sweep_with_one_run_at_a_value_is_listed_and_not_ranked(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", kind="sweep", draws=3, pictures=False, axes={
        CROP: (1.0, 0.5)
    })  # fmt: skip
    table = ranking(Outcomes(folder))
    assert table["rank"].isna().all() and (table["ranked"] == 0).all() and len(table) == 8
    assert table.attrs["notes"][0] == (
        "first on crop: one run at 1 has no error at level both; no class is ranked"
    )


def test_one_class_is_ranked_first_of_one(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", names=["n0"], titles=["x"], axes={CUTOUT: (0.0, 0.5)},
                       models=["m"], pictures=False)  # fmt: skip
    row = ranking(Outcomes(folder)).iloc[0]
    assert (row["rank"], row["rank_low"], row["rank_high"], row["among_10"]) == (1, 1, 1, 1)


def test_a_curve_with_one_value_is_left_out_and_noted(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", axes={CROP: (1.0,)}, models=["m"], pictures=False)
    table = ranking(Outcomes(folder))
    assert table.empty and "among_10" in table
    assert table.attrs["notes"] == [
        "m on no axis: measured at the identity only; no losses are given"
    ]


def test_what_cannot_be_ranked_is_refused(outcomes: Outcomes) -> None:
    for arguments, message in (
        ({"by": "size"}, "ranking by 'size' is unknown; expected loss or threshold"),
        ({"by": "threshold", "joint": True},
         "joint ranks exist by loss only; leave joint out, or rank by loss"),
        ({"among": (0,)}, "among 0 classes is out of range; expected 1 or more"),
    ):  # fmt: skip
        with pytest.raises(InputError) as caught:
            ranking(outcomes, **arguments)
        assert str(caught.value) == message
