"""Which classes do training runs with one setting leave lower than with another? (Table 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from lpa.axes import Axis, format_value
from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.statistics.moderated import FEW_CLASSES, FEW_RUNS, moderated_difference
from lpa.statistics.multiplicity import corrected
from lpa.statistics.run_hits import RunHits, run_hits
from lpa.statistics.welch import Difference, paired_difference, run_moments, welch_difference

__all__ = ["COLUMNS", "FAMILY", "NO_DECISION", "PAIRED", "run_test"]

COLUMNS = (
    "run", "model", "axis", "reference", "value", "split", "class", "label", "title",
    "accuracy_reference", "accuracy", "difference", "low", "high",
    "runs_reference", "runs", "n", "level", "direction", "test", "status", "p_welch",
    "p", "p_bh", "p_holm", "family", "m", "untestable",
)  # fmt: skip

FAMILY = ("run", "model", "axis", "reference", "value", "split", "direction")

WELCH, MODERATED, PAIRED = "Welch t", "moderated t", "paired t, shared training seeds"
TESTED, NOT_TESTABLE, NO_DECISION = "tested", "not testable", "too few seeds, no decision"

UNEQUAL = 2
"""From so many times the runs of the other group on, Welch's t erred in more than 6 % at 5 %."""

Source = Outcomes | pd.DataFrame


def run_test(
    sources: Source | Mapping[str, Source],
    reference: float | None = None,
    values: Sequence[float] | None = None,
    confidence: float = 0.95,
    split: str | None = None,
    axes: Mapping[str, Axis] | None = None,
    paired: bool = False,
    family: Sequence[str] = FAMILY,
    method_fdr: Literal["fdr_bh", "fdr_by"] = "fdr_bh",
) -> pd.DataFrame:
    """Test every class for a change of its accuracy between two settings of training.

    Estimand: the expected accuracy of a class over trainings with ``value`` minus that with
    ``reference``, *on these images*; level ``run``. Two one-sided tests, each in rows of its own:
    direction ``lower`` (H0: not lower than with the reference) and ``higher``. A claim in both
    directions needs half the level in each. Interval of the difference: that of its test,
    two-sided. Family: the testable classes of one run, model, axis, pair of values and direction.

    Test: Welch's t (:func:`~lpa.statistics.welch.welch_difference`). With fewer than 5 runs in
    either group Welch's p-value is only shown (``p_welch``) and the moderated t decides
    (:func:`~lpa.statistics.moderated.moderated_difference`), which needs 100 classes; with fewer
    classes there is no decision. A class whose runs are all equal within both groups is ``not
    testable``. Where one group has twice the other's runs or more, Welch's t errs in up to 7 % at
    5 % (6.1 % with 5 runs against 10, 7.1 % with 5 against 20), which a note says. Runs that share
    training seeds between values: ``paired``, which decides from 5 pairs on.

    Source: Table 1 of arXiv 2204.03632, which names no test; one-sided Welch tests are our reading
    (Welch 1947 is in its references). The paper corrects for no number of tests.

    Parameters
    ----------
    sources : Outcomes, DataFrame or mapping of str to these
        Sweeps or probes, or tables of counts (see :func:`~lpa.statistics.run_hits.run_hits`);
        several stand side by side under their names.
    reference : float, optional
        The value compared with; by default the axis's reference.
    values : sequence of float, optional
        The values compared; by default every other one.
    confidence : float
        Of the interval of the difference.
    split : str, optional
        Only this split; splits are never pooled.
    axes : mapping of str to Axis, optional
        For tables of counts, whose reference is not known otherwise.
    paired : bool
        Replicates of the same number share the training seed; an import records it by itself.
    family : sequence of str
        Columns that tell families apart; ``("direction",)`` joins all of a direction.
    method_fdr : {"fdr_bh", "fdr_by"}
        As in :func:`~lpa.statistics.multiplicity.corrected`.

    Returns
    -------
    DataFrame
        :data:`COLUMNS`. Accuracies and differences are in [0, 1] and [-1, 1]; ``n`` counts images,
        ``runs`` and ``runs_reference`` trainings; ``p`` is NaN where ``status`` is not ``tested``.
        ``attrs["notes"]`` says what was left out.

    Raises
    ------
    InputError
        Where no pair is left: for a value that is nowhere, for a reference that is not known, and
        for fewer than two training runs.
    """
    if not isinstance(sources, Mapping):
        name = "counts" if isinstance(sources, pd.DataFrame) else str(sources.store)
        sources = {name: sources}
    notes: list[str] = []
    pieces: list[pd.DataFrame] = []
    for name, source in sources.items():
        recorded = not isinstance(source, pd.DataFrame) and source.record.paired
        for curve in run_hits(source, split, axes):
            notes += curve.notes
            for first, second in _pairs(curve, reference, values, notes):
                piece = _pair(name, curve, first, second, confidence, paired or recorded)
                notes += _unequal_note(piece)
                pieces.append(piece)
    if not pieces:
        raise InputError(notes[0] if notes else f"no training runs in {', '.join(sources)}")
    table = corrected(pd.concat(pieces, ignore_index=True), by=family, method_fdr=method_fdr)
    table = table[list(COLUMNS)]
    table.attrs["notes"] = list(dict.fromkeys(notes))
    return table


