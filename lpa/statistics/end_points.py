"""End points fixed beforehand for comparing sweeps and policies (STATISTICS 3.15)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.errors import InputError
from lpa.statistics.arms import AlignedArms, Arm, aligned_arms
from lpa.statistics.halves import ImageHalves, image_halves
from lpa.statistics.means import standard_error
from lpa.statistics.multiplicity import corrected
from lpa.statistics.welch import Difference
from lpa.statistics.worst_classes import split_worst

__all__ = ["COLUMNS", "FAMILY", "MEAN", "TARGETED", "WORST", "end_points", "summed_difference"]

COLUMNS = (
    "baseline", "policy", "split", "end_point", "score_baseline", "score", "difference", "low",
    "high", "runs_baseline", "runs", "n", "classes", "level", "direction", "mark",
    "p", "p_bh", "p_holm", "family", "m", "untestable",
)  # fmt: skip

FAMILY = ("baseline", "split", "level", "direction")

MEAN, WORST, TARGETED = "mean of classes", "worst 10 %, split", "mean of targeted classes"

FEWEST = 4
"""A class with fewer images has no half with a standard error."""

ERROR_HALVINGS = 20
"""So many halvings give the images' error of the worst classes; more change it by little."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """One end point: a score for each run of both arms, and what the choice of images adds."""

    name: str
    reference: Floats
    other: Floats
    center: float
    image_variance: float
    image_freedom: float
    classes: int
    images: int


