"""``Run.compare``: two models, or two values of an axis, on the same images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import pandas as pd

from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.outcomes.part import Part
from lpa.runs.choices import Groups, placed, split_names
from lpa.statistics.paired import Paired, compare_models, compare_values

__all__ = ["compare"]

Fdr = Literal["fdr_bh", "fdr_by"]


def compare(
    outcomes: Outcomes,
    models: str | Sequence[str] | None,
    values: str | Sequence[float] | None,
    at: str | None,
    axis: str | None,
    groups: Groups | None,
    labels: Sequence[int] | None,
    confidence: float,
    split: str | None,
    method_fdr: Fdr,
) -> Paired:
    """Return the comparison; see ``Run.compare``."""
    names = split_names(models) if isinstance(models, str) else list(models or ())
    if values is None:
        axis, place = _place(at, axis, outcomes)
        if len(names) != 2:
            raise InputError(
                f"{len(names)} models to compare; expected two, the old and the new, such as "
                "--models resnet50,mine, or two values with --values crop=1,.5"
            )

        def measured(part: Outcomes) -> Paired:
            return compare_models(
                part, names[0], names[1], axis, place, "both", confidence, split, method_fdr
            )

    else:
        if at is not None:
            raise InputError(f"--at {at} belongs to two models; two values say where they are")
        on, pair = placed(values) if isinstance(values, str) else (None, list(values))
        if len(pair) != 2:
            raise InputError(
                f"{len(pair)} values to compare; expected two, such as crop=1,.5: the reference "
                "and one more"
            )
        which = _axis(on or axis, outcomes)
        if names:
            outcomes = Part(outcomes, models=names)

        def measured(part: Outcomes) -> Paired:
            return compare_values(
                part, which, pair[0], pair[1], None, "both", confidence, split, method_fdr
            )

    found = measured(outcomes)
    if labels is not None:
        found = _watched(found, labels)
    return found if groups is None else _with_groups(found, outcomes, groups, measured)


def _with_groups(
    found: Paired, outcomes: Outcomes, groups: Groups, measured: Callable[[Outcomes], Paired]
) -> Paired:
    """Put each group's mean difference below the means over all classes."""
    rows = [found.overall.assign(group=None)]
    for name, members in groups.items():
        part = Part(outcomes, members)
        if len(part.samples):
            each = measured(part)
            table = each.overall[each.overall["aggregate"] == "mean of classes"].assign(group=name)
            if (table["classes"] == 1).all():
                own = each.classes[each.classes["direction"] == "hurt"]
                table[["low", "high"]] = own[["low", "high"]].to_numpy()
                table["method"] = "E2"
            rows.append(table)
    overall = pd.concat(rows, ignore_index=True)
    columns = list(found.overall.columns)
    columns.insert(columns.index("aggregate") + 1, "group")
    return found._replace(overall=overall[columns])


def _watched(found: Paired, labels: Sequence[int]) -> Paired:
    classes, flips = (
        table[table["label"].isin(list(labels))].reset_index(drop=True)
        for table in (found.classes, found.flips)
    )
    return found._replace(classes=classes, flips=flips)


def _place(at: str | None, axis: str | None, outcomes: Outcomes) -> tuple[str | None, float | None]:
    if at is None:
        return None, None
    on, values = placed(at)
    if len(values) != 1:
        raise InputError(f"--at {at} holds {len(values)} values; expected one, such as crop=.5")
    return _axis(on or axis, outcomes), values[0]


def _axis(asked: str | None, outcomes: Outcomes) -> str:
    known = [str(name) for name in outcomes.cells["axis"].dropna().unique()]
    if asked is not None:
        return asked
    if len(known) != 1:
        raise InputError(
            f"values of which axis? the run has {', '.join(known) or 'none'}; give e.g. "
            f"{known[0] if known else 'crop'}=.5"
        )
    return known[0]
