"""Which column of a file is what: the waist's names, timm's, numpy arrays, or ``--map``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lpa.errors import InputError, unknown

__all__ = ["TARGETS", "Layout", "check_targets", "find_layout", "parse_map"]

TARGETS = (
    "model", "axis", "value", "replicate", "sample", "class", "label", "split",
    "prediction", "prediction_probability", "label_rank", "label_probability",
    "logits", "probabilities", "correct", "accuracy", "n",
)  # fmt: skip
"""What a column may be: the waist's columns, a row of all outputs, and the columns of counts."""

ARRAYS = {
    "sample": ("samples", "name", "names"),
    "label": ("labels",),
    "prediction": ("predictions",),
    "logits": ("outputs",),
    "probabilities": ("probs",),
}
"""Further names of the arrays of an npz file."""

OUTPUTS = ("logits", "probabilities")


@dataclass(frozen=True)
class Layout:
    """Where a file has what.

    Attributes
    ----------
    kind : {"predictions", "counts"}
        One row per prediction, or per training run and class.
    columns : dict of str to tuple of str
        Target -> column; several where the k best stand in columns of their own.
    source : str
        Whose layout it is, for reading: ``""`` or ``"timm's inference.py"``.
    notes : list of str
        What the file cannot say.
    """

    kind: str
    columns: dict[str, tuple[str, ...]]
    source: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def outputs(self) -> str | None:
        """The target that holds every output of the model, where there is one."""
        return next((target for target in OUTPUTS if target in self.columns), None)

    def __str__(self) -> str:
        """Say it in one line: ``sample = path, prediction = pred``."""
        columns = dict(self.columns)
        others = [names for target, names in columns.items() if target != "sample"]
        # With --by-row no column names the samples, and another one stands for it in messages.
        by_row = ["sample by row"] if columns.get("sample") in others else []
        if by_row:
            del columns["sample"]
        told = [
            f"{target} = {names[0]}" + (f" to {names[-1]}" if len(names) > 1 else "")
            for target, names in columns.items()
            if names != (target,)
        ]
        told = by_row + told
        own = [target for target, names in columns.items() if names == (target,)]
        return "; ".join(filter(None, (", ".join(told), ", ".join(own))))


def parse_map(texts: Sequence[str]) -> dict[str, str]:
    """Read ``sample=path,prediction=pred``.

    Raises
    ------
    InputError
        For a part without ``=``, an unknown target, or one that is given twice.
    """
    found: dict[str, str] = {}
    for part in (part for text in texts for part in text.split(",")):
        target, equals, column = (piece.strip() for piece in part.partition("="))
        if not equals or not column:
            raise InputError(
                f"--map {part.strip()!r}: expected TARGET=COLUMN, e.g. sample=path,prediction=pred"
            )
        if target in found:
            raise InputError(f"--map {target} is given twice; give one column for it")
        found[target] = column
    check_targets(found)
    return found


def check_targets(mapping: Mapping[str, str]) -> None:
    """Refuse a mapping of something that no column can be."""
    for target, column in mapping.items():
        if target in TARGETS:
            continue
        if column in TARGETS:
            raise InputError(
                f"--map {target}={column}: what a column is comes first; write {column}={target}"
            )
        raise unknown("target of --map", target, TARGETS, "TARGET=COLUMN")


def find_layout(path: str, names: Sequence[str], mapping: Mapping[str, str]) -> Layout:
    """Find out what the columns of a file are.

    Parameters
    ----------
    path : str
        For messages.
    names : sequence of str
        The file's columns.
    mapping : mapping of str to str
        What the user says: target -> column. It comes first.

    Raises
    ------
    InputError
        For a mapped column that is not there, and for a file without predictions or counts.
    """
    if len(names) == 1 and re.search("[;\t|]", names[0]):
        raise InputError(
            f"{path}, line 1: {names[0]!r} is one column; expected columns separated by commas: "
            "save the file with commas"
        )
    given = {target: _present(path, target, names, column) for target, column in mapping.items()}
    timm = _timm(names)
    if timm is not None and _is_timms(given, timm, names):
        return Layout(
            "predictions", {**timm.columns, **_waist(names, "place"), **given}, timm.source,
            timm.notes if "prediction_probability" not in given else [],
        )  # fmt: skip
    columns = {**_waist(names, "all"), **given}
    if "prediction" not in columns and ({"correct", "accuracy"} & set(columns)):
        _require(path, names, columns, ("class", "n"), "counts")
        return Layout("counts", columns)
    if not {"prediction", *OUTPUTS} & set(columns):
        raise InputError(
            f"{path} has no column of predictions among {', '.join(names)}; expected prediction "
            "(or logits, or class, correct and n): name it with --map prediction=COLUMN"
        )
    return Layout("predictions", columns)


def _is_timms(given: Mapping[str, tuple[str, ...]], timm: Layout, names: Sequence[str]) -> bool:
    """Tell whether a file is timm's: nobody says that something else is predicted in it."""
    if "prediction" in names or given.keys() & {"correct", "accuracy", *OUTPUTS}:
        return False
    chosen = given.get("prediction", timm.columns.get("prediction"))
    return chosen in (None, _numbered("index", names), _numbered("label", names))


def _present(path: str, target: str, names: Sequence[str], column: str) -> tuple[str, ...]:
    """Return the column or the columns that a user named."""
    found = _numbered(column, names)
    if not found:
        raise unknown(f"column of {path}", column, names, f"from --map {target}={column}")
    return found


def _numbered(column: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return a column, or ``column_0``, ``column_1``, ... in their order."""
    if column in names:
        return (column,)
    rule = re.compile(re.escape(column) + r"_(\d+)")
    numbers = sorted(int(match[1]) for name in names if (match := rule.fullmatch(name)))
    if not numbers or numbers != list(range(len(numbers))):
        return ()
    return tuple(f"{column}_{number}" for number in numbers)


def _waist(names: Sequence[str], which: str) -> dict[str, tuple[str, ...]]:
    """Return the columns that already have the waist's names."""
    targets = TARGETS if which == "all" else ("model", "axis", "value", "replicate", "split")
    found: dict[str, tuple[str, ...]] = {}
    for target in targets:
        for spelling in (target, *(ARRAYS.get(target, ()) if which == "all" else ())):
            columns = _numbered(spelling, names)
            if columns:
                found[target] = columns
                break
    return found


def _timm(names: Sequence[str]) -> Layout | None:
    """Recognise what timm's ``inference.py`` writes; its ``label`` is the predicted class."""
    if "filename" not in names:
        return None
    output = next((name for name in ("prob", "logit") if _numbered(name, names)), None)
    if output is None:
        return None
    columns: dict[str, tuple[str, ...]] = {"sample": ("filename",)}
    predicted = _numbered("index", names) or _numbered("label", names)
    notes: list[str] = []
    if not predicted:
        columns["probabilities" if output == "prob" else "logits"] = _numbered(output, names)
    else:
        columns["prediction"] = predicted
        if output == "prob":
            columns["prediction_probability"] = _numbered("prob", names)
        else:
            notes.append("logits of the best classes only give no probabilities: left out")
    return Layout("predictions", columns, "timm's inference.py", notes)


def _require(
    path: str,
    names: Sequence[str],
    columns: Mapping[str, object],
    wanted: Sequence[str],
    what: str,
) -> None:
    for target in wanted:
        if target not in columns:
            raise InputError(
                f"{path} has no column {target!r} among {', '.join(names)}, which {what} need; "
                f"name it with --map {target}=COLUMN, or add it to the file"
            )
