"""Which samples of a source are measured, and the table of them.

A selection is random but depends on nothing except seed and names: not on the order of files, not
on how many are selected, so that a larger selection contains each smaller one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from lpa.datasets.source import Raw, Source
from lpa.errors import InputError
from lpa.outcomes.samples import Samples

__all__ = ["index_samples", "sample_key", "select"]

CHUNK = 64
"""Samples that a thread reads before it reports; keeps the book-keeping small."""


def select(
    source: Source, *, per_class: int | None = None, limit: int | None = None, seed: int = 0
) -> npt.NDArray[np.int64]:
    """Select samples at random.

    Parameters
    ----------
    source : Source
        The full data set.
    per_class : int or None
        At most so many of each class: those with the lowest blake2b of (seed, name).
    limit : int or None
        At most so many in all, chosen likewise among what ``per_class`` left.
    seed : int
        Another seed, another selection.

    Returns
    -------
    array of int64
        Indices into the source, ascending.

    Raises
    ------
    InputError
        For a number below 1.
    """
    for option, number in (("--per-class", per_class), ("--limit", limit)):
        if number is not None and number < 1:
            raise InputError(f"{option} {number} selects nothing; expected at least 1")
    chosen = np.arange(len(source), dtype=np.int64)
    if per_class is None and limit is None:
        return chosen
    digests = [_name_digest(seed, name) for name in source.names]
    # Digests are 128 bits wide, so ties do not happen; names are unique.
    order = np.array(sorted(range(len(source)), key=digests.__getitem__), dtype=np.int64)
    if per_class is not None:
        order = order[_rank_within(source.labels[order]) < per_class]
    return np.sort(order[:limit])


def _name_digest(seed: int, name: str) -> bytes:
    return hashlib.blake2b(f"{seed}:{name}".encode(), digest_size=16).digest()


def _rank_within(labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return how many equal labels stand before each position."""
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], labels[order], side="left")
    ranks = np.empty(len(labels), dtype=np.int64)
    ranks[order] = np.arange(len(labels)) - starts
    return ranks


def sample_key(raw: Raw) -> int:
    """Return the 64-bit blake2b of encoded bytes, or of pixels and their shape."""
    digest = hashlib.blake2b(digest_size=8)
    if isinstance(raw, np.ndarray):
        digest.update("x".join(map(str, raw.shape)).encode())
        raw = np.ascontiguousarray(raw).tobytes()
    digest.update(raw)
    return int.from_bytes(digest.digest(), "little")


def index_samples(
    source: Source,
    indices: npt.NDArray[np.int64],
    run_label: npt.NDArray[np.int64],
    workers: int = 4,
    progress: Callable[[int], object] | None = None,
) -> Samples:
    """Read every selected sample once and make the run's table of samples.

    Parameters
    ----------
    source : Source
        The full data set.
    indices : array of int64
        What :func:`select` returned.
    run_label : array of int64, shape [classes of the source]
        Index of each of the source's classes among the run's; the samples of a class with -1 are
        left out unread.
    workers : int
        Threads that read.
    progress : callable or None
        Called from this thread with the number of samples read since the last call.

    Returns
    -------
    Samples
        Ascending by sample.

    Raises
    ------
    OSError
        Where a file cannot be read.
    """
    labels = np.asarray(run_label, dtype=np.int64)[source.labels[indices]]
    indices, labels = indices[labels >= 0], labels[labels >= 0]
    keys: list[int] = []
    sizes: list[int] = []
    chunks = [indices[start : start + CHUNK] for start in range(0, len(indices), CHUNK)]

    def read_chunk(chunk: Iterable[np.int64]) -> list[tuple[int, int]]:
        return [_key_and_size(source.read(int(index))) for index in chunk]

    pool = ThreadPoolExecutor(max(1, workers))
    try:
        for rows in pool.map(read_chunk, chunks):
            keys.extend(key for key, _ in rows)
            sizes.extend(size for _, size in rows)
            if progress is not None:
                progress(len(rows))
    finally:
        # A failed read or Ctrl-C shall not wait for the thousands of files still queued.
        pool.shutdown(cancel_futures=True)
    return Samples(
        sample=indices,
        key=np.array(keys, dtype=np.uint64),
        name=tuple(source.names[index] for index in indices),
        label=labels,
        split=np.array([source.splits[index] for index in indices], dtype=np.str_),
        size=np.array(sizes, dtype=np.int64),
    )


def _key_and_size(raw: Raw) -> tuple[int, int]:
    return sample_key(raw), raw.nbytes if isinstance(raw, np.ndarray) else len(raw)
