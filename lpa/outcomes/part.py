"""A part of a run: some of its classes, images, models and axes, read like the whole."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.outcomes.reading import Outcomes

__all__ = ["Part"]


class Part(Outcomes):
    """Outcomes limited to some classes, images, models and axes.

    Predictions are read once and kept, so that several statistics of a run share them. Everything
    that speaks of the run as a whole (record, plans, coverage) is the run's own. Of imported
    counts it is a part of their table.

    Parameters
    ----------
    whole : Outcomes
        The run, or a part of it.
    labels : collection of int, optional
        Only samples of these classes.
    models, axes : collection of str, optional
        Only cells of these.
    images : array of bool, shape [samples], optional
        Only these samples of ``whole``; imported counts have none.
    cells : array of bool, shape [cells], optional
        Only these cells of ``whole``.
    """

    def __init__(
        self,
        whole: Outcomes,
        labels: Collection[int] | None = None,
        models: Collection[str] | None = None,
        axes: Collection[str] | None = None,
        images: npt.NDArray[np.bool_] | None = None,
        cells: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        self.__dict__.update(whole.__dict__)
        self.__dict__.pop("counts", None)
        self._whole = whole
        self._predictions: npt.NDArray[Any] | None = None
        if whole.counts_only:
            self.__dict__["counts"] = _counts(whole, labels, models, axes)
            return
        kept = np.ones(len(whole.samples), dtype=bool)
        if labels is not None:
            kept = np.isin(whole.samples.label, list(labels))
        if images is not None:
            kept &= images
        self._images = None if kept.all() else np.flatnonzero(kept)
        if self._images is not None:
            self.samples = whole.samples.take(self._images)
        table = whole.cells
        wanted = np.ones(len(table), dtype=bool) if cells is None else cells.copy()
        for column, names in (("model", models), ("axis", axes)):
            if names is not None:
                wanted &= table[column].isin(list(names)).to_numpy()
        self._cell_rows = None if wanted.all() else np.flatnonzero(wanted)
        self._cells = table[wanted].reset_index(drop=True)

    def column(self, name: str) -> npt.NDArray[Any]:
        """Return one column; see :meth:`Outcomes.column`."""
        if name in ("label", "sample", "correct"):
            return super().column(name)
        if name == "prediction" and self._predictions is not None:
            return self._predictions
        values = self._whole.column(name)
        if self._cell_rows is not None:
            values = values[self._cell_rows]
        if self._images is not None:
            values = values[:, self._images]
        if name == "prediction":
            self._predictions = values
        return values


def _counts(
    whole: Outcomes,
    labels: Collection[int] | None,
    models: Collection[str] | None,
    axes: Collection[str] | None,
) -> pd.DataFrame:
    """Return the rows of imported counts that are wanted."""
    names = None if labels is None else [whole.classes.names[label] for label in labels]
    counts = whole.counts
    for column, wanted in (("class", names), ("model", models), ("axis", axes)):
        if wanted is not None:
            counts = counts[counts[column].isin(list(wanted))]
    return counts.reset_index(drop=True)
