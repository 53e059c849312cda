"""The curves of a report: statistics packed into arrays that a page's script draws on demand."""

from __future__ import annotations

import base64
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.axes import Axis, format_value
from lpa.figures.theme import accuracy_axis, value_axis
from lpa.outcomes import Outcomes
from lpa.statistics.accuracy import class_accuracy
from lpa.statistics.aggregates import mean_accuracy

__all__ = ["CurveTables", "pack"]

MISSING = 65535
FINEST = 65534


def pack(numbers: npt.ArrayLike) -> str:
    """Write numbers in [0, 1] as base64 of little-endian uint16, 65535 for NaN.

    A step is 1.5e-5, far below the width of a line; a page of 1,000 classes x 18 curves x 20
    values with intervals takes 2.9 MB.
    """
    values = np.asarray(numbers, dtype=np.float64)
    steps = np.where(np.isnan(values), MISSING, np.rint(np.nan_to_num(values) * FINEST))
    return base64.b64encode(steps.astype("<u2").tobytes()).decode("ascii")


class CurveTables:
    """Mean and class curves of a run at one level, for the page.

    Parameters
    ----------
    outcomes : Outcomes
        The run.

    Attributes
    ----------
    means : DataFrame
        Of :func:`~lpa.statistics.aggregates.mean_accuracy`.
    models, splits, axes : list of str
        What the curves differ in, in the order of the plans.
    shown : array of int64
        Indices of the classes that have images.
    sizes : array of int64
        Images of each of them.
    """

    def __init__(self, outcomes: Outcomes) -> None:
        self.outcomes = outcomes
        level = "run" if outcomes.record.kind in ("sweep", "probe") else "image"
        self.level = level
        self._classes = class_accuracy(outcomes, level=level)
        self.means = mean_accuracy(outcomes, level=level)
        self.means = self.means[self.means["axis"].notna()]
        self.models = _ordered(outcomes.models, self._classes["model"])
        self.axes = _ordered(outcomes.axes, self.means["axis"])
        self.splits = list(dict.fromkeys(self.means["split"]))
        self.shown = np.unique(self._classes["label"].to_numpy(np.int64))
        labels = np.asarray(outcomes.samples.label)
        self.sizes = np.bincount(labels[labels >= 0], minlength=len(outcomes.classes))[self.shown]

    def axis(self, name: str) -> Axis:
        """Return an axis, or a plain one for an axis that no plan describes."""
        return self.outcomes.axes.get(name) or Axis(name, "no unit recorded", 0.0)

    def values(self, axis: str) -> list[float]:
        """Return every value on an axis, from weak to strong."""
        found = self.means.loc[self.means["axis"] == axis, "value"].unique()
        return list(self.axis(axis).ordered(float(value) for value in found))

    def to_dict(self) -> dict[str, Any]:
        """Return the tables as plain JSON values, see ``report.js``."""
        classes = self.outcomes.classes
        return {
            "models": self.models,
            "splits": self.splits,
            "level": self.level,
            "classes": [
                {"name": classes.names[index], "title": classes.labels[index], "n": int(size)}
                for index, size in zip(self.shown, self.sizes, strict=True)
            ],
            "axes": [self._axis(name) for name in self.axes],
            "accuracyAxis": accuracy_axis(),
            "means": self._means(),
            "curves": self._curves(),
        }

    def _axis(self, name: str) -> dict[str, Any]:
        axis, values = self.axis(name), self.values(name)
        return {
            "name": name,
            "unit": axis.unit,
            "reference": axis.reference,
            "values": values,
            "texts": [format_value(value) for value in values],
            "layout": value_axis(axis, values),
        }

    def _means(self) -> list[dict[str, Any]]:
        keys = ["model", "axis", "split", "aggregate"]
        return [
            {
                **self._place(key),
                "aggregate": key[3],
                "values": part["value"].tolist(),
                **{name: _plain(part[name]) for name in ("accuracy", "low", "high")},
                "n": int(part["n"].iloc[0]),
                "draws": part["draws"].tolist(),
                "method": part["method"].iloc[-1],
            }
            for key, part in self.means.groupby(keys, sort=False)
        ]

    def _curves(self) -> list[dict[str, Any]]:
        column = np.full(len(self.outcomes.classes), -1)
        column[self.shown] = np.arange(len(self.shown))
        result = []
        table = self._classes[self._classes["axis"].notna()]
        for key, part in table.groupby(["model", "axis", "split"], sort=False):
            values = part["value"].to_numpy()
            starts = np.append(0, np.flatnonzero(np.diff(values)) + 1)
            present = column[part["label"].to_numpy()[: len(part) // len(starts)]]
            dense = np.full((3, len(starts), len(self.shown)), np.nan)
            for place, name in enumerate(("accuracy", "low", "high")):
                dense[place][:, present] = part[name].to_numpy().reshape(len(starts), -1)
            result.append(
                {
                    **self._place(key),
                    "values": values[starts].tolist(),
                    "draws": part["draws"].to_numpy()[starts].tolist(),
                    "accuracy": pack(dense[0]),
                    "intervals": pack(dense[1:]) if np.isfinite(dense[1:]).any() else None,
                    "order": _order(dense[0]).tolist(),
                }
            )
        return result

    def _place(self, key: Any) -> dict[str, int]:
        return {
            "model": self.models.index(key[0]),
            "axis": self.axes.index(key[1]),
            "split": self.splits.index(key[2]),
        }

    def first_classes(self) -> list[int]:
        """Return positions of three or four classes that illustrate the range, evenly spread.

        By their plain mean over all values, models and axes; an illustration, not a ranking. With
        many models there are fewer, so that the first picture can be read.
        """
        table = self._classes[self._classes["axis"].notna()]
        averages = table.groupby("label")["accuracy"].mean().reindex(self.shown)
        order = np.argsort(averages.fillna(1.0).to_numpy(), kind="stable")
        count = min(4 if len(self.models) < 3 else 3, len(order))
        places = np.unique(np.linspace(0, len(order) - 1, count).round().astype(int))
        return [int(order[place]) for place in places]


def _order(accuracy: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Order classes by their mean over the values, the lowest first; those without come last."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        average = np.nanmean(accuracy, axis=0)
    return np.argsort(np.nan_to_num(average, nan=2.0), kind="stable")


def _ordered(planned: dict[str, Any], found: pd.Series[Any]) -> list[str]:
    present = list(dict.fromkeys(found.dropna()))
    return [name for name in planned if name in present] + [
        name for name in present if name not in planned
    ]


def _plain(numbers: pd.Series[float]) -> list[float | None]:
    return [None if np.isnan(number) else round(float(number), 6) for number in numbers]
