"""The samples of an import, and how names in its files find them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["find_samples"]

Codes = npt.NDArray[np.int64]


def find_samples(
    names: Sequence[str], known: Sequence[str], numbers: Codes | None = None
) -> tuple[Codes, str]:
    """Find samples by name.

    Exact names first. Else a name that is the end of another, at a ``/`` (``val/cat/7.jpg`` and
    ``cat/7.jpg``; ``7.jpg``, where only one has that name). Else the file names alone, where they
    are unique on both sides and all are found. Else whole numbers are the samples' numbers in the
    name-sorted data set, where all are found.

    Parameters
    ----------
    names : sequence of str
        Distinct names in a file.
    known : sequence of str
        Distinct names of samples.
    numbers : array of int64, optional
        The known samples' numbers; by default 0, 1, ...

    Returns
    -------
    array of int64, shape [len(names)]
        Index into ``known``, or -1.
    str
        How they were found, for reading; empty for exact names.
    """
    exact = _look_up(names, {name: place for place, name in enumerate(known)})
    if (exact >= 0).all():
        return exact, ""
    by_end = _by_end([_parts(name) for name in names], [_parts(name) for name in known])
    by_end = np.where(exact >= 0, exact, by_end)
    if (by_end >= 0).any():
        by_file = _by_file(names, known) if (by_end < 0).any() else None
        if by_file is None:
            return by_end, "matched by the ends of their paths"
        return by_file, "matched by file name alone"
    by_file = _by_file(names, known)
    if by_file is not None:
        return by_file, "matched by file name alone"
    if all(name.isascii() and name.isdigit() for name in names):
        places = np.arange(len(known)) if numbers is None else numbers
        found = _look_up(names, {str(number): place for place, number in enumerate(places)})
        if (found >= 0).all():
            return found, "matched by number in the name-sorted data set"
    return by_end, ""


def _look_up(names: Sequence[str], places: dict[str, int]) -> Codes:
    return np.array([places.get(name, -1) for name in names], dtype=np.int64)


def _parts(name: str) -> tuple[str, ...]:
    """Split a path, the last part first."""
    return tuple(part for part in reversed(name.replace("\\", "/").split("/")) if part != ".")


def _by_end(names: Sequence[tuple[str, ...]], known: Sequence[tuple[str, ...]]) -> Codes:
    """Find the only known sample whose path ends in a name, or whose path ends the name."""
    found = np.full(len(names), -1, dtype=np.int64)
    depth = max((len(parts) for parts in names), default=0)
    ends: dict[tuple[str, ...], int] = {}
    for place, parts in enumerate(known):
        for length in range(1, min(len(parts), depth) + 1):
            end = parts[:length]
            # Two samples with one end: neither is meant.
            ends[end] = -1 if end in ends else place
    whole = {parts: place for place, parts in enumerate(known)}
    for row, parts in enumerate(names):
        found[row] = ends.get(parts, -1)
        for length in range(len(parts) - 1, 0, -1):
            if found[row] >= 0:
                break
            found[row] = whole.get(parts[:length], -1)
    return _without_twice(found)


def _without_twice(found: Codes) -> Codes:
    """Forget matches of several names with one sample."""
    counts = np.bincount(found[found >= 0], minlength=1)
    twice = (found >= 0) & (counts[np.maximum(found, 0)] > 1)
    return np.where(twice, -1, found)


def _by_file(names: Sequence[str], known: Sequence[str]) -> Codes | None:
    files = [_parts(name)[0] if _parts(name) else name for name in known]
    mine = [_parts(name)[0] if _parts(name) else name for name in names]
    if max(Counter(files).values(), default=2) > 1 or max(Counter(mine).values(), default=2) > 1:
        return None
    found = _look_up(mine, {file: place for place, file in enumerate(files)})
    return found if (found >= 0).all() else None
