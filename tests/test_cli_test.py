from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from lpa_cli.test import command
from scipy import stats
from synthetic import CROP, write_run
from trained_runs import write_sweep

from lpa.outcomes import Outcomes, Store, create_or_check, put_counts, put_plan

HIGH, LOW = [0.9] * 6 + [0.5] * 6, [0.9] * 6 + [0.2] * 6


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "sweep"
    return write_sweep(folder, {1.0: HIGH, 0.5: HIGH, 0.08: LOW}, runs=6)


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "scan", per_class=[30, 30, 30, 1],
                     models=["m"], axes={CROP: (1.0, 0.5, 0.08)}, pictures=False)  # fmt: skip


def run(*arguments: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(command, [str(each) for each in arguments])


def rows_of(*arguments: str | Path) -> list[dict[str, object]]:
    return json.loads(run(*arguments, "--format", "json").stdout)


def lower_p_values(folder: Path, reference: float, value: float) -> np.ndarray:
    """Welch's p-values of every class, by scipy, from the counts."""
    counts = Outcomes(folder).counts
    found = []
    for name in dict.fromkeys(counts["class"]):
        mine = counts[counts["class"] == name]
        arms = [(mine["correct"] / mine["n"])[mine["value"] == v] for v in (value, reference)]
        found.append(stats.ttest_ind(*arms, equal_var=False, alternative="less").pvalue)
    return np.array(found)


def test_table_1_of_a_sweep(sweep: Path) -> None:
    rows = rows_of(sweep)
    assert [(row["value"], row["significance"]) for row in rows] == [
        (value, level) for value in (0.5, 0.08) for level in (0.1, 0.05, 0.01)
    ]
    for row in rows:
        p = lower_p_values(sweep, 1.0, row["value"])
        assert row["lower"] == pytest.approx(np.mean(p <= row["significance"]))
        assert row["nominal_bound"] == row["significance"] and row["level"] == "run"
    assert rows[-2]["lower_holm"] >= 2
    text = run(sweep).stdout.splitlines()
    assert text[0].startswith("run sweep, model rn50, axis random_crop, split val, reference 1")
    assert text[1].split() == [
        "value", "at", "lower", "%", "by", "luck", "%", "BH", "Holm", "higher", "%"
    ]  # fmt: skip


def test_any_pair_of_values(sweep: Path) -> None:
    rows = rows_of(sweep, "--values", ".08,.5", "--by-class")
    assert {(row["reference"], row["value"]) for row in rows} == {(0.08, 0.5)}
    p = [row["p"] for row in rows if row["direction"] == "lower"]
    np.testing.assert_allclose(p, lower_p_values(sweep, 0.08, 0.5))
    one = rows_of(sweep, "--value", ".08", "--significance", ".05")
    assert [(row["reference"], row["value"]) for row in one] == [(1.0, 0.08)]


def test_several_runs_stand_side_by_side(sweep: Path, tmp_path: Path) -> None:
    other = write_sweep(tmp_path / "other", {1.0: HIGH, 0.08: HIGH}, runs=6, seed=3)
    rows = rows_of(sweep, other, "--value", ".08", "--significance", ".05")
    assert [row["run"] for row in rows] == ["sweep", "other"]
    assert rows[0]["lower"] > rows[1]["lower"]


def test_families_and_false_discovery_rates(sweep: Path) -> None:
    def of(*options: str) -> list[dict[str, object]]:
        return rows_of(sweep, "--by-class", *options)

    assert {row["m"] for row in of()} == {12}
    assert {row["m"] for row in of("--family", "all")} == {24}
    by, bh = of("--fdr", "by"), of()
    assert all(a["p_bh"] >= b["p_bh"] for a, b in zip(by, bh, strict=True))
    assert any(a["p_bh"] > b["p_bh"] for a, b in zip(by, bh, strict=True))


def test_a_scan_is_tested_image_by_image(scan: Path) -> None:
    result = run(scan, "--format", "json")
    rows = json.loads(result.stdout)
    assert [row["direction"] for row in rows] == ["hurt"] * 4 + ["helped"] * 4
    assert {row["measure"] for row in rows} == {"mean_loss"}
    assert [row["p"] is None for row in rows] == [False, False, False, True] * 2
    lines = run(scan).stdout.splitlines()
    assert len(lines) == 2 + 4
    at_value = rows_of(scan, "--value", ".08")
    assert {row["value"] for row in at_value} == {0.08}


def test_a_scans_counts(scan: Path) -> None:
    (row,) = rows_of(scan, "--summary")
    tests = [each for each in rows_of(scan) if each["direction"] == "hurt"]
    assert row["hurt_holm"] == sum((each["p_holm"] or 1.0) <= 0.025 for each in tests)
    assert (row["classes"], row["untestable"]) == (4, 1)


def test_watched_classes_are_corrected_among_all(sweep: Path, scan: Path) -> None:
    rows = rows_of(sweep, "--classes", "c007")
    assert {row["class"] for row in rows} == {"c007"} and {row["m"] for row in rows} == {12}
    assert {row["label"] for row in rows_of(scan, "--classes", "canoe")} == {2}


def test_groups_have_means_and_counts(sweep: Path, scan: Path, tmp_path: Path) -> None:
    groups = tmp_path / "groups.json"
    groups.write_text(json.dumps({"kept": [f"c{i:03d}" for i in range(6)],
                                  "hurt": [f"c{i:03d}" for i in range(6, 12)]}))  # fmt: skip
    rows = rows_of(sweep, "--value", ".08", "--groups", groups)
    tests = rows_of(sweep, "--value", ".08", "--by-class")
    lower = {row["label"]: row for row in tests if row["direction"] == "lower"}
    for row in rows:
        members = range(6) if row["group"] == "kept" else range(6, 12)
        mean = np.mean([lower[label]["difference"] for label in members])
        assert row["difference"] == pytest.approx(mean)
        assert row["low"] < row["difference"] < row["high"]
        if row["level"] == "run":
            claims = sum(lower[label]["p_holm"] <= 0.025 for label in members)
            assert (row["hurt_holm"], row["classes"]) == (claims, 6)
        else:
            assert row["hurt_holm"] is None
    assert [row["level"] for row in rows] == ["run", "both"] * 2
    groups.write_text(json.dumps({"all": ["barn spider", "canoe"]}))
    (row,) = rows_of(scan, "--groups", groups)
    assert (row["group"], row["classes"], row["level"]) == ("all", 2, "image")


def test_few_seeds_of_few_classes_give_no_decision(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "run", {1.0: HIGH, 0.5: LOW}, runs=3)
    rows = rows_of(folder, "--by-class")
    assert {row["status"] for row in rows} == {"too few seeds, no decision"}
    assert {row["p"] for row in rows} == {None}
    (row, *_) = rows_of(folder)
    assert row["lower"] is None and row["claim"] == "too few seeds, no decision"
    # The table says so too, and shows Welch's shares, which decide nothing.
    text = run(folder).stdout.splitlines()
    assert "claim too few seeds, no decision" in text[0]
    p = lower_p_values(folder, 1.0, 0.5)
    levels = (0.1, 0.05, 0.01)
    assert [100 * float(np.mean(p <= level)) for level in levels] == pytest.approx(
        [float(line.split()[-1]) for line in text[2:]], abs=0.051
    )
    assert text[1].split()[-3:] == ["Welch", "lower", "%"]
    assert "p_welch" in run(folder, "--by-class").stdout


def test_looks_take_their_share_of_the_significance(sweep: Path) -> None:
    (row,) = rows_of(sweep, "--value", ".08", "--looks", "2", "--significance", ".1")
    assert (row["nominal_bound"], row["looks"]) == (0.05, 2)


def test_what_cannot_be_tested_is_one_line(sweep: Path, scan: Path, tmp_path: Path) -> None:
    single = write_sweep(tmp_path / "single", {1.0: HIGH, 0.5: LOW}, runs=1)
    for arguments, message in (
        ((sweep, scan), "scan is a run of fixed models and others are training runs; "
                        "test them apart"),
        ((scan, "--values", "1,.5"), "two values of a run of fixed models are compared image by "
         "image: use `lpa compare RUN --values`, or test one value with --value"),
        ((scan, "--paired"), "--paired belongs to training runs that share seeds; leave it out"),
        ((scan, "--summary", "--looks", "2"), "looks belong to training runs; leave them out"),
        ((single,), "rn50 on random_crop: value 1 has one training run; expected at least 2: "
                    "train more seeds"),
        ((sweep, "--value", ".3"),
         "rn50 on random_crop: value 0.3 is not there; it has 1, 0.5, 0.08"),
        ((sweep, "--values", ".5"), "1 value to test; expected two, such as --values 1,.5, or "
                                    "--value .5 for one beside the reference"),
        ((sweep, "--significance", "5"),
         "significance 5 is out of range; expected between 0 and 1"),
        ((sweep, "--summary", "--classes", "c001"),
         "counts are of all classes; leave --classes out, or give --by-class"),
    ):  # fmt: skip
        assert str(run(*arguments).exception) == message


def test_imported_counts_are_tested_like_the_outcomes_they_count(
    sweep: Path, tmp_path: Path
) -> None:
    outcomes = Outcomes(sweep)
    record = replace(outcomes.record, kind="import", reference={"holds": "counts"})
    store = Store(tmp_path / "counts")
    create_or_check(store, record, outcomes.samples)
    put_plan(store, outcomes.plans[0])
    put_counts(store, outcomes.counts)
    for option in ("--by-class", "--summary"):
        assert [{**row, "run": "", "split": "", "family": ""}
                for row in rows_of(tmp_path / "counts", option)] == [
            {**row, "run": "", "split": "", "family": ""} for row in rows_of(sweep, option)
        ]  # fmt: skip
    groups = tmp_path / "groups.json"
    groups.write_text(json.dumps({"a": ["c000"]}))
    counted = rows_of(tmp_path / "counts", "--groups", groups)
    measured = [row for row in rows_of(sweep, "--groups", groups) if row["level"] == "run"]
    assert [row.pop("run") for row in counted] == ["counts"] * len(measured)
    for mine, theirs in zip(counted, measured, strict=True):
        del theirs["run"]
        assert mine == {key: pytest.approx(each) for key, each in theirs.items()} | {"split": None}


def test_imported_predictions_of_trainings_are_tested_run_by_run(
    sweep: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(sweep, tmp_path / "sweep"))
    record = json.loads((folder / "run.json").read_text())
    record |= {"kind": "import", "reference": {"replicates": "trainings"}}
    del record["digest"]
    (folder / "run.json").write_text(json.dumps(record))
    assert rows_of(folder) == rows_of(sweep)


def test_shared_seeds_that_were_recorded_are_tested_in_pairs(sweep: Path, tmp_path: Path) -> None:
    outcomes = Outcomes(sweep)
    reference = {"holds": "counts", "replicates": "trainings", "paired_replicates": True}
    store = Store(tmp_path / "counts")
    create_or_check(store, replace(outcomes.record, kind="import", reference=reference),
                    outcomes.samples)  # fmt: skip
    put_plan(store, outcomes.plans[0])
    put_counts(store, outcomes.counts)
    rows = rows_of(tmp_path / "counts", "--value", ".08", "--by-class")
    assert {row["test"] for row in rows} == {"paired t, shared training seeds"}
    expected = rows_of(sweep, "--value", ".08", "--by-class", "--paired")
    assert [row["p"] for row in rows] == [row["p"] for row in expected]
    assert str(run(tmp_path / "counts", sweep).exception) == (
        "counts has training seeds that values share and sweep has not; test them apart"
    )
