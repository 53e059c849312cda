"""Class accuracy against a slow loop over the long table."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint
from synthetic import CROP, made_up_cells, made_up_samples, write_run

from lpa.errors import InputError
from lpa.outcomes import Outcomes, Samples
from lpa.statistics.accuracy import COLUMNS, class_accuracy
from lpa.statistics.proportion import proportion_interval


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    folder = tmp_path_factory.mktemp("runs") / "run"
    return Outcomes(write_run(folder, per_class=[12, 7, 1, 3], draws=3, pictures=False))


def test_accuracy_and_interval_equal_a_slow_loop_over_the_long_table(outcomes: Outcomes) -> None:
    table = class_accuracy(outcomes)
    long = outcomes.table()
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 2 * (7 + 5) * 4
    for row in table.itertuples():
        part = long[
            (long["model"] == row.model) & (long["axis"] == row.axis)
            & (long["value"] == row.value) & (long["label"] == row.label)
        ]  # fmt: skip
        shares = [
            (image["prediction"] == image["label"]).sum() / len(image)
            for _, image in part.groupby("sample")
        ]
        assert row.n == len(shares)
        assert row.draws == part["replicate"].nunique()
        assert row.accuracy == pytest.approx(sum(shares) / len(shares))
        if row.n == 1:
            assert np.isnan(row.low) and np.isnan(row.high)
        else:
            low, high = proportion_interval(
                sum(shares), sum(s * s for s in shares), len(shares), row.draws
            )
            assert (row.low, row.high) == pytest.approx((float(low), float(high)))


def test_the_identity_has_one_draw_and_wilsons_interval(outcomes: Outcomes) -> None:
    table = class_accuracy(outcomes)
    identity = table[(table["axis"] == "crop") & (table["value"] == 1.0) & (table["n"] > 1)]
    assert (identity["draws"] == 1).all()
    for row in identity.itertuples():
        expected = proportion_confint(round(row.accuracy * row.n), row.n, method="wilson")
        assert (row.low, row.high) == pytest.approx(expected)


def test_class_is_the_name_label_its_index_and_title_what_people_read(outcomes: Outcomes) -> None:
    row = class_accuracy(outcomes).iloc[1]
    assert (row["class"], row["label"], row["title"]) == ("n1", 1, "garden spider")
    assert row["level"] == "image"


def test_values_stand_from_weak_to_strong(outcomes: Outcomes) -> None:
    table = class_accuracy(outcomes)
    one = table[(table["model"] == "first") & (table["axis"] == "crop") & (table["label"] == 0)]
    assert one["value"].tolist() == [1.0, 0.8, 0.6, 0.4, 0.3, 0.2, 0.08]


def test_copies_of_one_draw_give_the_accuracy_and_interval_of_one(tmp_path: Path) -> None:
    axes = {CROP: (1.0, 0.5)}
    samples = made_up_samples(4, 9)
    single = made_up_cells(["m"], axes, 1)
    tripled = made_up_cells(["m"], axes, 3)
    generator = np.random.default_rng(2)
    once = {"prediction": generator.integers(0, 4, (len(single), len(samples)), dtype=np.int32)}
    again = {"prediction": once["prediction"][[0, 1, 1, 1]]}
    assert len(tripled) == 4
    tables = [
        class_accuracy(Outcomes(write_run(
            tmp_path / name, axes=axes, samples=samples, models=["m"], draws=draws,
            columns=columns, pictures=False,
        )))
        for name, draws, columns in (("once", 1, once), ("again", 3, again))
    ]  # fmt: skip
    for name in ("accuracy", "low", "high"):
        np.testing.assert_allclose(tables[1][name], tables[0][name], atol=1e-14)


def test_splits_are_kept_apart_and_one_can_be_chosen(tmp_path: Path) -> None:
    whole = made_up_samples(4, 10)
    split = np.where(np.arange(40) % 2 == 0, "train", "val")
    samples = Samples(whole.sample, whole.key, whole.name, whole.label, split, whole.size)
    outcomes = Outcomes(write_run(tmp_path / "run", samples=samples, pictures=False))
    table = class_accuracy(outcomes)
    assert table.groupby("split")["n"].unique().map(list).to_dict() == {"train": [5], "val": [5]}
    chosen = class_accuracy(outcomes, split="val")
    expected = table[table["split"] == "val"].reset_index(drop=True)
    assert chosen.equals(expected)
    with pytest.raises(InputError) as caught:
        class_accuracy(outcomes, split="test")
    assert str(caught.value) == (f"split 'test' is not in {tmp_path / 'run'}; it has train, val")


def test_sweeps_have_both_levels_side_by_side(tmp_path: Path) -> None:
    outcomes = Outcomes(write_run(tmp_path / "run", kind="sweep", draws=4, pictures=False))
    table = class_accuracy(outcomes)
    image, run = (table[table["level"] == level].reset_index(drop=True) for level in
                  ("image", "run"))  # fmt: skip
    np.testing.assert_allclose(image["accuracy"], run["accuracy"])
    one = run[(run["model"] == "first") & (run["value"] == 0.3) & (run["label"] == 3)].iloc[0]
    counts = outcomes.counts
    per_run = counts[
        (counts["model"] == "first") & (counts["value"] == 0.3) & (counts["class"] == "n3")
    ]
    shares = (per_run["correct"] / per_run["n"]).to_numpy()
    assert len(shares) == one["draws"] == 4
    half = 3.182446305284263 * shares.std(ddof=1) / 2  # the t table: 97.5 %, 3 degrees of freedom
    assert one["low"] == pytest.approx(max(0, shares.mean() - half))
    assert one["high"] == pytest.approx(min(1, shares.mean() + half))
    assert run[run["draws"] == 1][["low", "high"]].isna().all(axis=None)


def test_the_level_of_runs_is_refused_where_nothing_was_trained(outcomes: Outcomes) -> None:
    with pytest.raises(InputError) as caught:
        class_accuracy(outcomes, level="run")
    assert str(caught.value) == (
        f"level 'run' needs training runs, and {outcomes.store} is a scan of fixed models: "
        "use level 'image'"
    )
    with pytest.raises(InputError, match="level 'both' is unknown; expected image or run"):
        class_accuracy(outcomes, level="both")


def test_memory_is_far_below_that_of_the_long_table(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", per_class=250, draws=4, pictures=False, shard_size=1000)
    outcomes = Outcomes(folder)
    cells = len(outcomes.cells)
    tracemalloc.start()
    class_accuracy(outcomes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The predictions are 4 bytes a row and are gathered once more; the long table takes over 60.
    assert peak < 20 * cells * 1000


def test_a_run_without_cells_gives_an_empty_table(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", axes={CROP: (1.0, 0.5)}, pictures=False)
    for unit in (folder / "units").iterdir():
        unit.unlink()
    table = class_accuracy(Outcomes(folder))
    assert table.empty and tuple(table.columns) == COLUMNS
