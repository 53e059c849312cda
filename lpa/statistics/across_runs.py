"""Engine E3: the interval of a mean over training runs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

__all__ = ["run_interval"]

Floats = npt.NDArray[np.float64]


def run_interval(
    accuracies: npt.ArrayLike, confidence: float = 0.95
) -> tuple[Floats, Floats, Floats]:
    """Return the mean over training runs and its t interval (engine E3).

    Estimand: the expected accuracy *on these images* of a model trained again; level ``run``.
    It says nothing of new images. Formula: mean -+ t(q, R - 1) SD / sqrt(R), clipped to [0, 1].

    Parameters
    ----------
    accuracies : array_like, shape [runs, ...]
        One accuracy per run, in [0, 1].
    confidence : float
        Two-sided confidence, in (0, 1).

    Returns
    -------
    mean, low, high : arrays of float64, shape [...]
        The limits are NaN for a single run, and all of it without any.
    """
    values = np.asarray(accuracies, dtype=np.float64)
    runs = len(values)
    if not runs:
        nothing = np.full(values.shape[1:], np.nan)
        return nothing, nothing.copy(), nothing.copy()
    mean = values.mean(axis=0)
    if runs < 2:
        return mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    error = values.std(axis=0, ddof=1) / np.sqrt(runs)
    reach = stats.t.ppf(0.5 + confidence / 2.0, runs - 1) * error
    return mean, np.clip(mean - reach, 0.0, 1.0), np.clip(mean + reach, 0.0, 1.0)
