"""Sweeps and policies side by side: the page's comparison holds the statistics' own numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests
from synthetic import write_run
from trained_runs import write_policies, write_sweep

from lpa.outcomes import Outcomes
from lpa.report.comparisons import compare_sweeps
from lpa.report.sources import Sources
from lpa.report.wording import NOTHING
from lpa.statistics.arms import Arm
from lpa.statistics.end_points import end_points
from lpa.statistics.sweeps_compared import sweeps_compared

FLAT = [0.8] * 10
ADAPTIVE = {"name": "adaptive_strength", "record": {}}


def sweep(
    path: Path,
    better: float = 0.0,
    values: tuple[float, ...] = (1.0, 0.5),
    runs: int = 5,
    seed: int = 0,
    policies: Mapping[str, Mapping[str, object]] | None = None,
) -> Path:
    """Write a sweep of rn50 and of its policies, all better than .8 by so much beside 1."""
    wanted = {value: [share + better * (value < 1) for share in FLAT] for value in values}
    models = {"rn50": wanted, **dict.fromkeys(policies or {}, wanted)}
    return write_policies(path, models, policies, runs, 30, seed)


def test_two_sweeps_are_compared_at_the_values_that_both_have(tmp_path: Path) -> None:
    first = Outcomes(sweep(tmp_path / "a", values=(1.0, 0.5, 0.3)))
    second = Outcomes(sweep(tmp_path / "b", 0.15, values=(1.0, 0.5, 0.1), seed=1))
    found = compare_sweeps(Sources([first, second]))
    assert found.first == ["rn50 · a"] and found.ends.notes == []
    assert [row[:3] for row in found.ends.rows] == [
        ["rn50 · b", value, end]
        for value in ("1", "0.5") for end in ("mean of classes", "worst 10 %, split")
    ]  # fmt: skip
    own = end_points(Arm("x", first, 0.5), [Arm("y", second, 0.5)], halvings=50)
    here = own[(own["level"] == "both") & (own["direction"] == "lower")].set_index("end_point")
    mean = here.loc["mean of classes"]
    assert found.ends.rows[2][5] == f"{100 * mean['difference']:+.1f}"
    assert found.ends.rows[2][6] == f"{100 * mean['low']:+.1f} to {100 * mean['high']:+.1f}"
    assert [row[-1] for row in found.ends.rows][::2] == ["not shown", "higher"]


def test_holm_is_over_end_points_and_values_together(tmp_path: Path) -> None:
    runs = [Outcomes(sweep(tmp_path / name, 0.05 * seed, seed=seed))
            for seed, name in enumerate(("a", "b", "c"))]  # fmt: skip
    numbers = compare_sweeps(Sources(runs)).ends.numbers
    for _, part in numbers.groupby(["level", "direction"]):
        # Two sweeps beside the first, two values, two end points.
        assert len(part) == 8 and (part["m"] == 8).all()
        expected = multipletests(part["p"], method="holm")[1]
        np.testing.assert_allclose(part["p_holm"], expected, rtol=1e-4)


def test_classes_that_differ_are_counted_and_listed(tmp_path: Path) -> None:
    first = Outcomes(write_sweep(tmp_path / "a", {0.5: [0.9] * 10}, runs=6, per_class=40))
    other = {0.5: [0.2, *[0.9] * 9]}
    second = Outcomes(write_sweep(tmp_path / "b", other, runs=6, per_class=40, seed=1))
    found = compare_sweeps(Sources([first, second]))
    own = sweeps_compared(Arm("x", first, 0.5), [Arm("y", second, 0.5)])
    for row in found.counts.rows:
        assert row[2] in ("run", "both") and row[7] == "10"
        mine = own[(own["level"] == row[2]) & (own["direction"] == "lower")]
        assert int(row[3]) == (mine["p_holm"] <= 0.025).sum() >= 1
    lost = found.classes.rows[0]
    assert lost[0] == "c000" and lost[-1] == "lower"
    # One row a class, value and comparison, with both directions in it.
    assert len(found.classes.numbers) == 10
    both = own[(own["level"] == "both") & (own["direction"] == "higher")].set_index("class")
    shown = found.classes.numbers.set_index("class")
    np.testing.assert_allclose(
        shown["p_holm_higher"], both["p_holm"].reindex(shown.index), atol=1e-6
    )


def test_a_policy_is_compared_with_the_plain_training(tmp_path: Path) -> None:
    chosen = [f"c{number:03d}" for number in range(10) if number not in (1, 3)]
    targeted = {"name": "file", "record": {"chosen": chosen}}
    policies = {"rn50+adaptive_strength": ADAPTIVE, "rn50+file": targeted}
    run = Outcomes(sweep(tmp_path / "run", policies=policies))
    found = compare_sweeps(Sources([run]))
    assert found.first == ["rn50"]
    ends = [(row[0], row[2]) for row in found.ends.rows]
    assert ends == [
        ("adaptive_strength", "mean of classes"),
        ("adaptive_strength", "worst 10 %, split"),
        ("file", "mean of classes"),
        ("file", "mean of targeted classes"),
        ("file", "worst 10 %, split"),
    ]


def test_policies_beside_another_sweep_say_with_what_they_are_compared(tmp_path: Path) -> None:
    policies = {"rn50+adaptive_strength": ADAPTIVE}
    run = Outcomes(sweep(tmp_path / "run", policies=policies))
    other = Outcomes(sweep(tmp_path / "other", policies=policies, seed=1))
    found = compare_sweeps(Sources([run, other]))
    assert found.ends.head[:3] == ["Compared", "With", "random_crop"]
    pairs = dict.fromkeys((row[0], row[1]) for row in found.ends.rows)
    assert list(pairs) == [
        ("rn50+adaptive_strength · run", "rn50 · run"),
        ("rn50+adaptive_strength · other", "rn50 · other"),
        ("rn50 · other", "rn50 · run"),
    ]


def test_a_policy_chosen_on_all_of_these_images_has_no_test(tmp_path: Path) -> None:
    plain = Outcomes(sweep(tmp_path / "plain"))
    chosen = {"name": "file", "record": {}, "selected_on": [plain.record.fingerprint]}
    run = Outcomes(sweep(tmp_path / "run", 0.1, policies={"rn50+file": chosen}))
    found = compare_sweeps(Sources([run]))
    assert {row[-1] for row in found.ends.rows} == {"selected on these images: no test"}
    assert found.counts.notes == [
        "What is selected on these images has no test: chosen classes recover by luck alone"
    ]
    assert all(row[3:7] == [NOTHING] * 4 for row in found.counts.rows)


def test_many_values_are_thinned_evenly_whatever_they_show(tmp_path: Path) -> None:
    values = tuple(np.linspace(1.0, 0.05, 20).round(2).tolist())
    runs = [Outcomes(sweep(tmp_path / name, values=values, runs=2, seed=seed))
            for seed, name in enumerate(("a", "b"))]  # fmt: skip
    found = compare_sweeps(Sources(runs))
    shown = list(dict.fromkeys(found.ends.numbers["value"]))
    assert len(shown) == 8 and shown[0] == 1.0 and shown[-1] == 0.05
    assert found.ends.notes == [
        "rn50 · b and rn50 · a have 20 values of random_crop in common; 8 of them, evenly apart, "
        "are compared"
    ]


def test_what_cannot_be_compared_is_said(tmp_path: Path) -> None:
    first = Outcomes(sweep(tmp_path / "a"))
    once = Outcomes(sweep(tmp_path / "b", runs=1))
    found = compare_sweeps(Sources([first, once]))
    assert found.ends.rows == [] and found.first == []
    assert found.ends.notes == [
        "rn50 · b and rn50 · a have no value of random_crop in common at which both have two "
        "training runs"
    ]


def test_fixed_models_and_one_sweep_alone_are_not_compared(tmp_path: Path) -> None:
    scan = Outcomes(write_run(tmp_path / "scan", pictures=False))
    alone = Outcomes(sweep(tmp_path / "sweep"))
    for runs in ([scan], [alone], [scan, alone]):
        found = compare_sweeps(Sources(runs))
        assert found.ends.rows == [] and found.ends.notes == []
        pd.testing.assert_frame_equal(found.ends.numbers, pd.DataFrame())
