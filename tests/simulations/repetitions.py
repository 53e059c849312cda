"""A run in memory whose classes are repetitions of one class, for functions that take a run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from lpa.axes import Axis


def run_of_repetitions(axis: Axis, right: list[np.ndarray], kind: str = "scan") -> Any:
    """Return what statistics read of an ``Outcomes``.

    ``right[v]`` is bool [repetitions, images, draws] at the value ``axis.grid[v]``.
    """
    repetitions, n = right[0].shape[:2]
    label = np.repeat(np.arange(repetitions, dtype=np.int32), n)
    rows = [each.reshape(repetitions * n, -1).T for each in right]
    cells = pd.DataFrame(
        [
            ("model", axis.name, value, draw)
            for value, each in zip(axis.grid, rows, strict=True)
            for draw in range(len(each))
        ],
        columns=["model", "axis", "value", "replicate"],
    )
    prediction = np.where(np.concatenate(rows), label, np.int32(-1))
    names = [str(repetition) for repetition in range(repetitions)]
    return SimpleNamespace(
        record=SimpleNamespace(kind=kind, trained=kind in ("sweep", "probe")),
        store="simulation",
        cells=cells,
        axes={axis.name: axis},
        samples=SimpleNamespace(label=label, split=np.full(len(label), "val", dtype=object)),
        classes=SimpleNamespace(names=names, labels=names),
        column=lambda name: {"prediction": prediction}[name],
    )
