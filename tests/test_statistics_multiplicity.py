from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from lpa.errors import InputError
from lpa.statistics.multiplicity import CORRECTED, corrected


def slow_holm(values: list[float]) -> list[float]:
    """Holm's definition: the k-th smallest of m times m - k, never falling, at most 1."""
    m = len(values)
    return [
        min(1.0, max((m - sum(o < other for o in values)) * other
                     for other in values if other <= value))
        for value in values
    ]  # fmt: skip


def slow_hochberg(values: list[float]) -> list[float]:
    m = len(values)
    return [
        min([1.0, *(m * other / sum(o <= other for o in values)
                    for other in values if other >= value)])
        for value in values
    ]  # fmt: skip


def frame_of(values: list[float], families: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"p": values, "model": families})


def test_each_family_is_corrected_by_itself_as_a_slow_loop_does() -> None:
    generator = np.random.default_rng(0)
    values = (generator.uniform(size=60) ** 3).round(2)
    families = generator.choice(["a", "b", "c"], 60)
    table = corrected(frame_of(list(values), list(families)), by=["model"])
    assert set(CORRECTED) <= set(table.columns)
    for name in "abc":
        mine = table[table["model"] == name]
        assert mine["p_holm"].tolist() == pytest.approx(slow_holm(mine["p"].tolist()))
        assert mine["p_bh"].tolist() == pytest.approx(slow_hochberg(mine["p"].tolist()))
        assert (mine["m"] == len(mine)).all() and (mine["family"] == f"model={name}").all()


def test_all_three_corrections_equal_statsmodels() -> None:
    values = (np.random.default_rng(1).uniform(size=40) ** 4).round(3)
    frame = pd.DataFrame({"p": values})
    for method, column, chosen in (
        ("holm", "p_holm", "fdr_bh"), ("fdr_bh", "p_bh", "fdr_bh"), ("fdr_by", "p_bh", "fdr_by"),
    ):  # fmt: skip
        expected = multipletests(values, method=method)[1]
        np.testing.assert_allclose(corrected(frame, method_fdr=chosen)[column], expected)


def test_many_families_are_corrected_in_a_moment() -> None:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"p": generator.uniform(size=700_000), "value": np.repeat(range(700), 1000)}
    )
    start = time.perf_counter()
    assert (corrected(frame, by=["value"])["m"] == 1000).all()
    assert time.perf_counter() - start < 5


def test_a_class_that_cannot_be_tested_is_no_test_and_is_counted_apart() -> None:
    with_gaps = corrected(frame_of([0.01, np.nan, 0.04, np.nan, 0.5], ["a"] * 5), by=["model"])
    without = corrected(frame_of([0.01, 0.04, 0.5], ["a"] * 3), by=["model"])
    for name in ("p_bh", "p_holm"):
        assert with_gaps[name].isna().tolist() == [False, True, False, True, False]
        assert with_gaps[name].dropna().tolist() == without[name].tolist()
    assert with_gaps["m"].tolist() == [3] * 5
    assert with_gaps["untestable"].tolist() == [2] * 5


def test_a_family_of_which_nothing_can_be_tested_has_no_tests() -> None:
    table = corrected(frame_of([np.nan, np.nan, 0.2], ["a", "a", "b"]), by=["model"])
    assert table["m"].tolist() == [0, 0, 1]
    assert table["p_bh"].isna().tolist() == [True, True, False]
    assert table["p_holm"].iloc[2] == 0.2


def test_without_columns_all_rows_are_one_family() -> None:
    table = corrected(frame_of([0.01, 0.02], ["a", "b"]), by=[])
    assert table["family"].tolist() == ["all", "all"]
    assert table["p_holm"].tolist() == pytest.approx([0.02, 0.02])


def test_families_are_written_with_their_columns_and_a_missing_axis_is_a_family_too() -> None:
    frame = pd.DataFrame(
        {"p": [0.1, 0.2, 0.3], "model": ["a", "a", "a"], "value": [0.08, 0.08, np.nan]}
    )
    table = corrected(frame, by=["model", "axis", "value"])
    assert table["family"].tolist()[:2] == ["model=a, value=0.08"] * 2
    assert table["family"].tolist()[2] == "model=a"
    assert table["m"].tolist() == [2, 2, 1]


def test_an_empty_table_keeps_the_columns() -> None:
    table = corrected(frame_of([], []), by=["model"])
    assert len(table) == 0 and set(CORRECTED) <= set(table.columns)


def test_another_correction_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        corrected(frame_of([0.1], ["a"]), method_fdr="bonferroni")  # type: ignore[arg-type]
    assert str(caught.value) == "correction 'bonferroni' is unknown; expected fdr_bh or fdr_by"


def test_holm_keeps_the_chance_of_any_false_claim_and_hochberg_the_share_of_false_ones() -> None:
    generator = np.random.default_rng(2)
    any_false, share = 0, 0.0
    for _ in range(1000):
        values = generator.uniform(size=40)
        values[:10] = stats.norm.sf(stats.norm.isf(values[:10]) + 3)
        table = corrected(pd.DataFrame({"p": values}))
        any_false += bool((table["p_holm"] <= 0.05)[10:].any())
        claims = (table["p_bh"] <= 0.05).to_numpy()
        share += claims[10:].sum() / max(1, claims.sum())
    error = 3 * np.sqrt(0.05 * 0.95 / 1000)
    assert any_false / 1000 <= 0.05 + error
    assert share / 1000 <= 0.05 * 0.75 + error
