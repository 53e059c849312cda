"""The value best on the source against each target class's best, by closed form and slow loops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from trained_runs import TAU, write_sweep

from lpa.outcomes import SOURCE, Outcomes, Store, put_counts
from lpa.statistics.oracle import oracle_gain
from lpa.statistics.source_and_target import source_and_target, source_counts

VALUES = (1.0, 0.5, 0.1)


def source(home: float, runs: int = 4, values: tuple[float, ...] = VALUES) -> pd.DataFrame:
    """Counts of two classes of 100 and 10 images, best at one value."""
    rows = [
        ("rn50", TAU.name, value, run, name, int((0.9 if value == home else 0.5) * n) + run % 2, n)
        for value in values for run in range(runs) for name, n in (("dog", 100), ("cat", 10))
    ]  # fmt: skip
    columns = ["model", "axis", "value", "replicate", "class", "correct", "n"]
    return pd.DataFrame(rows, columns=columns)


def probe(path: Path, home: float = 0.5, seed: int = 0, **changes: object) -> Outcomes:
    """A target of six classes, of which the first is far better at 0.1 and the last at home."""
    wanted = {
        1.0: [0.3, 0.6, 0.7, 0.8, 0.7, 0.5],
        0.5: [0.5, 0.6, 0.7, 0.8, 0.7, 0.9],
        0.1: [0.95, 0.75, 0.8, 0.8, 0.7, 0.5],
    }
    runs = write_sweep(path, wanted, runs=5, per_class=40, seed=seed)
    put_counts(Store(runs), source(home, **changes), SOURCE)  # type: ignore[arg-type]
    return Outcomes(runs)


def test_the_sources_best_value_has_the_highest_mean_of_its_classes(tmp_path: Path) -> None:
    found = source_and_target(probe(tmp_path / "run"))
    assert set(found.classes["source_value"]) == {0.5} == set(found.gains["source_value"])
    curve = found.curves[found.curves["of"] == "source"].set_index("value")
    # Means of the two classes' accuracies, not of their images: one more in ten weighs more.
    runs = [(0.9 + 0.9) / 2, (0.91 + 1.0) / 2] * 2
    assert curve.loc[0.5, "accuracy"] == pytest.approx(np.mean(runs))
    reach = stats.t.ppf(0.975, 3) * np.std(runs, ddof=1) / 2
    assert curve.loc[0.5, "low"] == pytest.approx(np.mean(runs) - reach)
    assert curve.loc[0.5, "high"] == pytest.approx(min(1.0, np.mean(runs) + reach))


def test_each_class_is_compared_at_its_best_value_with_limits_for_all_values(
    tmp_path: Path,
) -> None:
    run = probe(tmp_path / "run")
    table = source_and_target(run).classes
    correct, cells = run.column("prediction") == run.samples.label, run.cells["value"].to_numpy()
    p_values = []
    for row in table.to_dict("records"):
        mine = correct[:, run.samples.label == row["label"]].astype(float)
        n, runs = mine.shape[1], 5
        home = mine[cells == 0.5]
        found = []
        for value in (1.0, 0.1):
            other = mine[cells == value]
            gain = other.mean(axis=0) - home.mean(axis=0)
            with_two = np.append(gain, [1.0, -1.0])
            middle = with_two.mean()
            image = with_two.var() / (n + 2)
            parts = [arm.mean(axis=1).var(ddof=1) / runs for arm in (home, other)]
            error = np.sqrt(image + sum(parts))
            freedom = error**4 / (image**2 / (n - 1) + sum(part**2 / (runs - 1) for part in parts))
            # 95 % for two values together is 97.5 % for each, 1.25 % on a side.
            reach = stats.t.ppf(1 - 0.0125, freedom) * error
            found.append((gain.mean(), value, middle - reach, middle + reach,
                          stats.t.sf(middle / error, freedom)))  # fmt: skip
        p_values.append(min(1.0, 2 * min(each[4] for each in found)))
        best = max(found)
        assert row["p"] == pytest.approx(p_values[-1])
        assert row["accuracy"] == pytest.approx(home.mean())
        if best[0] > 1e-9:
            assert row["best_value"] == best[1] and row["gain"] == pytest.approx(best[0])
            assert row["low"] == pytest.approx(max(-1, best[2]))
            assert row["high"] == pytest.approx(min(1, best[3]))
            assert row["best_accuracy"] == pytest.approx(home.mean() + best[0])
        else:
            assert row["best_value"] == 0.5 and row["gain"] == 0 and np.isnan(row["low"])
    np.testing.assert_allclose(table["p_holm"], multipletests(p_values, method="holm")[1])
    first, last = table.iloc[0], table.iloc[5]
    assert first["best_value"] == 0.1 and first["p_holm"] < 0.01 and first["low"] > 0.1
    assert last["best_value"] == 0.5 and last["p"] == 1.0


def test_the_gain_is_the_oracles_where_the_source_and_the_target_agree(tmp_path: Path) -> None:
    wanted = {1.0: [0.1] * 6, 0.5: [*[0.2] * 5, 0.9], 0.1: [*[0.9] * 5, 0.3]}
    path = write_sweep(tmp_path / "run", wanted, runs=5, per_class=40)
    put_counts(Store(path), source(0.1), SOURCE)
    run = Outcomes(path)
    single = oracle_gain(run)
    assert set(single["single_value"]) == {0.1}  # the target's own best in every split
    found = source_and_target(run).gains.set_index("estimate")
    theirs = single.set_index(["estimate", "halves"])
    for name, halves in (("naive", "none"), ("split", "runs and images")):
        for column in ("gain", "low", "high"):
            assert found.loc[name, column] == pytest.approx(
                theirs.loc[(name, halves), column], nan_ok=True
            )


def test_the_naive_gain_is_the_mean_of_best_accuracies_minus_that_at_the_sources_value(
    tmp_path: Path,
) -> None:
    run = probe(tmp_path / "run", home=1.0)
    naive = source_and_target(run).gains.set_index("estimate").loc["naive"]
    correct, cells = run.column("prediction") == run.samples.label, run.cells["value"].to_numpy()
    means = np.array([
        [correct[cells == value][:, run.samples.label == label].mean() for label in range(6)]
        for value in VALUES
    ])  # fmt: skip
    assert naive["accuracy"] == pytest.approx(means[0].mean())
    assert naive["gain"] == pytest.approx(means.max(axis=0).mean() - means[0].mean())
    assert naive["target_value"] == 0.1


def test_only_values_that_both_have_can_be_the_sources_best(tmp_path: Path) -> None:
    run = probe(tmp_path / "run", home=0.7, values=(0.7, 0.5))
    assert set(source_and_target(run).classes["source_value"]) == {0.5}


def test_counts_that_were_stored_twice_count_once(tmp_path: Path) -> None:
    run = probe(tmp_path / "run")
    put_counts(run.store, source(0.5, values=(0.5,)), SOURCE)
    assert len(source_counts(run)) == len(source(0.5))


def test_of_other_runs_and_of_unknown_backbones_nothing_is_said(tmp_path: Path) -> None:
    sweep = Outcomes(write_sweep(tmp_path / "sweep", {1.0: [0.5] * 3, 0.5: [0.5] * 3}))
    assert all(not len(table) for table in source_and_target(sweep))
    put_counts(sweep.store, source(0.5).assign(model="other"), SOURCE)
    found = source_and_target(sweep)
    assert all(not len(table) for table in found)
    assert found.gains.attrs["notes"] == [
        "rn50 on random_crop: nothing is known of the backbones on their own data"
    ]
