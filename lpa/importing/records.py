"""What an import writes beside results: the run's record, and what was read when."""

from __future__ import annotations

import datetime
import importlib.metadata
from collections.abc import Mapping, Sequence
from typing import Any

from lpa.axes import Axis
from lpa.classes import Classes
from lpa.errors import InputError
from lpa.importing.asked import Asked
from lpa.importing.places import Place
from lpa.importing.reading_files import FileRows
from lpa.outcomes import (
    RunRecord,
    Samples,
    Store,
    check_begun,
    create_or_check,
    read_record,
    same_run,
)

__all__ = ["begin_run", "half_begun", "plan_record", "run_record"]

UNKNOWN = "unknown"
"""Precision of results that were computed elsewhere."""


def run_record(
    asked: Asked, classes: Classes, samples: Samples, facts: dict[str, Any]
) -> RunRecord:
    """Return the definition of a new run.

    Parameters
    ----------
    facts : dict
        What replicates are (``replicates``, ``paired_replicates``) and what is stored (``holds``).
    """
    return RunRecord(
        kind="import",
        data=asked.labels or "imported results",
        split=asked.split,
        per_class=None,
        limit=None,
        fingerprint=samples.fingerprint,
        classes=classes,
        seed=0,
        precision=UNKNOWN,
        shard_size=max(1, len(samples)),
        reference=facts,
    )


def half_begun(store: Store) -> bool:
    """Tell whether a run has its record and nothing else: a command was killed behind it."""
    results = (*store.list("units"), *store.list("counts"))
    return not results and not store.exists("samples.parquet")


def begin_run(store: Store, record: RunRecord, samples: Samples) -> None:
    """Write what a new run is; one that is half begun gets its samples.

    Raises
    ------
    InputError
        As :func:`lpa.outcomes.create_or_check`, and where another import was begun there.
    """
    if store.exists("run.json"):
        begun = read_record(store)
        same = same_run(begun, record) and dict(begun.reference) == dict(record.reference)
        if begun.kind == record.kind and not same:
            raise InputError(
                f"{store} was begun by an import of other classes, samples or replicates, and "
                "holds no results yet: delete it, or give another directory with --out DIR"
            )
    check_begun(store, create_or_check(store, record, samples), record)


def plan_record(
    asked: Asked, read: Sequence[FileRows], axes: Mapping[str, Axis], places: Sequence[Place]
) -> dict[str, Any]:
    """Record what was read: command, axes, models, and the content of each file."""
    planned = []
    for axis in axes.values():
        here = [place for place in places if place.axis == axis.name]
        values = {place.value for place in here if place.value is not None}
        ordered = axis.ordered(values - {axis.reference})
        draws = 1 + max((place.replicate for place in here), default=0)
        planned.append(
            {"axis": axis.to_dict(), "values": [axis.reference, *ordered], "draws": draws}
        )
    return {
        "command": asked.command,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {"lpa": importlib.metadata.version("lpa")},
        "axes": planned,
        "models": {
            model: {"source": "imported"} for model in dict.fromkeys(p.model for p in places)
        },
        "files": [
            {"file": file.rows.table.path, "digest": file.rows.table.digest} for file in read
        ],
    }
