"""Where the true labels come from: a folder of images, a table, another run, or the files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lpa.classes import Classes
from lpa.datasets import open_data
from lpa.errors import InputError
from lpa.importing.naming import Named
from lpa.importing.tables import Table, open_table
from lpa.outcomes import Samples, Store, is_address, read_record
from lpa.user_paths import is_file, user_path

__all__ = ["Labels", "of_samples", "read_labels", "sorted_places"]

SAMPLE_COLUMNS = ("sample", "path", "filename", "file", "name", "image")
LABEL_COLUMNS = ("label", "class", "target", "synset")


@dataclass(frozen=True)
class Labels:
    """The true labels of named samples, sorted by name.

    Attributes
    ----------
    names : list of str
        Unique.
    label : Named
        The class of each.
    splits : list of str
        The split of each.
    numbers : array of int64
        Index of each in the full, name-sorted data set.
    keys : array of uint64 or None
        64-bit hashes of the images, where they are known.
    source : str
        For messages.
    classes : Classes or None
        All classes in their order, where the source has an order of its own (a run).
    """

    names: list[str]
    label: Named
    splits: list[str]
    numbers: npt.NDArray[np.int64]
    keys: npt.NDArray[np.uint64] | None
    source: str
    classes: Classes | None = None


def read_labels(spec: str | os.PathLike[str], split: str | None) -> Labels:
    """Read labels from what ``--labels`` names.

    Parameters
    ----------
    spec : path or text
        A CSV, Parquet or npz file with a column of samples (:data:`SAMPLE_COLUMNS`) and one of
        labels (:data:`LABEL_COLUMNS`); the folder of a run; or what ``--data`` takes: a folder
        with one sub-folder per class, a named data set. Images are not read.
    split : str or None
        Which split of a folder.

    Raises
    ------
    InputError
        For anything else, and for a sample that stands twice.
    """
    path = user_path(spec)
    if is_file(path):
        return _of_table(open_table(str(spec)), split)
    store = Store(os.fspath(spec) if is_address(spec) else path)
    if store.exists("run.json"):
        samples = Samples.from_parquet_bytes(store.get("samples.parquet"))
        record = read_record(store)
        if not len(samples):
            raise InputError(
                f"labels {spec}: the run holds counts only and names no samples; expected a run of "
                "predictions, a CSV of sample,label or a folder"
            )
        return of_samples(samples, record.classes, str(spec))
    source = open_data(os.fspath(spec), split)
    names = source.classes.names
    return Labels(
        source.names,
        Named(names, source.labels),
        source.splits,
        np.arange(len(source.names)),
        None,
        str(spec),
    )


def of_samples(samples: Samples, classes: Classes, source: str) -> Labels:
    """Return the labels of a run's samples."""
    named = Named(classes.names, np.asarray(samples.label))
    splits = [str(split) for split in samples.split]
    return Labels(list(samples.name), named, splits, samples.sample, samples.key, source, classes)


def _of_table(table: Table, split: str | None) -> Labels:
    sample = _column(table, SAMPLE_COLUMNS, "samples")
    label = _column(table, LABEL_COLUMNS, "labels")
    table.prepare([sample, label])
    names, labels = table.named(sample), table.named(label).unescaped()
    for column, cells in ((sample, names.codes), (label, labels.codes)):
        if (cells < 0).any():
            raise InputError(f"{table.where(int(np.argmax(cells < 0)), column)}: the cell is empty")
    if not len(names.codes):
        raise InputError(f"{table.path} has no rows; expected one row per sample")
    kept = np.ones(len(names.codes), dtype=bool)
    splits = np.full(len(names.codes), split or "all", dtype=np.object_)
    if "split" in table.names:
        parts = table.named("split")
        splits = np.array((*parts.texts, "all"), dtype=np.object_)[parts.codes]
        if split is not None:
            kept = np.isin(splits, split.split(","))
            if not kept.any():
                raise InputError(
                    f"{table.path}, column 'split' has no {split!r}; it has "
                    + ", ".join(map(repr, parts.texts))
                )
    rows = np.flatnonzero(kept)
    unique, first = np.unique(names.codes[rows], return_index=True)
    if len(unique) < len(rows):
        again = int(np.setdiff1d(np.arange(len(rows)), first)[0])
        text = names.texts[names.codes[rows[again]]]
        raise InputError(
            f"{table.where(int(rows[again]), sample)}: {text!r} stands twice; list each sample once"
        )
    order = rows[sorted_places([names.texts[code] for code in names.codes[rows]])]
    return Labels(
        [names.texts[code] for code in names.codes[order]],
        Named(labels.texts, labels.codes[order]),
        [str(part) for part in splits[order]],
        np.arange(len(order)),
        None,
        table.path,
    )


def sorted_places(names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the order of names; numbers by their size."""
    if all(name.isascii() and name.isdigit() for name in names):
        return np.argsort(np.array([int(name) for name in names], dtype=np.int64), kind="stable")
    return np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.int64)


def _column(table: Table, known: Sequence[str], what: str) -> str:
    for name in known:
        if name in table.names:
            return name
    raise InputError(
        f"{table.path} has no column of {what} among {', '.join(table.names)}; expected one named "
        + ", ".join(known[:-1]) + f" or {known[-1]}"
    )  # fmt: skip
