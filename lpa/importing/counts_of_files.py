"""Files of counts, or of predictions without names of samples, become a run of counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.axes import Axis, format_value
from lpa.classes import Classes
from lpa.errors import InputError
from lpa.importing import counts as counted
from lpa.importing.asked import Asked
from lpa.importing.class_choice import choose_classes, find_classes, unknown_class
from lpa.importing.matching import Matcher
from lpa.importing.measured import measure
from lpa.importing.reading_files import FileRows
from lpa.importing.records import begin_run, plan_record, run_record
from lpa.importing.storing import add_counts, new_counts
from lpa.importing.summary import Imported, identity_of_counts
from lpa.outcomes import Outcomes, Samples, Store, put_plan

__all__ = ["import_counts"]


def import_counts(
    asked: Asked,
    read: Sequence[FileRows],
    run: Outcomes | None,
    axes: dict[str, Axis],
    facts: dict[str, Any],
    notes: list[str],
) -> Imported:
    """Check and store counts; as :func:`~lpa.importing.outcomes_of_files.import_outcomes`."""
    of = _frames_of_tables if read[0].rows.layout.kind == "counts" else _frames_of_rows
    frames, classes = of(asked, read, run, notes)
    counted.check_twice(frames, [file.rows.table.path for file in read])
    counts = pd.concat(frames, ignore_index=True)
    notes += counted.uneven(counts)
    if read[0].rows.layout.kind == "counts" and asked.labels is not None:
        notes.append("--labels is not read: counts say how many predictions of a class are right")
    identity = identity_of_counts(counts, axes)
    store = Store(asked.out)
    new = new_counts(store, counts)
    samples = run.declared if run else _no_samples()
    if run is None:
        begin_run(store, run_record(asked, classes, samples, facts), samples)
    put_plan(
        store, plan_record(asked, read, axes, [place for file in read for place in file.places])
    )
    add_counts(store, new)
    return Imported(
        store.location, notes, identity,
        pd.DataFrame({"sample": [], "label": [], "prediction": []}), "",
        [
            "no prediction for every sample: paired tests, losses and thresholds with intervals "
            "over images, rankings, drift, comparison of models; what remains: `lpa test`, "
            "`lpa curves` and `lpa report`",
            *_without_reference(counts, axes, identity),
        ],
        len(new), len(counts) - len(new), "counts",
    )  # fmt: skip


def _without_reference(
    counts: pd.DataFrame, axes: dict[str, Axis], identity: pd.DataFrame
) -> list[str]:
    """Say which axes lack their reference value."""
    there = set(zip(identity["model"], identity["axis"], strict=True))
    return [
        f"nothing of {model} at {axis} {format_value(axes[axis].reference)}, the reference: tests "
        f"against it, until it is imported too; `lpa test --values` compares others"
        for model, axis in counts[["model", "axis"]].dropna().drop_duplicates().to_numpy()
        if (model, axis) not in there
    ]


def _frames_of_tables(
    asked: Asked, read: Sequence[FileRows], run: Outcomes | None, notes: list[str]
) -> tuple[list[pd.DataFrame], Classes]:
    texts = list(dict.fromkeys(t for file in read for t in file.rows.named["class"].texts))
    classes = choose_classes(run.classes if run else None, asked.classes, texts, texts, {}, notes)
    index = dict(zip(texts, find_classes(classes, texts).tolist(), strict=True))
    frames = []
    for file in read:
        named = file.rows.named["class"]
        for text in named.texts:
            if index[text] < 0:
                raise unknown_class(text, classes, file.rows.where(named.first_row(text), "class"))
        found = np.array([index[text] for text in named.texts], dtype=np.int64)[named.codes]
        frames.append(counted.of_table(file.rows, file.places, file.codes, classes, found))
    return frames, classes


def _frames_of_rows(
    asked: Asked, read: Sequence[FileRows], run: Outcomes | None, notes: list[str]
) -> tuple[list[pd.DataFrame], Classes]:
    matcher = Matcher(asked, read, run, notes)
    frames = []
    for file in read:
        label = matcher.labels_of_rows(file.rows)
        if label is None:
            raise InputError(
                f"{file.rows.table.path} has no column of labels, and its samples have no names; "
                "give --map label=COLUMN, or name the samples with --map sample=COLUMN or --by-row"
            )
        best = matcher.predictions(file.rows)
        measured = measure(file.rows, best, label, matcher.classes)
        right = (measured.prediction == label).astype(np.int64)
        frames.append(
            counted.of_predictions(file.places, file.codes, matcher.classes, label, right)
        )
    return frames, matcher.classes


def _no_samples() -> Samples:
    none: npt.NDArray[np.int64] = np.empty(0, dtype=np.int64)
    return Samples(none, none.astype(np.uint64), (), none, none.astype(np.str_), none)
