"""``Run.figure``: which table each figure is drawn from."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from lpa.axes import Axis
from lpa.errors import InputError, unknown
from lpa.figures import FIGURES
from lpa.runs.choices import GroupsOption, chosen_names
from lpa.runs.class_tests import is_trained

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from lpa.runs import Run

__all__ = ["draw"]

CURVES_SHOWN = 12
PANEL_CURVES_SHOWN = 6
ROWS_SHOWN = 30
FLOWS_SHOWN = 8


@dataclass(frozen=True)
class Asked:
    """What is to be drawn of a run; see ``Run.figure``."""

    run: Run
    name: str
    classes: str | Sequence[str] | None
    groups: GroupsOption
    axis: Axis
    axes: dict[str, Axis]
    models: str | Sequence[str] | None
    split: str | None
    value: float | None
    top: int | None

    @property
    def level(self) -> str:
        """The level of accuracies' intervals."""
        return "run" if is_trained(self.run.outcomes) else "image"

    def curves(self, axes: Sequence[str], shown: int) -> pd.DataFrame:
        """Return accuracies of the chosen classes or groups, or of the most hurt classes."""
        if self.groups is not None:
            return self._group_curves(axes)
        table = self.run.curves(
            self.classes, models=self.models, axes=list(axes), split=self.split, level=self.level
        )
        limit = self.top or shown
        if self.classes is not None or table["class"].nunique() <= limit:
            return table
        order = self._most_hurt(table)[:limit]
        table = table[table["class"].isin(order)]
        return table.sort_values("class", key=lambda names: names.map(order.index), kind="stable")

    def _group_curves(self, axes: Sequence[str]) -> pd.DataFrame:
        table = self.run.curves(
            self.classes, groups=self.groups, models=self.models, axes=list(axes),
            split=self.split, level=self.level,
        )  # fmt: skip
        return table.assign(**{"class": table["group"], "title": table["group"]})

    def _most_hurt(self, table: pd.DataFrame) -> list[str]:
        """Order classes by their mean loss over curves; where there is none, as they come."""
        from lpa.statistics.mean_loss import mean_loss

        if self.run.outcomes.counts_only:
            # Counts have no losses of images; accuracies tell the order as well.
            curves = table.groupby(["class", "model", "axis", "split"], sort=False, dropna=False)
            fall = curves["accuracy"].first() - curves["accuracy"].mean()
            means = fall.groupby("class", sort=False).mean().sort_values(kind="stable")[::-1]
            return [str(name) for name in means.index]
        losses = mean_loss(self.run.outcomes, split=self.split)
        chosen = losses["model"].isin(table["model"].unique())
        losses = losses[chosen & losses["axis"].isin(table["axis"].unique())]
        means = losses.groupby("class", sort=False)["mean_loss"].mean().sort_values()[::-1]
        return [str(name) for name in (means.index if len(means) else table["class"].unique())]


def draw(
    run: Run,
    name: str,
    classes: str | Sequence[str] | None,
    groups: GroupsOption,
    axis: str | None,
    models: str | Sequence[str] | None,
    split: str | None,
    value: float | None,
    top: int | None,
) -> go.Figure:
    """Draw a figure; see ``Run.figure``.

    Raises
    ------
    InputError
        For unknown names, for options that the figure does not have, and when it would be empty.
    """
    if name not in FIGURES:
        raise unknown("figure", name, FIGURES)
    for option, given, where in (
        ("--groups", groups, GROUPED), ("--classes", classes, WITH_CLASSES), ("--value", value,
        ("drift",)), ("--top", top, WITH_CLASSES),
    ):  # fmt: skip
        if given is not None and name not in where:
            raise InputError(f"{name} has no {option}; figures that do: {', '.join(where)}")
    if top is not None and top < 1:
        raise InputError(f"the top {top} classes: expected at least 1")
    known = _axes(run)
    if axis is None:
        axis = next(iter(known))
    elif axis not in known:
        raise unknown("axis", axis, known, "of this run")
    else:
        known = {axis: known[axis]}
    asked = Asked(run, name, classes, groups, known[axis], known, models, split, value, top)
    table, place = TABLES[name](asked)
    module, function = FIGURES[name].split(":")
    drawn: go.Figure = getattr(importlib.import_module(module), function)(table, place)
    return drawn


