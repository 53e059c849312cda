"""The tables of sweeps and policies that are compared: what people read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lpa.axes import format_value
from lpa.report.shown_tables import ShownTable
from lpa.report.wording import NOTHING, percent, tenths
from lpa.statistics.arms import SELECTED

__all__ = ["class_table", "count_table", "end_table"]

MOST_CLASSES = 20
"""Classes that are listed; a page holds the numbers of :data:`MOST_ROWS` at most."""

MOST_ROWS = 20_000

HALF = 0.025
"""Significance of one direction: claims in both take 5 % together."""


def end_table(table: pd.DataFrame, notes: list[str]) -> ShownTable:
    """Write the end points, one row each, with their intervals of both levels."""
    head = [
        *_places(table), "End point", "Baseline, %", "Accuracy, %",
        "Difference, points", "95 %, both", "95 %, run", "Shown, both",
    ]  # fmt: skip
    keys = ["baseline", "policy", "axis", "value", "split", "end_point"]
    rows = []
    for _, part in table.groupby(keys, sort=False):
        at = {(row["level"], row["direction"]): row for row in part.to_dict("records")}
        wide, narrow = at["both", "lower"], at["run", "lower"]
        rows.append([
            *_place(table, wide), str(wide["end_point"]),
            percent(wide["score_baseline"]), percent(wide["score"]), tenths(wide["difference"]),
            _between(wide), _between(narrow), _claim(at["both", "lower"], at["both", "higher"]),
        ])  # fmt: skip
    named = len(_places(table)) + 1
    worded = frozenset({len(head) - 1})
    return ShownTable(head, rows, _short(table), notes, named, worded)


def count_table(table: pd.DataFrame) -> ShownTable:
    """Count the classes that are shown to be lower and higher."""
    head = [
        *_places(table), "Level", "Lower, Holm", "Lower, BH", "Higher, Holm",
        "Higher, BH", "Classes", "Not testable",
    ]  # fmt: skip
    rows, numbers = [], []
    for _, part in table.groupby(["policy", "axis", "value", "split", "level"], sort=False):
        first = part.iloc[0].to_dict()
        lower, higher = (part[part["direction"] == name] for name in ("lower", "higher"))
        untested = int(lower["p"].isna().sum())
        counts: dict[str, Any] = {
            f"{name}_{method}": int((each[f"p_{method}"] <= HALF).sum())
            for name, each in (("lower", lower), ("higher", higher))
            for method in ("holm", "bh")
        }
        none = untested == len(lower)
        shown = [NOTHING if none else f"{number:,}" for number in counts.values()]
        rows.append([*_place(table, first), str(first["level"]), *shown, f"{len(lower):,}",
                     f"{untested:,}"])  # fmt: skip
        keys = ("baseline", "policy", "axis", "value", "split", "level", "mark")
        numbers.append({**{key: first[key] for key in keys}, **counts, "classes": len(lower),
                        "untestable": untested})  # fmt: skip
    notes = []
    if (table["mark"] == SELECTED).any():
        notes.append(f"What is {SELECTED} has no test: chosen classes recover by luck alone")
    named = len(_places(table)) + 1
    return ShownTable(head, rows, pd.DataFrame(numbers), notes, named)


def class_table(table: pd.DataFrame) -> ShownTable:
    """List the classes whose difference is surest, each at the value where it is."""
    # Both directions share the interval, so that one row of two holds both p-values.
    both = table[table["level"] == "both"]
    lower, higher = (both[both["direction"] == name] for name in ("lower", "higher"))
    wide = lower.drop(columns=["direction", "p", "p_bh", "p_holm", "family", "test"]).assign(
        p_holm_lower=lower["p_holm"].to_numpy(), p_holm_higher=higher["p_holm"].to_numpy()
    )
    # How far the interval is from 0.
    wide["sure"] = np.maximum(wide["low"], -wide["high"])
    wide = wide.sort_values("sure", ascending=False, kind="stable", na_position="last")
    sure = wide[wide["sure"] > 0].drop_duplicates(["policy", "class"]).head(MOST_CLASSES)
    head = [
        "Class", *_places(table), "Images", "Baseline, %", "Accuracy, %",
        "Difference, points", "95 %, both", "Shown",
    ]  # fmt: skip
    rows = [
        [
            str(row["title"]), *_place(table, row), f"{row['n']:,}",
            percent(row["accuracy_baseline"]), percent(row["accuracy"]), tenths(row["difference"]),
            _between(row),
            _claim({**row, "p_holm": row["p_holm_lower"]}, {**row, "p_holm": row["p_holm_higher"]}),
        ]
        for row in sure.to_dict("records")
    ]  # fmt: skip
    notes = []
    if len(wide) > MOST_ROWS:
        notes.append(f"The download holds the {MOST_ROWS:,} surest of {len(wide):,} rows")
    numbers = _short(wide.drop(columns="sure").head(MOST_ROWS))
    named = len(_places(table)) + 1
    return ShownTable(head, rows, numbers, notes, named, frozenset({len(head) - 1}))


def _places(table: pd.DataFrame) -> dict[str, str]:
    """Return heading -> column of what tells the rows apart; a value stands under its axis."""
    several = {name: table[name].nunique() > 1 for name in ("baseline", "axis", "split")}
    found = {"Compared": "policy"}
    if several["baseline"]:
        found["With"] = "baseline"
    if several["axis"]:
        found["Axis"] = "axis"
    found["Value" if several["axis"] else str(table["axis"].iloc[0])] = "value"
    if several["split"]:
        found["Split"] = "split"
    return found


def _place(table: pd.DataFrame, row: Any) -> list[str]:
    written = dict(row) | {"value": format_value(row["value"])}
    columns = _places(table).values()
    if "baseline" not in columns:
        # A policy is named after the model that it trains, which the heading names.
        written["policy"] = str(row["policy"]).removeprefix(f"{row['baseline']}+")
    return [str(written[name]) for name in columns]


def _between(row: Any) -> str:
    if np.isnan(row["low"]):
        return NOTHING
    return f"{tenths(row['low'])} to {tenths(row['high'])}"


def _claim(lower: Any, higher: Any) -> str:
    """Say which direction holds after Holm, at half the level each."""
    if lower["mark"]:
        return f"{lower['mark']}: no test"
    for name, row in (("lower", lower), ("higher", higher)):
        if row["p_holm"] <= HALF:
            return name
    return "not testable" if np.isnan(lower["p_holm"]) else "not shown"


def _short(table: pd.DataFrame) -> pd.DataFrame:
    """Keep six digits of every number: a page holds many."""
    floats = table.select_dtypes("float").columns
    return table.assign(**{name: table[name].map(lambda x: float(f"{x:.6g}")) for name in floats})
