"""The tables of a report: what people read, and the numbers behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from lpa.axes import format_value
from lpa.errors import InputError
from lpa.report.sources import FEWEST, Sources
from lpa.report.wording import MINUS, NOTHING, percent, tenths
from lpa.statistics.agreement import agreement, model_pairs
from lpa.statistics.drop_test import drop_test
from lpa.statistics.hurt_helped import hurt_and_helped
from lpa.statistics.looks import looks_note
from lpa.statistics.oracle import oracle_gain
from lpa.statistics.run_test import NO_DECISION, run_test
from lpa.statistics.run_test_summary import run_test_summary

__all__ = ["ShownTable", "agreements", "hurt_counts", "oracle_bracket", "run_tests"]

SIGNIFICANCE = (0.10, 0.05, 0.01)


@dataclass(frozen=True)
class ShownTable:
    """A table for reading, its numbers for downloading, and what was left out.

    Attributes
    ----------
    head : list of str
        Headings.
    rows : list of list of str
        Cells as they are read; the first ``named`` of each row are names.
    numbers : DataFrame
        What the cells were made of, in full.
    notes : list of str
        One line each.
    named : int
        Leading cells that are names.
    worded : set of int
        Columns of words beside them, which are read from the left.
    """

    head: list[str]
    rows: list[list[str]]
    numbers: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    named: int = 2
    worded: frozenset[int] = frozenset()

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as plain JSON values."""
        plain = self.numbers.astype(object).where(self.numbers.notna(), None)
        return {"columns": list(map(str, plain.columns)), "rows": plain.to_numpy().tolist()}


def hurt_counts(sources: Sources) -> ShownTable:
    """Count the classes shown to be hurt and to be helped along each axis, for fixed models."""
    table = sources.gather(
        lambda run: (
            pd.DataFrame()
            if run.trained or run.sizes.max(initial=0) < FEWEST
            else _with_notes(drop_test(run.outcomes, direction="both"), hurt_and_helped)
        )
    )
    if len(table):
        table = table[table["untestable"] < table["classes"]].sort_values(["model_at", "axis_at"])
    counts = ("hurt_holm", "hurt_bh", "helped_holm", "helped_bh")
    rows = [
        [
            *_place(sources, row, "model", "axis"),
            *(f"{row[name]:,}" for name in counts),
            f"{row['classes'] - row['untestable']:,}",
        ]
        for row in _records(table)
    ]
    head = [
        *("Model", "Axis", *_split_head(sources)),
        *("Hurt, Holm", "Hurt, BH", "Helped, Holm", "Helped, BH", "Classes tested"),
    ]
    named = 2 + len(_split_head(sources))
    return ShownTable(head, rows, _numbers(sources, table), table.attrs["notes"], named)


def agreements(sources: Sources) -> tuple[ShownTable, ShownTable]:
    """Compare which classes the models hurt: all models of an axis together, and in pairs."""
    together = sources.gather(lambda run: agreement(run.outcomes))
    pairs = sources.gather(lambda run: model_pairs(run.outcomes))
    # Curves without losses are stated once for the whole page.
    notes = [note for note in together.attrs["notes"] if not note.endswith("no losses are given")]
    if len(together):
        few = together["classes"] < 3
        if few.any():
            notes = [*notes, "Agreement takes 3 classes of 4 images or more"]
        together, pairs = together[~few], pairs[pairs["classes"] >= 3]
    named = 1 + len(_split_head(sources))
    head = [
        *("Axis", *_split_head(sources), "Models", "Concordance W", "Mean correlation"),
        *("Pairs too noisy", "W on the same images", "Classes"),
    ]
    rows = [
        [
            *_place(sources, row, "axis"),
            str(_models(pairs, row)),
            _two(row["concordance"]),
            _two(row["mean_corrected"]),
            f"{row['pairs_omitted']} of {row['pairs']}",
            _two(row["concordance_same_images"]),
            f"{row['classes']:,}",
        ]
        for row in _records(together)
    ]
    pair_head = [
        *("Axis", *_split_head(sources), "Model", "Other model"),
        *("Corrected", "As measured", "Reliability", "Of the other"),
    ]
    measures = ("corrected", "correlation", "reliability", "reliability_other")
    pair_rows = [
        [
            *_place(sources, row, "axis"),
            *(row["model"], row["other"]),
            *(_two(row[name]) for name in measures),
        ]
        for row in _records(pairs)
    ]
    return (
        ShownTable(head, rows, _numbers(sources, together), notes, named),
        ShownTable(pair_head, pair_rows, _numbers(sources, pairs), [], named + 2),
    )


