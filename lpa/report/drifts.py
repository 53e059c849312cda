"""Where the lost images of every class go, packed for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lpa.report.curves import place_of
from lpa.report.packing import pack, pack_floats, pack_whole
from lpa.report.sources import PLACE, Source, Sources
from lpa.statistics.drift import drift

__all__ = ["drifts"]

MOST = 5
"""Destinations of a class."""


def drifts(sources: Sources, looked: Sequence[Mapping[str, float]]) -> list[dict[str, Any]]:
    """Return the largest flows of every class at the values looked at.

    Parameters
    ----------
    sources : Sources
        The runs.
    looked : list of mapping
        For each run, the value of each of its axes.

    Returns
    -------
    list of dict
        One per curve: place, ``value``, ``level``, ``method``, ``tested`` (pairs in the family)
        and, packed row by row, ``of`` (position of the class), ``to`` (index of the run's class,
        -1 outside), ``flow, low, high`` (moved from [-1, 1] to [0, 1]), ``images`` (gained on
        balance) and ``claimed`` (1, or 2 for a swap).
    """
    at = dict(zip((run.name for run in sources.runs), looked, strict=True))
    table = sources.gather(lambda run: _flows(run, at[run.name]))
    result = []
    for key, part in table.groupby(PLACE, sort=False) if len(table) else ():
        fractions = {name: pack((part[name] + 1) / 2) for name in ("flow", "low", "high")}
        result.append(
            {
                **place_of(key),
                "value": float(part["value"].iloc[0]),
                "level": part["level"].iloc[0],
                "method": part["method"].iloc[0],
                "of": pack_whole(part["class_at"]),
                "to": pack_whole(part["other_label"]),
                "images": pack_floats(part["images"]),
                "claimed": pack_whole(part["claimed"].astype(int) + part["swap"].astype(int)),
                **fractions,
            }
        )
    return result


def _flows(run: Source, looked: Mapping[str, float]) -> pd.DataFrame:
    """Return what the classes' images are taken for instead, the largest flows first."""
    tables = [drift(run.outcomes, value, axis, top=MOST + 1) for axis, value in looked.items()]
    if not tables:
        return pd.DataFrame()
    table = pd.concat(tables, ignore_index=True)
    table = table[(table["label"] != table["other_label"]) & (table["flow"] > 0)]
    curve = ["model", "axis", "split", "label"]
    table = table.sort_values("flow", ascending=False, kind="stable")
    return table[table.groupby(curve, sort=False).cumcount() < MOST].sort_index()
