"""The ranking of the classes of every curve, packed for the page's table."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.report.curves import place_of
from lpa.report.packing import pack_floats
from lpa.report.sources import FEWEST, PLACE, Sources
from lpa.statistics.ranking import ranking
from lpa.statistics.threshold import threshold

__all__ = ["Rankings"]

RANKED = {
    "rank": "rank", "rankLow": "rank_low", "rankHigh": "rank_high", "among": "among_10",
    "loss": "loss", "low": "low", "high": "high",
}  # fmt: skip
"""Name on the page -> column of :func:`~lpa.statistics.ranking.ranking`."""

STATES = {"at once": -np.inf, "never": np.inf, "undefined": np.nan}


class Rankings:
    """Ranks, mean losses, thresholds and losses at the value looked at, class by class.

    Parameters
    ----------
    sources : Sources
        The runs.
    states : DataFrame
        Losses at the values looked at, from :func:`~lpa.report.findings.find`.
    """

    def __init__(self, sources: Sources, states: pd.DataFrame) -> None:
        self.width = len(sources.classes)
        self.ranked = sources.gather(lambda run: ranking(run.outcomes, among=(10,), fewest=FEWEST))
        self.thresholds = sources.gather(lambda run: threshold(run.outcomes))
        self.states = states

    @property
    def notes(self) -> list[str]:
        """Curves without losses, and why."""
        # Classes with few images are stated once for all curves, by the omissions.
        return [note for note in self.ranked.attrs["notes"] if "have fewer than" not in note]

    def to_list(self) -> list[dict[str, Any]]:
        """Return one record per curve: packed columns over the classes of the page.

        Thresholds are values of the axis; minus infinity is ``at once``, infinity ``never`` and
        NaN ``undefined``.
        """
        if not len(self.ranked):
            return []
        thresholds = _by_curve(self.thresholds)
        states = _by_curve(self.states)
        result = []
        for key, part in self.ranked.groupby(PLACE, sort=False):
            columns = {name: self._dense(part, part[own]) for name, own in RANKED.items()}
            crossed = thresholds[key]
            for name, end in (("threshold", "threshold"), ("soonest", "low"), ("latest", "high")):
                state = crossed["state" if end == "threshold" else f"{end}_state"]
                columns[name] = self._dense(crossed, _with_states(crossed[end], state))
            columns["recovers"] = self._dense(crossed, crossed["recovers"])
            record = {**place_of(key), "level": part["level"].iloc[0],
                      "ranked": int(part["ranked"].iloc[0])}  # fmt: skip
            here = states.get(key)
            if here is not None:
                record["value"] = float(here["value"].iloc[0])
                for name, own in (("there", "loss"), ("thereLow", "low"), ("thereHigh", "high")):
                    columns[name] = self._dense(here, here[own])
            packed = {name: pack_floats(column) for name, column in columns.items()}
            result.append({**record, "columns": packed})
        return result

    def _dense(self, table: pd.DataFrame, column: pd.Series[Any]) -> npt.NDArray[np.float64]:
        dense = np.full(self.width, np.nan)
        dense[table["class_at"].to_numpy()] = column.to_numpy(dtype=np.float64)
        return dense


def _by_curve(table: pd.DataFrame) -> dict[Any, pd.DataFrame]:
    return dict(list(table.groupby(PLACE, sort=False))) if len(table) else {}


def _with_states(numbers: pd.Series[float], states: pd.Series[str]) -> pd.Series[float]:
    return numbers.where(states == "number", states.map(STATES))
