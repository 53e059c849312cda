"""The table of samples of one part: read every image once, or take an earlier table's word."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from lpa.classes import Classes
from lpa.datasets.selection import index_samples
from lpa.datasets.source import Source
from lpa.errors import InputError
from lpa.outcomes import Samples

__all__ = ["sample_table"]

Integers = npt.NDArray[np.int64]


def sample_table(
    source: Source,
    indices: Integers,
    classes: Classes,
    known: Samples | None,
    workers: int,
    progress: Callable[[int], object] | None,
) -> Samples:
    """Make the table of some samples; read what is not known.

    Parameters
    ----------
    source : Source
        Where they are.
    indices : array of int64
        Which, ascending.
    classes : Classes
        The run's; found by name.
    known : Samples or None
        An earlier table: what stands there under the same number, name and split is not read.
    workers : int
        Threads that read.
    progress : callable or None
        Called with the number of samples done since the last call.

    Raises
    ------
    InputError
        Where a file cannot be read.
    """
    where = {name: index for index, name in enumerate(classes.names)}
    run_label = np.array([where.get(name, -1) for name in source.classes.names], dtype=np.int64)
    found, rows = _found(source, indices, known)
    try:
        read = index_samples(source, indices[~found], run_label, workers, progress)
    except OSError as error:
        raise InputError(
            f"{source.root} cannot be read ({error}); expected readable files: check the path "
            "and its permissions, then run the same command again"
        ) from error
    if known is None or not len(rows):
        return read
    if progress is not None:
        progress(len(rows))
    labels = run_label[source.labels[indices[found]]]
    return _merged([replace(known.take(rows), label=labels), read])


def _found(
    source: Source, indices: Integers, known: Samples | None
) -> tuple[npt.NDArray[np.bool_], Integers]:
    """Find images in an earlier table: which of them stand there, and in which row."""
    if known is None:
        return np.zeros(len(indices), dtype=bool), np.empty(0, dtype=np.int64)
    row_of = {
        (int(number), name, split): row
        for row, (number, name, split) in enumerate(
            zip(known.sample, known.name, known.split.tolist(), strict=True)
        )
    }
    rows = np.array(
        [row_of.get((int(i), source.names[i], source.splits[i]), -1) for i in indices],
        dtype=np.int64,
    )
    return rows >= 0, rows[rows >= 0]


def _merged(tables: Sequence[Samples]) -> Samples:
    """Put tables together, ascending by sample."""
    joined = Samples(
        sample=np.concatenate([table.sample for table in tables]),
        key=np.concatenate([table.key for table in tables]),
        name=tuple(itertools.chain.from_iterable(table.name for table in tables)),
        label=np.concatenate([table.label for table in tables]),
        split=np.concatenate([table.split for table in tables]),
        size=np.concatenate([table.size for table in tables]),
    )
    return joined.take(np.argsort(joined.sample))