def _pairs(
    curve: RunHits, reference: float | None, values: Sequence[float] | None, notes: list[str]
) -> list[tuple[int, int]]:
    """Return the indices of the pairs of values to compare, and note what cannot be."""
    place = f"{curve.model} on {curve.axis}"
    wanted = curve.reference if reference is None else reference
    if wanted is None:
        notes.append(f"{place}: the reference value is not known; give it with --reference")
        return []
    asked = curve.values if values is None else np.asarray(values, dtype=np.float64)
    found: list[int] = []
    for value in (wanted, *(v for v in asked if not np.isclose(v, wanted, rtol=1e-9, atol=0))):
        at = np.flatnonzero(np.isclose(curve.values, value, rtol=1e-9, atol=0))
        if not len(at):
            known = ", ".join(format_value(v) for v in curve.values)
            notes.append(f"{place}: value {format_value(value)} is not there; it has {known}")
        elif len(curve.hits[at[0]]) < 2:
            notes.append(
                f"{place}: value {format_value(value)} has one training run; expected at least 2: "
                "train more seeds"
            )
        else:
            found.append(int(at[0]))
            continue
        if not found:
            return []
    if len(found) == 1:
        notes.append(f"{place}: no other value to compare with {format_value(wanted)}")
    return [(found[0], other) for other in found[1:]]


def _unequal_note(piece: pd.DataFrame) -> list[str]:
    """Warn of Welch's t between groups of which one has twice the other's runs or more."""
    if piece.empty:
        return []
    row = piece.iloc[0]
    few, many = sorted((int(row["runs_reference"]), int(row["runs"])))
    if row["test"] != WELCH or row["status"] == NO_DECISION or many < UNEQUAL * few:
        return []
    return [
        f"{row['model']} on {row['axis']}: {row['runs_reference']} training runs at "
        f"{format_value(row['reference'])} and {row['runs']} at {format_value(row['value'])}: so "
        "unequal, Welch's t was simulated to err in up to 7 % at 5 %; compare equally many where "
        "there is a choice"
    ]


def _pair(
    name: str, curve: RunHits, first: int, second: int, confidence: float, paired: bool
) -> pd.DataFrame:
    reference, other, n = curve.hits[first], curve.hits[second], curve.n
    if paired:
        _, mine, theirs = np.intersect1d(
            curve.replicates[first], curve.replicates[second], return_indices=True
        )
        reference, other = reference[mine], other[theirs]
    test, plain, deciding = compared(reference, other, n, paired)
    shown = plain if deciding is None else deciding
    low, high = shown.interval(confidence)
    columns: dict[str, Any] = {
        "run": name, "model": curve.model, "axis": curve.axis,
        "reference": curve.values[first], "value": curve.values[second], "split": curve.split,
        "class": curve.names, "label": curve.labels, "title": curve.titles,
        "accuracy_reference": run_moments(reference)[0] / n, "accuracy": run_moments(other)[0] / n,
        "difference": shown.mean, "low": low, "high": high,
        "runs_reference": len(reference), "runs": len(other), "n": n, "level": "run",
    }  # fmt: skip
    frames = []
    for direction in ("lower", "higher"):
        p = np.full(len(n), np.nan) if deciding is None else getattr(deciding, direction)
        status = np.where(np.isnan(shown.error), NOT_TESTABLE, TESTED)
        if deciding is None:
            status = np.full(len(n), NO_DECISION)
        frames.append(pd.DataFrame({
            **columns, "direction": direction, "test": test, "status": status.astype(object),
            "p_welch": getattr(plain, direction), "p": p,
        }))  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def compared(
    reference: np.ndarray[Any, np.dtype[np.int64]],
    other: np.ndarray[Any, np.dtype[np.int64]],
    n: np.ndarray[Any, np.dtype[np.int64]],
    paired: bool = False,
) -> tuple[str, Difference, Difference | None]:
    """Return the test's name, the comparison that is shown, and the one that decides, if any.

    Parameters
    ----------
    reference, other : arrays of int64, shape [runs, classes]
        Right predictions of each training run.
    n : array of int64, shape [classes]
        Images of each class.
    paired : bool
        Rows of equal number share their training seed.

    Raises
    ------
    InputError
        For fewer than two runs in a group.
    """
    if min(len(reference), len(other)) < 2:
        raise InputError(
            f"{len(reference)} and {len(other)} training runs; expected at least 2 of each: "
            "train more seeds"
        )
    few = min(len(reference), len(other)) < FEW_RUNS
    if paired:
        plain = paired_difference(reference, other, n)
        return PAIRED, plain, None if few else plain
    plain = welch_difference(reference, other, n)
    if not few:
        return WELCH, plain, plain
    if len(n) < FEW_CLASSES:
        return WELCH, plain, None
    return MODERATED, plain, moderated_difference(reference, other, n)
