"""Look at a run: what it exports, what lies in its store, and what is wrong with either."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

__all__ = ["Look", "look_into"]

KEYS = ["model", "axis", "value", "replicate", "sample"]


@dataclass(frozen=True)
class Look:
    """What was found; files and objects by the hash of their bytes.

    Attributes
    ----------
    exported : str
        Hash of the export; empty where it was refused.
    refusal : str
        Why.
    cells, rows, keys : int
        Complete cells, rows of the export, and different keys among them.
    units, weights : dict of str to str
    doubled : int
        Cells of a shard that stand in more than one unit.
    checkpoints, failures, leftovers : int
        States of unfinished trainings, recorded failures, temporary files.
    pictures : list of str
        Names under ``examples``.
    predictions : str
        Hash of the predictions alone, in the order of the keys.
    """

    exported: str = ""
    refusal: str = ""
    cells: int = 0
    rows: int = 0
    keys: int = 0
    units: dict[str, str] = field(default_factory=dict)
    weights: dict[str, str] = field(default_factory=dict)
    doubled: int = 0
    checkpoints: int = 0
    failures: int = 0
    leftovers: int = 0
    pictures: list[str] = field(default_factory=list)
    predictions: str = ""


def look_into(location: str, answer: Path) -> None:
    """Look, and write what was found as JSON; done in a process of its own."""
    answer.write_text(json.dumps(asdict(_look(location, answer.with_suffix(".parquet")))))


def _look(location: str, exported: Path) -> Look:
    import lpa
    from lpa.outcomes import Store, StoredUnits

    store = Store(location)
    seen = Counter(
        (unit.shard, cell.id) for unit in StoredUnits(store).units for cell in unit.cells
    )
    found: dict[str, object] = {
        "units": {name: _hash(store.get(name)) for name in store.list("units")},
        "weights": {name: _hash(store.get(name)) for name in store.list("weights")},
        "doubled": sum(count - 1 for count in seen.values()),
        "checkpoints": len(store.list("checkpoints")),
        "failures": len(store.list("failures")),
        "pictures": store.list("examples"),
        "leftovers": 0 if "://" in location else len(list(Path(location).rglob(".put-*"))),
    }
    try:
        run = lpa.open(location)
        run.export(exported)
    except lpa.InputError as error:
        return Look(refusal=str(error), **found)  # type: ignore[arg-type]
    found |= {"cells": len(run.outcomes.cells), "exported": _hash(exported.read_bytes())}
    return Look(**found, **_counted(exported))  # type: ignore[arg-type]


def _counted(exported: Path) -> dict[str, object]:
    import pandas as pd

    table = pd.read_parquet(exported)
    told = table.sort_values(KEYS)["prediction"].to_numpy().tobytes()
    unique = len(table.drop_duplicates(KEYS))
    return {"rows": len(table), "keys": unique, "predictions": _hash(told)}


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=12).hexdigest()
