"""Where a probe's backbones come from, and how they do on the data that they were trained for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lpa.errors import InputError
from lpa.experiments.checkpoint_work import file_print, pieces_print
from lpa.experiments.sweep_work import TRAINING_SAMPLES
from lpa.models.kept_models import find_kept, run_location
from lpa.outcomes import COUNTS_SCHEMA, Outcomes, Samples, Store
from lpa.probing.backbones import Backbone

__all__ = ["backbone_print", "source_counts", "source_facts"]


def backbone_print(backbone: Backbone) -> str:
    """Return a hash by which a backbone is known again: of its file, without reading all of it.

    A pretrained model, of which there are few, is loaded and its weights are hashed.

    Raises
    ------
    InputError
        For a file that cannot be read, and what loading says.
    """
    if backbone.facts["source"] == "run":
        location = run_location(str(backbone.facts["text"]))
        assert location is not None
        (kept,) = find_kept(location)
        with kept.store.buffer(kept.file) as file:
            return pieces_print(file, file.size())
    if backbone.facts["source"] == "checkpoint":
        return file_print(Path(backbone.facts["file"]))
    return backbone.load().weights_hash


def source_facts(backbones: Sequence[Backbone], evaluated: Samples) -> dict[str, Any]:
    """Return what a run records of its backbones' origin.

    Parameters
    ----------
    backbones : sequence of Backbone
    evaluated : Samples
        The target's images that are evaluated.

    Returns
    -------
    dict
        ``runs``: name, path, data, split, fingerprint and number of classes of each sweep that
        backbones were kept by, and in ``trained_on`` how many evaluated images it trained on;
        ``others``: how pretrained models and checkpoints are asked for.
    """
    runs = dict.fromkeys(str(one.facts["run"]) for one in backbones if "run" in one.facts)
    facts = []
    for run in runs:
        record = _opened(run).record
        facts.append(
            {
                "name": Store(run).name,
                "path": run,
                "data": record.data,
                "split": record.split,
                "fingerprint": record.fingerprint,
                "classes": len(record.classes),
                "trained_on": _trained_on(Store(run), evaluated),
            }
        )
    others = [str(one.facts["text"]) for one in backbones if "run" not in one.facts]
    return {"runs": facts, "others": others[:20]}


def source_counts(backbones: Sequence[Backbone]) -> pd.DataFrame:
    """Return the backbones' right predictions by class on their sweep's own evaluated images.

    A report then shows source and target side by side without the sweep's folder. Backbones whose
    sweep has no outcomes of them (an incomplete copy) are left out.

    Returns
    -------
    DataFrame
        As :attr:`lpa.outcomes.Outcomes.counts`; empty for backbones of no sweep.
    """
    pieces = []
    for run in dict.fromkeys(str(one.facts["run"]) for one in backbones if "run" in one.facts):
        places = {one.place for one in backbones if one.facts.get("run") == run}
        counts = _opened(run).counts
        keys = zip(
            counts["model"], counts["axis"], counts["value"], counts["replicate"], strict=True
        )
        pieces.append(counts[[key in places for key in keys]])
    if not pieces:
        return pd.DataFrame(columns=COUNTS_SCHEMA.names)
    return pd.concat(pieces, ignore_index=True)


def _trained_on(sweep: Store, evaluated: Samples) -> int:
    """Count the images whose very bytes a sweep trained on; 0 where it does not say."""
    if not sweep.exists(TRAINING_SAMPLES):
        return 0
    trained = Samples.from_parquet_bytes(sweep.get(TRAINING_SAMPLES))
    return int(np.isin(evaluated.key, trained.key).sum())


def _opened(run: str) -> Outcomes:
    try:
        return Outcomes(run, tolerant=True)
    except InputError as error:
        raise InputError(f"the backbones' run cannot be read: {error}") from error
