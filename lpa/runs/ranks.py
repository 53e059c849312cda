"""``Run.rank``: classes, or groups of them, by where they stop being preserved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pandas as pd

from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.runs.choices import Groups
from lpa.statistics.group_means import group_loss, group_thresholds
from lpa.statistics.ranking import ranking
from lpa.statistics.threshold import threshold

__all__ = ["rank_classes", "rank_groups"]

CURVE = ["model", "axis", "split"]
ENDS = {
    "low": "threshold_low", "low_state": "threshold_low_state",
    "high": "threshold_high", "high_state": "threshold_high_state",
}  # fmt: skip


def rank_classes(
    outcomes: Outcomes,
    by: str,
    drop: float,
    joint: bool,
    confidence: float,
    split: str | None,
    level: str | None,
    labels: Sequence[int] | None,
    top: int | None,
) -> pd.DataFrame:
    """Return the ranking with loss and threshold side by side; see ``Run.rank``."""
    _check_top(top, "classes")
    order: Literal["loss", "threshold"] = "threshold" if by == "threshold" else "loss"
    if by != order:
        raise InputError(f"ranking by {by!r} is unknown; expected loss or threshold")
    table = ranking(outcomes, order, drop, confidence, split, level, joint=joint)
    notes = list(table.attrs["notes"])
    _require_rows(table, notes)
    if order == "loss":
        table = _with_thresholds(outcomes, table, drop, confidence, split, level)
    table["rank"] = table["rank"].astype("Int64")
    if (table.groupby(CURVE, sort=False)["ranked"].first() == 1).any():
        notes.append("where one class is ranked, there is nothing to rank it against")
    if labels is not None:
        table = table[table["label"].isin(labels)]
    if top is not None:
        table = table[table["rank"].notna()].groupby(CURVE, sort=False).head(top)
    table = table.reset_index(drop=True)
    table.attrs["notes"] = list(dict.fromkeys(notes))
    return table


def rank_groups(
    outcomes: Outcomes,
    groups: Groups,
    by: str,
    drop: float,
    joint: bool,
    confidence: float,
    split: str | None,
    level: str | None,
    top: int | None,
) -> pd.DataFrame:
    """Return the groups' mean losses, the largest first, with their median thresholds.

    Raises
    ------
    InputError
        For joint ranks and another order: groups have neither ranks nor a threshold of their own.
    """
    _check_top(top, "groups")
    if joint or by != "loss":
        asked = "--joint" if joint else f"--by {by}"
        raise InputError(
            f"groups have no ranks and stand in the order of their mean losses; leave {asked} out, "
            "or --groups"
        )
    table = group_loss(outcomes, groups, confidence, split, level)
    notes = list(table.attrs["notes"])
    _require_rows(table, notes)
    medians = group_thresholds(
        outcomes, groups, threshold(outcomes, drop, confidence, split, level)
    )
    table = table.merge(medians, on=[*CURVE, "group"], how="left", validate="one_to_one")
    table.insert(list(table.columns).index("high") + 1, "drop", drop)
    if top is not None:
        table = table.groupby(CURVE, sort=False).head(top).reset_index(drop=True)
    table.attrs["notes"] = notes
    return table


def _check_top(top: int | None, what: str) -> None:
    if top is not None and top < 1:
        raise InputError(f"the top {top} {what}: expected at least 1")


def _require_rows(table: pd.DataFrame, notes: list[str]) -> None:
    if table.empty:
        raise InputError("nothing can be ranked: " + ("; ".join(notes) or "no class has images"))


def _with_thresholds(
    outcomes: Outcomes,
    table: pd.DataFrame,
    drop: float,
    confidence: float,
    split: str | None,
    level: str | None,
) -> pd.DataFrame:
    keys = [*CURVE, "label"]
    found = threshold(outcomes, drop, confidence, split, level)
    found = found[[*keys, "drop", "threshold", "state", *ENDS]].rename(columns=ENDS)
    after = ["n", "ranked", "by", "level"]
    before = [name for name in table.columns if name not in after]
    joined = table.merge(found, on=keys, how="left", validate="one_to_one")
    added = [name for name in found.columns if name not in keys]
    return joined[[*before, *added, *after]]
