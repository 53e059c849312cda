"""Several files of features as one table: the plain view of images and augmented ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lpa.probing.feature_files import Features

__all__ = ["JoinedRows", "joined"]


class JoinedRows:
    """Rows of arrays one after the other; what is asked for is copied, never the whole.

    Parameters
    ----------
    pieces : sequence of array, shape [N_i, D]
        Of one type and width; usually memory-mapped.
    """

    def __init__(self, pieces: Sequence[npt.NDArray[Any]]) -> None:
        self.pieces = tuple(pieces)
        self.starts = np.cumsum([0, *(len(piece) for piece in self.pieces)])

    @property
    def shape(self) -> tuple[int, ...]:
        """[N, D]."""
        return int(self.starts[-1]), *self.pieces[0].shape[1:]

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self.starts[-1])

    def __getitem__(self, rows: slice | npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Return some rows, [B, D]."""
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self)))
        found = np.empty((len(rows), *self.shape[1:]), self.pieces[0].dtype)
        of = np.searchsorted(self.starts, rows, side="right") - 1
        for number in np.unique(of):
            here = of == number
            found[here] = self.pieces[number][rows[here] - self.starts[number]]
        return found


def joined(tables: Sequence[Features]) -> Features:
    """Return tables one after the other as one; a single one is returned as it is."""
    if len(tables) == 1:
        return tables[0]
    return Features(
        JoinedRows([np.asarray(table.features) for table in tables]),
        np.concatenate([table.labels for table in tables]),
        np.concatenate([table.keys for table in tables]),
    )
