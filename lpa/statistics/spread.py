"""How different the classes are: their spread without luck, and best minus worst (3.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lpa.outcomes import Outcomes
from lpa.statistics.curve_data import CurveData, curve_data

__all__ = ["BEST_MINUS_WORST", "COLUMNS", "class_spread"]

COLUMNS = (
    "model", "axis", "value", "split", "spread", "spread_raw", "best_minus_worst", "n", "classes",
    "draws", "level",
)  # fmt: skip

BEST_MINUS_WORST = "grows with noise and number of classes"
"""To be printed beside ``best_minus_worst``, of which there is no corrected form."""


def class_spread(outcomes: Outcomes, split: str | None = None) -> pd.DataFrame:
    r"""Return the standard deviation of the classes' accuracies at every value.

    Estimand: the standard deviation over the classes of their expected accuracies A_c(v); level
    ``image``. Estimator: the observed variance S^2 over classes, less what the choice of images
    alone gives, :math:`\sqrt{max(0, S^2 - mean(s_c^2 / n_c))}`, with s_c^2 the variance of
    ``ybar`` over the images of the class (n - 1 and C - 1 in the denominators). Beside it, raw: S,
    which is too large, and the best minus the worst accuracy, which grows with noise and with the
    number of classes and is no estimate of anything. No interval, no test.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    split : str, optional
        Only this split; splits are never pooled.

    Returns
    -------
    DataFrame
        ``model, axis, value, split``, ``spread`` (corrected), ``spread_raw``, ``best_minus_worst``
        (in [0, 1]), ``n`` (images), ``classes``, ``draws`` (replicates), ``level``. Classes with
        fewer than 2 images are left out; with fewer than 2 classes left there are no rows.
        ``attrs["notes"]`` says what was left out.
    """
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    for curve in curve_data(outcomes, split):
        place = f"{curve.model} on {curve.axis}"
        sizes = np.bincount(curve.labels)
        alone = int((sizes == 1).sum())
        if alone:
            notes.append(f"{place}: {alone} classes with fewer than 2 images are left out")
        if (sizes > 1).sum() < 2:
            notes.append(f"{place}: fewer than 2 classes have no spread")
        else:
            rows += _curve(curve)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table.attrs["notes"] = list(dict.fromkeys(notes))
    return table


def _curve(curve: CurveData) -> list[dict[str, Any]]:
    sizes = np.bincount(curve.labels)
    present = sizes > 1
    n = sizes[present]
    rows = []
    for v, value in enumerate(curve.values):
        shares = curve.image_means(v)
        total = np.bincount(curve.labels, weights=shares)[present]
        squares = np.bincount(curve.labels, weights=shares**2)[present]
        accuracy = total / n
        luck = np.maximum(squares - n * accuracy**2, 0.0) / (n - 1) / n
        raw = float(accuracy.var(ddof=1))
        corrected = max(0.0, raw - float(luck.mean()))
        rows.append({
            "model": curve.model, "axis": curve.axis, "value": value, "split": curve.split,
            "spread": float(np.sqrt(corrected)), "spread_raw": float(np.sqrt(raw)),
            "best_minus_worst": float(np.ptp(accuracy)), "n": int(n.sum()), "classes": len(n),
            "draws": int(curve.draws[v]), "level": "image",
        })  # fmt: skip
    return rows
