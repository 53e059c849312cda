"""``lpa import``: results that were computed elsewhere become a run, or extend one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from lpa.axes import Axis
from lpa.errors import InputError
from lpa.importing.asked import Asked, columns_of, text_of
from lpa.importing.axis_choice import OwnAxis, canonical, choose_axis
from lpa.importing.counts_of_files import import_counts
from lpa.importing.outcomes_of_files import import_outcomes
from lpa.importing.places import Given
from lpa.importing.reading_files import FileRows, kind_of, read_files
from lpa.importing.records import half_begun
from lpa.importing.summary import Imported
from lpa.outcomes import Outcomes, Store, check_folder

__all__ = ["import_results"]


def import_results(
    files: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    model: str | None = None,
    axis: str | None = None,
    value: float | None = None,
    replicate: int | None = None,
    columns: Mapping[str, str] | str | Sequence[str] | None = None,
    labels: str | os.PathLike[str] | None = None,
    classes: str | os.PathLike[str] | None = None,
    split: str | None = None,
    unit: str | None = None,
    reference: float | None = None,
    stronger: str | None = None,
    scale: str | None = None,
    replicates: str | None = None,
    paired_replicates: bool | None = None,
    samples: str = "all",
    by_row: bool = False,
) -> Imported:
    """Import predictions or counts that were computed elsewhere, as a run of their own.

    :mod:`lpa.importing` says what files may hold. The same call again changes nothing; more files,
    models and axes extend the run; other samples, labels, classes or rows are refused.

    Parameters
    ----------
    files : path or sequence of paths
        CSV, Parquet or npz files, or patterns of their names with ``{value}``, ``{replicate}``,
        ``{model}`` and ``{axis}``.
    out : path
        The run's folder.
    model, axis, value, replicate
        Coordinates that neither a file's name nor a column says. Where a column says the model or
        the axis, only rows with this one are read. Without an axis, results are the identity's.
    columns : mapping of str to str, optional
        Target -> column, e.g. ``{"sample": "path", "prediction": "pred"}``.
    labels : path, optional
        True labels: a folder with one sub-folder per class, a CSV of ``sample,label``, or a run.
        By default a column of the files, or what the run has.
    classes : path, optional
        Class names in the order of the predictions' indices.
    split : str, optional
        Which split of the labels; only rows of it where files have a column ``split``.
    unit, reference, stronger, scale
        Describe an axis that lpa does not know; see :class:`lpa.Axis`.
    replicates : {"draws", "trainings"}, optional
        What replicates are: random draws for a fixed model, or training runs. By default what the
        run has, else draws; counts are of trainings.
    paired_replicates : bool, optional
        Whether replicate r at one value shares its training seed with replicate r at the others
        (STATISTICS 1: then the paired test applies).
    samples : {"all", "common"}
        Refuse files that lack samples, or samples without a label; or keep what all have.
    by_row : bool
        Samples have no names; every file has the same ones in the same order.

    Returns
    -------
    Imported
        How files were read, the identity's accuracy, three joined rows, and what is left out.

    Raises
    ------
    InputError
        For anything that cannot be read, naming file, line and column; nothing is written then.
    """
    several = [files] if isinstance(files, str | os.PathLike) else files
    asked = Asked(
        files=tuple(os.fspath(file) for file in several),
        out=os.fspath(out),
        given=Given(model, axis, None if value is None else float(value), replicate),
        columns=columns_of(columns),
        labels=text_of(labels),
        classes=text_of(classes),
        split=split,
        own=OwnAxis(unit, None if reference is None else float(reference), stronger, scale),
        replicates=replicates,
        paired_replicates=paired_replicates,
        samples=samples,
        by_row=by_row,
    )
    run = _present(asked)
    notes: list[str] = []
    read = read_files(asked, notes)
    kind = kind_of(read, notes)
    facts = _facts(asked, run, kind)
    trained = facts["replicates"] == "trainings"
    axes = _axes(asked, read, run, trained)
    notes.append("replicates are " + ("training runs" if trained else "random draws"))
    importer = import_outcomes if kind == "outcomes" else import_counts
    return importer(asked, read, run, axes, facts, notes)


def _present(asked: Asked) -> Outcomes | None:
    """Return the run that is extended.

    Raises
    ------
    InputError
        For a folder with other files, and for a run that is no import.
    """
    store = Store(asked.out)
    check_folder(store)
    if not store.exists("run.json") or half_begun(store):
        return None
    run = Outcomes(asked.out)
    if run.record.kind != "import":
        raise InputError(
            f"{store} is {run.record.called}; imported results go into a run of their own: give "
            "another directory with --out DIR"
        )
    if asked.split is not None and run.record.split != asked.split:
        raise InputError(
            f"{store} has split {run.record.split or '(default)'}, and {asked.split} was asked "
            "for; give another directory with --out DIR"
        )
    return run


def _facts(asked: Asked, run: Outcomes | None, kind: str) -> dict[str, Any]:
    """Return what holds for the whole run: what replicates are, and what is stored.

    Raises
    ------
    InputError
        Where the run says otherwise: both values.
    """
    trained = asked.paired_replicates or kind == "counts"
    facts: dict[str, Any] = {
        "replicates": asked.replicates or ("trainings" if trained else "draws"),
        "paired_replicates": bool(asked.paired_replicates),
        "holds": kind,
    }
    if run is None:
        return facts
    said = {
        "replicates": asked.replicates,
        "paired_replicates": asked.paired_replicates,
        "holds": kind,
    }
    there = {name: run.record.reference.get(name, facts[name]) for name in facts}
    for name, value in said.items():
        if value is not None and value != there[name]:
            shown = "kind of results" if name == "holds" else name.replace("_", " ")
            raise InputError(
                f"{run.store} has {shown}: {there[name]}, and {value} is given; a run has one of "
                "them: give another directory with --out DIR"
            )
    return there


def _axes(
    asked: Asked, read: Sequence[FileRows], run: Outcomes | None, trained: bool
) -> dict[str, Axis]:
    values: dict[str, set[float]] = {}
    for file in read:
        for place in file.places:
            if place.axis is not None and place.value is not None:
                values.setdefault(place.axis, set()).add(place.value)
    described = None if asked.given.axis is None else canonical(asked.given.axis)
    present = run.axes if run else {}
    return {
        name: choose_axis(
            name, found, asked.own if name == described else OwnAxis(), present, trained
        )
        for name, found in values.items()
    }