def run_tests(sources: Sources) -> ShownTable:
    """Test training runs against the reference: Table 1 of the paper, for sweeps and probes."""
    trained = {run.name: run.outcomes for run in sources.runs if run.trained}
    head = [
        *("Model", "Axis", "Value", "Runs", "Lower at 10\u00a0%", "at 5\u00a0%", "at 1\u00a0%"),
        *("Higher at 5\u00a0%", "Not testable", "Lower, BH", "Lower, Holm", "Test"),
    ]
    if not trained:
        return ShownTable(head, [], pd.DataFrame())
    try:
        tests = run_test(trained)
    except InputError as error:
        return ShownTable(head, [], pd.DataFrame(), [str(error)])
    summary = run_test_summary(tests, SIGNIFICANCE)
    keys = ["run", "model", "axis", "split", "reference", "value"]
    rows = [
        _table_one_row(sources, {row["significance"]: row for row in _records(part)})
        for _, part in summary.groupby(keys, sort=False, dropna=False)
    ]
    notes = [note for name, run in trained.items() for note in looks_note(name, run, looks=1)]
    notes += tests.attrs["notes"]
    return ShownTable(head, rows, summary, notes, 3, frozenset({len(head) - 1}))


def _table_one_row(sources: Sources, at: dict[float, dict[str, Any]]) -> list[str]:
    usual = at[0.05]
    run = next(run for run in sources.runs if run.name == usual["run"])
    values = f"{format_value(usual['value'])} against {format_value(usual['reference'])}"
    split = f", {usual['split']}" if _split_head(sources) else ""
    row = [run.models[usual["model"]] + split, run.axes[usual["axis"]], values]
    row.append(f"{usual['runs']} and {usual['runs_reference']}")
    untested = percent(usual["not_testable"])
    if usual["claim"] == NO_DECISION:
        return [*row, *[NOTHING] * 4, untested, NOTHING, NOTHING, NO_DECISION]
    row += [percent(at[level]["lower"]) for level in SIGNIFICANCE]
    row += [percent(usual["higher"]), untested]
    return [*row, f"{usual['lower_bh']:.0f}", f"{usual['lower_holm']:.0f}", usual["test"]]


def oracle_bracket(sources: Sources) -> ShownTable:
    """Compare the single best value with the best value of each class, for sweeps and probes."""
    table = sources.gather(lambda run: oracle_gain(run.outcomes) if run.trained else pd.DataFrame())
    head = [
        *("Model", "Axis", *_split_head(sources), "Best single value", "Its accuracy"),
        *("Gain, split", "95 % interval", "Split over", "Gain, naive", "Classes"),
    ]
    rows = []
    for _, part in table.groupby(["run", "model", "axis", "split"]) if len(table) else ():
        naive, *split = _records(part)
        for row in split:
            ends = f"{tenths(row['low'])} to {tenths(row['high'])}"
            rows.append(
                [
                    *_place(sources, row, "model", "axis"),
                    format_value(naive["single_value"]),
                    percent(naive["single"]),
                    tenths(row["gain"]),
                    NOTHING if np.isnan(row["low"]) else ends,
                    row["halves"],
                    tenths(naive["gain"]),
                    f"{row['classes']:,}",
                ]
            )
    named = 2 + len(_split_head(sources))
    worded = frozenset({head.index("Split over")})
    return ShownTable(head, rows, _numbers(sources, table), table.attrs["notes"], named, worded)


def _with_notes(table: pd.DataFrame, then: Callable[[pd.DataFrame], pd.DataFrame]) -> pd.DataFrame:
    result = then(table) if len(table) else pd.DataFrame()
    result.attrs["notes"] = table.attrs["notes"]
    return result


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _place(sources: Sources, row: dict[str, Any], *columns: str) -> list[str]:
    """Return the names of a row's place as the page has them, the split where there are several."""
    lists = {"model": sources.models, "axis": sources.axes}
    names = [lists[column][int(row[f"{column}_at"])] for column in columns]
    return [*names, row["split"]] if _split_head(sources) else names


def _models(pairs: pd.DataFrame, row: dict[str, Any]) -> int:
    """Count models from their pairs: names may hold commas."""
    mine = pairs
    for column in ("run", "axis", "split", "grid"):
        mine = mine[mine[column] == row[column]]
    return len({*mine["model"], *mine["other"]})


def _numbers(sources: Sources, table: pd.DataFrame) -> pd.DataFrame:
    """Return the table without the places on the page, and with the run where there are several."""
    places = ("run", "model_at", "axis_at", "split_at", "class_at")
    numbers = table[[name for name in table.columns if name not in places]]
    if len(sources.runs) > 1 and len(table):
        numbers = numbers.assign(run=[sources.runs[at].name for at in table["run"]])
    return numbers


def _split_head(sources: Sources) -> list[str]:
    return ["Split"] if len(sources.splits) > 1 else []


def _two(number: float) -> str:
    return NOTHING if np.isnan(number) else f"{number:.2f}".replace("-", MINUS)
