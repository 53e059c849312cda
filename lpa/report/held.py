"""Outcomes that are read once, however many statistics ask for them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from lpa.outcomes import Outcomes

__all__ = ["Held"]


class Held(Outcomes):
    """The outcomes of a run, each column of which is read from the store once and kept.

    A report asks for the predictions about fifteen times; 18 million of them take 72 MB.

    Parameters
    ----------
    outcomes : Outcomes
        An opened run.
    """

    def __init__(self, outcomes: Outcomes) -> None:
        self.__dict__.update(outcomes.__dict__)
        # Every curve looks through the splits, which is slow in an array of Arrow's strings.
        plain = np.array(self.samples.split.tolist(), dtype=object)
        self.samples = dataclasses.replace(self.samples, split=plain)
        self._held: dict[str, npt.NDArray[Any]] = {}

    def column(self, name: str) -> npt.NDArray[Any]:
        """Return one column of every cell, which callers must not change."""
        if name not in self._held:
            self._held[name] = super().column(name)
            self._held[name].flags.writeable = False
        return self._held[name]
