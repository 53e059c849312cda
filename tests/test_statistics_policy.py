"""Policies: the rule against slow loops, the promise, and the record with its fingerprints."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from simulations.policy import AXIS, simulate
from simulations.repetitions import run_of_repetitions
from synthetic import CROP, made_up_cells, made_up_samples, write_run

from lpa.errors import InputError
from lpa.outcomes import Outcomes, Samples, content_hash
from lpa.statistics.both_levels import both_limit
from lpa.statistics.policy import RANGES, VALUES, class_states, images_needed, policy, safety
from lpa.statistics.policy_record import SELECTED, policy_record, read_policy, share_selected


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    folder = tmp_path_factory.mktemp("runs") / "run"
    return Outcomes(write_run(folder, per_class=[120, 30, 1, 200], draws=2, pictures=False))


def upper_without_loss(n: int, confidence: float) -> float:
    """E2 by hand: n zeros, +1 and -1."""
    return float(stats.t.ppf(confidence, n - 1) * np.sqrt(2) / (n + 2))


def test_safety_takes_23_images_for_ten_points_and_46_for_five() -> None:
    assert images_needed(0.10) == 23 and images_needed(0.05) == 46
    for drop, confidence in ((0.1, 0.95), (0.02, 0.95), (0.1, 1 - 0.05 / 1000), (0.9, 0.9)):
        needed = images_needed(drop, confidence)
        assert upper_without_loss(needed, confidence) < drop
        assert needed == 2 or upper_without_loss(needed - 1, confidence) >= drop


def test_states_and_ranges_equal_a_slow_loop(outcomes: Outcomes) -> None:
    states, ranges = class_states(outcomes), policy(outcomes)
    assert tuple(states.columns) == VALUES and tuple(ranges.columns) == RANGES
    long = outcomes.table()
    for row in ranges[(ranges["model"] == "first") & (ranges["axis"] == "crop")].itertuples():
        here = long[(long["model"] == "first") & (long["axis"] == "crop")
                    & (long["label"] == row.label)]  # fmt: skip
        share = (here["prediction"] == here["label"]).groupby([here["value"], here["sample"]])
        share = share.mean().unstack("sample").sort_index(ascending=False)
        expected, last, still = [], 1.0, True
        n = share.shape[1]
        for value in share.index[1:]:
            d = (share.loc[1.0] - share.loc[value]).to_numpy()
            if n < 2:
                expected.append("undefined")
                continue
            with_two = np.append(d, [1, -1])
            error = np.sqrt(with_two.var() / (n + 2))
            reach = stats.t.ppf(0.95, n - 1) * error
            still = still and with_two.mean() + reach < 0.1
            last = value if still else last
            unsafe = with_two.mean() - reach > 0.1
            expected.append("safe" if still else "unsafe" if unsafe else "undecided")
        mine = states[(states["model"] == "first") & (states["axis"] == "crop")
                      & (states["label"] == row.label)]  # fmt: skip
        assert mine["state"].tolist() == expected
        assert row.state == expected[-1] and row.steps == expected.count("safe")
        assert row.safe_to == pytest.approx(last if n > 1 else np.nan, nan_ok=True)
        unsafe_values = [v for v, s in zip(mine["value"], expected, strict=True) if s == "unsafe"]
        first = unsafe_values[0] if unsafe_values else np.nan
        assert row.unsafe_from == pytest.approx(first, nan_ok=True)
        assert (row.n, row.needed, row.level, row.reference) == (n, 23, "image", 1.0)
    assert set(states["state"]) == {"safe", "undecided", "unsafe", "undefined"}


def test_a_value_behind_one_that_is_not_safe_is_not_safe_either() -> None:
    high = np.array([[0.05, 0.2, np.nan], [0.15, 0.05, 0.0], [0.05, 0.05, 0.0]])
    low = np.array([[0.0, 0.11, np.nan], [0.0, 0.0, -0.1], [0.0, 0.0, -0.1]])
    states = safety(low, high, 0.1, np.zeros(3, dtype=bool))
    assert states.T.tolist() == [
        ["safe", "undecided", "undecided"],
        ["unsafe", "undecided", "undecided"],
        ["undecided", "undecided", "undecided"],
    ]


def test_a_class_that_cannot_lose_that_much_is_undefined_and_never_safe() -> None:
    right = np.zeros((1, 50, 1), dtype=bool)
    right[0, :5] = True
    run = run_of_repetitions(AXIS, [right] * 5)
    row = policy(run).iloc[0]
    assert row["state"] == "undefined" and np.isnan(row["safe_to"]) and row["steps"] == 0
    assert policy(run, drop=0.05)["state"].iloc[0] != "undefined"


def test_few_images_are_never_safe_though_nothing_is_lost() -> None:
    for n, state in ((22, "undecided"), (23, "safe")):
        right = np.ones((1, n, 1), dtype=bool)
        row = policy(run_of_repetitions(AXIS, [right] * 5)).iloc[0]
        assert row["state"] == state and row["needed"] == 23
        assert row["safe_to"] == (0.2 if n == 23 else 1.0)


def test_the_promise_for_all_classes_divides_the_level(outcomes: Outcomes) -> None:
    one, every = class_states(outcomes), class_states(outcomes, family="all")
    assert (one["confidence"] == 0.95).all()
    assert every["confidence"].to_numpy() == pytest.approx(1 - 0.05 / 4)
    inside = one["high"] < 1
    assert (every["high"] > one["high"])[inside].all() and inside.sum() > 50
    assert (policy(outcomes, family="all")["needed"] == images_needed(0.1, 1 - 0.05 / 4)).all()


def test_sweeps_are_judged_for_new_trainings_too() -> None:
    generator = np.random.default_rng(0)
    right = [generator.uniform(size=(3, 60, 6)) < 0.9 - 0.02 * v for v in range(5)]
    table = class_states(run_of_repetitions(AXIS, right, "sweep"))
    assert (table["level"] == "both").all()
    d = right[0].mean(axis=2) - right[1].mean(axis=2)
    runs = [(right[v].mean(axis=1).var(axis=1, ddof=1), 6) for v in (0, 1)]
    high = both_limit(d.sum(axis=1), (d**2).sum(axis=1), 60, runs, 0.95, "upper")
    np.testing.assert_allclose(table["high"][:3], high)


def test_one_run_at_the_reference_leaves_a_sweep_undecided(tmp_path: Path) -> None:
    outcomes = Outcomes(write_run(tmp_path / "run", kind="sweep", per_class=40, pictures=False))
    assert set(policy(outcomes)["state"]) == {"undecided"}


def test_ranges_are_wrong_at_most_as_often_as_promised() -> None:
    table = simulate(400, sizes=(20, 50), gates=False)
    error = np.sqrt(0.05 * 0.95 / 400)
    assert (table["wrong"] <= 0.05 + 3 * error).all() and table["wrong"].mean() <= 0.05
    worst = table[["wrong_point_estimate", "wrong_no_significant"]].max()
    assert worst["wrong_point_estimate"] > 0.5 and worst["wrong_no_significant"] > 0.7


def test_a_drop_out_of_range_is_refused(outcomes: Outcomes) -> None:
    for drop, message in (
        (0.0, "drop 0 cannot be shown not to be exceeded; give more, such as 0.1"),
        (1.5, "drop 1.5 is out of range; expected a fraction from 0 to below 1, such as 0.1 for "
              "10 accuracy points"),
        (1e-9, "drop 1e-09 cannot be shown with a million images; give a larger one"),
    ):  # fmt: skip
        with pytest.raises(InputError) as caught:
            policy(outcomes, drop=drop)
        assert str(caught.value) == message


# ---- the record ------------------------------------------------------------------------------


def test_a_record_is_json_and_holds_the_ranges(outcomes: Outcomes, tmp_path: Path) -> None:
    record = policy_record(outcomes, "crop", "second")
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(record, allow_nan=False))
    assert read_policy(path) == record
    table = policy(outcomes, axis="crop")
    table = table[table["model"] == "second"].set_index("class")
    assert set(record["classes"]) == {"n0", "n1", "n2", "n3"}
    assert record["classes"]["n2"]["range"] is None
    for name in ("n0", "n1", "n3"):
        assert record["classes"][name]["range"] == [1.0, table.loc[name, "safe_to"]]
        assert len(record["classes"][name]["states"]) == len(record["values"]) == 6
    assert (record["drop"], record["level"], record["family"]) == (0.1, "image", "one")
    assert record["axis"]["stronger"] == "down" and record["values"][0] == 0.8


def test_a_record_has_the_fingerprints_of_its_images_and_cells(outcomes: Outcomes) -> None:
    record = policy_record(outcomes, "crop", "first")
    assert record["images"]["fingerprint"] == outcomes.samples.fingerprint
    assert record["images"]["n"] == 351
    keys = sorted(outcomes.samples.key.tolist())
    assert [int(key, 16) for key in record["images"]["smallest_keys"]] == keys
    cells = [e.cell for e in outcomes.coverage if e.cell.model == "first"]
    mine = sorted(cell.id for cell in cells if cell.axis in (None, "crop"))
    assert record["runs"] == [
        {"kind": "scan", "data": "made-up data", "fingerprint": content_hash(mine)}
    ]
    assert policy_record(outcomes, "crop", "second")["runs"] != record["runs"]


def test_scores_on_the_same_images_are_recognised(outcomes: Outcomes, tmp_path: Path) -> None:
    assert SELECTED == "selected on these images"
    record = policy_record(outcomes, "crop", "first")
    assert share_selected(record, outcomes) == 1.0
    part = outcomes.samples.take(np.arange(0, 40))
    half = made_up_samples(4, 40)
    mixed = Samples(
        half.sample[:80], np.append(part.key, half.key[120:] + np.uint64(1)), half.name[:80],
        half.label[:80], half.split[:80], half.size[:80],
    )  # fmt: skip
    other = Outcomes(write_run(tmp_path / "run", samples=mixed, pictures=False))
    assert share_selected(record, other) == 0.5


def test_the_smallest_keys_estimate_the_share_of_large_policies(
    outcomes: Outcomes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lpa.statistics.policy_record.KEYS", 50)
    record = policy_record(outcomes, "crop", "first")
    assert len(record["images"]["smallest_keys"]) == 50
    assert share_selected(record, outcomes) == 1.0
    # Keys above the largest one recorded tell nothing.
    record["images"]["smallest_keys"] = ["0000000000000001"]
    assert np.isnan(share_selected(record, outcomes))


def test_a_record_is_of_one_model_and_axis(outcomes: Outcomes, tmp_path: Path) -> None:
    single = write_run(tmp_path / "one", models=["m"], axes={CROP: (1.0, 0.5)}, pictures=False)
    assert policy_record(Outcomes(single))["model"] == "m"
    cells = made_up_cells(["m"], {CROP: (1.0, 0.5)}, 2)
    gone = [(shard, row) for row, c in enumerate(cells) if c.axis is None for shard in range(3)]
    ragged = write_run(tmp_path / "two", models=["m"], axes={CROP: (1.0, 0.5)}, missing=gone,
                       pictures=False)  # fmt: skip
    empty = write_run(tmp_path / "three", models=["m"], axes={CROP: (1.0,)}, pictures=False)
    for unit in (empty / "units").iterdir():
        unit.unlink()
    for call, message in (
        (lambda: policy_record(Outcomes(empty)),
         f"{empty} holds no complete cell to choose a policy from"),
        (lambda: policy_record(outcomes), "a policy is of one model, and the run has 2 "
                                          "(first, second); give --model NAME"),
        (lambda: policy_record(outcomes, model="first"), "a policy is of one axis, and the run "
                                                         "has 2 (crop, cutout); give --axis NAME"),
        (lambda: policy_record(outcomes, "blur", "first"),
         "unknown axis 'blur': known: crop, cutout"),
        (lambda: policy_record(Outcomes(ragged)),
         "m on crop: nothing measured at the reference 1; no losses are given"),
    ):  # fmt: skip
        with pytest.raises(InputError) as caught:
            call()
        assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "{path} is no policy; expected the JSON that `lpa policy` wrote"),
        ('{"kind": "policy", "format": 9}', "{path} has format 9; this version of lpa reads "
         "format 1: write it again with `lpa policy`"),
        ("x", "{path} is no JSON (Expecting value: line 1 column 1 (char 0)); expected the JSON "
              "that `lpa policy` wrote"),
        (None, "{path} cannot be read (No such file or directory); expected the JSON that `lpa "
               "policy` wrote"),
    ],
)  # fmt: skip
def test_other_files_are_no_policies(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "policy.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_policy(path)
    assert str(caught.value) == message.format(path=path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"classes": []}, "classes is [], expected an object"),
        ({"drop": None}, "drop is None, expected a finite number"),
        ({"classes": {"a": {"range": None, "states": ["safe"], "n": 3}}},
         "classes.a.states does not have a state for each of crop"),
        ({"images": {"fingerprint": "00", "n": 1, "smallest_keys": ["x"]}},
         "images.smallest_keys holds 'x', expected 16 digits"),
        ({"images": None}, "images is None, expected an object"),
        ({"limits": 3}, "limits is 3, expected an object"),
    ],
)  # fmt: skip
def test_a_policy_with_a_value_of_another_kind_is_named(
    tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    record = {
        "kind": "policy", "format": 1, "model": "m", "split": "val", "family": "one",
        "level": "image", "drop": 0.1, "confidence": 0.95, "values": [0.5, 0.2], "classes": {},
        "axis": {"name": "crop", "unit": "u", "reference": 1.0},
        "images": {"fingerprint": "00", "n": 1, "smallest_keys": ["0123456789abcdef"]},
    }  # fmt: skip
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(record))
    assert read_policy(path) == record
    path.write_text(json.dumps(record | change))
    with pytest.raises(InputError) as caught:
        read_policy(path)
    assert str(caught.value) == (
        f"{path} is no whole policy ({reason}); expected the JSON that `lpa policy` wrote"
    )
