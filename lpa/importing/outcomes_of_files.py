"""Files of predictions for named samples become cells of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lpa.axes import Axis, format_value
from lpa.importing.asked import Asked
from lpa.importing.cells import NewCell, arrange, check_places, fold_identity, whole_cells
from lpa.importing.matching import Candidates, Matcher
from lpa.importing.measured import measure
from lpa.importing.places import Place
from lpa.importing.reading_files import FileRows
from lpa.importing.records import begin_run, plan_record, run_record
from lpa.importing.storing import new_units
from lpa.importing.summary import (
    Imported,
    identity_of_cells,
    is_reference,
    joined_rows,
    omissions,
)
from lpa.outcomes import Outcomes, Samples, Store, put_plan

__all__ = ["import_outcomes"]


def import_outcomes(
    asked: Asked,
    read: Sequence[FileRows],
    run: Outcomes | None,
    axes: dict[str, Axis],
    facts: dict[str, Any],
    notes: list[str],
) -> Imported:
    """Match, check and store predictions for named samples.

    Parameters
    ----------
    asked : Asked
        What was asked for.
    read : sequence of FileRows
        All files.
    run : Outcomes or None
        The run that is extended.
    axes : dict of str to Axis
        By canonical name.
    facts : dict
        See :func:`~lpa.importing.records.run_record`.
    notes : list of str
        What was understood so far.

    Raises
    ------
    InputError
        For anything that does not fit; nothing is written then.
    """
    matcher = Matcher(asked, read, run, notes)
    candidates = matcher.candidates()
    cells = _cells(matcher, candidates, notes)
    check_places(cells)
    common = asked.samples == "common"
    kept = whole_cells(cells, candidates.labels.names, common, candidates.fixed, notes)
    cells = [cell.take(kept) for cell in cells]
    samples = run.declared if run else candidates.samples(kept)
    cells = fold_identity(cells, axes, facts["replicates"] == "trainings")
    new = new_units(cells, run, samples.fingerprint, notes)
    store = Store(asked.out)
    if run is None:
        begin_run(store, run_record(asked, matcher.classes, samples, facts), samples)
    put_plan(store, plan_record(asked, read, axes, [cell.place for cell in cells]))
    new.write(store, samples.sample)
    identity = identity_of_cells(cells, axes, np.asarray(samples.label))
    rows, rows_of = joined_rows(cells, axes, samples, matcher.classes)
    return Imported(
        store.location, _described(notes, cells, samples), identity, rows, rows_of,
        omissions(
            cells, axes, identity, _known_references(run), len(matcher.classes), _topk(read)
        ),
        len(new.cells), new.known,
    )  # fmt: skip


def _cells(matcher: Matcher, candidates: Candidates, notes: list[str]) -> list[NewCell]:
    """Put all files into cells; a file's matrix of outputs is in memory only here."""
    cells = []
    for file in matcher.read:
        rows = file.rows
        best = matcher.predictions(rows)
        sample = matcher.sample_of_rows(rows, candidates)
        # Rows that are left out have no label; any will do.
        label = candidates.label[np.maximum(sample, 0)]
        if "label_rank" in rows.numbers and (sample < 0).any():
            rows.numbers["label_rank"] = np.where(sample < 0, np.nan, rows.numbers["label_rank"])
        measured = measure(rows, best, label, matcher.classes)
        size = len(candidates.label)
        cells += arrange(rows, file.places, file.codes, sample, size, measured, notes)
    return cells


def _known_references(run: Outcomes | None) -> dict[str, bool]:
    """Return the models whose reference is stored already."""
    known = {}
    for entry in run.coverage if run else ():
        cell = entry.cell
        place = Place(cell.model, cell.axis, cell.value, cell.replicate)
        if run is not None and is_reference(place, run.axes):
            known[cell.model] = True
    return known


def _topk(read: Sequence[FileRows]) -> int:
    """Return how many of the best classes the files list at most; 0 where they have all ranks."""
    if any("label_rank" in file.rows.numbers or file.rows.layout.outputs for file in read):
        return 0
    return max(int(p.codes.shape[1]) for file in read if (p := file.rows.prediction) is not None)


def _described(notes: list[str], cells: Sequence[NewCell], samples: Samples) -> list[str]:
    lines = list(notes)
    places: dict[tuple[str, str | None], list[Place]] = {}
    for cell in cells:
        places.setdefault((cell.place.model, cell.place.axis), []).append(cell.place)
    for (model, axis), found in places.items():
        lines.append(f"{model}: {_values_of(axis, found)}, {len(samples):,} samples each")
    return lines


def _values_of(axis: str | None, places: Sequence[Place]) -> str:
    if axis is None:
        return "the identity"
    values = dict.fromkeys(place.value for place in places if place.value is not None)
    texts = ", ".join(format_value(value) for value in values)
    replicates = len({place.replicate for place in places})
    return f"{axis} {texts}, {replicates} {'replicate' if replicates == 1 else 'replicates'}"
