"""The findings on which a report lands: the classes that matter, each in a sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lpa.axes import format_value
from lpa.report.sources import FEWEST, Source, Sources
from lpa.report.wording import count, percent, points
from lpa.statistics.multiplicity import corrected
from lpa.statistics.paired import compare_values
from lpa.statistics.policy import class_states

__all__ = ["Finding", "Findings", "find"]

MOST = 10
"""Classes that a report names."""

Looked = Mapping[str, float]


@dataclass(frozen=True)
class Finding:
    """One class at one value, under the model where its loss is surest.

    Attributes
    ----------
    run, model_at, axis_at, split_at, class_at : int
        Its place on the page.
    title, model, place : str
        The class, the model, and axis with value, for reading.
    value : float
        The value of the axis.
    reference_accuracy, accuracy : float
        Of the class at the reference and at the value, in [0, 1].
    loss, low, high : float
        Loss and its 95 % interval, in [-1, 1].
    level : str
        What the interval speaks of.
    n : int
        Images of the class.
    target, to_target, flips
        The class to which most flips go, how many, and how many flips there are.
    p_holm : float
        Of the drop test, NaN where there is none.
    others, of_others : int
        Other models under which the interval is above 0 too, of how many.
    """

    run: int
    model_at: int
    axis_at: int
    split_at: int
    class_at: int
    title: str
    model: str
    place: str
    value: float
    reference_accuracy: float
    accuracy: float
    loss: float
    low: float
    high: float
    level: str
    n: int
    target: str | None
    to_target: int
    flips: int
    p_holm: float
    others: int
    of_others: int

    @property
    def change(self) -> str:
        """The change and its interval: ``-22 points at crop 0.3 [-35, -9]``."""
        interval = f"[{points(-self.high)}, {points(-self.low)}]"
        return f"{points(-self.loss)} points at {self.place} {interval}"

    @property
    def destination(self) -> str:
        """Where the flips go: ``8 of 11 flips go to garden spider``, or nothing."""
        if not self.flips or self.target is None:
            return ""
        if self.flips == 1:
            return f"its one flip goes to {self.target}"
        verb = "goes" if self.to_target == 1 else "go"
        return f"{self.to_target} of {self.flips} flips {verb} to {self.target}"

    @property
    def details(self) -> list[str]:
        """What else belongs to the finding, in short phrases."""
        before, after = percent(self.reference_accuracy), percent(self.accuracy)
        said = [self.model, f"{before} → {after} % of {count(self.n, 'image')}"]
        said.append(f"interval of level {self.level}")
        if self.of_others:
            models = "model" if self.of_others == 1 else "models"
            said.append(f"{self.others} of {self.of_others} other {models} shown to lose here too")
        if not np.isnan(self.p_holm):
            holds = self.p_holm <= 0.05
            said.append("holds after Holm" if holds else "not after Holm")
        return said

    @property
    def markdown(self) -> str:
        """The finding as a line of Markdown, whose names are read as text."""
        change = self.change.replace(self.place, _escaped(self.place), 1)
        destination = self.destination.replace(self.target or "", _escaped(self.target or ""))
        sentence = "; ".join(part for part in (change, destination) if part)
        return f"- **{_escaped(self.title)}**: {sentence} ({_escaped(', '.join(self.details))})"


@dataclass(frozen=True)
class Findings:
    """The findings and what they were chosen from.

    Attributes
    ----------
    listed : list of Finding
        At most ten, the largest lower limit of the loss first, each class once.
    shown : int
        Classes with at least one interval above 0.
    candidates, judged : int
        Classes with enough images, and those of them with an interval.
    tests : int
        Drop tests among which Holm's correction was made; 0 without tests.
    states : DataFrame
        Losses of every class at the values looked at: ``class_states`` with the page's places.
    """

    listed: list[Finding]
    shown: int
    candidates: int
    judged: int
    tests: int
    states: pd.DataFrame


def find(sources: Sources, looked: Sequence[Looked], accuracies: pd.DataFrame) -> Findings:
    """Find the classes that matter at the values looked at.

    Parameters
    ----------
    sources : Sources
        The runs.
    looked : list of mapping
        For each run, the value of each of its axes (:func:`~lpa.report.looked_at.looked_at`).
    accuracies : DataFrame
        Of ``class_accuracy``, with the page's places.
    """
    at = dict(zip((run.name for run in sources.runs), looked, strict=True))
    states = sources.gather(lambda run: _states(run, at[run.name]))
    candidates = int((sources.sizes.max(axis=0, initial=0) >= FEWEST).sum())
    if not len(states):
        return Findings([], 0, candidates, 0, 0, states)
    tested = [states["split"] == run.tested_split for run in sources.runs]
    usable = states[np.choose(states["run"], tested) & (states["n"] >= FEWEST)]
    sure = usable[usable["low"] > 0].sort_values("low", ascending=False, kind="stable")
    chosen = sure.drop_duplicates("class_at").head(MOST)
    flips, tests = _compared(sources, looked, chosen)
    listed = [
        _finding(sources, row, usable, flips, tests, accuracies)
        for row in chosen.to_dict("records")
    ]
    judged = usable.loc[usable["low"].notna(), "class_at"].nunique()
    shown = sure["class_at"].nunique()
    return Findings(listed, shown, candidates, judged, len(tests), states)


def _states(run: Source, looked: Looked) -> pd.DataFrame:
    """Return the losses at the values looked at, with two-sided 95 % limits."""
    table = class_states(run.outcomes, confidence=0.975)
    kept = table[table["value"] == table["axis"].map(dict(looked))]
    kept.attrs = table.attrs
    return kept


def _compared(
    sources: Sources, looked: Sequence[Looked], chosen: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the flips of the chosen classes, and the tests of all classes, Holm over all."""
    flips, tests = [], []
    for at, (run, values) in enumerate(zip(sources.runs, looked, strict=True)):
        wanted = chosen.loc[chosen["run"] == at, "label"]
        for axis in chosen.loc[chosen["run"] == at, "axis"].unique() if run.trained else values:
            paired = compare_values(
                run.outcomes, axis, run.axis(axis).reference, values[axis],
                direction="hurt", split=run.tested_split,
            )  # fmt: skip
            moved = paired.flips
            flips.append(moved[moved["label"].isin(wanted)].assign(run=at))
            if not run.trained:
                enough = paired.classes["n"] >= FEWEST
                tests.append(paired.classes[enough].assign(run=at))
    joined = pd.concat(flips, ignore_index=True) if flips else pd.DataFrame()
    if not tests:
        return joined, pd.DataFrame()
    return joined, corrected(pd.concat(tests, ignore_index=True), by=["direction"])


