"""The curves of a report: accuracies packed into arrays that the page's script draws on demand."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.axes import format_value
from lpa.figures.theme import accuracy_axis, drawn_at, value_axis
from lpa.report.packing import pack
from lpa.report.sources import PLACE, Sources
from lpa.statistics.accuracy import class_accuracy
from lpa.statistics.aggregates import mean_accuracy
from lpa.statistics.counted_accuracy import counted_class_accuracy, counted_mean_accuracy

__all__ = ["CurveTables"]


class CurveTables:
    """Mean and class curves of the runs of a report.

    Parameters
    ----------
    sources : Sources
        The runs.

    Attributes
    ----------
    means : DataFrame
        Of :func:`~lpa.statistics.aggregates.mean_accuracy`, without the identity by itself.
    classes : DataFrame
        Of :func:`~lpa.statistics.accuracy.class_accuracy`, likewise.
    """

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.means = sources.gather(
            lambda run: _along(mean_accuracy(run.outcomes)),
            lambda run: _along(counted_mean_accuracy(run.outcomes)),
        )
        self.classes = sources.gather(
            lambda run: _along(class_accuracy(run.outcomes)),
            lambda run: _along(counted_class_accuracy(run.outcomes)),
        )

    def values(self, axis: str) -> list[float]:
        """Return every value on an axis of the page, from weak to strong."""
        rows = self.means["axis_at"] == self.sources.axes.index(axis)
        found = self.means.loc[rows, "value"].unique()
        return list(self.sources.axis_of[axis].ordered(float(value) for value in found))

    def to_dict(self) -> dict[str, Any]:
        """Return the tables as plain JSON values, see ``report_numbers.js``."""
        sources = self.sources
        return {
            "runs": [{"name": run.name, "level": run.level} for run in sources.runs],
            "models": sources.models,
            "modelRuns": sources.model_run,
            "splits": sources.splits,
            "levels": list(dict.fromkeys(self.classes["level"])),
            "classes": [
                {"name": name, "title": title, "n": sizes.tolist()}
                for (name, title), sizes in zip(sources.classes, sources.sizes.T, strict=True)
            ],
            "axes": [self._axis(name) for name in sources.axes],
            "accuracyAxis": accuracy_axis(),
            "means": self._means(),
            "curves": self._curves(),
        }

    def _axis(self, name: str) -> dict[str, Any]:
        axis, values = self.sources.axis_of[name].renamed(name), self.values(name)
        return {
            "name": name,
            "unit": axis.unit,
            "reference": axis.reference,
            "stronger": axis.stronger,
            "values": values,
            "places": drawn_at(axis, values),
            "texts": [format_value(value) for value in values],
            "layout": value_axis(axis, values),
        }

    def _means(self) -> list[dict[str, Any]]:
        keys = [*PLACE, "level", "aggregate"]
        return [
            {
                **place_of(key),
                "aggregate": key[-1],
                "values": part["value"].tolist(),
                **{name: _plain(part[name]) for name in ("accuracy", "low", "high")},
                "n": int(part["n"].iloc[0]),
                "draws": part["draws"].tolist(),
                "method": part["method"].iloc[-1],
            }
            for key, part in self.means.groupby(keys, sort=False)
        ]

    def _curves(self) -> list[dict[str, Any]]:
        width = len(self.sources.classes)
        result = []
        for key, part in self.classes.groupby([*PLACE, "level"], sort=False):
            values = part["value"].to_numpy()
            starts = np.append(0, np.flatnonzero(np.diff(values)) + 1)
            present = part["class_at"].to_numpy()[: len(part) // len(starts)]
            dense = np.full((3, len(starts), width), np.nan)
            for place, name in enumerate(("accuracy", "low", "high")):
                dense[place][:, present] = part[name].to_numpy().reshape(len(starts), -1)
            result.append(
                {
                    **place_of(key),
                    "values": values[starts].tolist(),
                    "draws": part["draws"].to_numpy()[starts].tolist(),
                    "accuracy": pack(dense[0]),
                    "intervals": pack(dense[1:]) if np.isfinite(dense[1:]).any() else None,
                    "order": _order(dense[0]).tolist(),
                }
            )
        return result

    def spread_classes(self) -> list[int]:
        """Return positions of three or four classes that illustrate the range, evenly spread.

        By their plain mean over all values, models and axes; an illustration, not a ranking. With
        many models there are fewer, so that the first picture can be read.
        """
        averages = self.classes.groupby("class_at")["accuracy"].mean()
        averages = averages.reindex(range(len(self.sources.classes)))
        order = np.argsort(averages.fillna(1.0).to_numpy(), kind="stable")
        count = min(4 if len(self.sources.models) < 3 else 3, len(order))
        places = np.unique(np.linspace(0, len(order) - 1, count).round().astype(int))
        return [int(order[place]) for place in places]


def place_of(key: Any) -> dict[str, Any]:
    """Return the place of a curve for the page from a key of :data:`PLACE` (and level)."""
    place = dict(zip(("run", "model", "axis", "split"), map(int, key[:4]), strict=True))
    return {**place, "level": key[4]} if len(key) > 4 else place


def _along(table: pd.DataFrame) -> pd.DataFrame:
    kept = table[table["axis"].notna()]
    kept.attrs = table.attrs
    return kept


def _order(accuracy: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Order classes by their mean over the values, the lowest first; those without are left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        average = np.nanmean(accuracy, axis=0)
    return np.argsort(average, kind="stable")[: np.count_nonzero(~np.isnan(average))]


def _plain(numbers: pd.Series[float]) -> list[float | None]:
    return [None if np.isnan(number) else round(float(number), 6) for number in numbers]
