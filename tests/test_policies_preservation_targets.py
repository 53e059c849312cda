"""Targets from a scan: confidence is the preservation, the rest its confusions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from policy_context import CLASSES, context, made, refusal
from synthetic import CROP, CUTOUT, made_up_samples, write_run
from trained_runs import write_sweep

from lpa.classes import Classes
from lpa.outcomes import Outcomes, Samples
from lpa.statistics.selected_images import choosing_half, scoring_keys
from lpa.training.batch import Batch
from lpa.training.policies.policy import Policy

GRID = (1.0, 0.6, 0.2)
SHUFFLED = ("c002", "c000", "c003", "c001")
TITLES = ("paddle", "barn spider", "oar", "canoe")


def elsewhere() -> Samples:
    """Images that no run here has."""
    samples = made_up_samples(4, 20)
    return Samples(samples.sample, samples.key + np.uint64(1), samples.name, samples.label,
                   samples.split, samples.size)  # fmt: skip


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(
        tmp_path_factory.mktemp("runs") / "scan", names=SHUFFLED, titles=TITLES, per_class=20,
        models=["m"], axes={CROP: GRID}, draws=3, pictures=False,
    )  # fmt: skip


def rows(policy: Policy, labels: list[int], strengths: list[float]) -> np.ndarray:
    batch = Batch(np.arange(len(labels)), torch.zeros(len(labels), 3, 8, 8), torch.tensor(labels))
    targets = policy.targets(batch, np.array(strengths), 4).targets
    assert targets is not None and targets.dtype == torch.float32
    return targets.numpy().astype(np.float64)


def expected_row(scan: Path, name: str, value: float, half: bool = False) -> np.ndarray:
    """The target of one class at one measured strength, from the long table."""
    outcomes = Outcomes(scan)
    table = outcomes.table()
    if half:
        chosen = choosing_half(outcomes.samples.key)
        table = table[[chosen[sample] for sample in table["sample"]]]
    mine = table[table["class"] == name]
    draws = [mine[mine["value"] == v] for v in (1.0, value)]
    before, at = ((d["prediction"] == d["label"]).mean() for d in draws)
    confidence = min(1.0, at / before)
    wrong = draws[1][draws[1]["prediction"] != draws[1]["label"]]
    counts = {other: 0.0 for other in CLASSES.names if other != name}
    for prediction in wrong["prediction"]:
        counts[SHUFFLED[prediction]] += 1
    total = sum(counts.values())
    return np.array([
        confidence if other == name else
        (1 - confidence) * (counts[other] / total if total else 1 / 3)
        for other in CLASSES.names
    ])  # fmt: skip


def test_at_a_measured_strength_the_target_is_the_scans_own_by_the_classes_names(
    scan: Path,
) -> None:
    policy = made(f"preservation_targets={scan}", evaluated=elsewhere())
    for value in GRID:
        found = rows(policy, [0, 1, 2, 3], [value] * 4)
        for label, name in enumerate(CLASSES.names):
            np.testing.assert_allclose(found[label], expected_row(scan, name, value), atol=1e-6)
    assert (rows(policy, [0, 1, 2, 3], [1.0] * 4) == np.eye(4)).all()
    assert (np.diagonal(rows(policy, [0, 1, 2, 3], [0.2] * 4)) < 1).any()


def test_between_two_strengths_targets_are_linear_and_beyond_the_last_they_stay(
    scan: Path,
) -> None:
    policy = made(f"preservation_targets={scan}", evaluated=elsewhere())
    labels = [3, 1, 0, 2, 2]
    found = rows(policy, labels, [0.9, 0.3, 0.08, 0.2, 1.0])
    at = {(label, value): expected_row(scan, CLASSES.names[label], value)
          for label in range(4) for value in GRID}  # fmt: skip
    expected = [
        0.75 * at[3, 1.0] + 0.25 * at[3, 0.6],
        0.25 * at[1, 0.6] + 0.75 * at[1, 0.2],
        at[0, 0.2], at[2, 0.2], at[2, 1.0],
    ]  # fmt: skip
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-6)
    assert policy.notes == (
        f"preservation_targets: random_crop reaches 0.08 and {scan} 0.2; stronger images get the "
        "targets of 0.2",
    )
    within = made(f"preservation_targets={scan}", evaluated=elsewhere(), values=(1.0, 0.2))
    assert within.notes == ()


def test_of_images_that_the_run_evaluates_one_half_is_measured_and_the_other_left_to_score(
    scan: Path,
) -> None:
    outcomes = Outcomes(scan)
    shared = made(f"preservation_targets={scan}", evaluated=outcomes.samples)
    apart = made(f"preservation_targets={scan}", evaluated=elsewhere())
    found = rows(shared, [0, 1, 2, 3], [0.2] * 4)
    for label, name in enumerate(CLASSES.names):
        np.testing.assert_allclose(found[label], expected_row(scan, name, 0.2, True), atol=1e-6)
    keys = outcomes.samples.key
    np.testing.assert_array_equal(scoring_keys(shared.record(), keys), ~choosing_half(keys))
    assert not scoring_keys(apart.record(), keys).any()
    assert shared.selected_on == apart.selected_on == (outcomes.samples.fingerprint,)
    assert shared.record() != apart.record()
    json.dumps(shared.record(), allow_nan=False)


def predicted(folder: Path, right: dict[float, list[int]], other: int = -1) -> Path:
    """A scan of ten images a class: so many are right, the rest are predicted ``other``."""
    samples = made_up_samples(4, 10)
    within = np.arange(40) % 10
    cells = [(1.0, 1), *((value, 2) for value in right if value != 1.0)]
    predictions = []
    for value, draws in cells:
        hits = within < np.array(right[value])[samples.label]
        predictions += [np.where(hits, samples.label, other)] * draws
    return write_run(
        folder, names=CLASSES.names, titles=CLASSES.labels, per_class=10, models=["m"],
        axes={CROP: tuple(right)}, draws=2, pictures=False,
        columns={"prediction": np.array(predictions, dtype=np.int32)},
    )  # fmt: skip


def test_gains_do_not_exceed_one_and_the_rest_is_even_where_no_confusion_is_known(
    tmp_path: Path,
) -> None:
    folder = predicted(tmp_path / "scan", {1.0: [8, 8, 0, 8], 0.5: [10, 4, 5, 0]})
    policy = made(f"preservation_targets={folder}", evaluated=elsewhere(), values=(1.0, 0.5))
    found = rows(policy, [0, 1, 2, 3], [0.5] * 4)
    third = 1 / 3
    expected = [[1, 0, 0, 0], [0.5 * third, 0.5, 0.5 * third, 0.5 * third],
                [0, 0, 1, 0], [third, third, third, 0]]  # fmt: skip
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert policy.notes == (
        f"preservation_targets: 1 of 4 classes are never recognised at the reference in {folder} "
        "and keep their label as target: 'c002'",
    )


def test_confusions_follow_the_predictions_and_are_not_reduced_by_those_at_the_reference(
    tmp_path: Path,
) -> None:
    folder = predicted(tmp_path / "scan", {1.0: [8, 8, 8, 8], 0.5: [2, 8, 2, 4]}, other=1)
    policy = made(f"preservation_targets={folder}", evaluated=elsewhere(), values=(1.0, 0.5))
    found = rows(policy, [0, 1, 2, 3], [0.5] * 4)
    expected = [[0.25, 0.75, 0, 0], [0, 1, 0, 0], [0, 0.75, 0.25, 0], [0, 0.5, 0, 0.5]]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_classes_that_the_scan_lacks_keep_their_label(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "scan", names=("c000", "c001"), titles=("a", "b"), models=["m"],
                       axes={CROP: (1.0, 0.08)}, pictures=False)  # fmt: skip
    policy = made(f"preservation_targets={folder}", evaluated=elsewhere())
    found = rows(policy, [2, 3], [0.08, 0.3])
    assert found.tolist() == [[0, 0, 1, 0], [0, 0, 0, 1]]
    assert policy.notes == (
        f"preservation_targets: 2 of 4 classes have no images in {folder} and keep their label as "
        "target: 'c002', 'c003'",
    )


def test_at_the_reference_the_batch_is_untouched(scan: Path) -> None:
    batch = Batch(np.arange(1), torch.zeros(1, 3, 8, 8), torch.tensor([2]))
    assert made(f"preservation_targets={scan}").targets(batch, None, 4).targets is None


def test_an_axis_with_options_serves_where_it_is_the_only_one_of_its_family(
    tmp_path: Path,
) -> None:
    centre = CROP.renamed("crop(place=centre)")
    folder = write_run(tmp_path / "scan", names=CLASSES.names, titles=CLASSES.labels,
                       models=["a", "b"], axes={centre: (1.0, 0.08)}, pictures=False)  # fmt: skip
    assert refusal(f"preservation_targets={folder}#a") == ""
    assert refusal(f"preservation_targets={folder}") == (
        f"policy preservation_targets: {folder} has 2 models (a, b); say which: "
        f"preservation_targets={folder}#a"
    )


def test_what_is_no_scan_of_the_augmentation_is_refused(scan: Path, tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "sweep", {1.0: [0.9] * 4, 0.5: [0.5] * 4}, runs=2)
    identity = write_run(tmp_path / "identity", names=CLASSES.names, titles=CLASSES.labels,
                         models=["m"], axes={CROP: (1.0,), CUTOUT: (0.0, 0.5)},
                         pictures=False)  # fmt: skip
    without = write_run(tmp_path / "without", names=CLASSES.names, titles=CLASSES.labels,
                        models=["m"], axes={CROP: (1.0, 0.5)}, missing=[(0, 0)],
                        pictures=False)  # fmt: skip
    strangers = Classes(("x", "y"))
    for changes, message in (
        ({"text": str(sweep)},
         f"policy preservation_targets: {sweep} is a run of training runs; expected a run of fixed "
         "models"),
        ({"text": str(scan), "regularizer": "cutout", "values": (0.0, 0.5)},
         f"policy preservation_targets: m in {scan} was measured on crop; expected cutout"),
        ({"text": str(scan), "regularizer": "mixup", "values": (0.0, 0.5)},
         "policy preservation_targets needs an augmentation that `lpa scan` knows, and mixup is "
         "none; sweep one that is, e.g. random_crop"),
        ({"text": str(identity)},
         f"policy preservation_targets: m in {identity} was measured on cutout; expected crop"),
        ({"text": str(without)},
         f"policy preservation_targets: m on crop in {without} has no reference and other value; "
         "scan it at some"),
        ({"text": str(scan), "classes": strangers},
         f"policy preservation_targets: none of the 4 classes of {scan} is a class of the run, "
         "such as 'x'; expected the same classes"),
        ({"text": str(tmp_path)},
         f"{tmp_path} is no run: there is no run.json in it; expected the folder that `lpa scan`, "
         "`train-sweep`, `probe` or `import` named at its end"),
    ):  # fmt: skip
        text = changes.pop("text")
        assert refusal(f"preservation_targets={text}", **changes) == message


def test_the_context_says_what_is_scanned() -> None:
    assert context().regularizer.scanned == "crop"
