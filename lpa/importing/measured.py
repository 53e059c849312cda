"""From the rows of a file to the waist's columns: prediction, ranks and probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lpa.classes import Classes
from lpa.errors import InputError
from lpa.importing.class_choice import (
    ambiguous,
    find_classes,
    find_indices,
    how_understood,
    is_unknown,
    is_whole,
    unknown_class,
)
from lpa.importing.rows import Rows

__all__ = ["Measured", "find_predictions", "measure"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """The waist's columns of one file, one entry per row; NaN where something is not known.

    Attributes
    ----------
    prediction : array of int32, shape [rows]
        Index of the run's class, -1 outside of them.
    columns : dict of str to array of float64, shape [rows]
        Those of ``prediction_probability``, ``label_rank`` and ``label_probability`` that the
        file tells anything about.
    """

    prediction: npt.NDArray[np.int32]
    columns: dict[str, Floats]


def find_predictions(
    rows: Rows, classes: Classes, texts: Sequence[str], *, indices: bool
) -> tuple[npt.NDArray[np.int64], str]:
    """Find the predicted classes of a file.

    Parameters
    ----------
    rows : Rows
        With ``prediction``.
    classes : Classes
        The run's.
    texts : sequence of str
        The predictions of all files: they are understood alike.
    indices : bool
        Whether whole numbers are indices whatever the classes' names.

    Returns
    -------
    array of int64, shape [rows, k]
        Index of the class, -1 outside of them.
    str
        How the texts were understood.

    Raises
    ------
    InputError
        Naming file, line and column of a text that is no class, or that may mean two.
    """
    assert rows.prediction is not None
    indices = indices and is_whole(texts)
    found = find_indices(classes, texts) if indices else find_classes(classes, texts)
    index = dict(zip(texts, found.tolist(), strict=True))
    for text in rows.prediction.texts:
        if is_unknown(text, index[text], classes):
            where = rows.where(rows.prediction.first_row(text), "prediction")
            raise unknown_class(text, classes, where)
    if rows.layout.source:
        for text in ambiguous(classes, rows.prediction.texts):
            where = rows.where(rows.prediction.first_row(text), "prediction")
            raise InputError(
                f"{where}: {text!r} is the name of two classes in timm's labels; run inference.py "
                "with --include-index or --label-type name"
            )
    moved = np.array([*(index[text] for text in rows.prediction.texts), -1], dtype=np.int64)
    how = how_understood(classes, texts, indices=indices)
    return moved[rows.prediction.codes], how


def measure(
    rows: Rows, best: npt.NDArray[np.int64] | None, label: npt.NDArray[np.int64], classes: Classes
) -> Measured:
    """Compute the waist's columns of one file.

    Parameters
    ----------
    rows : Rows
        The file.
    best : array of int64, shape [rows, k] or None
        The predicted classes; None where the file has every output.
    label : array of int64, shape [rows]
        The true class of each row.
    classes : Classes
        The run's.

    Raises
    ------
    InputError
        For outputs of another number than the classes, and for ranks that contradict the labels.
    """
    if best is None:
        return _of_outputs(rows, label, classes)
    prediction = best[:, 0]
    columns: dict[str, Floats] = {}
    hit = best == label[:, None]
    if best.shape[1] > 1:
        columns["label_rank"] = np.where(hit.any(axis=1), hit.argmax(axis=1), np.nan)
    if rows.probability is not None:
        columns["prediction_probability"] = rows.probability[:, 0]
        known = hit[:, : rows.probability.shape[1]]
        at = known.argmax(axis=1)
        own = rows.probability[np.arange(len(rows)), at]
        columns["label_probability"] = np.where(known.any(axis=1), own, np.nan)
    for target in ("label_rank", "label_probability"):
        if target in rows.numbers:
            columns[target] = rows.numbers[target]
    if "label_rank" in rows.numbers:
        _check_ranks(rows, prediction == label, columns["label_rank"])
    return Measured(prediction.astype(np.int32), _with_content(columns))


def _check_ranks(rows: Rows, right: npt.NDArray[np.bool_], rank: Floats) -> None:
    wrong = (rank < 0) | (rank != np.floor(rank)) | ((rank == 0) != right)
    wrong &= ~np.isnan(rank)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"{rows.where(row, 'label_rank')}: rank {rank[row]:g} where the prediction is "
            f"{'right' if right[row] else 'wrong'}; expected 0 for right predictions and only for "
            "these (are labels and predictions of the same classes?)"
        )


def _of_outputs(rows: Rows, label: npt.NDArray[np.int64], classes: Classes) -> Measured:
    outputs = rows.outputs()
    target = rows.layout.outputs
    if outputs.shape[1] != len(classes):
        raise InputError(
            f"{rows.table.path}, column {rows.column(str(target))!r} has {outputs.shape[1]} "
            f"outputs, and the run has {len(classes)} classes; name every output with "
            "--classes FILE"
        )
    here = np.arange(len(outputs))
    best = outputs.argmax(axis=1)
    own = outputs[here, label]
    # Ties by position, as argmax has them: rank 0 is the same as a right prediction.
    before = (outputs > own[:, None]).sum(axis=1)
    before += ((outputs == own[:, None]) & (np.arange(outputs.shape[1]) < label[:, None])).sum(1)
    shown, mine = outputs[here, best].astype(np.float64), own.astype(np.float64)
    if target == "logits":
        total = np.exp(outputs - shown[:, None].astype(np.float32)).sum(axis=1, dtype=np.float64)
        shown, mine = 1 / total, np.exp(mine - shown) / total
    columns = {
        "prediction_probability": shown,
        "label_rank": before.astype(np.float64),
        "label_probability": mine,
    }
    rows.table.forget()
    return Measured(best.astype(np.int32), columns)


def _with_content(columns: dict[str, Floats]) -> dict[str, Floats]:
    return {name: values for name, values in columns.items() if not np.isnan(values).all()}
