"""What the numbers of a report do not cover, in sentences."""

from __future__ import annotations

import numpy as np

from lpa.axes import format_value
from lpa.outcomes import Outcomes
from lpa.report.described import backbone_runs
from lpa.report.sources import Sources
from lpa.report.wording import count

__all__ = ["omissions", "shared_classes"]


def omissions(outcomes: Outcomes) -> list[str]:
    """State what the numbers of a run do not cover, one sentence each."""
    if outcomes.counts_only:
        return [
            "Counts by training run and class were imported. Without the prediction for every "
            "image there are no losses with intervals over images, no findings, rankings, drift, "
            "agreement or oracle: curves over training runs and Table 1 are what remains."
        ]
    found = []
    if outcomes.skips:
        sample, reason = min(outcomes.skips.items())
        names = dict(zip(outcomes.declared.sample.tolist(), outcomes.declared.name, strict=True))
        found.append(
            f"{count(len(outcomes.skips), 'image')} could not be decoded and "
            f"{'is' if len(outcomes.skips) == 1 else 'are'} in no number; "
            f"the first is {names.get(sample, sample)} ({reason})."
        )
    if outcomes.incomplete:
        first = outcomes.incomplete[0]
        place = "identity"
        if first.cell.axis is not None and first.cell.value is not None:
            place = f"{first.cell.axis} {format_value(first.cell.value)}"
        found.append(
            f"{count(len(outcomes.incomplete), 'cell')} of {len(outcomes.coverage)} "
            f"{'is' if len(outcomes.incomplete) == 1 else 'are'} unfinished and left out; "
            "the first is "
            f"{first.cell.model} at {place}, {_replicate(outcomes)} {first.cell.replicate}, "
            f"with {first.stored} of {first.expected} images."
        )
    found += _never_begun(outcomes)
    for reason in dict.fromkeys(str(failure["reason"]) for failure in outcomes.failures):
        found.append(f"Failed: {reason}.")
    found += _trained_on(outcomes)
    return [*found, *_thin_classes(outcomes), *_ragged(outcomes), *_unequal(outcomes)]


def _trained_on(outcomes: Outcomes) -> list[str]:
    """State how many images of a probe its backbones have seen in their training."""
    found = []
    for run in backbone_runs(outcomes):
        number = int(run.get("trained_on", 0))
        are, them = ("is", "it") if number == 1 else ("are", "them")
        if number:
            found.append(
                f"{count(number, 'evaluated image')} of {len(outcomes.declared):,} {are} among "
                f"those that the backbones of {run['name']} were trained on: what is said of "
                f"{them} does not speak of new images."
            )
    return found


def shared_classes(sources: Sources) -> list[str]:
    """State how many classes several runs share, where they do not share all."""
    there = sources.sizes > 0
    both = int(there.all(axis=0).sum())
    if len(sources.runs) < 2 or both == there.shape[1]:
        return []
    names = " and ".join(run.name for run in sources.runs)
    if not both:
        return [
            f"{names} share no class (classes are matched by name): their curves stand side by "
            "side, and none can be compared."
        ]
    return [f"{names} share {both} of {there.shape[1]} classes; the others have gaps."]


def _thin_classes(outcomes: Outcomes) -> list[str]:
    size = np.bincount(np.asarray(outcomes.samples.label), minlength=len(outcomes.classes))
    single, empty = int((size == 1).sum()), int((size == 0).sum())
    found = []
    if single:
        who = (
            "Every class has" if single == (size > 0).sum() else
            f"{single} of {count(int((size > 0).sum()), 'class')} have"
        )  # fmt: skip
        found.append(
            f"{who} one photograph: each curve describes that photograph, over its random draws. "
            "It says nothing of the class, so there are no intervals and no ranking."
        )
    few = int(((size > 1) & (size < 10)).sum())
    if few:
        found.append(
            f"{count(few, 'class')} {'has' if few == 1 else 'have'} fewer than 10 images: "
            "shown with wide intervals, never ranked."
        )
    if empty:
        found.append(
            f"{empty:,} of {len(size):,} classes have no image in the data; "
            "models may still predict them."
        )
    return found


def _replicate(outcomes: Outcomes) -> str:
    return "training run" if outcomes.record.trained else "draw"


def _never_begun(outcomes: Outcomes) -> list[str]:
    """Name the axes and models of which nothing is complete, and the cells that lack elsewhere."""
    cells = outcomes.cells
    present = {"axis": set(cells["axis"].dropna()), "model": set(cells["model"])}
    planned = {"axis": list(outcomes.axes), "model": list(outcomes.models)}
    found = [
        f"{name} was planned and has no complete cell: it is left out."
        for column, names in planned.items()
        for name in names
        if name not in present[column]
    ]
    stored = {
        (entry.cell.model, entry.cell.axis, entry.cell.value, entry.cell.replicate)
        for entry in outcomes.coverage
    }
    here = [
        each for each in outcomes.planned
        if each[0] in present["model"] and each[1] in present["axis"]
    ]  # fmt: skip
    lacking = [each for each in dict.fromkeys(here) if each not in stored]
    if lacking:
        model, axis, value, draw = lacking[0]
        were = "was" if len(lacking) == 1 else "were"
        found.append(
            f"{count(len(lacking), 'cell')} of {len(set(here))} planned {were} never begun; the "
            f"first is {model} at {axis} {format_value(value)}, {_replicate(outcomes)} {draw}."
        )
    return found


def _ragged(outcomes: Outcomes) -> list[str]:
    cells = outcomes.cells[outcomes.cells["axis"].notna()]
    found = []
    for axis, part in cells.groupby("axis", sort=False):
        every = part["value"].nunique()
        for model in outcomes.cells["model"].unique():
            values = part.loc[part["model"] == model, "value"].nunique()
            if values < every:
                found.append(f"{model} was measured at {values} of {every} values of {axis}.")
    return found


def _unequal(outcomes: Outcomes) -> list[str]:
    """State where values beside the reference have different numbers of draws or runs."""
    cells = outcomes.cells[outcomes.cells["axis"].notna()]
    noun = _replicate(outcomes)
    found = []
    for (model, name), part in cells.groupby(["model", "axis"], sort=False):
        axis = outcomes.axes.get(str(name))
        draws = part.groupby("value").size()
        if axis is not None:
            draws = draws.drop(axis.reference, errors="ignore")
        if draws.nunique() > 1:
            found.append(
                f"{model} on {name} has {draws.min()} to {count(int(draws.max()), noun)} of a "
                "value: images weigh equally, however many they have."
            )
    return found
