"""The source of a probe's backbones beside its target: two tables and a figure."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lpa.axes import format_value
from lpa.report.described import backbone_runs
from lpa.report.shown_tables import ShownTable
from lpa.report.sources import Source, Sources
from lpa.report.wording import NOTHING, percent, tenths
from lpa.statistics.source_and_target import source_and_target

__all__ = ["Homes", "compare_with_source"]

MOST_CLASSES = 200
"""Classes in the table, the surest gains first; the download holds all."""


class Homes(NamedTuple):
    """Gains and classes as tables, curves for the page's script, and what the sources are."""

    gains: ShownTable
    classes: ShownTable
    curves: list[dict[str, Any]]
    data: list[str]


def compare_with_source(sources: Sources) -> Homes:
    """Compare the value best on the source with each target class's best, for probes.

    Parameters
    ----------
    sources : Sources
        The runs; only probes whose backbones' own outcomes are known have rows.
    """
    probes = [run.outcomes.record.kind == "probe" for run in sources.runs]
    found = [
        source_and_target(run.outcomes) if probe else None
        for run, probe in zip(sources.runs, probes, strict=True)
    ]
    tables = {}
    for number, name in enumerate(("curves", "gains", "classes")):
        of_run = dict(zip(map(id, sources.runs), found, strict=True))

        def table(run: Source, number: int = number, of_run: Any = of_run) -> pd.DataFrame:
            return pd.DataFrame() if of_run[id(run)] is None else of_run[id(run)][number]

        tables[name] = sources.gather(table)
    return Homes(
        _gains(sources, tables["gains"]),
        _classes(sources, tables["classes"]),
        _curves(sources, tables["curves"], tables["classes"]),
        [_home(run) for run, one in zip(sources.runs, found, strict=True) if one and len(one[0])],
    )


def _home(run: Source) -> str:
    """Name the data that a probe's backbones were trained for."""
    return " and ".join(dict.fromkeys(str(each["data"]) for each in backbone_runs(run.outcomes)))


def _gains(sources: Sources, table: pd.DataFrame) -> ShownTable:
    head = [
        "Model", "Axis", "Best on the source", "Best on the target", "Target at the former, %",
        "Gain, split", "95 % interval", "Gain, naive", "Classes",
    ]  # fmt: skip
    rows = []
    for _, part in table.groupby(["run", "model_at", "axis_at", "split"]) if len(table) else ():
        naive, split = part.to_dict("records")
        rows.append([
            *_place(sources, naive), format_value(naive["source_value"]),
            format_value(naive["target_value"]), percent(naive["accuracy"]),
            tenths(split["gain"]), _between(split), tenths(naive["gain"]),
            f"{naive['classes']:,}",
        ])  # fmt: skip
    return ShownTable(head, rows, _numbers(table), table.attrs["notes"])


def _classes(sources: Sources, table: pd.DataFrame) -> ShownTable:
    head = [
        "Class", "Model", "Axis", "Images", "At the best of the source, %", "Own best value",
        "There, %", "Gain, points", "95 %, both", "Shown",
    ]  # fmt: skip
    if not len(table):
        return ShownTable(head, [], pd.DataFrame())
    ordered = table.sort_values(["low", "gain"], ascending=False, kind="stable", na_position="last")
    rows = [
        [
            str(row["title"]), *_place(sources, row), f"{row['n']:,}", percent(row["accuracy"]),
            format_value(row["best_value"]), percent(row["best_accuracy"]), tenths(row["gain"]),
            _between(row), _claim(row),
        ]
        for row in ordered.head(MOST_CLASSES).to_dict("records")
    ]  # fmt: skip
    notes = []
    if len(ordered) > MOST_CLASSES:
        notes.append(
            f"Shown are the {MOST_CLASSES} surest of {len(ordered):,} rows; the download holds all"
        )
    worded = frozenset({len(head) - 1})
    return ShownTable(head, rows, _numbers(ordered), notes, 3, worded)


def _place(sources: Sources, row: dict[Any, Any]) -> list[str]:
    name = sources.models[int(row["model_at"])]
    if len(sources.splits) > 1:
        name = f"{name}, {row['split']}"
    return [name, sources.axes[int(row["axis_at"])]]


def _claim(row: dict[Any, Any]) -> str:
    if row["best_value"] == row["source_value"]:
        return "same value"
    if np.isnan(row["p_holm"]):
        return "not testable"
    return "better" if row["p_holm"] <= 0.05 else "not shown"


def _between(row: dict[Any, Any]) -> str:
    if np.isnan(row["low"]):
        return NOTHING
    return f"{tenths(row['low'])} to {tenths(row['high'])}"


def _numbers(table: pd.DataFrame) -> pd.DataFrame:
    places = ("run", "model_at", "axis_at", "split_at", "class_at")
    return table[[name for name in table.columns if name not in places]]


def _curves(sources: Sources, curves: pd.DataFrame, classes: pd.DataFrame) -> list[dict[str, Any]]:
    """Return source's and target's means of classes, and each class's best value."""
    keys = ["run", "model_at", "axis_at", "split_at"]
    result = []
    for key, part in curves.groupby(keys, sort=False) if len(curves) else ():
        at = dict(zip(keys, np.asarray(key, dtype=np.int64).tolist(), strict=True))
        mine = classes[np.logical_and.reduce([classes[name] == at[name] for name in keys])]
        best: list[float | None] = [None] * len(sources.classes)
        for place, value in zip(mine["class_at"], mine["best_value"], strict=True):
            best[int(place)] = float(value)
        result.append({
            "run": at["run"], "model": at["model_at"], "axis": at["axis_at"],
            "split": at["split_at"], "level": "run", "home": float(mine["source_value"].iloc[0]),
            "best": best,
            **{of: _series(part[part["of"] == of]) for of in ("source", "target")},
        })  # fmt: skip
    return result


def _series(part: pd.DataFrame) -> dict[str, Any]:
    known = part[part["accuracy"].notna()]
    columns = {name: known[name].astype(object) for name in ("value", "accuracy", "low", "high")}
    plain = {name: column.where(known[name].notna(), None) for name, column in columns.items()}
    return {
        "values": plain["value"].tolist(),
        **{name: plain[name].tolist() for name in ("accuracy", "low", "high")},
        "draws": [int(runs) for runs in known["runs"]],
    }
