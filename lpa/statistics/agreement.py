"""Agreement of models on which classes are hurt (STATISTICS 3.10)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from lpa.axes import format_value
from lpa.outcomes import Outcomes
from lpa.statistics.losses import Losses, losses
from lpa.statistics.mean_loss import image_mean_loss

__all__ = ["Compared", "agreement", "compared_models", "half_correlations", "model_pairs"]

FEWEST = 4
"""Images that a class must have: two in each half."""

LEAST_RELIABILITY = 0.3
"""Below it a correlation is mostly noise, and so would be its correction."""

PAIRS = (
    "axis", "split", "model", "other", "correlation", "reliability", "reliability_other",
    "corrected", "classes", "n", "grid", "level",
)  # fmt: skip
SUMMARY = (
    "axis", "split", "models", "concordance", "mean_corrected", "pairs", "pairs_omitted",
    "concordance_same_images", "classes", "classes_omitted", "n", "grid", "level",
)  # fmt: skip

Floats = npt.NDArray[np.float64]


class Compared(NamedTuple):
    """Models measured on one axis with one grid."""

    each: Losses
    models: list[str]
    # Per-image mean losses, [models, images].
    loss: Floats
    grid: str


def compared_models(outcomes: Outcomes, split: str | None, notes: list[str]) -> Iterator[Compared]:
    """Yield the groups of models that share axis, split and grid; note who stands alone.

    Parameters
    ----------
    outcomes : Outcomes
        The run; all its models saw the same images.
    split : str or None
        Only this one.
    notes : list of str
        One line is appended for each model that has nobody to be compared with.
    """
    groups: dict[tuple[str, str, str], list[tuple[Losses, Floats]]] = {}
    for each in losses(outcomes, split, notes):
        grid = ",".join(format_value(float(value)) for value in each.curve.values)
        group = groups.setdefault((each.axis.name, each.curve.split, grid), [])
        group.append((each, image_mean_loss(each.curve, each.axis)))
    for (axis, _, grid), members in groups.items():
        models = [each.curve.model for each, _ in members]
        if len(models) > 1:
            yield Compared(members[0][0], models, np.stack([loss for _, loss in members]), grid)
        else:
            notes.append(f"{models[0]} on {axis}: no other model has the values {grid}")


def model_pairs(
    outcomes: Outcomes, splits: int = 100, split: str | None = None, seed: int = 0
) -> pd.DataFrame:
    """Return how far each pair of models hurts the same classes, corrected for noise.

    Estimand: the rank correlation over classes of the true mean losses J_c of two models. Level:
    ``image``. Estimator: Spearman's correlation between one model on one half of each class's
    images and the other model on the *other* half, both ways round, mean of ``splits`` seeded
    halvings; the reliability of each model likewise with itself; ``corrected`` is
    ``correlation / sqrt(reliability * reliability_other)``, at most 1, and omitted (NaN) if a
    reliability is below .3. On disjoint halves neither shared images nor shared draws can make two
    models agree. Of losses, not of accuracies: easy classes agree by themselves. Interval, test,
    family: none.

    Edge cases: classes with fewer than 4 images are left out; models with different grids are not
    compared; fewer than 3 classes, or a model whose classes all tie, give NaN.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    splits : int
        Halvings.
    split : str, optional
        Only this split of the data; splits are never pooled.
    seed : int
        Of the halvings.

    Returns
    -------
    DataFrame
        ``axis, split, model, other, correlation, reliability, reliability_other, corrected,
        classes, n`` (images of them), ``grid, level``.

    References
    ----------
    Spearman 1904, Am. J. Psychology 15:72 (correction for attenuation).
    """
    notes: list[str] = []
    rows = [
        row
        for compared in compared_models(outcomes, split, notes)
        for row in _pairs(compared, splits, seed)
    ]
    frame = pd.DataFrame(rows, columns=list(PAIRS))
    frame.attrs["notes"] = notes
    return frame


def agreement(
    outcomes: Outcomes, splits: int = 100, split: str | None = None, seed: int = 0
) -> pd.DataFrame:
    """Return how far all models of an axis hurt the same classes: Kendall's concordance W.

    Estimand: W of the true mean losses J_c, 1 where all models order the classes alike and 0 (or
    below, down to -1 / (M - 1) in the mean correlation) where they do not. Level: ``image``.
    Estimator: ``((M - 1) r + 1) / M`` with r the mean of the pairs' corrected correlations
    (:func:`model_pairs`); its value for unrelated models is 1 / M. Beside it W on the same images
    for all models, ``chi2 / (M (C - 1))`` of ``scipy.stats.friedmanchisquare`` (ties handled),
    without a p-value: models share images and draws, so it is far above 1 / M with no class
    effect at all. Interval, test, family: none.

    Parameters
    ----------
    outcomes, splits, split, seed
        As in :func:`model_pairs`.

    Returns
    -------
    DataFrame
        ``axis, split, models`` (joined by commas), ``concordance, mean_corrected, pairs,
        pairs_omitted`` (for low reliability), ``concordance_same_images, classes,
        classes_omitted`` (fewer than 4 images), ``n, grid, level``. ``attrs["notes"]`` lists
        models without company.

    References
    ----------
    Kendall and Babington Smith 1939, Ann. Math. Statist. 10:275.
    """
    notes: list[str] = []
    rows = []
    for compared in compared_models(outcomes, split, notes):
        pairs = pd.DataFrame(_pairs(compared, splits, seed), columns=list(PAIRS))
        each, count = compared.each, len(compared.models)
        usable = each.n >= FEWEST
        known = pairs["corrected"].dropna()
        mean = float(known.mean()) if len(known) else np.nan
        rows.append((
            each.axis.name, each.curve.split, ",".join(compared.models),
            ((count - 1) * mean + 1) / count, mean, len(pairs), len(pairs) - len(known),
            _same_images(compared, usable), int(usable.sum()), int((~usable).sum()),
            int(each.n[usable].sum()), compared.grid, "image",
        ))  # fmt: skip
    frame = pd.DataFrame(rows, columns=list(SUMMARY))
    frame.attrs["notes"] = notes
    return frame


def _pairs(compared: Compared, splits: int, seed: int) -> list[tuple[Any, ...]]:
    each = compared.each
    usable = each.n >= FEWEST
    generator = np.random.default_rng(seed)
    halves = half_correlations(compared.loss, each.place, each.n, splits, generator)
    # Both ways round: model a on the first halves with b on the second, and the reverse.
    correlation = (halves + halves.T) / 2.0
    reliability = np.diag(correlation)
    rows = []
    for a, b in itertools.combinations(range(len(compared.models)), 2):
        product, corrected = reliability[a] * reliability[b], np.nan
        if min(reliability[a], reliability[b]) >= LEAST_RELIABILITY:
            corrected = min(1.0, correlation[a, b] / np.sqrt(product))
        rows.append((
            each.axis.name, each.curve.split, compared.models[a], compared.models[b],
            correlation[a, b], reliability[a], reliability[b], corrected,
            int(usable.sum()), int(each.n[usable].sum()), compared.grid, "image",
        ))  # fmt: skip
    return rows


def half_correlations(
    loss: Floats,
    place: npt.NDArray[np.int64],
    n: npt.NDArray[np.int64],
    splits: int,
    generator: np.random.Generator,
) -> Floats:
    """Return Spearman's correlation over classes of models on disjoint halves of the images.

    Parameters
    ----------
    loss : array of float64, shape [models, images]
        Per-image mean losses.
    place : array of int64, shape [images]
        Position in ``n`` of each image's class.
    n : array of int64, shape [classes]
        Images of each class; classes with fewer than 4 are left out.
    splits : int
        Halvings within every class, of which the correlations are averaged.
    generator : numpy Generator
        Of the halvings.

    Returns
    -------
    array of float64, shape [models, models]
        Of the row's model on the first halves with the column's on the second; NaN for fewer than
        3 classes and for models whose classes all tie.
    """
    models, usable = len(loss), n >= FEWEST
    if usable.sum() < 3:
        return np.full((models, models), np.nan)
    kept = np.flatnonzero(usable[place])
    kept = kept[np.argsort(place[kept], kind="stable")]
    label, size, values = place[kept], n[usable], loss[:, kept]
    first = np.append(0, size.cumsum()[:-1])
    bounds = np.stack([first, first + size // 2], axis=1).reshape(-1)
    counts = np.stack([size // 2, size - size // 2], axis=1)
    total = np.zeros((models, models))
    for _ in range(splits):
        # Images stay with their class, in a new order within it.
        order = np.argsort(label + generator.uniform(0.0, 0.5, len(label)))
        sums = np.add.reduceat(values[:, order], bounds, axis=1)
        means = sums.reshape(models, -1, 2) / counts
        total += _correlations(means[:, :, 0], means[:, :, 1])
    return total / splits


def _correlations(first: Floats, second: Floats) -> Floats:
    """Return Spearman's correlation of every row of one with every row of the other."""
    standard = []
    for values in (first, second):
        # Sums of the same numbers in another order differ in the last bits, and must still tie.
        ranks = stats.rankdata(values.round(12), axis=1)
        ranks -= ranks.mean(axis=1, keepdims=True)
        length = np.sqrt((ranks**2).sum(axis=1, keepdims=True))
        standard.append(ranks / np.where(length > 0, length, np.nan))
    return np.asarray(standard[0] @ standard[1].T)


def _same_images(compared: Compared, usable: npt.NDArray[np.bool_]) -> float:
    each = compared.each
    means = (each.total(compared.loss) / each.n)[:, usable].round(12)
    models, classes = means.shape
    if classes < 3 or (means == means[:, :1]).all():
        return float("nan")
    statistic = stats.friedmanchisquare(*means.T).statistic
    return float(statistic / (models * (classes - 1)))
