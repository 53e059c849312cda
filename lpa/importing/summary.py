"""What an import says at its end: how files were read, the identity's accuracy, joined rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.axes import Axis, format_value
from lpa.classes import Classes
from lpa.importing.cells import NewCell
from lpa.importing.places import Place
from lpa.outcomes import Samples

__all__ = ["Imported", "identity_of_cells", "identity_of_counts", "joined_rows", "omissions"]


@dataclass(frozen=True)
class Imported:
    """What was imported.

    Attributes
    ----------
    location : str
        The run's folder, or its address in an object store.
    read : list of str
        How files and columns were understood.
    identity : DataFrame
        ``model, axis, accuracy, correct, n``: the accuracy at the reference, over all images and
        replicates; ``axis`` is None where the identity is stored once per model.
    rows : DataFrame
        ``sample, label, prediction``: three joined rows, by the names that people read.
    rows_of : str
        Which cell they are from.
    omissions : list of str
        What cannot be computed from the results and is left out.
    added, known : int
        Cells that were written, and cells that were there before.
    """

    location: str
    read: list[str]
    identity: pd.DataFrame
    rows: pd.DataFrame
    rows_of: str
    omissions: list[str]
    added: int
    known: int
    what: str = field(default="cells")

    def __str__(self) -> str:
        """Write it as plain text."""
        lines = list(self.read)
        for row in self.identity.to_dict("records"):
            place = f" on {row['axis']}" if isinstance(row["axis"], str) else ""
            lines.append(
                f"identity of {row['model']}{place}: accuracy {row['accuracy']:.4f} "
                f"({row['correct']:,} of {row['n']:,})"
            )
        if len(self.rows):
            lines.append(f"joined rows of {self.rows_of}:")
            table = [list(self.rows.columns), *self.rows.astype(str).to_numpy().tolist()]
            widths = [max(len(line[place]) for line in table) for place in range(3)]
            for line in table:
                cells = zip(line, widths, strict=True)
                lines.append("  " + "  ".join(c.ljust(w) for c, w in cells).rstrip())
        lines += [f"left out: {text}" for text in self.omissions]
        lines.append(
            f"{self.added} {self.what} added, {self.known} were there already"
            if self.known
            else f"{self.added} {self.what} added"
        )
        return "\n".join("".join(c if c.isprintable() else "�" for c in line) for line in lines)


def identity_of_cells(
    cells: Sequence[NewCell], axes: Mapping[str, Axis], label: npt.NDArray[np.int64]
) -> pd.DataFrame:
    """Return the accuracy at the reference of every model; see :class:`Imported`."""
    sums: dict[tuple[str, str | None], list[int]] = {}
    for cell in cells:
        if not is_reference(cell.place, axes):
            continue
        total = sums.setdefault((cell.place.model, cell.place.axis), [0, 0])
        total[0] += int((cell.prediction == label).sum())
        total[1] += len(label)
    return _identity(sums)


def identity_of_counts(counts: pd.DataFrame, axes: Mapping[str, Axis]) -> pd.DataFrame:
    """Return the accuracy at the reference from counts; see :class:`Imported`."""
    sums: dict[tuple[str, str | None], list[int]] = {}
    for key, part in counts.groupby(["model", "axis", "value"], dropna=False):
        model, axis, value = key
        place = Place(str(model), axis if isinstance(axis, str) else None, float(str(value)), 0)
        if is_reference(place, axes):
            sums[place.model, place.axis] = [int(part["correct"].sum()), int(part["n"].sum())]
    return _identity(sums)


def is_reference(place: Place, axes: Mapping[str, Axis]) -> bool:
    """Tell whether a place is the identity or the reference of its axis."""
    return place.axis is None or axes[place.axis].reference == place.value


def _identity(sums: dict[tuple[str, str | None], list[int]]) -> pd.DataFrame:
    rows = [(model, axis, correct / n, correct, n) for (model, axis), (correct, n) in sums.items()]
    return pd.DataFrame(rows, columns=["model", "axis", "accuracy", "correct", "n"])


def joined_rows(
    cells: Sequence[NewCell], axes: Mapping[str, Axis], samples: Samples, classes: Classes
) -> tuple[pd.DataFrame, str]:
    """Return three rows, the first, middle and last sample of the first identity there is."""
    cell = next((cell for cell in cells if is_reference(cell.place, axes)), cells[0])
    places = list(dict.fromkeys([0, len(samples) // 2, len(samples) - 1]))
    labels = (*classes.labels, "(no class of the run)")
    rows = [
        (samples.name[at], labels[samples.label[at]], labels[cell.prediction[at]]) for at in places
    ]
    return pd.DataFrame(rows, columns=["sample", "label", "prediction"]), str(cell.place)


def omissions(
    cells: Sequence[NewCell],
    axes: Mapping[str, Axis],
    identity: pd.DataFrame,
    known: Mapping[str, bool],
    classes: int,
    topk: int,
) -> list[str]:
    """Say what the results cannot tell.

    Parameters
    ----------
    cells : sequence of NewCell
        What was imported.
    axes : mapping of str to Axis
        By name.
    identity : DataFrame
        See :class:`Imported`.
    known : mapping of str to bool
        Models whose identity is stored already.
    classes : int
        Number of the run's classes.
    topk : int
        Longest list of best classes.
    """
    found = []
    has = {name for cell in cells for name in cell.columns}
    if not has & {"prediction_probability", "label_probability"}:
        found.append("no probabilities in the files: statistics of confidence")
    if "label_rank" not in has:
        found.append("no ranks in the files: accuracies beyond top-1")
    elif topk > 1:
        found.append(f"ranks are known within the best {topk} only: accuracies beyond top-{topk}")
    whole = set(identity["model"])
    for model in dict.fromkeys(cell.place.model for cell in cells):
        if model not in whole and not known.get(model):
            of = sorted({c.place.axis or "" for c in cells if c.place.model == model})
            wanted = ", ".join(f"{name} {format_value(axes[name].reference)}" for name in of)
            found.append(
                f"nothing of {model} at the reference ({wanted}): losses, thresholds, rankings and "
                "drift, until it is imported too"
            )
    for row in identity.to_dict("records"):
        if classes >= 10 and row["accuracy"] < 2 / classes:
            found.append(
                f"the accuracy of {row['model']} at the reference is that of guessing: nothing, "
                "but do labels and predictions have the same order of classes?"
            )
    return found