def _finding(
    sources: Sources,
    row: dict[Any, Any],
    states: pd.DataFrame,
    flips: pd.DataFrame,
    tests: pd.DataFrame,
    accuracies: pd.DataFrame,
) -> Finding:
    run = sources.runs[row["run"]]
    keys = ["run", "model", "axis", "label"]
    mine = accuracies[
        _matches(accuracies, row, [*keys, "split"]) & (accuracies["level"] == run.level)
    ].set_index("value")["accuracy"]
    here = states[_matches(states, row, ["run", "axis", "label"])]
    others = here[here["model"] != row["model"]]
    target, to_target, total = _target(run, row, flips)
    p_holm = tests.loc[_matches(tests, row, keys), "p_holm"].tolist() if len(tests) else []
    axis, value = str(row["axis"]), float(row["value"])
    return Finding(
        run=int(row["run"]),
        model_at=int(row["model_at"]),
        axis_at=int(row["axis_at"]),
        split_at=int(row["split_at"]),
        class_at=int(row["class_at"]),
        title=str(row["title"]),
        model=run.models[row["model"]],
        place=f"{run.axes[axis]} {format_value(value)}",
        value=value,
        reference_accuracy=float(mine[run.axis(axis).reference]),
        accuracy=float(mine[value]),
        loss=float(row["loss"]),
        low=float(row["low"]),
        high=float(row["high"]),
        level=str(row["level"]),
        n=int(row["n"]),
        target=target,
        to_target=to_target,
        flips=total,
        p_holm=float(p_holm[0]) if p_holm else float("nan"),
        others=int((others["low"] > 0).sum()),
        of_others=len(others),
    )


def _target(run: Source, row: dict[Any, Any], flips: pd.DataFrame) -> tuple[str | None, int, int]:
    """Return where most images go whose most frequent prediction was the label and is no more."""
    keys = ["run", "model", "axis", "label"]
    moved = flips[_matches(flips, row, keys)] if len(flips) else flips
    if len(moved):
        own = moved["class"]
        moved = moved[(moved["old_prediction"] == own) & (moved["prediction"] != own)]
    if not len(moved):
        return None, 0, 0
    name, most = Counter(moved["prediction"]).most_common(1)[0]
    titles = dict(zip(run.outcomes.classes.names, run.outcomes.classes.labels, strict=True))
    return titles.get(name, "no class of the run"), most, len(moved)


def _matches(table: pd.DataFrame, row: dict[Any, Any], keys: list[str]) -> pd.Series[bool]:
    found = pd.Series(True, index=table.index)
    for key in keys:
        found &= table[key] == row[key]
    return found


def _escaped(text: str) -> str:
    """Keep names from being read as Markdown or HTML."""
    signs: dict[str, str | int | None] = {sign: f"\\{sign}" for sign in "\\*_`|[]"}
    signs |= {"<": "&lt;", ">": "&gt;", "&": "&amp;", "\n": " ", "\r": " "}
    return text.translate(str.maketrans(signs))
