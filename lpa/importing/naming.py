"""Columns of names: the distinct texts, and which one each row has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Named"]

WHOLE = re.compile(r"-?\d+(\.0*)?")
NEUTRALISED = ("'=", "'+", "'-", "'@", "'\t", "'\r")


@dataclass(frozen=True)
class Named:
    """A column whose cells name things: a class, a sample, a model.

    Attributes
    ----------
    texts : tuple of str
        The distinct texts, none of them empty.
    codes : array of int64, shape [rows] or [rows, k]
        Index into ``texts``; -1 where a cell is empty.
    """

    texts: tuple[str, ...]
    codes: npt.NDArray[np.int64]

    @classmethod
    def clean(cls, texts: Sequence[str | None], codes: npt.NDArray[np.int64]) -> Named:
        """Drop what is empty, and write whole numbers without a fraction (``3.0`` is 3)."""
        plain = ["" if text is None else text for text in texts]
        filled = [text for text in plain if text]
        if filled and all(WHOLE.fullmatch(text) for text in filled):
            plain = [text.partition(".")[0] for text in plain]
        distinct = {text: place for place, text in enumerate(dict.fromkeys(filter(None, plain)))}
        moved = np.array([*(distinct.get(text, -1) for text in plain), -1], dtype=np.int64)
        return cls(tuple(distinct), moved[codes])

    def unescaped(self) -> Named:
        """Take away the apostrophe by which ``lpa export`` keeps spreadsheets from running text."""
        texts = [text[1:] if text.startswith(NEUTRALISED) else text for text in self.texts]
        return Named.clean(texts, self.codes) if texts != list(self.texts) else self

    def take(self, rows: npt.NDArray[np.bool_]) -> Named:
        """Return some of the rows, without the texts that none of them has."""
        codes = self.codes[rows]
        used = np.unique(codes[codes >= 0])
        moved = np.full(len(self.texts) + 1, -1, dtype=np.int64)
        moved[used] = np.arange(len(used))
        return Named(tuple(self.texts[place] for place in used), moved[codes])

    def first_row(self, text: str) -> int:
        """Return the first row that has a text."""
        hits = self.codes == self.texts.index(text)
        return int(np.flatnonzero(hits if hits.ndim == 1 else hits.any(axis=1))[0])
