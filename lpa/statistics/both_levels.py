"""Level ``both``: a loss for new images and new trainings at once (engine E2 plus runs)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.statistics.means import standard_error

__all__ = ["both_error", "both_interval", "both_limit", "both_test", "level_of_losses"]

Floats = npt.NDArray[np.float64]
Runs = Iterable[tuple[npt.ArrayLike, npt.ArrayLike]]


def both_error(
    total: npt.ArrayLike, total_squares: npt.ArrayLike, n: npt.ArrayLike, runs: Runs
) -> tuple[Floats, Floats, Floats]:
    r"""Return center, standard error and degrees of freedom for new images and new trainings.

    Estimand: the expectation over images *and* trainings of a loss, or of another combination
    :math:`\sum_v a_v A(v)` of accuracies. The images' part is E2 on run-averaged images; each
    value's trainings are independent of the other values' and add :math:`a_v^2 s_v^2 / R_v`:

    .. math::
        V = se_{E2}^2 + \sum_v a_v^2 s_v^2 / R_v, \quad
        df = V^2 / (se_{E2}^4 / (n - 1) + \sum_v (a_v^2 s_v^2 / R_v)^2 / (R_v - 1)).

    Parameters
    ----------
    total, total_squares, n : array_like
        Sums of the run-averaged per-image values and of their squares, and their number, as in
        :func:`~lpa.statistics.means.standard_error`.
    runs : iterable of (array_like, array_like)
        For each value involved: ``a^2 s^2``, s^2 being the variance over runs (R - 1 in the
        denominator) of the class's accuracy on these images, and R, the number of runs.

    Returns
    -------
    center, error, freedom : arrays of float64
        NaN where n < 2 and where some R < 2: one training says nothing of another.

    References
    ----------
    Crossed design: Owen 2007, Annals of Applied Statistics 1:386; Obuchowski and Rockette 1995,
    Communications in Statistics 24:285. Degrees of freedom: Satterthwaite 1946.
    """
    center, error = standard_error(total, total_squares, n)
    images = np.asarray(n, dtype=np.float64)
    variance = np.asarray(error**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        below = np.asarray(variance**2 / (images - 1.0))
        for squares, number in runs:
            trainings = np.where(np.asarray(number) >= 2, number, np.nan).astype(np.float64)
            part = np.asarray(squares, dtype=np.float64) / trainings
            variance = variance + part
            below = below + part**2 / (trainings - 1.0)
        return center, np.sqrt(variance), variance**2 / below


def both_limit(
    total: npt.ArrayLike,
    total_squares: npt.ArrayLike,
    n: npt.ArrayLike,
    runs: Runs,
    confidence: float,
    side: Literal["lower", "upper"],
) -> Floats:
    """Return the one-sided confidence limit at level ``both``; see :func:`both_interval`.

    Parameters
    ----------
    total, total_squares, n, runs
        As in :func:`both_error`.
    confidence : float
        One-sided confidence, in (0, 1).
    side : {"lower", "upper"}
        Which limit.

    Returns
    -------
    array of float64
        In [-1, 1]; NaN where n < 2 or some R < 2.
    """
    center, error, freedom = both_error(total, total_squares, n, runs)
    reach = stats.t.ppf(confidence, freedom) * error
    limit = center - reach if side == "lower" else center + reach
    return np.asarray(np.clip(limit, -1.0, 1.0), dtype=np.float64)


def both_interval(
    total: npt.ArrayLike,
    total_squares: npt.ArrayLike,
    n: npt.ArrayLike,
    runs: Runs,
    confidence: float = 0.95,
) -> tuple[Floats, Floats]:
    """Return the interval of a loss for new images and new trainings.

    Level ``both``: m -+ t(q, df) sqrt(V), clipped to [-1, 1], with :func:`both_error`.

    Parameters
    ----------
    total, total_squares, n, runs
        As in :func:`both_error`.
    confidence : float
        Two-sided confidence, in (0, 1).

    Returns
    -------
    low, high : arrays of float64
        In [-1, 1]; NaN where n < 2 or some R < 2. Never of zero width.
    """
    parts = list(runs)
    one_sided = 0.5 + confidence / 2.0
    return (
        both_limit(total, total_squares, n, parts, one_sided, "lower"),
        both_limit(total, total_squares, n, parts, one_sided, "upper"),
    )


def both_test(
    total: npt.ArrayLike,
    total_squares: npt.ArrayLike,
    n: npt.ArrayLike,
    runs: Runs,
    delta: float = 0.0,
    alternative: Literal["greater", "less"] = "greater",
) -> Floats:
    """Return the p-value of a one-sided test at level ``both``.

    H0: the value is at most ``delta`` against ``greater``, or at least ``delta`` against ``less``.

    Parameters
    ----------
    total, total_squares, n, runs
        As in :func:`both_error`.
    delta : float
        Bound of the null hypothesis, in [-1, 1].
    alternative : {"greater", "less"}
        What a small p-value speaks for.

    Returns
    -------
    array of float64
        In [0, 1]; NaN where n < 2 or some R < 2.
    """
    center, error, freedom = both_error(total, total_squares, n, runs)
    tail = stats.t.sf if alternative == "greater" else stats.t.cdf
    return np.asarray(tail((center - delta) / error, freedom), dtype=np.float64)


def level_of_losses(outcomes: Outcomes, level: str | None) -> Literal["image", "both"]:
    """Return the level at which a run's losses and thresholds are given.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    level : {"image", "both"}, optional
        As asked. By default ``image`` for scans and imports, whose models are fixed, and ``both``
        for sweeps and probes, where a claim about a class is one about its next training too.

    Raises
    ------
    InputError
        For another level (``run`` says nothing of other images, as a claim about a class must), and
        for ``both`` where no model was trained.
    """
    trained = outcomes.record.trained
    if level == "run":
        raise InputError(
            "level 'run' is defined for accuracies and for tests of training runs; losses, "
            "thresholds, ranks and policies have level image or both"
        )
    if level not in (None, "image", "both"):
        raise InputError(f"level {level!r} is unknown; expected image or both")
    if level == "both" and not trained:
        raise InputError(
            f"level 'both' needs training runs, and {outcomes.store} is {outcomes.record.called} "
            "of fixed models: use level 'image'"
        )
    return "both" if level == "both" or (level is None and trained) else "image"