def end_points(
    baseline: Arm,
    policies: Sequence[Arm],
    targeted: Sequence[str] = (),
    confidence: float = 0.95,
    split: str | None = None,
    halvings: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    r"""Compare policies with a baseline in a few scores that are fixed beforehand.

    End points, each a score of every training run:

    - ``mean of classes``: the mean of the classes' accuracies.
    - ``worst 10 %, split``: each run chooses its tenth of classes with the lowest accuracy on a
      random half of each class's images and is scored there on the other half; mean over seeded
      halvings. Classes with fewer than 4 images are left out of it.
    - ``mean of targeted classes``: of the classes that the policies were made for, if given.

    Estimand: the expected score with the policy minus that with the baseline. Level ``run`` (over
    trainings, these images): Welch's t over the runs' scores. Level ``both`` (new images and new
    trainings): E2 of the run-averaged images, stratified by class, plus both arms' runs,

    .. math::
        V = \sum_c w_c^2 se_c^2 + s_0^2/R_0 + s_1^2/R_1,

    with Satterthwaite's degrees of freedom over all of its terms. For the worst classes se_c is
    that of the scoring half, which is larger than with all images, and a class that only some of
    the runs chose counts in proportion. Family: end points x policies, by level and direction,
    Holm; a claim in both directions takes half the level in each.

    Parameters
    ----------
    baseline : Arm
        What is compared with.
    policies : sequence of Arm
        What is compared. One that was selected on these images is marked and has no p-value.
    targeted : sequence of str
        Names of the targeted classes.
    confidence : float
        Two-sided confidence of each interval by itself.
    split : str, optional
        Only this split; splits are never pooled.
    halvings, seed : int
        Of the split worst classes.

    Returns
    -------
    DataFrame
        :data:`COLUMNS`; scores in [0, 1]. ``attrs["notes"]`` says what was left out.

    Raises
    ------
    InputError
        For a targeted class that the baseline has not, and as
        :func:`~lpa.statistics.arms.aligned_arms`.
    """
    classes = baseline.outcomes.classes
    indices = classes.find(targeted, by_index=False) if targeted else np.array([], dtype=np.int64)
    for name, index in zip(targeted, indices, strict=True):
        if index < 0:
            raise InputError(f"targeted class {name!r} is not among the run's classes")
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    for policy in policies:
        for arms in aligned_arms((baseline, policy), split):
            notes += arms.notes
            for scores in _scores(arms, indices, halvings, seed, notes):
                rows += _rows(baseline, policy, arms, scores, confidence)
    table = corrected(pd.DataFrame(rows, columns=list(COLUMNS)), by=FAMILY)[list(COLUMNS)]
    table.attrs["notes"] = list(dict.fromkeys(notes))
    return table


def _rows(
    baseline: Arm, policy: Arm, arms: AlignedArms, scores: Scores, confidence: float
) -> list[dict[str, Any]]:
    reference, other = scores.reference, scores.other
    place = {
        "baseline": baseline.name, "policy": policy.name, "split": arms.split,
        "end_point": scores.name, "score_baseline": reference.mean(), "score": other.mean(),
        "difference": other.mean() - reference.mean(), "runs_baseline": len(reference),
        "runs": len(other), "n": scores.images, "classes": scores.classes, "mark": policy.mark,
    }  # fmt: skip
    parts = [(float(x.var(ddof=1)) / len(x), len(x) - 1.0) for x in (reference, other)]
    rows = []
    for level in ("run", "both"):
        terms = (
            [*parts, (scores.image_variance, scores.image_freedom)] if level == "both" else parts
        )
        center = scores.center if level == "both" else place["difference"]
        difference = summed_difference(center, terms)
        low, high = difference.interval(confidence)
        for direction in ("lower", "higher"):
            p = np.nan if policy.mark else float(getattr(difference, direction)[0])
            rows.append({**place, "level": level, "direction": direction, "p": p,
                         "low": float(low[0]), "high": float(high[0])})  # fmt: skip
    return rows


def summed_difference(center: float, terms: Sequence[tuple[float, float]]) -> Difference:
    """Return a difference whose independent variances add up, with Satterthwaite's freedom.

    Parameters
    ----------
    center : float
        The difference.
    terms : sequence of (float, float)
        Variances and their degrees of freedom. Where all are 0 there is no error (NaN).

    References
    ----------
    Satterthwaite 1946, Biometrics Bulletin 2:110.
    """
    total = sum(variance for variance, _ in terms)
    # Scores are fractions: rounding errors of equal runs are no variance.
    if not total > 1e-24:
        return Difference(np.array([center]), np.array([np.nan]), np.array([np.nan]))
    below = sum(variance**2 / freedom for variance, freedom in terms if variance > 0)
    return Difference(np.array([center]), np.array([np.sqrt(total)]), np.array([total**2 / below]))


def _scores(
    arms: AlignedArms,
    targeted: npt.NDArray[np.int64],
    halvings: int,
    seed: int,
    notes: list[str],
) -> Iterator[Scores]:
    sizes = np.bincount(arms.labels)
    present = np.flatnonzero(sizes > 1)
    alone = int((sizes == 1).sum())
    if alone:
        notes.append(f"{arms.split}: {alone} classes with fewer than 2 images are left out")
    for name, wanted in ((MEAN, present), (TARGETED, np.intersect1d(targeted, present))):
        if len(wanted):
            yield _linear(name, arms, wanted)
    halves = image_halves(arms.labels, halvings, seed, FEWEST)
    if len(halves.labels) < 10:
        notes.append(
            f"{arms.split}: {len(halves.labels)} classes with {FEWEST} images have no worst tenth"
        )
    else:
        yield _worst(arms, halves)


def _linear(name: str, arms: AlignedArms, wanted: npt.NDArray[np.int64]) -> Scores:
    """Score the mean of some classes."""
    sizes = np.bincount(arms.labels)
    weight = np.zeros(len(sizes))
    weight[wanted] = 1.0 / len(wanted) / sizes[wanted]
    reference, other = (correct @ weight[arms.labels] for correct in arms.correct)
    gain = arms.correct[1].mean(axis=0, dtype=np.float64) - arms.correct[0].mean(axis=0)
    total = np.asarray(np.bincount(arms.labels, weights=gain)[wanted], dtype=np.float64)
    squares = np.asarray(np.bincount(arms.labels, weights=gain**2)[wanted], dtype=np.float64)
    shares = np.full(len(wanted), 1.0 / len(wanted))
    center, variance, freedom = _stratified(total, squares, sizes[wanted], shares)
    return Scores(
        name, reference, other, center, variance, freedom, len(wanted), int(sizes[wanted].sum())
    )


def _stratified(
    total: Floats, squares: Floats, n: npt.NDArray[np.int64], weight: Floats
) -> tuple[float, float, float]:
    """Return center, variance and degrees of freedom of a weighted sum of E2's means."""
    center, error = standard_error(total, squares, n)
    parts = (weight * error) ** 2
    variance = float(parts.sum())
    return float(weight @ center), variance, variance**2 / float(np.sum(parts**2 / (n - 1.0)))


def _worst(arms: AlignedArms, halves: ImageHalves) -> Scores:
    """Score each run's worst tenth of classes, chosen on other images."""
    k = round(len(halves.labels) / 10)
    reference, other = (
        split_worst(correct.astype(np.float64), halves, (k,))[0] for correct in arms.correct
    )
    strata = [
        _worst_images(arms, halves, k, h) for h in range(min(ERROR_HALVINGS, len(halves.chosen[0])))
    ]
    center, variance, freedom = (float(np.mean(values)) for values in zip(*strata, strict=True))
    return Scores(
        WORST,
        reference,
        other,
        center,
        variance,
        freedom,
        k,
        sum(len(places) for places in halves.images),
    )


def _worst_images(
    arms: AlignedArms, halves: ImageHalves, k: int, h: int
) -> tuple[float, float, float]:
    """Return the images' part of the worst classes' difference in one halving."""
    images = np.concatenate(halves.images)
    place = np.repeat(np.arange(len(halves.labels)), halves.n)
    choosing = np.concatenate([chosen[h] for chosen in halves.chosen])
    choices = [
        _chosen(correct[:, images[choosing]], place[choosing], k) for correct in arms.correct
    ]
    # A class that a share of the runs chose varies between - share and + share.
    share = np.maximum(*(choice.mean(axis=0) for choice in choices))
    kept = ~choosing & (share[place] > 0)
    scored, of = images[kept], place[kept]
    first, second = (
        (correct[:, scored] & choice[:, of]).mean(axis=0)
        for correct, choice in zip(arms.correct, choices, strict=True)
    )
    gain = second / share[of] - first / share[of]
    present, of, n = np.unique(of, return_inverse=True, return_counts=True)
    total, squares = (
        np.asarray(np.bincount(of, weights=each), dtype=np.float64) for each in (gain, gain**2)
    )
    return _stratified(total, squares, n, share[present] / k)


def _chosen(
    correct: npt.NDArray[np.bool_], place: npt.NDArray[np.int64], k: int
) -> npt.NDArray[np.bool_]:
    """Return which classes each run chooses as its worst: bool [runs, classes].

    ``correct`` is [runs, images] of the half to choose on, and ``place`` the class of each image,
    ascending.
    """
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    accuracy = np.add.reduceat(correct, starts, axis=1, dtype=np.int64) / np.bincount(place)
    order = np.argsort(accuracy, axis=1, kind="stable")[:, :k]
    worst = np.zeros(accuracy.shape, dtype=bool)
    np.put_along_axis(worst, order, True, axis=1)
    return worst
