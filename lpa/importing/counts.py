"""Counts: right predictions by training run and class, where there are no paired outcomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.classes import Classes
from lpa.errors import InputError
from lpa.importing.places import Place
from lpa.importing.rows import Rows

__all__ = ["check_twice", "of_predictions", "of_table", "uneven"]

NEAR = 0.25
"""How far accuracy x n may be from a whole number: more than rounded accuracies are, and less than
means over runs are in many of their classes."""

ROUNDED = 0.0051
"""How far an accuracy may be from correct / n: as far as one that is rounded to two digits."""

Codes = npt.NDArray[np.int64]


def of_table(
    rows: Rows, places: Sequence[Place], codes: Codes, classes: Classes, found: Codes
) -> pd.DataFrame:
    """Return the counts that a file of counts holds.

    Parameters
    ----------
    rows : Rows
        The file.
    places, codes
        See :func:`~lpa.importing.places.place_rows`.
    classes : Classes
        The run's.
    found : array of int64, shape [rows]
        The class of each row.

    Returns
    -------
    DataFrame
        ``model, axis, value, replicate, class`` (name), ``correct``, ``n``.

    Raises
    ------
    InputError
        Naming line and column, for numbers that are no counts, and for a class that stands twice.
    """
    n = rows.numbers["n"]
    _refuse(rows, "n", ~((n >= 1) & (n == np.floor(n))), "a whole number of images, at least 1")
    if "correct" in rows.numbers:
        target, correct = "correct", rows.numbers["correct"]
        whole = correct == np.floor(correct)
        expected = "a whole number from 0 to n"
    else:
        target, share = "accuracy", rows.numbers["accuracy"]
        _refuse(
            rows, target, ~((share >= 0) & (share <= 1)),
            "a share from 0 to 1 (divide per cent by 100)",
        )  # fmt: skip
        correct = np.rint(share * n)
        whole = np.abs(share * n - correct) <= NEAR
        expected = "accuracy x n near a whole number of images (the accuracy of one run on n)"
    _refuse(rows, target, ~(whole & (correct >= 0) & (correct <= n)), expected)
    if target == "correct" and "accuracy" in rows.numbers:
        _check_shares(rows, correct / n)
    key = codes * len(classes) + found
    unique, first = np.unique(key, return_index=True)
    if len(unique) < len(key):
        again = int(np.setdiff1d(np.arange(len(key)), first)[0])
        raise InputError(
            f"{rows.where(again, 'class')}: {classes.names[int(found[again])]!r} stands twice for "
            f"{places[int(codes[again])]}; expected each class once per training run"
        )
    return _frame(places, codes, classes, found, correct, n)


def _check_shares(rows: Rows, share: npt.NDArray[np.float64]) -> None:
    """Refuse accuracies that are not correct / n, as a share or in per cent."""
    told = rows.numbers["accuracy"]
    far = np.minimum(np.abs(told - share), np.abs(told / 100 - share)) > ROUNDED
    if far.any():
        row = int(np.argmax(far))
        raise InputError(
            f"{rows.where(row, 'accuracy')}: {told[row]:g}, and {rows.column('correct')} / "
            f"{rows.column('n')} is {share[row]:.4g}; expected the same: mend the row, or take one "
            "of the columns out"
        )


def uneven(counts: pd.DataFrame) -> list[str]:
    """Say which classes are not in every training run with the same number of images.

    Parameters
    ----------
    counts : DataFrame
        As of :func:`of_table`, of all files.
    """
    said = []
    for (model, axis), part in counts.groupby(["model", "axis"], dropna=False):
        of = f"{model} on {axis}" if isinstance(axis, str) else str(model)
        part = part.assign(value=part["value"].fillna(0.0))
        sizes = part.pivot_table("n", ["value", "replicate"], "class", dropna=False, observed=True)
        sizes = sizes.reindex(part.set_index(["value", "replicate"]).index.unique())
        usual = sizes.median()
        for wrong, what in (
            (sizes.isna(), "in some training runs only"),
            (sizes.notna() & sizes.ne(usual), "with another number of images in some"),
        ):
            names = list(sizes.columns[wrong.any()])
            if names:
                value, replicate = sizes.index[int(wrong[names[0]].to_numpy().argmax())]
                place = str(Place(str(model), axis if isinstance(axis, str) else None,
                                  float(value), int(replicate)))  # fmt: skip
                said.append(
                    f"{of}: {len(names)} of {sizes.shape[1]} classes are there {what}, first "
                    f"{names[0]!r} ({place}): tests leave such classes out"
                )
    return said


def _refuse(rows: Rows, target: str, wrong: npt.NDArray[np.bool_], expected: str) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"{rows.where(row, target)}: {rows.numbers[target][row]:g}; expected {expected}"
        )


def of_predictions(
    places: Sequence[Place], codes: Codes, classes: Classes, label: Codes, right: Codes
) -> pd.DataFrame:
    """Count the right predictions of a file whose rows have labels and no names.

    Parameters
    ----------
    places, codes
        See :func:`~lpa.importing.places.place_rows`.
    classes : Classes
        The run's.
    label, right : arrays of int64, shape [rows]
        The true class of each row, and whether it is predicted (0 or 1).

    Returns
    -------
    DataFrame
        As of :func:`of_table`.
    """
    key = codes * len(classes) + label
    unique, inverse, n = np.unique(key, return_inverse=True, return_counts=True)
    correct = np.bincount(inverse, weights=right).astype(np.float64)
    place, found = (np.asarray(part, dtype=np.int64) for part in np.divmod(unique, len(classes)))
    return _frame(places, place, classes, found, correct, n.astype(np.int64))


def _frame(
    places: Sequence[Place],
    codes: Codes,
    classes: Classes,
    found: Codes,
    correct: npt.NDArray[np.float64],
    n: npt.NDArray[np.float64] | npt.NDArray[np.int64],
) -> pd.DataFrame:
    def at(pick: Callable[[Place], object]) -> npt.NDArray[np.object_]:
        column = np.empty(len(places), dtype=object)
        column[:] = [pick(place) for place in places]
        return column[codes]

    return pd.DataFrame(
        {
            "model": at(lambda place: place.model),
            "axis": at(lambda place: place.axis),
            "value": at(lambda place: place.value).astype(np.float64),
            "replicate": at(lambda place: place.replicate).astype(np.int64),
            "class": np.array(classes.names, dtype=object)[found],
            "correct": correct.astype(np.int64),
            "n": np.asarray(n, dtype=np.int64),
        }
    )


def check_twice(frames: Sequence[pd.DataFrame], files: Sequence[str]) -> None:
    """Refuse cells that two files give.

    Raises
    ------
    InputError
        Naming both files.
    """
    seen: dict[Place, str] = {}
    for frame, file in zip(frames, files, strict=True):
        keys = frame[["model", "axis", "value", "replicate"]].drop_duplicates()
        for row in keys.itertuples(index=False):
            place = Place(row[0], row[1], row[2], row[3])
            other = seen.setdefault(place, file)
            if other != file:
                raise InputError(
                    f"{file} and {other} both hold {place}; tell them apart with {{value}}, "
                    "{replicate} or {model} in the pattern of file names, or import one"
                )
