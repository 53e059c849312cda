"""Two sweeps, or policies, compared class by class (STATISTICS 3.15)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.statistics.arms import AlignedArms, Arm, aligned_arms
from lpa.statistics.both_levels import both_interval, both_test
from lpa.statistics.multiplicity import corrected
from lpa.statistics.run_test import compared
from lpa.statistics.welch import run_moments

__all__ = ["COLUMNS", "FAMILY", "sweeps_compared"]

COLUMNS = (
    "baseline", "policy", "split", "class", "label", "title", "accuracy_baseline", "accuracy",
    "difference", "low", "high", "runs_baseline", "runs", "n", "level", "direction", "test",
    "mark", "p", "p_bh", "p_holm", "family", "m", "untestable",
)  # fmt: skip

FAMILY = ("baseline", "policy", "split", "level", "direction")

BOTH = "E2 plus runs"


def sweeps_compared(
    baseline: Arm,
    policies: Sequence[Arm],
    confidence: float = 0.95,
    split: str | None = None,
    family: Sequence[str] = FAMILY,
    method_fdr: Literal["fdr_bh", "fdr_by"] = "fdr_bh",
) -> pd.DataFrame:
    """Compare every class of several groups of training runs with those of a baseline.

    Estimand: the expected accuracy of a class with the policy minus that with the baseline. At
    level ``run``, over trainings on these images: the run test of 3.7
    (:func:`~lpa.statistics.run_test.run_test`). At level ``both``, over new images and new
    trainings: E2 on the run-averaged differences of images, plus both arms' runs
    (:func:`~lpa.statistics.both_levels.both_interval`). Each level stands in rows of its own, and
    each direction (``lower``, ``higher``) is a one-sided test in a family of its own; a claim in
    both takes half the level in each. Trainings of different arms must not share seeds.

    Parameters
    ----------
    baseline : Arm
        What is compared with.
    policies : sequence of Arm
        What is compared. One that was selected on these images is marked so and has no p-value:
        classes chosen as the most hurt recover by regression to the mean alone.
    confidence : float
        Two-sided confidence of each interval by itself.
    split : str, optional
        Only this split; splits are never pooled.
    family : sequence of str
        Columns that tell families apart.
    method_fdr : {"fdr_bh", "fdr_by"}
        As in :func:`~lpa.statistics.multiplicity.corrected`.

    Returns
    -------
    DataFrame
        :data:`COLUMNS`. Accuracies are in [0, 1], differences in [-1, 1]. At level ``both`` a class
        of one image has no interval and no p-value. ``attrs["notes"]`` says what was left out.

    Raises
    ------
    InputError
        As :func:`~lpa.statistics.arms.aligned_arms`.

    References
    ----------
    arXiv 2204.03632, Figure 7, has no test. [S] With 5 runs, the 5 % of classes chosen as most
    hurt "recover" 4.6 points without any effect.
    """
    notes: list[str] = []
    pieces: list[pd.DataFrame] = []
    for policy in policies:
        for arms in aligned_arms((baseline, policy), split):
            notes += arms.notes
            pieces += _compared(baseline, policy, arms, confidence)
    if not pieces:
        return pd.DataFrame(columns=list(COLUMNS))
    table = corrected(pd.concat(pieces, ignore_index=True), by=family, method_fdr=method_fdr)
    table = table[list(COLUMNS)]
    table.attrs["notes"] = list(dict.fromkeys(notes))
    return table


def _compared(
    baseline: Arm, policy: Arm, arms: AlignedArms, confidence: float
) -> list[pd.DataFrame]:
    present, place = np.unique(arms.labels, return_inverse=True)
    n = np.bincount(place)
    reference, other = (
        np.stack([np.bincount(place[row], minlength=len(n)) for row in correct])
        for correct in arms.correct
    )
    classes = baseline.outcomes.classes
    mean0, mean1 = run_moments(reference)[0] / n, run_moments(other)[0] / n
    columns: dict[str, Any] = {
        "baseline": baseline.name, "policy": policy.name, "split": arms.split,
        "class": np.array(classes.names, dtype=object)[present], "label": present,
        "title": np.array(classes.labels, dtype=object)[present],
        "accuracy_baseline": mean0, "accuracy": mean1, "difference": mean1 - mean0,
        "runs_baseline": len(reference), "runs": len(other), "n": n, "mark": policy.mark,
    }  # fmt: skip
    test, plain, deciding = compared(reference, other, n)
    low, high = (deciding or plain).interval(confidence)
    sums = _image_sums(arms, place, len(n))
    runs = [
        (run_moments(hits)[1] / n**2, np.full(len(n), len(hits))) for hits in (reference, other)
    ]
    wide_low, wide_high = both_interval(*sums, n, runs, confidence)
    frames = []
    for direction, alternative in (("lower", "less"), ("higher", "greater")):
        p = np.full(len(n), np.nan) if deciding is None else getattr(deciding, direction)
        both = both_test(*sums, n, runs, 0.0, "less" if alternative == "less" else "greater")
        for level, name, values, lower, upper in (
            ("run", test, p, low, high), ("both", BOTH, both, wide_low, wide_high)
        ):  # fmt: skip
            frames.append(pd.DataFrame({
                **columns, "low": lower, "high": upper, "level": level, "direction": direction,
                "test": name, "p": np.full(len(n), np.nan) if policy.mark else values,
            }))  # fmt: skip
    return frames


def _image_sums(
    arms: AlignedArms, place: npt.NDArray[np.int64], classes: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return sums by class of the images' run-averaged differences and of their squares."""
    first, second = (correct.mean(axis=0, dtype=np.float64) for correct in arms.correct)
    gain = second - first
    total = np.bincount(place, weights=gain, minlength=classes)
    squares = np.bincount(place, weights=gain**2, minlength=classes)
    return np.asarray(total, dtype=np.float64), np.asarray(squares, dtype=np.float64)