def _axes(run: Run) -> dict[str, Axis]:
    """Return the measured axes, in the order of the plans."""
    if run.outcomes.counts_only:
        measured = list(run.outcomes.counts["axis"].dropna().unique())
    else:
        measured = list(run.outcomes.cells["axis"].dropna().unique())
    if not measured:
        raise InputError(
            f"{run.location} has no axis to draw: only the identity was measured; "
            "run the scan with --aug"
        )
    names = [name for name in run.axes if name in measured]
    names += [name for name in measured if name not in names]
    return {name: run.axes.get(name) or Axis(name, "value", 0.0) for name in names}


def _mean_curve(asked: Asked) -> tuple[pd.DataFrame, Axis]:
    table = asked.run.curves(
        None, True, models=asked.models, axes=[asked.axis.name], split=asked.split,
        level=asked.level,
    )  # fmt: skip
    return table, asked.axis


def _class_curves(asked: Asked) -> tuple[pd.DataFrame, Axis]:
    return asked.curves([asked.axis.name], CURVES_SHOWN), asked.axis


def _class_heatmap(asked: Asked) -> tuple[pd.DataFrame, Axis]:
    return asked.curves([asked.axis.name], ROWS_SHOWN), asked.axis


def _small_multiples(asked: Asked) -> tuple[pd.DataFrame, dict[str, Axis]]:
    return asked.curves(list(asked.axes), PANEL_CURVES_SHOWN), asked.axes


def _ranking(asked: Asked) -> tuple[pd.DataFrame, Axis]:
    table = asked.run.rank(
        classes=asked.classes, models=asked.models, axes=[asked.axis.name], split=asked.split
    )
    if asked.classes is None:
        limit = asked.top or ROWS_SHOWN
        hurt = table.groupby("class", sort=False)["rank"].min().sort_values().dropna()
        if hurt.empty:
            raise InputError("ranking would be empty: " + "; ".join(table.attrs["notes"]))
        table = table[table["class"].isin(list(hurt.index[:limit]))]
    return table, asked.axis


def _drift(asked: Asked) -> tuple[pd.DataFrame, Axis]:
    from lpa.outcomes.part import Part
    from lpa.statistics.drift import drift

    outcomes = asked.run.outcomes
    models = chosen_names(outcomes, "model", asked.models)
    part = Part(outcomes, models=models, axes=[asked.axis.name])
    table = drift(part, asked.value, asked.axis.name, split=asked.split, top=FLOWS_SHOWN)
    if asked.classes is None:
        # The classes from which most images go; a class's own row is minus what it lost.
        own = table[table["label"] == table["other_label"]]
        order = own.sort_values("images", kind="stable")["label"].drop_duplicates()
        labels = order.tolist()[: asked.top or 1]
    else:
        labels = asked.run.find_classes(asked.classes)
    table = table[table["label"].isin(labels) & (table["label"] != table["other_label"])]
    size = table["flow"].abs().groupby([table[k] for k in ("model", "split", "label")]).rank(
        ascending=False, method="first"
    )  # fmt: skip
    return table[size <= FLOWS_SHOWN], asked.axis


def _table1(asked: Asked) -> tuple[pd.DataFrame, Axis]:
    if not is_trained(asked.run.outcomes):
        raise InputError(
            f"table1 needs training runs, and {asked.run.location} is "
            f"{asked.run.outcomes.record.called} of fixed models: draw ranking instead"
        )
    models = asked.models
    table = asked.run.test(models=models, axes=[asked.axis.name], split=asked.split, by_class=False)
    return table, asked.axis


TABLES: dict[str, Callable[[Asked], tuple[pd.DataFrame, Any]]] = {
    "mean_curve": _mean_curve,
    "class_curves": _class_curves,
    "class_heatmap": _class_heatmap,
    "ranking": _ranking,
    "small_multiples": _small_multiples,
    "drift": _drift,
    "table1": _table1,
}
"""Figure -> where its numbers come from."""

GROUPED = ("class_curves", "class_heatmap", "small_multiples")
WITH_CLASSES = (*GROUPED, "ranking", "drift")
