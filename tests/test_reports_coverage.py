"""The published tables of coverage and size: whole, and within what is promised."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lpa.statistics.rank_posterior import STEPS

TABLES = Path(__file__).parent.parent / "reports" / "statistics"


def published(name: str) -> pd.DataFrame:
    return pd.read_csv(TABLES / f"{name}.csv")


@pytest.mark.parametrize("name", ["proportion", "means", "both_levels", "threshold"])
def test_intervals_cover_nearly_as_stated_on_average_and_at_least(name: str) -> None:
    table = published(name)
    # Fieller's rows and thresholds count samples where the statistic is defined.
    assert (table["repetitions"] >= (1000 if name == "means" else 4000)).all()
    assert {10, 20, 50} <= set(table["n"])
    if "draws" in table:
        assert {1, 8} <= set(table["draws"])
    groups = [column for column in ("interval", "level", "draws") if column in table]
    excess = table["coverage"] - table["nominal"]
    assert (excess.groupby([table[g] for g in groups]).mean() if groups else excess.mean()
            ).min() >= -0.01  # fmt: skip
    assert excess.min() >= -0.05


def test_run_intervals_alone_do_not_cover_the_class() -> None:
    table = published("both_levels")
    assert table["coverage_run"].min() < 0.7 < table["coverage"].min()


def test_the_flag_of_recovery_errs_seldom() -> None:
    table = published("threshold")
    falling = ~table["curve"].isin(["comes back", "gains first"])
    assert table[falling]["recovers"].max() <= 0.05


def test_tests_keep_their_level_up_to_fifty_images() -> None:
    table = published("drop_test")
    slack = 3 * np.sqrt(table["level"] * (1 - table["level"]) / table["repetitions"])
    kept = table["size"] <= table["level"] + slack
    assert (table["repetitions"] >= 4000).all()
    assert kept[table["test"] == "exact McNemar"].all()
    few = table["n"] <= 50
    assert kept[few & (table["level"] == 0.05)].all()
    assert table["family"].str.startswith("Holm").any()
    # What E2 does not keep is published too: skewed differences, at 1 % or of more images.
    assert set(table[few & ~kept]["scenario"]) == {"accuracy .93, skewed"}
    single = table["family"] == "one test"
    assert table[single & (table["level"] == 0.05)]["size"].max() < 0.07
    assert table[single & (table["level"] == 0.01)]["size"].max() < 0.02


def test_groups_are_covered_where_the_normal_interval_is_not() -> None:
    table = published("groups")
    assert (table["repetitions"] >= 4000).all()
    assert table["coverage"].mean() >= 0.94 and table["coverage"].min() >= 0.90
    assert table["coverage_normal"].min() < 0.4


def test_run_tests_keep_their_level_within_a_point_unless_runs_are_very_unequal() -> None:
    table = published("run_tests")
    assert (table["repetitions"] >= 4000).all()
    few = table[["runs", "runs_reference"]].min(axis=1)
    unequal = table[["runs", "runs_reference"]].max(axis=1) / few
    welch = (table["test"] == "Welch t") & (few >= 5)
    assert table[welch & (unequal < 2)]["size"].max() <= 0.06
    assert 0.06 < table[welch & (unequal >= 2)]["size"].max() < 0.075
    moderated = table["test"] == "moderated t"
    assert table[moderated & (unequal < 4)]["size"].max() <= 0.06
    assert table[moderated]["size"].max() < 0.061


def test_ranges_are_wrong_as_seldom_as_promised_at_the_stated_sizes() -> None:
    table = published("policy")
    most = 0.05 + 3 * np.sqrt(0.05 * 0.95 / table["repetitions"])
    kept = table["wrong"] <= most
    assert (table["repetitions"] >= 4000).all()
    assert kept[table["n"].isin([20, 50]) | (table["draws"] == 8)].all()
    # With one draw the rest is in policy_exact, and said where policies are made.
    assert set(table[~kept]["n"]) <= {23, 100} and table["wrong"].max() < 0.07
    assert table["wrong_point_estimate"].max() > 0.6


def test_ranks_oracle_and_agreement_are_within_their_bounds() -> None:
    ranks = published("ranking")
    assert ranks[ranks["steps"] == STEPS]["coverage"].min() >= 0.93
    assert set(ranks["losses"]) == {"normal", "skewed", "beta"}
    oracle = published("oracle")
    assert (oracle["naive"] > oracle["truth"]).all()
    assert (oracle["split"] <= oracle["truth"] + 3 * oracle["split_error"]).all()
    assert (oracle["split"] - oracle["gain_of_choices"]).abs().max() <= 0.002
    agreement = published("agreement").set_index("scenario")
    assert abs(agreement.loc["no class differences", "correlation"]) <= 0.03
