"""Whether a class that has lost recovers at a stronger value (STATISTICS 3.5)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from lpa.statistics.both_levels import both_error
from lpa.statistics.losses import Losses

__all__ = ["shown_to_recover"]

# Classes whose products of losses are held at once; bounds the memory of long grids.
BLOCK = 256


def shown_to_recover(each: Losses, alpha: float, level: str) -> npt.NDArray[np.bool_]:
    """Return for which classes some weaker value is shown to lose more than a stronger one.

    H0, for each pair of values beside the reference: the mean of d[i, weak] - d[i, strong] is at
    most 0. Test: E2 on the per-image differences (level ``image``), plus the runs of both values
    (level ``both``), Bonferroni over the pairs of a class. Source: STATISTICS 3.5.

    Parameters
    ----------
    each : Losses
        A curve.
    alpha : float
        Level of each class's family of pairs, in (0, 1).
    level : {"image", "both"}
        Whether trainings are a sample as well.

    Returns
    -------
    array of bool, shape [classes]
        False where n < 2 and with fewer than two values beside the reference.
    """
    weak, strong = np.triu_indices(len(each.loss), 1)
    recovers = np.zeros(len(each.n), dtype=bool)
    if not len(weak):
        return recovers
    by_class = each.loss[:, np.argsort(each.place, kind="stable")].T
    bounds = np.concatenate([[0], np.cumsum(each.n)])
    for first in range(0, len(each.n), BLOCK):
        here = np.arange(first, min(first + BLOCK, len(each.n)))
        parts = [by_class[bounds[c] : bounds[c + 1]] for c in here]
        sums = np.stack([part.sum(axis=0) for part in parts])
        products = np.stack([part.T @ part for part in parts])
        own = np.diagonal(products, axis1=1, axis2=2)
        total = sums[:, weak] - sums[:, strong]
        squares = own[:, weak] + own[:, strong] - 2.0 * products[:, weak, strong]
        runs = []
        if level == "both":
            variances, draws = each.run_variances[1:, here].T, each.curve.draws[1:]
            runs = [(variances[:, side], draws[side]) for side in (weak, strong)]
        center, error, freedom = both_error(total, squares, each.n[here, None], runs)
        statistic = center / error
        # The t distribution's tail is above the normal's: only these can be significant.
        row, pair = np.nonzero(statistic > stats.norm.isf(alpha / len(weak)))
        p = stats.t.sf(statistic[row, pair], freedom[row, pair])
        recovers[here[row[p <= alpha / len(weak)]]] = True
    return recovers
