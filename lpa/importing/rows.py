"""The rows of one file: what each says, before classes and samples are matched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lpa.errors import InputError
from lpa.importing.columns import Layout, find_layout
from lpa.importing.naming import Named
from lpa.importing.tables import Table, open_table

__all__ = ["Rows", "read_rows"]

Floats = npt.NDArray[np.float64]

NAMED = ("model", "axis", "sample", "class", "label", "split")
NUMBERS = ("value", "replicate", "label_rank", "label_probability", "correct", "accuracy", "n")


@dataclass
class Rows:
    """One file's rows; what it does not have is missing from the dictionaries.

    Attributes
    ----------
    table : Table
        The file.
    layout : Layout
        Which column is what.
    named : dict of str to Named
        Columns of names, [rows]: model, axis, sample, class, label, split.
    numbers : dict of str to array of float64, shape [rows]
        Columns of numbers, NaN where a cell is empty.
    prediction : Named or None
        The best classes, [rows, k].
    probability : array of float64, shape [rows, k] or None
        Their probabilities.
    origin : array of int64, shape [rows]
        Place of each row in the file.
    """

    table: Table
    layout: Layout
    named: dict[str, Named]
    numbers: dict[str, Floats]
    prediction: Named | None
    probability: Floats | None
    origin: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.origin)

    def column(self, target: str) -> str:
        """Return the name of the (first) column of a target."""
        return self.layout.columns[target][0]

    def where(self, row: int, target: str) -> str:
        """Name a cell: file, line and column."""
        return self.table.where(int(self.origin[row]), self.column(target))

    def line(self, row: int) -> str:
        """Name a row: file and line."""
        return self.where(row, next(iter(self.layout.columns))).rpartition(", column")[0]

    def select(self, target: str, text: str) -> None:
        """Keep only the rows that have a text in a column of names.

        Raises
        ------
        InputError
            When there is none.
        """
        column = self.named[target]
        if text not in column.texts:
            raise InputError(
                f"{self.table.path}, column {self.column(target)!r} has "
                f"{', '.join(map(repr, column.texts[:3])) or 'nothing'} and not {text!r}; leave "
                f"--{target} out, or give one of these"
            )
        kept = column.codes == column.texts.index(text)
        if target == "axis":
            # Rows without an axis are the identity, which belongs to every axis.
            kept |= column.codes < 0
        self._keep(kept)

    def _keep(self, kept: npt.NDArray[np.bool_]) -> None:
        self.named = {name: column.take(kept) for name, column in self.named.items()}
        self.numbers = {name: column[kept] for name, column in self.numbers.items()}
        if self.prediction is not None:
            self.prediction = self.prediction.take(kept)
        if self.probability is not None:
            self.probability = self.probability[kept]
        self.origin = self.origin[kept]

    def width(self) -> int:
        """Return the number of outputs of the model."""
        target = self.layout.outputs
        assert target is not None
        names = self.layout.columns[target]
        return len(names) if len(names) > 1 else self.table.number_lists(names[0]).shape[1]

    def outputs(self) -> npt.NDArray[np.float32]:
        """Read every output of the model: float32 [rows, outputs].

        Raises
        ------
        InputError
            For outputs that are no matrix of finite numbers (probabilities: from 0 to 1).
        """
        target = self.layout.outputs
        assert target is not None
        names = self.layout.columns[target]
        if len(names) > 1:
            matrix = np.stack([self.table.numbers(name).astype(np.float32) for name in names], 1)
        else:
            matrix = self.table.number_lists(names[0]).astype(np.float32, copy=False)
        matrix = matrix[self.origin]
        wrong = ~np.isfinite(matrix)
        if target == "probabilities":
            wrong |= (matrix < 0) | (matrix > 1 + 1e-3)
        if wrong.any():
            row, output = (int(place) for place in np.argwhere(wrong)[0])
            raise InputError(
                f"{self.where(row, target)}: output {output} is {matrix[row, output]:g}; expected "
                + ("a finite logit" if target == "logits" else "a probability from 0 to 1")
            )
        return matrix


def read_rows(path: str, mapping: Mapping[str, str]) -> Rows:
    """Read a file but for its matrix of outputs.

    Parameters
    ----------
    path : str
        The file.
    mapping : mapping of str to str
        Target -> column, as the user says.

    Raises
    ------
    InputError
        Naming file, line and column.
    """
    table = open_table(path)
    layout = find_layout(path, table.names, mapping)
    table.prepare([name for names in layout.columns.values() for name in names])
    named = {
        target: table.named(layout.columns[target][0]).unescaped()
        for target in NAMED
        if target in layout.columns
    }
    numbers = {
        target: table.numbers(layout.columns[target][0])
        for target in NUMBERS
        if target in layout.columns
    }
    prediction = probability = None
    if "prediction" in layout.columns:
        prediction = _best(table, layout.columns["prediction"])
        if "prediction_probability" in layout.columns:
            probability = _probabilities(table, layout.columns["prediction_probability"])
    lengths = {target: len(column.codes) for target, column in named.items()}
    lengths |= {target: len(column) for target, column in numbers.items()}
    if prediction is not None:
        lengths["prediction"] = len(prediction.codes)
    if probability is not None:
        lengths["prediction_probability"] = len(probability)
    if layout.outputs is not None:
        lengths[layout.outputs] = table.rows(layout.columns[layout.outputs][0])
    _check_lengths(path, layout, lengths)
    count = next(iter(lengths.values()))
    if not count:
        raise InputError(f"{path} has no rows; expected one row per prediction")
    if probability is not None and prediction is not None:
        probability = probability[:, : prediction.codes.shape[1]]
    rows = Rows(table, layout, named, numbers, prediction, probability, np.arange(count))
    _check_cells(rows)
    return rows


def _best(table: Table, columns: tuple[str, ...]) -> Named:
    """Read the best classes: one column, a column of lists, or several columns; [rows, k]."""
    if len(columns) == 1 and table.is_list(columns[0]):
        return table.named_lists(columns[0]).unescaped()
    parts = [table.named(name) for name in columns]
    texts = list(dict.fromkeys(text for part in parts for text in part.texts))
    place = {text: index for index, text in enumerate(texts)}
    moved = [
        np.array([*(place[text] for text in part.texts), -1], dtype=np.int64)[part.codes]
        for part in parts
    ]
    return Named(tuple(texts), np.stack(moved, axis=1)).unescaped()


def _probabilities(table: Table, columns: tuple[str, ...]) -> Floats:
    if len(columns) == 1 and table.is_list(columns[0]):
        return np.asarray(table.number_lists(columns[0]), dtype=np.float64)
    return np.stack([table.numbers(name) for name in columns], axis=1)


def _check_lengths(path: str, layout: Layout, lengths: Mapping[str, int]) -> None:
    """Refuse arrays of unequal length, which only an npz file can have."""
    (first, length), *others = lengths.items()
    for target, other in others:
        if other != length:
            raise InputError(
                f"{path}: {layout.columns[first][0]!r} has {length} rows and "
                f"{layout.columns[target][0]!r} has {other}; expected arrays of the same rows"
            )


def _check_cells(rows: Rows) -> None:
    """Refuse empty cells where one is needed, and probabilities out of range."""
    for target in [name for name in ("sample", "class", "label") if name in rows.named]:
        _refuse_empty(rows, target, rows.named[target].codes < 0)
    if rows.prediction is not None:
        _refuse_empty(rows, "prediction", rows.prediction.codes[:, 0] < 0)
    found = [
        ("label_probability", rows.numbers.get("label_probability")),
        ("prediction_probability", rows.probability),
    ]
    for name, numbers in found:
        if numbers is None:
            continue
        wrong = np.argwhere((numbers < 0) | (numbers > 1 + 1e-3))
        if len(wrong):
            raise InputError(
                f"{rows.where(int(wrong[0][0]), name)}: {numbers[tuple(wrong[0])]:g} is no "
                "probability; expected 0 to 1 (of logits, only whole rows of all outputs help: "
                "--map logits=COLUMN)"
            )


def _refuse_empty(rows: Rows, target: str, empty: npt.NDArray[np.bool_]) -> None:
    if empty.any():
        raise InputError(
            f"{rows.where(int(np.argmax(empty)), target)}: the cell is empty; expected a "
            f"{'name' if target == 'sample' else 'class'} in every row"
        )
